"""What a training step of the course's LSTM layers costs, compared with PyTorch's.

A batch of 64 rows, 70 steps and 256 features goes through a layer of 256 units in float32, and a gradient comes back to
input and weights; after that, a batch of the lesson's own sizes: 64 rows, 16 steps, 64 features, 64 units. The layers
take turns (A B C D E A B C D E ...): one with four products at each step, the lesson's first form; the course's loop
over its cell; its layer that is one operation, also with one block in its backward pass; and nn.LSTM.

The figure is the median over turns of the ratio within a turn, to nn.LSTM. Torch computes with one thread, and what is
measured is the processor time of this process, so that other programs on the machine disturb little. As the layers do
not all ask the same library for their matrix products, the largest of these is measured with both.
"""
from functools import partial

import torch
from frame import frame, make_parser, save
from torch import nn
from torch.nn import functional as F
from turns import compare, take_turns

from fastcourse.core import seed_everything
from fastcourse.text.lstm import FastLSTMLayer, LSTMCell, LSTMOverTime, LSTMState, fast_linear
from fastcourse.text.rnn import RecurrentLayer

GOAL_RATIO = 1.25  # of the fast layer
SEED = 42
WARM_UP = 3  # turns that are not counted
SIZES = {"wide": dict(batch=64, time=70, size=256), "lesson": dict(batch=64, time=16, size=64)}
BLOCK = LSTMOverTime.block


class FourProducts(nn.Module):
    "An LSTM layer with a linear layer for each gate, on input and output joined."
    def __init__(self, size):
        super().__init__()
        self.gates = nn.ModuleList([nn.Linear(2 * size, size) for _ in range(4)])

    def forward(self, x):
        h = c = torch.zeros_like(x[:, 0])
        outputs = []
        for step in x.unbind(dim=1):
            both = torch.cat([h, step], dim=1)
            i, f, g, o = [gate(both) for gate in self.gates]
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            outputs.append(h)
        return torch.stack(outputs, dim=1), LSTMState(h, c)


def make_layers(size):
    "Name -> layer."
    seed_everything(SEED)
    return {"four products": FourProducts(size), "loop": RecurrentLayer(LSTMCell(size, size)),
            "one operation": FastLSTMLayer(LSTMCell(size, size)), "nn.LSTM": nn.LSTM(size, size, batch_first=True)}


def train_step(layer, x, sent_back, block=None):
    "Forward and backward."
    LSTMOverTime.block = block or BLOCK
    outputs, _ = layer(x)
    outputs.backward(sent_back)
    x.grad = None
    layer.zero_grad()


def measure_steps(num_turns, batch, time, size):
    "Rows of the layers' training steps, and of the largest product by either library."
    layers = make_layers(size)
    x, sent_back = torch.randn(batch, time, size, requires_grad=True), torch.randn(batch, time, size)
    steps = {name: partial(train_step, layer, x, sent_back) for name, layer in layers.items()}
    steps["one operation, one block"] = partial(train_step, layers["one operation"], x, sent_back, block=time)
    inputs, weight = x.detach().flatten(0, 1), layers["nn.LSTM"].weight_ih_l0.detach()
    products = {"F.linear": partial(F.linear, inputs, weight), "fast_linear": partial(fast_linear, inputs, weight)}
    return (compare(take_turns(steps, num_turns, WARM_UP), "nn.LSTM"),
            compare(take_turns(products, num_turns, WARM_UP), "fast_linear"))


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--turns", type=int, default=30, help="turns that are measured, at least 2 (default 30)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result = frame(
        "milliseconds of processor time of a training step, float32; ratio to nn.LSTM within a turn", seed=SEED,
        capability=torch.backends.cpu.get_cpu_capability(), turns=arguments.turns,
        goal_ratio=GOAL_RATIO, sizes={})
    for name, sizes in SIZES.items():
        layers, products = measure_steps(arguments.turns, **sizes)
        result["sizes"][name] = dict(**sizes, layers=layers, products=products)
        print(name, sizes)
        for work, row in (layers | products).items():
            print(f"  {work:24} {row['milliseconds']:7.1f} ms, ratio {row['ratio']:.3f}, {row['ratio_quartiles']}")
    met = result["sizes"]["wide"]["layers"]["one operation"]["ratio"] <= GOAL_RATIO
    print(f"The goal, one operation in at most {GOAL_RATIO} times nn.LSTM, is {'met' if met else 'missed'}.")
    save(result, arguments.output)


if __name__ == "__main__":
    main()

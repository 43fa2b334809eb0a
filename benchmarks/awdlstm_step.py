"""What a training step of the course's AWD-LSTM costs with all of its dropouts, compared with a stack without any.

The versions take turns (A B C D A B C D ...): an embedding, a stack of nn.LSTM and a tied output layer without dropout;
the same with the four dropouts in their naive form (F.dropout for the weights, the whole table masked); the course's
AWDLSTM; and AWDLSTM with the loss in chunks. Where fastai can be imported, its model takes part as well, and once more
with the optimizer that its learner takes by default. All have the same sizes, float32 and Adam, but for that one with
fused=True.

The figure is the median over turns of the ratio within a turn, to the stack without dropout. Torch computes with one
thread, and what is measured on a CPU is the processor time of this process, so that other programs on the machine
disturb little. Beside it stands the time of the mask of one recurrent matrix, forward and backward.
"""
import time
from functools import partial

import torch
from frame import frame, make_parser, save
from peers import peer
from torch import nn
from torch.nn import functional as F
from turns import compare, take_turns

from fastcourse.core import seed_everything
from fastcourse.text.awdlstm import AWDLSTM, Dropouts, EmbeddingDropout, WeightDropout, byte_mask
from fastcourse.text.cross_entropy import DecoderLoss
from fastcourse.text.regularize import dropout_mask, tie_weights

SEED = 42
WARM_UP = 1  # turns that are not counted
SIZES = {"small": dict(vocab_size=5_000, embed_size=128, hidden_size=256, num_layers=2, batch=64, time=70),
         "large": dict(vocab_size=10_000, embed_size=400, hidden_size=1152, num_layers=3, batch=32, time=70),
         "WikiText-2": dict(vocab_size=33_278, embed_size=400, hidden_size=1152, num_layers=3, batch=32, time=70),
         "tiny": dict(vocab_size=50, embed_size=8, hidden_size=16, num_layers=2, batch=4, time=10)}
PLAIN = "no dropout"
OURS, FASTAI = "ours, loss in chunks", "fastai, its own Adam"
VERSIONS = [PLAIN, "naive dropouts", "ours", OURS, "fastai", FASTAI]


class Scores(nn.Module):
    "An AWD-LSTM with a tied output layer."
    def __init__(self, body):
        super().__init__()
        self.body, self.decoder = body, nn.Linear(body.embed_size, body.vocab_size)
        tie_weights(self.decoder, body.embedding)

    def forward(self, x): return self.decoder(self.body(x))


class Features(Scores):
    def forward(self, x): return self.body(x)


class NaiveEmbedding(EmbeddingDropout):
    def forward(self, x):
        return F.embedding(x, self.weight * dropout_mask(self.weight, (self.num_embeddings, 1), self.p))


class NaiveWeights(WeightDropout):
    def draw_weights(self): return {"weight_hh_l0": F.dropout(self.module.weight_hh_l0, self.p, self.training)}


class NaiveAWDLSTM(AWDLSTM):
    def __init__(self, vocab_size, embed_size, *sizes, dropouts):
        super().__init__(vocab_size, embed_size, *sizes, dropouts=dropouts)
        self.embedding = NaiveEmbedding(vocab_size, embed_size, dropouts.embedding)
        self.layers = nn.ModuleList([NaiveWeights(layer.module, layer.p) for layer in self.layers])


def fastai_model(sizes):
    "fastai's language model with the same probabilities, or None where it is not installed."
    try:
        awdlstm, core = peer("fastai.text.models.awdlstm"), peer("fastai.text.models.core")
    except ImportError:
        return None
    p = Dropouts()
    config = awdlstm.awd_lstm_lm_config | dict(
        emb_sz=sizes[1], n_hid=sizes[2], n_layers=sizes[3], embed_p=p.embedding, input_p=p.input, weight_p=p.weight,
        hidden_p=p.hidden, output_p=p.output)
    return core.get_language_model(awdlstm.AWD_LSTM, sizes[0], config=config)


def cross_entropy(scores, y):
    scores = scores[0] if isinstance(scores, tuple) else scores
    return F.cross_entropy(scores.flatten(0, 1), y.flatten())


def make_models(numbers):
    "Version -> a function that makes a model and its loss."
    def chunked():
        model = Features(AWDLSTM(*numbers))
        return model, DecoderLoss(model.decoder)

    return {PLAIN: lambda: (Scores(AWDLSTM(*numbers, dropouts=Dropouts().scaled(0))), cross_entropy),
            "naive dropouts": lambda: (Scores(NaiveAWDLSTM(*numbers, dropouts=Dropouts())), cross_entropy),
            "ours": lambda: (Scores(AWDLSTM(*numbers)), cross_entropy),
            OURS: chunked,
            "fastai": lambda: (fastai_model(numbers), cross_entropy),
            FASTAI: lambda: (fastai_model(numbers), cross_entropy)}


def make_steps(sizes, device, chosen):
    "Version -> a function that makes a step."
    numbers = [sizes[name] for name in ("vocab_size", "embed_size", "hidden_size", "num_layers")]
    seed_everything(SEED)
    text = torch.randint(0, sizes["vocab_size"], (sizes["batch"], sizes["time"] + 1), device=device)
    steps = {}
    for name, make in make_models(numbers).items():
        model, loss_func = make() if name in chosen else (None, None)
        if model is None:
            continue
        model.to(device)
        if name == FASTAI:
            opt = peer("fastai.optimizer").Adam(list(model.parameters()), lr=1e-4)
        else:
            opt = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
        steps[name] = partial(train_step, model, loss_func, opt, text[:, :-1], text[:, 1:])
    return steps


def train_step(model, loss_func, opt, x, y):
    loss_func(model(x), y).backward()
    opt.step()
    opt.zero_grad()


def make_masks(sizes, device):
    "Version -> a function that drops connections of the largest recurrent matrix, forward and backward."
    weight = torch.randn(4 * sizes["hidden_size"], sizes["hidden_size"], device=device, requires_grad=True)
    sent_back = torch.randn_like(weight)

    def run(drop):
        drop(weight).backward(sent_back)
        weight.grad = None

    return {"F.dropout": partial(run, lambda w: F.dropout(w, 0.5)),
            "byte_mask": partial(run, lambda w: w * byte_mask(w, w.shape, 0.5))}


def clock(device):
    "The time in seconds: of the processor, or of the wall when the GPU has done its work."
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--turns", type=int, default=20, help="turns that are measured, at least 2 (default 20)")
    parser.add_argument("--size", choices=SIZES, default="small", help="sizes of model and batch (default small)")
    parser.add_argument("--versions", nargs="*", choices=VERSIONS, default=VERSIONS, help="which (default: all)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="default cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sizes, device = SIZES[arguments.size], arguments.device
    now = partial(clock, device)
    times = take_turns(make_steps(sizes, device, {PLAIN, *arguments.versions}), arguments.turns, WARM_UP, now)
    steps = compare(times, PLAIN, digits=2)
    to_ours = compare(times, OURS, digits=2) if OURS in times else {}
    to_fastai = compare(times, "fastai", digits=2) if "fastai" in times else {}
    masks = compare(take_turns(make_masks(sizes, device), arguments.turns, WARM_UP, now), "F.dropout", digits=2)
    result = frame(
        "milliseconds of a training step (processor time on a CPU), float32; ratio to the stack without dropout",
        "fastai", device=device, seed=SEED, turns=arguments.turns, sizes=sizes,
        steps=steps, to_ours=to_ours,
        ratios_to_fastai={name: row["ratio"] for name, row in to_fastai.items()}, masks=masks)
    print(result["ratios_to_fastai"])
    for name, row in (steps | masks).items():
        print(f"{name:22} {row['milliseconds']:8.2f} ms, ratio {row['ratio']:.3f}, {row['ratio_quartiles']}")
    save(result, arguments.output)


if __name__ == "__main__":
    main()

"""What gates are worth on Human Numbers, over several seeds.

The models of the lesson "LSTM" have two layers of 64 plain, LSTM or GRU cells, and are trained for 15 epochs of one
cycle on batches of 64 rows and 16 words, at two rates. Further LSTMs begin with their forget gates more open.

What is reported for a rung is the validation accuracy after ten epochs and after the last one, for each seed. Torch
computes with one thread.
"""
import statistics
import time

import torch
from frame import frame, make_parser, save
from torch.nn import functional as F

from fastcourse.core import seed_everything
from fastcourse.data.datasets import number_ids
from fastcourse.text.lstm import GRUCell, LSTMCell
from fastcourse.text.rnn import RecurrentLayer, RecurrentStack, ResetState, RNNCell, StatefulModel, stream_loaders
from fastcourse.training.learner import Learner, accuracy
from fastcourse.training.schedule import fit_one_cycle

RUNGS = {  # name -> cell, rate, and what is written into the bias of the forget gates
    "plain, 3e-3": (RNNCell, 3e-3, None), "plain, 1e-2": (RNNCell, 1e-2, None), "LSTM, 3e-3": (LSTMCell, 3e-3, None),
    "LSTM, 1e-2": (LSTMCell, 1e-2, None), "LSTM, 1e-2, forget bias 1": (LSTMCell, 1e-2, 1.0),
    "LSTM, 1e-2, forget bias 2": (LSTMCell, 1e-2, 2.0), "GRU, 3e-3": (GRUCell, 3e-3, None),
    "GRU, 1e-2": (GRUCell, 1e-2, None)}


def train(cell, lr, bias, num_epochs, seed):
    "The validation accuracy after each epoch."
    seed_everything(seed)
    layers = [RecurrentLayer(cell(64, 64)) for _ in range(2)]
    if bias is not None:
        for layer in layers:
            layer.cell.bias_ih.data.chunk(4)[1].fill_(bias)
    model = StatefulModel(30, 64, RecurrentStack(layers))
    learn = Learner(model, stream_loaders(number_ids()), F.cross_entropy, metrics=[accuracy], cbs=[ResetState()])
    fit_one_cycle(learn, num_epochs, lr)
    return [round(epoch["accuracy"], 4) for epoch in learn.history]


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many (default 5)")
    parser.add_argument("--epochs", type=int, default=15, help="of a training (default 15)")
    parser.add_argument("--rungs", nargs="*", choices=RUNGS, default=[*RUNGS], help="which (default: all)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    result = frame(
        "validation accuracy on Human Numbers after ten epochs and after the last epoch, for each seed",
        seeds=[*range(arguments.seeds)], epochs=arguments.epochs, rungs={})
    for name in arguments.rungs:
        curves = [train(*RUNGS[name], arguments.epochs, seed) for seed in range(arguments.seeds)]
        tenth, last = ([curve[:num_epochs][-1] for curve in curves] for num_epochs in (10, arguments.epochs))
        result["rungs"][name] = dict(median_tenth=statistics.median(tenth), median=statistics.median(last),
                                     accuracies_tenth=tenth, accuracies=last)
        print(f"{name:26} median after ten {statistics.median(tenth):.3f}, at the end {statistics.median(last):.3f}, "
              f"from {min(last):.3f} to {max(last):.3f}", flush=True)
    result["processor_seconds"] = round(time.process_time() - start)
    save(result, arguments.output)


if __name__ == "__main__":
    main()

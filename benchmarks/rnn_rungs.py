"""What each rung of the lesson "Recurrent networks" reaches on Human Numbers, over several seeds.

The rungs and their trainings are those of fastbook's chapter 12: the same text and split, 64 units, batches of 64 rows,
AdamW along one cycle. Three models are written as in the book (relu, words and state through one matrix). The others
are one or two layers of the course's cells, with tanh or relu, and torch's first weights or an orthogonal weight_hh.

What is reported for a rung is the validation accuracy after the last epoch, and the mean training loss of that epoch,
for each seed. Torch takes one thread.
"""
import statistics
import time
from functools import partial

import torch
from frame import frame, make_parser, save
from torch import nn
from torch.nn import functional as F

from fastcourse.core import DataLoaders, TensorLoader, seed_everything
from fastcourse.data.datasets import number_ids, number_triples
from fastcourse.text.rnn import RecurrentLayer, RecurrentStack, ResetState, RNNCell, StatefulModel, stream_loaders
from fastcourse.training.learner import Learner, accuracy
from fastcourse.training.schedule import fit_one_cycle


class BookModel(nn.Module):
    "The book's models 1 to 4."
    def __init__(self, keep, every_word):
        super().__init__()
        self.keep, self.every_word, self.h = keep, every_word, 0
        self.embedding, self.hidden, self.output = nn.Embedding(30, 64), nn.Linear(64, 64), nn.Linear(64, 30)

    def reset(self):
        self.h = 0

    def forward(self, x):
        states = []
        for t in range(x.size(1)):
            self.h = F.relu(self.hidden(self.h + self.embedding(x[:, t])))
            states.append(self.h)
        self.h = self.h.detach() if self.keep else 0
        return self.output(torch.stack(states, dim=1)).transpose(1, 2) if self.every_word else self.output(states[-1])


def cells(num_layers, nonlinearity, orthogonal):
    "A model of the course's own cells."
    layers = [RecurrentLayer(RNNCell(64, 64, nonlinearity)) for _ in range(num_layers)]
    for layer in layers:
        if orthogonal:
            nn.init.orthogonal_(layer.cell.weight_hh)
    return StatefulModel(30, 64, RecurrentStack(layers))


def make_rungs():
    "Name -> what makes a model, its data, epochs and rate."
    triples = DataLoaders(*[TensorLoader(*part, batch_size=64) for part in number_triples()])
    parts = [part.tensors for part in stream_loaders(number_ids(), 64, length=3)]
    kept = DataLoaders(*[TensorLoader(x, y[:, -1], batch_size=64) for x, y in parts])
    every = stream_loaders(number_ids(), 64, length=16)
    rungs = {"three words": (partial(BookModel, False, False), triples, 4, 1e-3),
             "kept state": (partial(BookModel, True, False), kept, 10, 3e-3),
             "every word": (partial(BookModel, True, True), every, 15, 3e-3)}
    for orthogonal in (False, True):
        for num_layers in (1, 2):
            for kind in ("tanh", "relu"):
                name = f"{num_layers} {kind}" + orthogonal * ", orthogonal"
                rungs[name] = (partial(cells, num_layers, kind, orthogonal), every, 15, 3e-3)
    return rungs


def train(make_model, dls, num_epochs, lr, seed):
    "The validation accuracy after the last epoch, and its training loss."
    seed_everything(seed)
    learn = Learner(make_model(), dls, F.cross_entropy, metrics=[accuracy], cbs=[ResetState()])
    fit_one_cycle(learn, num_epochs, lr)
    return round(learn.averages["accuracy"], 4), round(learn.averages["train_loss"], 3)


def main():
    rungs = make_rungs()
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many (default 5)")
    parser.add_argument("--rungs", nargs="*", choices=rungs, default=[*rungs], help="which (default: all)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    result = frame(
        "validation accuracy on Human Numbers after the last epoch, and its training loss, for each seed",
        seeds=[*range(arguments.seeds)], rungs={})
    for name in arguments.rungs:
        make_model, dls, num_epochs, lr = rungs[name]
        runs = [train(make_model, dls, num_epochs, lr, seed) for seed in range(arguments.seeds)]
        accuracies, losses = map(list, zip(*runs))
        low, middle, high = min(accuracies), statistics.median(accuracies), max(accuracies)
        result["rungs"][name] = dict(epochs=num_epochs, lr=lr, accuracies=accuracies, train_losses=losses)
        loss = statistics.median(losses)
        print(f"{name:20} accuracy {middle:.3f}, from {low:.3f} to {high:.3f}; training loss {loss:.2f}", flush=True)
    result["processor_seconds"] = round(time.process_time() - start)
    save(result, arguments.output)


if __name__ == "__main__":
    main()

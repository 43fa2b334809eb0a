"""What a batch costs in the Learner beyond the bare loop.

A 784-50-10 net on random data in memory, batches of 64, SGD. The loops take turns (A B C A B C ...) on the same data:
the bare loop, the learner alone, and the learner with a recorder, a metric and a progress bar. The bare loop trains and
computes the validation loss, and keeps no result. The bar draws into a null device: its formatting is paid for. Where
fastai and Lightning are installed they take part, with their recorders, the same metric, and loaders of ours, as theirs
cost more; fastai draws no bar, and of Lightning only the epochs are counted, not the start of its trainer.

The figure is the median over epochs of the difference within a turn, divided by the number of batches. It is the time
of the processor, with one thread, so that other programs on the machine disturb little.
"""
import logging
import os
import statistics
import time
from functools import partial

import torch
from frame import frame, make_parser, save
from peers import fastai_learner, fit_quietly, is_installed, peer
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from fastcourse.core import DataLoaders, TensorLoader, seed_everything
from fastcourse.training.callbacks import ProgressBar, Recorder
from fastcourse.training.learner import Learner, accuracy

FULL = "learner, recorder, metric, bar"
GOAL_MICROSECONDS = 60  # that FULL adds to the bare loop
SEED = 42
TRAIN_BATCHES, VALID_BATCHES, BATCH_SIZE = 200, 50, 64


def make_loaders(size=1.0):
    "Random data of the size of MNIST's pictures; of the usual number of them, the share `size`."
    train, valid = (max(1, round(num * size)) for num in (TRAIN_BATCHES, VALID_BATCHES))
    count = (train + valid) * BATCH_SIZE
    x, y = torch.randn(count, 784), torch.randint(0, 10, (count,))
    cut = train * BATCH_SIZE
    return DataLoaders(TensorLoader(x[:cut], y[:cut], batch_size=BATCH_SIZE),
                       TensorLoader(x[cut:], y[cut:], batch_size=BATCH_SIZE))


def make_model():
    "The net, with the same weights every time."
    seed_everything(SEED)
    return nn.Sequential(nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, 10))


def bare_epoch(model, opt, dls):
    "The loop that the others are measured against."
    model.train()
    for x, y in dls.train:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        opt.zero_grad()
    model.eval()
    with torch.no_grad():
        for x, y in dls.valid:
            F.cross_entropy(model(x), y)


def fastai_epoch(dls):
    "An epoch of fastai's learner with its recorder, our metric and no bar, on the batches of our loaders."
    metrics, optimizer = peer("fastai.metrics"), peer("fastai.optimizer")
    learn = fastai_learner(dls, make_model(), loss_func=F.cross_entropy, lr=0.1, metrics=metrics.accuracy,
                           opt_func=optimizer.SGD)
    return partial(fit_quietly, learn)


def lightning_module(lightning):
    class Net(lightning.LightningModule):
        "The net with its loss, logged as its users do."
        def __init__(self):
            super().__init__()
            self.model = make_model()

        def training_step(self, batch, index):
            loss = F.cross_entropy(self.model(batch[0]), batch[1])
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch, index):
            preds = self.model(batch[0])
            self.log("valid_loss", F.cross_entropy(preds, batch[1]))
            self.log("accuracy", (preds.argmax(1) == batch[1]).float().mean())

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)
    return Net()


def lightning_epoch(dls):
    "An epoch of Lightning's trainer; returns the seconds of its loops alone."
    lightning = peer("lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    module = lightning_module(lightning)

    class Watch(lightning.Callback):
        def on_train_epoch_start(self, trainer, module):
            self.start = time.process_time()

        def on_train_epoch_end(self, trainer, module):
            self.seconds = time.process_time() - self.start

    def run():
        watch = Watch()
        trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
                                    enable_model_summary=False, enable_progress_bar=False, num_sanity_val_steps=0,
                                    callbacks=[watch])
        trainer.fit(module, dls.train, dls.valid)
        return watch.seconds
    return run


PEERS = {"fastai": fastai_epoch, "lightning": lightning_epoch}


def make_loops(dls, peers=True):
    "Name -> a function that trains and validates one epoch, and may return its seconds."
    model = make_model()
    loops = {"bare": partial(bare_epoch, model, torch.optim.SGD(model.parameters(), 0.1), dls)}
    null_bar = partial(tqdm, file=open(os.devnull, "w", encoding="utf8"), leave=False)
    extras = {"learner": {}, FULL: dict(metrics=[accuracy], cbs=[Recorder(), ProgressBar(null_bar)])}
    for name, kwargs in extras.items():
        learn = Learner(make_model(), dls, F.cross_entropy, torch.optim.SGD, 0.1, **kwargs)
        loops[name] = partial(learn.fit, 1)
    return loops | {name: make(dls) for name, make in PEERS.items() if peers and is_installed(name)}


def measure(num_epochs):
    "Name -> microseconds per batch in each of the epochs, after two epochs of warm-up."
    torch.set_num_threads(1)
    loops = make_loops(make_loaders())
    times = {name: [] for name in loops}
    for _ in range(num_epochs + 2):
        for name, run in loops.items():
            start = time.process_time()
            seconds = run()
            seconds = time.process_time() - start if seconds is None else seconds
            times[name].append(seconds * 1e6 / (TRAIN_BATCHES + VALID_BATCHES))
    return {name: values[2:] for name, values in times.items()}


def summarize(times):
    "Medians and quartiles of the time per batch and of what each loop adds to the bare one."
    rows = {}
    for name, values in times.items():
        added = [value - bare for value, bare in zip(values, times["bare"], strict=True)]
        rows[name] = dict(microseconds=round(statistics.median(values), 1), added=round(statistics.median(added), 1),
                          added_quartiles=[round(q, 1) for q in statistics.quantiles(added, n=4)[::2]])
    return rows


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--epochs", type=int, default=40, help="turns that are measured, at least 2 (default 40)")
    arguments = parser.parse_args()
    result = frame(
        "microseconds per batch of the loop, 784-50-10, batch 64, training and validation",
        "fastai", "lightning", seed=SEED,
        epochs=arguments.epochs, loops=summarize(measure(arguments.epochs)), goal_microseconds=GOAL_MICROSECONDS)
    for name, row in result["loops"].items():
        print(f"{name:32} {row['microseconds']:7.1f} µs a batch, {row['added']:+7.1f} µs, {row['added_quartiles']}")
    met = result["loops"][FULL]["added"] <= GOAL_MICROSECONDS
    print(f"The goal, at most {GOAL_MICROSECONDS:+} µs for the last of them, is {'met' if met else 'missed'}.")
    save(result, arguments.output)


if __name__ == "__main__":
    main()

"""What a batch costs in the Learner beyond the bare loop.

A 784-50-10 net on random data in memory, batches of 64, SGD. Three loops take turns (A B C A B C ...) on the same data:
the bare loop, the learner alone, and the learner with a recorder, a metric and a progress bar. The bare loop trains and
computes the validation loss, and keeps no result. The bar draws into a null device: its formatting is paid for.

The figure is the median over epochs of the difference within a turn, divided by the number of batches. Torch computes
with one thread: the loop's own work is Python's, and a second thread would only let other programs disturb more.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from fastcourse.core import DataLoaders, TensorLoader, seed_everything
from fastcourse.training.callbacks import ProgressBar, Recorder
from fastcourse.training.learner import Learner, accuracy

ROOT = Path(__file__).resolve().parent.parent
FULL = "learner, recorder, metric, bar"
GOAL_MICROSECONDS = 60  # that FULL adds to the bare loop
SEED = 42
TRAIN_BATCHES, VALID_BATCHES, BATCH_SIZE = 200, 50, 64


def make_loaders():
    "Random data of the size of MNIST's pictures."
    count = (TRAIN_BATCHES + VALID_BATCHES) * BATCH_SIZE
    x, y = torch.randn(count, 784), torch.randint(0, 10, (count,))
    cut = TRAIN_BATCHES * BATCH_SIZE
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


def make_loops(dls):
    "Name -> a function that trains and validates one epoch."
    model = make_model()
    loops = {"bare": partial(bare_epoch, model, torch.optim.SGD(model.parameters(), 0.1), dls)}
    null_bar = partial(tqdm, file=open(os.devnull, "w", encoding="utf8"), leave=False)
    extras = {"learner": {}, FULL: dict(metrics=[accuracy], cbs=[Recorder(), ProgressBar(null_bar)])}
    for name, kwargs in extras.items():
        learn = Learner(make_model(), dls, F.cross_entropy, torch.optim.SGD, 0.1, **kwargs)
        loops[name] = partial(learn.fit, 1)
    return loops


def measure(num_epochs):
    "Name -> microseconds per batch in each of the epochs, after two epochs of warm-up."
    torch.set_num_threads(1)
    loops = make_loops(make_loaders())
    times = {name: [] for name in loops}
    for _ in range(num_epochs + 2):
        for name, run in loops.items():
            start = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - start) * 1e6 / (TRAIN_BATCHES + VALID_BATCHES))
    return {name: values[2:] for name, values in times.items()}


def summarize(times):
    "Medians and quartiles of the time per batch and of what each loop adds to the bare one."
    rows = {}
    for name, values in times.items():
        added = [value - bare for value, bare in zip(values, times["bare"], strict=True)]
        rows[name] = dict(microseconds=round(statistics.median(values), 1), added=round(statistics.median(added), 1),
                          added_quartiles=[round(q, 1) for q in statistics.quantiles(added, n=4)[::2]])
    return rows


def processor():
    "The processor's name, as the system gives it."
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def commit():
    "The commit that is checked out, marked where files differ from it."
    git = shutil.which("git")
    describe = [git, "describe", "--always", "--dirty"]
    return git and subprocess.run(describe, cwd=ROOT, capture_output=True, text=True).stdout.strip() or "unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40, help="turns that are measured, at least 2 (default 40)")
    parser.add_argument("--output", type=Path, help="write the result as JSON to this file")
    arguments = parser.parse_args()
    result = dict(
        what="microseconds per batch of the loop, 784-50-10, batch 64, training and validation",
        command=" ".join(["python", "benchmarks/loop_overhead.py", *sys.argv[1:]]), commit=commit(), seed=SEED,
        hardware=f"{processor()}, {os.cpu_count()} cores", threads=1,
        versions=dict(python=platform.python_version(), torch=torch.__version__),
        epochs=arguments.epochs, loops=summarize(measure(arguments.epochs)), goal_microseconds=GOAL_MICROSECONDS)
    for name, row in result["loops"].items():
        print(f"{name:32} {row['microseconds']:7.1f} µs a batch, {row['added']:+7.1f} µs, {row['added_quartiles']}")
    met = result["loops"][FULL]["added"] <= GOAL_MICROSECONDS
    print(f"The goal, at most {GOAL_MICROSECONDS:+} µs for the last of them, is {'met' if met else 'missed'}.")
    if arguments.output:
        text = json.dumps(result, indent=1, ensure_ascii=False)
        arguments.output.write_text(text + "\n", encoding="utf8")


if __name__ == "__main__":
    main()

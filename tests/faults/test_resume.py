"A training that is killed at random moments, again and again, ends with the bits of one that was left alone."
import multiprocessing
import random
import signal
import sys
import time

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fastcourse.core import fingerprint, seed_everything
from fastcourse.data.datasets import digit_loaders
from fastcourse.training.callbacks import (
    AccumulateGradients,
    Checkpoint,
    ClipGradients,
    EarlyStopping,
    FiniteLossGuard,
    Recorder,
)
from fastcourse.training.events import Callback
from fastcourse.training.learner import Learner, accuracy

NUM_KILLS, NUM_EPOCHS, PAUSE_SECONDS = 20, 4, 0.01


class Noise(Callback):
    "Draws from Python's generator, and leaves time to be killed."
    def before_batch(self, learn):
        if learn.training:
            learn.x = learn.x * (1 + 0.01 * random.random())
        time.sleep(PAUSE_SECONDS)


def train(path, result):
    "Train from the checkpoint at `path`, or from the beginning, and write the fingerprint of what comes out."
    torch.set_num_threads(1)
    seed_everything(42)
    dls = digit_loaders(batch_size=64, seed=42)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 50), nn.BatchNorm1d(50), nn.ReLU(), nn.Dropout(0.1),
                          nn.Linear(50, 10))
    recorder = Recorder()
    cbs = [Noise(), recorder, EarlyStopping(patience=9), ClipGradients(max_norm=1), AccumulateGradients(2),
           FiniteLossGuard(), Checkpoint(path, every=1)]
    learn = Learner(model, dls, F.cross_entropy, lr=1e-2, metrics=[accuracy], cbs=cbs)
    learn.fit(NUM_EPOCHS, resume=path if path.exists() else None)
    history = torch.tensor([list(row.values()) for row in learn.history], dtype=torch.float64)
    result.write_text(fingerprint([model.state_dict(), history, recorder.losses]))


@pytest.fixture(scope="module")
def processes():
    "New processes that need not import torch each time."
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def run(processes, folder, seconds=None):
    "The exit code of a training that is killed after `seconds`."
    process = processes.Process(target=train, args=(folder / "training.safetensors", folder / "result"))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no SIGKILL")
def test_killed_at_random_moments(processes, tmp_path):
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    alone.mkdir()
    killed.mkdir()
    start = time.perf_counter()
    assert run(processes, alone) == 0
    whole = time.perf_counter() - start
    moments, kills = random.Random(42), 0
    while kills < NUM_KILLS:
        code = run(processes, killed, moments.uniform(0, 0.4 * whole))
        assert code in (0, -signal.SIGKILL)
        kills += code != 0
        if code == 0:
            assert (killed / "result").read_text() == (alone / "result").read_text()
            (killed / "training.safetensors").unlink()
    assert run(processes, killed) == 0
    assert (killed / "result").read_text() == (alone / "result").read_text()
    assert [path.name for path in killed.iterdir() if path.suffix == ".new"] == []

"Trainings on text that are killed in the middle of an epoch end with the bits of those that were left alone."
import multiprocessing
import random
import signal
import sys
import time

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fastcourse.core import DataLoaders, fingerprint, seed_everything
from fastcourse.text.batches import PaddedBatches, RateByLength, SortishSampler, StreamBatches
from fastcourse.text.rnn import ResetState, StatefulModel
from fastcourse.text.store import TokenStore, write_tokens
from fastcourse.training.callbacks import Checkpoint
from fastcourse.training.events import Callback
from fastcourse.training.learner import Learner

NUM_KILLS, NUM_EPOCHS, PAUSE_SECONDS = 4, 3, 0.01
VOCAB = [str(i) for i in range(50)]


class Pause(Callback):
    def before_batch(self, learn): time.sleep(PAUSE_SECONDS)


class MeanOfWords(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.output = nn.Embedding(50, 8), nn.Linear(8, 2)

    def forward(self, x, lengths):
        real = torch.arange(x.size(1)) < lengths[:, None]
        return self.output((self.embedding(x) * real[..., None]).sum(dim=1) / lengths[:, None])


def stream_learner(store, cbs):
    train = StreamBatches(store.tokens, 8, 20, variable=True, generator=torch.Generator().manual_seed(3))
    model = StatefulModel(50, 8, nn.LSTM(8, 8, 2, batch_first=True, dropout=0.3))
    return Learner(model, DataLoaders(train, StreamBatches(store.tokens, 8, 20)), F.cross_entropy, lr=1e-2,
                   cbs=[ResetState(), RateByLength(20), *cbs])


def document_learner(store, cbs):
    labels = torch.arange(len(store)) % 2
    sampler = SortishSampler(store.lengths, 16, torch.Generator().manual_seed(3), num_sorted=4)
    dls = DataLoaders(PaddedBatches(store, labels, sampler, 16), PaddedBatches(store, labels, None, 16))
    return Learner(MeanOfWords(), dls, F.cross_entropy, lr=1e-2, cbs=cbs)


LEARNERS = {"stream": stream_learner, "documents": document_learner}


def train(kind, store, path, result):
    "Train from the checkpoint at `path`, or from the beginning, and write the fingerprint of what comes out."
    torch.set_num_threads(1)
    seed_everything(42)
    learn = LEARNERS[kind](TokenStore(store), [Pause(), Checkpoint(path, every=1)])
    learn.fit(NUM_EPOCHS, resume=path if path.exists() else None)
    history = torch.tensor([list(row.values()) for row in learn.history], dtype=torch.float64)
    result.write_text(fingerprint([learn.model.state_dict(), history]))


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no SIGKILL")
@pytest.mark.parametrize("kind", LEARNERS)
def test_killed_at_random_moments(kind, processes, tmp_path):
    generator = torch.Generator().manual_seed(1)
    documents = [torch.randint(0, 50, (n,), generator=generator) for n in range(1, 91)]
    write_tokens(tmp_path / "store", documents, VOCAB)

    def run(name, seconds=None):
        process = processes.Process(target=train, args=(kind, tmp_path / "store", tmp_path / f"{name}.safetensors",
                                                        tmp_path / name))
        process.start()
        process.join(seconds)
        process.kill()
        process.join()
        return process.exitcode

    start = time.perf_counter()
    assert run("alone") == 0
    whole = time.perf_counter() - start
    moments, kills = random.Random(42), 0
    while kills < NUM_KILLS:
        code = run("killed", moments.uniform(0, 0.5 * whole))
        assert code in (0, -signal.SIGKILL)
        kills += code != 0
        if code == 0:
            assert (tmp_path / "killed").read_text() == (tmp_path / "alone").read_text()
            (tmp_path / "killed.safetensors").unlink()
    assert run("killed") == 0
    assert (tmp_path / "killed").read_text() == (tmp_path / "alone").read_text()

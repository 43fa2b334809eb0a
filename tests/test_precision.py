"What the lesson on mixed precision leaves: more seeds, other models, faults, and a GPU where there is one."
import copy
import json
import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from project import ROOT
from torch import nn
from torch.nn import functional as F

from fastcourse.core import DataLoaders, fingerprint, seed_everything
from fastcourse.data.datasets import digit_loaders
from fastcourse.testing import check_close
from fastcourse.training.callbacks import AccumulateGradients, ClipGradients, MoveToDevice, Recorder
from fastcourse.training.events import Callback
from fastcourse.training.learner import Learner, accuracy, evaluate
from fastcourse.training.precision import (
    FORMATS,
    AutoMixedPrecision,
    MixedPrecision,
    check_lstm,
    draw_bits,
    half_weights,
    next_scale,
    split_bits,
)

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def conv_net():
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
                         nn.Conv2d(8, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
                         nn.Flatten(), nn.Linear(72, 10))


def learner(seed, *cbs, lr=0.05, opt_func=torch.optim.SGD, **kwargs):
    seed_everything(seed)
    return Learner(conv_net(), digit_loaders(64, seed), F.cross_entropy, opt_func, lr, metrics=[accuracy],
                   cbs=cbs, **kwargs)


class Note(Callback):
    "The scale after each training batch, and whether its step was taken."
    order = 50

    def __init__(self, read):
        self.read, self.scales, self.taken = read, [], []

    def after_step(self, learn):
        self.taken.append(not learn.cancelled)

    def after_batch(self, learn):
        if learn.training:
            self.scales.append(self.read())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("others", [[], [lambda: ClipGradients(max_norm=0.3)], [lambda: AccumulateGradients(3)]],
                         ids=["alone", "clipped", "accumulated"])
def test_follows_torch_amp(seed, others, device):
    "The same steps left out, the same scales, and weights within rounding, over more than 200 batches."
    def run(mixed, read):
        note = Note(read)
        learn = learner(seed, MoveToDevice(device), mixed, note, *(make() for make in others))
        learn.fit(9)
        return note, dict(learn.model.named_parameters())

    ours, theirs = MixedPrecision(scale=2.0 ** 26, wait=12), AutoMixedPrecision(scale=2.0 ** 26, wait=12)
    our_note, our_weights = run(ours, lambda: ours.scale)
    their_note, their_weights = run(theirs, lambda: theirs.scaler.get_scale())
    assert len(our_note.scales) == 207 and our_note.taken.count(False) > 5
    assert our_note.taken == their_note.taken and our_note.scales == their_note.scales
    check_close(our_weights, their_weights, rtol=0.02, atol=0.02)


def test_groups_keep_their_rates_and_the_optimizer_its_parameters():
    def split(model):
        return [model[:3].parameters(), model[3:].parameters()]

    learn = learner(0, MixedPrecision(), split_params=split)
    learn.opt.param_groups[0]["lr"] = 0.0
    before, owned = fingerprint(list(learn.model[:3].parameters())), [id(p) for p in learn.model.parameters()]
    learn.fit(1)
    assert fingerprint(list(learn.model[:3].parameters())) == before
    assert [id(p) for group in learn.opt.param_groups for p in group["params"]] == owned
    assert all(p.dtype == torch.float32 for p in learn.model.parameters())


@pytest.mark.parametrize("make", [MixedPrecision, lambda: MixedPrecision(torch.bfloat16), AutoMixedPrecision,
                                  lambda: AutoMixedPrecision(torch.bfloat16)])
def test_learner_is_left_as_it_was(make):
    "After a fit, after an evaluation and after an error; and the record holds true losses."
    recorder = Recorder()
    learn = learner(0, recorder, make())
    context = learn.forward_context
    learn.fit(1)
    evaluate(learn)
    assert learn.forward_context is context and recorder.losses.max() < 10

    class Broken(Callback):
        def after_loss(self, learn):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        learn.fit(1, cbs=[Broken()])
    assert learn.forward_context is context and not torch.is_autocast_enabled("cpu")
    assert learn.model(learn.dls.valid.tensors[0]).dtype == torch.float32


@pytest.mark.parametrize("make", [MixedPrecision, AutoMixedPrecision])
def test_overflow_in_every_step_ends_the_fit(make):
    learn = learner(0, make())
    learn.dls.train.tensors[0][:] = math.nan
    before = fingerprint(list(learn.model.parameters()))
    with pytest.raises(FloatingPointError, match="its scale is 1 and may not fall below 1"):
        learn.fit(1)
    assert fingerprint(list(learn.model.parameters())) == before, "no step was taken"


def test_adam_keeps_its_memory_in_single_precision():
    learn = learner(0, MixedPrecision(), lr=1e-2, opt_func=torch.optim.AdamW)
    learn.fit(4)
    assert {t.dtype for state in learn.opt.state.values() for t in state.values()} == {torch.float32}
    assert learn.averages["accuracy"] > 0.85


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("make", [MixedPrecision, AutoMixedPrecision])
def test_lstm_trains_or_says_why_not(make, dtype):
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.lstm, self.head = nn.Embedding(7, 8), nn.LSTM(8, 8), nn.Linear(8, 7)

        def forward(self, x):
            return self.head(self.lstm(self.embedding(x))[0]).flatten(0, 1)

    ids = torch.arange(6 * 4).view(6, 4) % 7
    data = [(ids, (ids + 1).flatten() % 7)] * 30
    learn = Learner(Reader(), DataLoaders(data, data[:1]), F.cross_entropy, lr=0.03, cbs=[make(dtype)])
    try:
        learn.fit(2)
    except RuntimeError as error:
        assert make is AutoMixedPrecision and "MixedPrecision of this course can" in str(error)
    else:
        assert learn.averages["valid_loss"] < 0.5


def test_lstm_message(monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("could not create a primitive descriptor")

    monkeypatch.setattr(nn.LSTM, "forward", broken)
    with pytest.raises(RuntimeError, match="cannot run nn.LSTM under autocast with torch.bfloat16"):
        check_lstm(nn.Sequential(nn.LSTM(2, 2)), "cpu", torch.bfloat16)
    check_lstm(nn.Linear(2, 2), "cpu", torch.bfloat16)
    check_lstm(nn.LSTM(2, 2), "cuda", torch.bfloat16)


def test_checking_an_lstm_draws_no_random_numbers():
    before = torch.get_rng_state()
    check_lstm(nn.Linear(2, 2), "cpu", torch.float16)
    try:
        check_lstm(lstm := nn.LSTM(2, 2), "cpu", torch.bfloat16)
    except RuntimeError:
        lstm = None
    torch.set_rng_state(before)
    nn.LSTM(2, 2)
    after_construction = torch.get_rng_state()
    torch.set_rng_state(before)
    lstm = nn.LSTM(2, 2)
    try:
        check_lstm(lstm, "cpu", torch.bfloat16)
    except RuntimeError:
        pass
    assert torch.equal(torch.get_rng_state(), after_construction)


def test_half_weights_after_an_error_inside():
    model = conv_net()
    own = dict(model.named_parameters())
    with pytest.raises(ZeroDivisionError), half_weights(model):
        assert model[0].weight.dtype == torch.float16 and model[1].weight is own["1.weight"]
        1 / 0
    assert all(p is own[name] for name, p in model.named_parameters())
    copy.deepcopy(model)


@settings(deadline=None)
@given(st.floats(width=32), st.sampled_from(FORMATS))
def test_parts_of_a_number(value, form):
    sign, exponent, fraction = split_bits(value, form)
    stored = torch.tensor(value, dtype=form.dtype).item()
    if exponent == 2 ** form.exponent_bits - 1:
        assert not math.isfinite(stored)
    else:
        size = fraction * form.smallest if exponent == 0 else \
            (1 + fraction / 2 ** form.fraction_bits) * 2.0 ** (exponent - form.bias)
        assert stored == (-size if sign else size) and math.copysign(1, stored) == (-1 if sign else 1)


@settings(deadline=None, max_examples=20)
@given(st.floats(), st.floats())
def test_any_number_can_be_drawn(number, added):
    assert "fp16: stored as" in draw_bits(str(number), str(added)).get_label()


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 7))
def test_scale_is_that_of_grad_scaler(overflows, wait):
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=wait)
    p = nn.Parameter(torch.zeros(1))
    opt, scale, num_clean = torch.optim.SGD([p], 0.1), 1024.0, 0
    scaler.scale(torch.zeros(()))
    for overflowed in overflows:
        p.grad = torch.tensor([math.inf if overflowed else 1.0])
        scaler.unscale_(opt)
        scaler.update()
        scale, num_clean = next_scale(scale, num_clean, overflowed, wait)
        assert scale == scaler.get_scale()


def test_benchmark_runs(tmp_path):
    output = tmp_path / "result.json"
    command = [sys.executable, ROOT / "benchmarks/mixed_precision.py", "--size", "tiny", "--turns", "2", "--batches",
               "2", "--epochs", "1", "--seeds", "1", "--output", output]
    subprocess.run(command, check=True, cwd=ROOT)
    result = json.loads(output.read_text(encoding="utf8"))
    models = result["models"]
    assert {"fp32", "fp16 hand", "fp16 amp", "bf16 amp"} <= set(result["accuracies"])
    assert set(models) == {"convolutional", "language"}
    for rows in models.values():
        assert set(rows) == {"fp32", "TF32", "fp16 hand", "fp16 amp", "bf16 amp"}
        losses = [row["train_loss"] for row in rows.values() if isinstance(row, dict)]
        assert len(losses) >= 2 and all(map(math.isfinite, losses))
    by_hand, amp = (models["convolutional"][version]["train_loss"] for version in ("fp16 hand", "fp16 amp"))
    assert abs(by_hand - amp) < 0.05

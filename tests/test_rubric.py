"The rubric says yes to good projects, and to each bad one no, with the reason."
from dataclasses import replace

import pytest
import torch
from torch import nn

from fastcourse.study.rubric import QUESTIONS, Project, content_key, judge_project, rubric_message
from fastcourse.training.state import load_weights, save_weights

CLASSES = ["negative", "positive"]


def fit(seed):
    torch.manual_seed(seed)
    model = nn.Linear(1, 2)
    with torch.no_grad():
        model.weight[1] = model.weight[0] + 9
        model.bias[1] = model.bias[0] + 0.9
    return model


def load(folder):
    model = nn.Linear(1, 2)
    load_weights(folder / "weights.safetensors", model)
    return lambda examples: model(torch.stack(list(examples))).softmax(dim=1).detach()


@pytest.fixture
def good(tmp_path):
    values = torch.linspace(-1, 1, 240)[torch.randperm(240, generator=torch.Generator().manual_seed(42))][:, None]
    train, valid = list(values[:120]), list(values[120:])
    save_weights(tmp_path / "model" / "weights.safetensors", fit(0))
    labels = [CLASSES[int(value > 0)] for value in valid]
    said = load(tmp_path / "model")(valid)
    wrong = [i for i, row in enumerate(said) if CLASSES[int(row.argmax())] != labels[i]]
    remarks = {i: f"The number {valid[i].item():.3f} is near the border" for i in wrong}
    most = max(CLASSES, key=labels.count)
    return Project(train, valid, labels, CLASSES, said, [most] * 120, fit, tmp_path / "model", load, remarks)


def refused(project):
    "Numbers of the questions that are answered with no, and what is said about them."
    verdicts = list(judge_project(project).values())
    return [i for i, verdict in enumerate(verdicts) if not verdict.passed], " ".join(
        verdict.text for verdict in verdicts if not verdict.passed)


def test_a_good_project_passes(good):
    verdicts = judge_project(good)
    assert list(verdicts) == [question for question, _ in QUESTIONS]
    message = rubric_message(verdicts)
    assert message and message.heading == "5 of 5 questions are answered with yes"
    assert not rubric_message(judge_project(replace(good, remarks={})))


BAD = {
    "a held-out example is learned from": (lambda p: replace(p, train=[*p.train, p.valid[7].clone()]), 0, "number 7"),
    "too few are held out": (lambda p: replace(p, valid=p.valid[:40], labels=p.labels[:40], baseline=p.baseline[:40],
                                               probabilities=p.probabilities[:40],
                                               remarks={i: w for i, w in p.remarks.items() if i < 40}), 0, "too few"),
    "labels of other examples": (lambda p: replace(p, baseline=p.baseline[:-1]), 0, "must be as many"),
    "a class is missing": (lambda p: replace(p, classes=[*p.classes, "zero"]), 0, "'zero'"),
    "no better than the baseline": (lambda p: replace(p, baseline=p.answers), 1, "0 examples gained, 0 lost"),
    "a straw man for a baseline": (lambda p: replace(p, baseline=["?"] * 120), 1, "most frequent class"),
    "no seed": (lambda p: replace(p, fit=lambda seed: nn.Linear(1, 2)), 2, "same seed gave different weights"),
    "always the same seed": (lambda p: replace(p, fit=lambda seed: fit(3)), 2, "Is the seed used"),
    "no training": (lambda p: replace(p, fit=None), 2, "TypeError"),
    "mistakes were not looked at": (lambda p: replace(p, remarks={}), 3, "0 different remarks"),
    "five times the same": (lambda p: replace(p, remarks=dict.fromkeys(p.remarks, "looks like a hard one")), 3,
                            "1 different remarks"),
    "a remark about no mistake": (lambda p: replace(p, remarks={**p.remarks, next(
        i for i, label in enumerate(p.labels) if p.answers[i] == label): "a remark of four words"}), 3, "no mistake"),
    "load gives what is in memory": (lambda p: replace(p, load=lambda folder: load(p.folder)), 4, "empty folder"),
    "another model was saved": (lambda p: replace(p, probabilities=p.probabilities.roll(1, 0)), 4, "something else"),
    "there is no folder": (lambda p: replace(p, folder=p.folder / "none"), 4, "FileNotFoundError"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_project_is_refused_for_its_reason(good, name):
    spoil, number, words = BAD[name]
    numbers, text = refused(spoil(good))
    assert number in numbers and words in text, text
    if name not in ("labels of other examples", "another model was saved", "a class is missing"):
        assert numbers == [number], "only what is bad is refused"


def test_no_mistakes_need_no_remarks(good):
    right = replace(good, labels=good.answers, remarks={}, baseline=["negative"] * 120)
    assert 3 not in refused(right)[0]


def test_the_dice_are_put_back(good):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    judge_project(good)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("one, other, same", [
    ("A  fine film", "a fine\nfilm", True), ("a fine film", "a finefilm", False),
    (torch.ones(3), torch.ones(3), True), (torch.ones(3), torch.ones(3, dtype=torch.float64), False),
    (torch.ones(4), torch.ones(2, 2), False),
])
def test_copies_are_found_by_content(one, other, same):
    assert (content_key(one) == content_key(other)) is same

"What the lesson on interpretation leaves out: several labels, texts read backwards, and what is at the limits."
import pytest
import torch

from fastcourse.core import fingerprint
from fastcourse.plots import alt_text
from fastcourse.text.awdlstm import AWDLSTM
from fastcourse.text.classifier import TextClassifier, TrainedClassifier, predict_documents
from fastcourse.text.interpret import (
    brier_score, calibration_error, class_scores, confusion_matrix, draw_confusion, draw_reliability, draw_word_effects,
    fit_temperature, gradient_times_input, log_odds, most_confused, occlusion, reliability, top_losses,
    with_temperature)
from fastcourse.text.tokenizer import SPECIALS, Tokenizer
from fastcourse.text.vocabulary import Vocab


@pytest.fixture(scope="module")
def ids():
    return torch.randint(60, (33,), generator=torch.Generator().manual_seed(1))


def classifier(num_classes=3, **settings):
    torch.manual_seed(0)
    return TextClassifier(AWDLSTM(60, 6, 8, 2), num_classes, length=10, max_steps=20, **settings).double().eval()


def odds(model, ids, label):
    with torch.no_grad():
        return log_odds(model(ids[None], torch.tensor([len(ids)])), torch.tensor([label]), model.multi_label).item()


@pytest.mark.parametrize("settings", [{}, {"multi_label": True}])
@pytest.mark.parametrize("by", [None, 0])
def test_occlusion_is_the_loop(ids, settings, by):
    model = classifier(**settings)
    left = [torch.cat([ids[:i], ids[i + 1:]] if by is None else [ids[:i], torch.tensor([by]), ids[i + 1:]])
            for i in range(len(ids))]
    expected = torch.tensor([odds(model, ids, 2) - odds(model, one, 2) for one in left], dtype=torch.float64)
    torch.testing.assert_close(occlusion(model, ids, 2, by, batch_size=7), expected)


@pytest.mark.parametrize("settings", [{}, {"multi_label": True}])
def test_gradient_reaches_the_first_of_many_pieces(ids, settings):
    "The sum is the slope along the vectors of all words, though `max_steps` is shorter than the text."
    model = classifier(**settings)
    before, weight = fingerprint(model), model.encoder.embedding.weight.data
    values, slopes = gradient_times_input(model, ids, 1), []
    for sign in (1, -1):
        model.encoder.embedding.weight.data = weight * (1 + sign * 1e-6)
        slopes.append(sign * odds(model, ids, 1))
    model.encoder.embedding.weight.data = weight
    assert values.sum().item() == pytest.approx(sum(slopes) / 2e-6, rel=1e-5, abs=1e-8)
    assert values[:5].abs().min() > 0
    assert (model.length, model.max_steps) == (10, 20) and fingerprint(model) == before
    assert not model.encoder.embedding._forward_hooks


def test_modes_are_kept_and_errors_leave_no_hook(ids):
    model = classifier().train()
    gradient_times_input(model, ids, 0)
    occlusion(model, ids, 0)
    assert model.training and model.encoder.training
    with pytest.raises(ValueError):
        gradient_times_input(model, ids + 60, 0)
    assert not model.encoder.embedding._forward_hooks and model.training


@pytest.fixture(scope="module")
def trained():
    tokens = [*SPECIALS, *"the graph has a node and an edge . < > img ( )".split()]
    model = TextClassifier(AWDLSTM(len(tokens), 6, 8, 1), 2).eval()
    return TrainedClassifier(model, Vocab(tokens), Tokenizer(), ["first", "second"])


def test_backwards_texts_are_shown_in_reading_order(trained):
    text = "the graph has a node"
    forwards, backwards = [draw_word_effects(trained._replace(backwards=way), text, "second") for way in (False, True)]
    assert all("Words: xxbos the graph has a node" in alt_text(figure) for figure in (forwards, backwards))
    ids = torch.tensor(trained.vocab.encode(Tokenizer()(text)))
    p = predict_documents(trained.model, [ids.flip(0)])[0, 1]
    assert f"probability {p:.3f}" in alt_text(backwards)


@pytest.mark.parametrize("text", [
    "", " \n ", "node", "<img src=x onerror=alert(1)>", "$x_1$ \\frac{", "\ud800 \u202e", "a " * 500, "b" * 3000])
@pytest.mark.parametrize("method", ["leave out", "put xxunk", "gradient × input"])
def test_any_text_can_be_drawn(trained, text, method):
    figure = draw_word_effects(trained, text, "first", method)
    figure.canvas.draw()
    assert method in alt_text(figure)


def test_a_single_class_and_empty_classes():
    assert confusion_matrix(torch.tensor([0, 0]), torch.tensor([0, 0]), 1).tolist() == [[2]]
    matrix = confusion_matrix(torch.tensor([0, 0]), torch.tensor([0, 2]), 3)
    scores = class_scores(matrix)
    assert [part.tolist() for part in scores] == [[1, 0, 0], [0.5, 0, 0], [pytest.approx(2 / 3), 0, 0], [2, 0, 0]]
    assert most_confused(matrix, "abc") == [("a", "c", 1)]
    draw_confusion(matrix, "abc").canvas.draw()
    with pytest.raises(ValueError, match="3 classes need as many names, got 2"):
        draw_confusion(matrix, "ab")


def test_top_losses_of_few_samples():
    losses, places = top_losses(torch.tensor([[1.0, 0.0]]), torch.tensor([1]), num=9)
    assert losses.tolist() == [torch.inf] and places.tolist() == [0]


@pytest.mark.parametrize("probs, words", [
    (torch.tensor([[0.5, 0.6]]), "rows that add up to 1"), (torch.tensor([[1.5, -0.5]]), "at least 0"),
    (torch.tensor([[torch.nan, 1.0]]), "Row 0 is"), (torch.tensor([0.5, 0.5]), "must be (samples, classes)"),
    (torch.tensor([[1, 0]]), "of floating type"),
])
def test_what_is_no_distribution_is_refused(probs, words):
    for measure in (top_losses, reliability, calibration_error, brier_score, fit_temperature):
        with pytest.raises(ValueError) as caught:
            measure(probs, torch.tensor([0]))
        assert words in str(caught.value)


def test_bins_hold_their_upper_end():
    confidence = torch.tensor([0.5, 0.75, 1.0], dtype=torch.float64)
    probs = torch.stack([confidence, 1 - confidence], dim=1)
    assert reliability(probs, torch.tensor([0, 0, 1]), 4).counts.tolist() == [0, 1, 1, 1]
    draw_reliability(probs, torch.tensor([0, 0, 1]), num_bins=4).canvas.draw()


def test_temperature_is_where_an_optimizer_finds_it():
    generator = torch.Generator().manual_seed(2)
    probs = torch.randn(300, 4, generator=generator, dtype=torch.float64).mul(3).softmax(1)
    y = torch.multinomial(probs.sqrt(), 1, generator=generator)[:, 0]
    inverse = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([inverse], max_iter=50, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(probs.log() * inverse, y)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert fit_temperature(probs, y) == pytest.approx(1 / inverse.item(), rel=1e-4)
    assert fit_temperature(probs, y) > 1.2


def test_temperatures_at_the_limits():
    sure = torch.tensor([[0.9, 0.1], [0.2, 0.8]], dtype=torch.float64)
    assert fit_temperature(sure, torch.tensor([0, 1])) == pytest.approx(0.05)  # always right: as sure as it may be
    assert fit_temperature(sure, torch.tensor([1, 0])) == pytest.approx(20)    # always wrong: as unsure as it may be
    torch.testing.assert_close(with_temperature(sure, 1.0), sure)
    cold = with_temperature(torch.tensor([[1.0, 0.0], [0.6, 0.4]]), 0.01)
    torch.testing.assert_close(cold, torch.eye(2)[[0, 0]])

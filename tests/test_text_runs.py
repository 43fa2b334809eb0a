"Runs on texts as a user meets them: files of all kinds, mistakes, killed runs, and broken model folders."
import csv
import gzip
import json
import lzma
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from fastcourse.text.ablation import PARTS, AblateSettings, ablate_file
from fastcourse.text.files import (
    Example, describe_examples, examples_hash, made_up_reviews, read_examples, read_parts, split_examples)
from fastcourse.text.runs import (
    ClassifySettings, FinetuneSettings, PretrainSettings, finetune_model, pretrain_model, step_command)
from fastcourse.text.tokenizer import Tokenizer
from fastcourse.text.verdicts import (
    EvaluateSettings, PredictSettings, evaluate_file, hub_class, load_classifiers, predict_examples, predict_file,
    train_classifier)
from fastcourse.text.vocabulary import count_tokens, make_vocab, save_vocab, tokenize_texts
from fastcourse.training.events import Callback
from fastcourse.training.precision import precision_callbacks

TINY = dict(embed_size=8, hidden_size=8, num_layers=1, threads=1, device="cpu", epochs=1)
REVIEWS = made_up_reviews(80)


def write_csv(path, rows, columns=("text", "label"), delimiter=","):
    with open(path, "w", newline="", encoding="utf8") as file:
        csv.writer(file, delimiter=delimiter).writerows([columns, *rows])
    return str(path)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    "A folder with a file of reviews, a language model and a classifier."
    folder = tmp_path_factory.mktemp("texts")
    source = write_csv(folder / "reviews.csv", [review[:2] for review in REVIEWS])
    pretrain_model(PretrainSettings(source, str(folder / "language"), batch_size=4, **TINY))
    train_classifier(ClassifySettings(source, str(folder / "model"), start="none", **TINY))
    return folder


def classify(home, source, name, **changes):
    return train_classifier(ClassifySettings(str(source), str(home / name), **{"start": "none", **TINY, **changes}))


def write_all_kinds(folder):
    "The same reviews in files of all kinds."
    pairs, objects = [review[:2] for review in REVIEWS], [json.dumps(review._asdict()) for review in REVIEWS]
    write_csv(folder / "a.csv", pairs)
    write_csv(folder / "a.tsv", pairs, delimiter="\t")
    for name, opener in (("b.csv.gz", gzip.open), ("b.csv.xz", lzma.open)):
        with opener(folder / name, "wb") as file:
            file.write((folder / "a.csv").read_bytes())
    (folder / "c.jsonl").write_text("\n".join(objects))
    for name, opener in (("c.jsonl.gz", gzip.open), ("c.ndjson.xz", lzma.open)):
        with opener(folder / name, "wt") as file:
            file.write("\n\n".join(objects) + "\n")
    return ["a.csv", "a.tsv", "b.csv.gz", "b.csv.xz", "c.jsonl", "c.jsonl.gz", "c.ndjson.xz"]


def test_all_kinds_of_tables_hold_the_same(tmp_path):
    names = write_all_kinds(tmp_path)
    found = {name: read_examples(str(tmp_path / name), label="label") for name in names}
    assert all(rows == found["a.csv"] for rows in found.values())
    assert examples_hash(found["a.csv"]) == examples_hash(REVIEWS)


def test_parquet_holds_the_same(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet
    columns = dict(text=[review.text for review in REVIEWS], label=[review.label for review in REVIEWS])
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    assert examples_hash(read_examples(str(tmp_path / "a.parquet"), label="label")) == examples_hash(REVIEWS)


def test_folders_of_classes(tmp_path):
    for place, label in (("train/pos", "good"), ("train/neg", "bad"), ("train/unsup", "")):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "1.txt").write_text(f"a {label} film")
    found = read_examples(str(tmp_path / "train"))
    assert [example.label for example in found] == ["neg", "pos", ""]
    assert read_parts(str(tmp_path / "train"), str(tmp_path / "train"), label="label")[1]["unlabelled"] == 2


def test_several_columns_become_fields(tmp_path):
    source = write_csv(tmp_path / "a.csv", [("Title", "Body", "good")], ("title", "body", "label"))
    assert read_examples(source, ["title", "body"])[0].text == "xxfld 1 Title xxfld 2 Body"


def test_held_out_texts_have_no_copies():
    examples = [example._replace(text=f"{example.text}{' ' * i}") for example in REVIEWS for i in range(3)]
    for seed in range(5):
        parts = split_examples(examples, 0.2, seed)
        assert describe_examples(*parts)["in_both"] == 0 and sum(map(len, parts)) == len(examples)
        assert {example.label for example in parts[0]} == {"bad", "good"}


@pytest.mark.parametrize("name, content, expected", [
    ("a.csv", b"text,label\nFine.\n", "a.csv, row 1 from line 2: 1 fields instead of 2"),
    ("a.csv", b'text,label\n"Fine.,good\n', "is a quote left open"),
    ("a.csv", b"text,labels\nFine.,good\n", "got 'label', did you mean 'labels'?"),
    ("a.csv", "text,label\nSchön.,gut\n".encode("latin-1"), "line 2: byte 4 is 0xf6, which is not utf8"),
    ("a.csv", b"", "got 'text'"),
    ("a.jsonl", b'{"text": "a", "label": "b"}\n{"text": "a"\n', "a.jsonl, line 2, column 13: this is no JSON"),
    ("a.jsonl", b'\n["a", "b"]\n', "a.jsonl, line 2: a line must be an object"),
    ("a.jsonl", b'{"text": "a", "label": ["b"]}', "for a list of labels, give a separator"),
    ("a.jsonl", b'{"text": "a", "lable": "b"}', "did you mean 'lable'?"),
    ("a.xlsx", b"PK\x03\x04", "source must end in .csv"),
    ("a.txt", b"one\ntwo\n", "holds none: {'empty': 0, 'unlabelled': 2}"),
    ("a.csv", b"text,label\n,good\n,bad\n", "'empty': 2"),
    ("a.csv", b"text,label\n" + b"Fine.,good\nDull.,good\nSo so.,good\n" * 9, "at least two classes"),
])
def test_a_bad_file_is_told(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError) as caught:
        classify(tmp_path, tmp_path / name, "model", valid_share=0.3)
    assert expected in str(caught.value)
    assert not (tmp_path / "model").exists()


def test_a_missing_file_is_told(home):
    with pytest.raises(FileNotFoundError, match="did you mean 'reviews.csv'?"):
        classify(home, home / "review.csv", "none")


def test_another_encoding_can_be_named(tmp_path):
    (tmp_path / "a.csv").write_bytes("text,label\nSchön.,gut\n".encode("latin-1"))
    assert read_examples(str(tmp_path / "a.csv"), encoding="latin-1")[0].text == "Schön."


def test_a_class_to_check_with_must_be_trained_on(home, tmp_path):
    valid = write_csv(tmp_path / "valid.csv", [("Fine.", "god")])
    with pytest.raises(ValueError, match="got 'god' for text 0"):
        classify(tmp_path, home / "reviews.csv", "model", valid=valid)


def test_what_is_left_out_and_what_is_there_twice_is_reported(home, tmp_path):
    rows = [review[:2] for review in REVIEWS]
    more = [("", "good"), ("  ", "bad"), ("No label.", ""), rows[0], (rows[0][0], "so")]
    source = write_csv(tmp_path / "a.csv", [*rows, *more])
    result = classify(tmp_path, source, "model", valid=str(home / "reviews.csv"), valid_share=0.3)
    data = result["data"]
    assert (data["empty"], data["unlabelled"], data["contradictions"]) == (2, 1, 1)
    assert data["in_both"] == data["valid"] == 80 and data["duplicates"] >= 82 and data["classes"]["so"] == 1


def test_texts_of_one_token_and_of_50_000(home, tmp_path):
    long = "The plot is dull . " * 10_000
    source = write_csv(tmp_path / "a.csv", [*(review[:2] for review in REVIEWS), ("a", "good"), (long, "bad")])
    assert classify(tmp_path, source, "cut", max_tokens=100)["cut_texts"] <= 1
    rows = predict_file([str(home / "model")], PredictSettings(source, str(tmp_path / "answers.csv"), device="cpu"))
    assert len(rows) == 82 and rows[-1]["p_bad"] + rows[-1]["p_good"] == pytest.approx(1, abs=1e-5)


def test_several_labels(tmp_path):
    rows = [("A film about love.", "love"), ("A film about war.", "war"), ("About both.", "love|war"), ("Trees.", "")]
    source = write_csv(tmp_path / "a.csv", rows * 10)
    result = classify(tmp_path, source, "model", separator="|", valid=source, class_weights="balanced")
    assert result["labels"] == ["love", "war"]
    judged = evaluate_file([str(tmp_path / "model")],
                           EvaluateSettings(source, str(tmp_path / "result.json"), separator="|", device="cpu"))
    assert judged["accuracy"] == pytest.approx(result["metrics"]["label_accuracy"], abs=1e-6)
    with pytest.raises(ValueError, match="separator must be given"):
        predict_file([str(tmp_path / "model")], PredictSettings(source, "-", device="cpu"))


def test_the_same_numbers_by_validation_and_by_evaluation(home, tmp_path):
    result = classify(home, home / "reviews.csv", "checked", valid="reviews:test")
    settings = EvaluateSettings("reviews:test", str(tmp_path / "r.json"), device="cpu")
    judged = evaluate_file([str(home / "checked")], settings)
    assert judged["accuracy"] == pytest.approx(result["metrics"]["accuracy"], abs=1e-6)
    assert json.loads((tmp_path / "r.json").read_text())["confusion"] == judged["confusion"]


def test_a_result_says_how_it_came_about(home):
    result = json.loads((home / "model" / "result.json").read_text())
    assert result["command"] == step_command("classify", ClassifySettings(**result["settings"]))
    assert result["data"]["sha256"] and result["versions"]["torch"] == torch.__version__
    assert result["seed"] == 42 and result["wall_seconds"] > 0 and result["hardware"]


def test_a_language_model_gets_the_words_of_other_texts(home, tmp_path):
    texts = "\n".join(review.text.replace("plot", "script") for review in REVIEWS)
    (tmp_path / "a.txt").write_text(texts)
    settings = FinetuneSettings(str(tmp_path / "a.txt"), str(tmp_path / "tuned"), start=str(home / "language"),
                                epochs=1, batch_size=4, threads=1, device="cpu")
    assert finetune_model(settings)["new_words"] == 1
    assert classify(tmp_path, home / "reviews.csv", "model", start=str(tmp_path / "tuned"))["labels"] == ["bad", "good"]


@pytest.mark.parametrize("harm, expected", [
    (lambda folder: (folder / "weights.safetensors").unlink(), "weights.safetensors is missing"),
    (lambda folder: (folder / "config.json").unlink(), "no config.json"),
    (lambda folder: (folder / "vocab.json").write_text("[]"), "vocab.json was changed"),
    (lambda folder: (folder / "vocab.json").write_bytes((folder / "vocab.json").read_bytes().replace(b"plot", b"plod")),
     "vocab.json was changed"),
    (lambda folder: (folder / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes()[:-1]),
     "weights.safetensors was changed"),
    (lambda folder: (folder / "config.json").write_text(
        (folder / "config.json").read_text().replace('"version": 1', '"version": 2')), "has version 2 of its format"),
])
def test_a_broken_model_folder_is_told(home, tmp_path, harm, expected):
    for file in (home / "model").iterdir():
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / file.name).write_bytes(file.read_bytes())
    harm(tmp_path / "model")
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        predict_file([str(tmp_path / "model")], PredictSettings(str(home / "reviews.csv"), "-", device="cpu"))
    assert expected in str(caught.value)


def test_a_model_of_another_kind_is_told(home):
    with pytest.raises(ValueError, match="must hold a language model, it holds a classifier"):
        classify(home, home / "reviews.csv", "none", start=str(home / "model"))
    with pytest.raises(ValueError, match="must hold a classifier, it holds a language model"):
        predict_file([str(home / "language")], PredictSettings("reviews", "-", device="cpu"))


def test_classifiers_of_other_labels_do_not_answer_together(home, tmp_path):
    source = write_csv(tmp_path / "a.csv", [(text, label.upper()) for text, label, _ in REVIEWS])
    classify(tmp_path, source, "other")
    with pytest.raises(ValueError, match="classifiers for the same labels"):
        predict_file([str(home / "model"), str(tmp_path / "other")], PredictSettings("reviews", "-", device="cpu"))


def test_the_vocabulary_of_another_tokenizer_is_told(home, tmp_path):
    shutil.copytree(home / "model", tmp_path / "model")
    other = make_vocab(count_tokens(tokenize_texts([review.text for review in REVIEWS], Tokenizer(fastai=True))), 40)
    save_vocab(other, tmp_path / "model" / "vocab.json")
    with pytest.raises(ValueError, match="vocab.json was changed"):
        predict_file([str(tmp_path / "model")], PredictSettings("reviews", "-", device="cpu"))


def test_one_text_is_too_few(tmp_path):
    (tmp_path / "one.txt").write_text("word\n")
    with pytest.raises(ValueError, match="share must leave a text to check with, got 0.1 of 1 different texts"):
        pretrain_model(PretrainSettings(str(tmp_path / "one.txt"), str(tmp_path / "model"), **TINY))
    (tmp_path / "two.txt").write_text("one\ntwo\n\none\n")
    with pytest.raises(ValueError, match="the texts of train must hold at least 64 tokens for 32 rows"):
        pretrain_model(PretrainSettings(str(tmp_path / "two.txt"), str(tmp_path / "model"), valid_share=0.5, **TINY))
    assert not (tmp_path / "model").exists()


def test_nothing_to_ask(home):
    with pytest.raises(ValueError, match="folders must be a list of at least one folder"):
        load_classifiers([])
    trained = load_classifiers([str(home / "model")])
    assert predict_examples(trained, []).shape == (0, 2)


def test_predictions_for_a_file_without_rows(home, tmp_path):
    (tmp_path / "a.csv").write_text("text\n")
    output = tmp_path / "answers.jsonl"
    settings = PredictSettings(str(tmp_path / "a.csv"), str(output), device="cpu")
    assert predict_file([str(home / "model")], settings) == []
    assert output.read_text() == ""


@pytest.mark.parametrize("output, expected", [
    ("reviews.csv", "output must be a folder, got the file"), ("model", "there is a model in")])
def test_a_place_that_is_taken_is_told(home, output, expected):
    with pytest.raises(ValueError, match=expected):
        classify(home, home / "reviews.csv", output)


KILLABLE = """
import json, sys
from fastcourse.text.runs import ClassifySettings
from fastcourse.text.verdicts import train_classifier
train_classifier(ClassifySettings(**json.loads(sys.argv[1])))
"""


def test_killed_and_resumed_gives_the_same_numbers(home):
    whole = ClassifySettings(str(home / "reviews.csv"), str(home / "whole"), start=str(home / "language"), keep_every=1,
                             **{**TINY, "epochs": 20})
    expected = train_classifier(whole)
    killed = replace(whole, output=str(home / "killed"))
    process = subprocess.Popen([sys.executable, "-c", KILLABLE, json.dumps(asdict(killed))])
    checkpoint, end = home / "killed" / "checkpoint.safetensors", time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < end and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert checkpoint.exists() and not (home / "killed" / "result.json").exists()
    with pytest.raises(ValueError, match="a run was broken off"):
        train_classifier(killed)
    with pytest.raises(ValueError, match="of a run with seed 42, and not 43"):
        train_classifier(replace(killed, seed=43), resume=True)
    again = train_classifier(killed, resume=True)
    assert again["resumed"] and again["epochs"] == expected["epochs"]
    assert {path.name for path in (home / "killed").iterdir()} == {path.name for path in (home / "whole").iterdir()}
    assert train_classifier(killed, resume=True) == again
    with pytest.raises(ValueError, match="of a run with lr 0.01, and not 0.5"):
        train_classifier(replace(killed, lr=0.5), resume=True)


def test_each_schedule_trains_in_its_own_way(home, tmp_path):
    found = {name: classify(tmp_path, home / "reviews.csv", name, schedule=name, epochs=2)
             for name in ("slanted", "one_cycle", "constant")}
    assert len({result["metrics"]["valid_loss"] for result in found.values()}) == 3
    assert "--schedule constant" in found["constant"]["command"] and "--schedule" not in found["slanted"]["command"]
    texts = dict(start=str(home / "language"), epochs=1, batch_size=4, threads=1, device="cpu")
    tuned = [finetune_model(FinetuneSettings(str(home / "reviews.csv"), str(tmp_path / f"tuned_{name}"), schedule=name,
                                             **texts)) for name in found]
    assert len({result["metrics"]["valid_loss"] for result in tuned}) == 3


class PullPlug(Callback):
    def before_train(self, learn):
        if learn.epoch == 2:
            raise KeyboardInterrupt


def test_two_bytes_for_the_forward_pass(home, tmp_path):
    with pytest.raises(ValueError, match="precision must be fp32 or bf16 on a CPU, got 'fp16'"):
        classify(tmp_path, home / "reviews.csv", "fp16", precision="fp16")
    assert not (tmp_path / "fp16").exists()
    try:
        precision_callbacks("bf16", "cpu")
    except ValueError:
        with pytest.raises(ValueError, match="precision must be fp32 here, got 'bf16'"):
            classify(tmp_path, home / "reviews.csv", "bf16", precision="bf16")
        return
    found = [classify(tmp_path, home / "reviews.csv", name, precision=name, epochs=3) for name in ("fp32", "bf16")]
    losses = [result["metrics"]["valid_loss"] for result in found]
    assert losses[0] != losses[1] == pytest.approx(losses[0], rel=0.05)
    settings = ClassifySettings(**{**found[1]["settings"], "output": str(tmp_path / "again")})
    with pytest.raises(KeyboardInterrupt):
        train_classifier(settings, cbs=[PullPlug()])
    assert train_classifier(settings, resume=True)["epochs"] == found[1]["epochs"]


def test_a_device_that_cannot_is_told(home, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("torch cannot")

    monkeypatch.setattr("fastcourse.training.precision.check_lstm", fail)
    with pytest.raises(ValueError, match="precision must be fp32 here, got 'bf16': torch cannot"):
        classify(tmp_path, home / "reviews.csv", "bf16", precision="bf16")


def test_a_hub_keeps_a_classifier(home, tmp_path, monkeypatch):
    "Its mixin writes a folder that everything here reads, and reads what was written here; nobody asks the network."
    huggingface_hub = pytest.importorskip("huggingface_hub")
    asked = []
    monkeypatch.setattr(huggingface_hub, "snapshot_download",
                        lambda name, **settings: asked.append((name, settings)) or str(home / "model"))
    kept = load_classifiers([str(home / "model")])[0]
    card = dict(name="Reviews", data="made up", metrics={"accuracy": 0.5})
    hub = hub_class()
    hub(kept, card).save_pretrained(tmp_path / "hub")
    back = hub.from_pretrained(tmp_path / "hub")
    assert back.card == card and back.trained.labels == kept.labels and not asked
    for trained in (back.trained, hub.from_pretrained(home / "model").trained,
                    load_classifiers([str(tmp_path / "hub")])[0]):
        assert torch.equal(predict_examples([trained], REVIEWS), predict_examples([kept], REVIEWS))
    folder = hub._from_pretrained(model_id="somebody/reviews", revision="main")
    assert folder.trained.labels == kept.labels and asked == [("somebody/reviews", {"revision": "main"})]
    with pytest.raises(FileNotFoundError, match="no config.json"):
        hub.from_pretrained(tmp_path)


def test_only_who_wants_a_hub_needs_its_package():
    code = "import sys, fastcourse.text.verdicts; print('huggingface_hub' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_each_part_can_be_left_out(home, tmp_path):
    "Also the pretraining: then a network of the same size reads the texts from fresh weights, and holds out the same."
    settings = AblateSettings(str(home / "reviews.csv"), str(tmp_path / "table"), start=str(home / "language"), seeds=1,
                              labels="4", steps=1, epochs=1, threads=1, device="cpu")
    result = ablate_file(settings)
    assert [key.split(" | ")[0] for key in result["cells"]] == [
        "TF-IDF", "from scratch", "full recipe", *(part.row for part in PARTS)]
    runs = [json.loads((tmp_path / "table" / "languages" / name / "result.json").read_text())
            for name in ("tuned", "fresh")]
    assert all(run["data"]["sha256"] == result["data"]["sha256"] for run in runs)
    assert runs[1]["settings"]["embed_size"] == 8 != settings.embed_size


def test_workers_change_nothing(home, tmp_path):
    parts = [classify(tmp_path, home / "reviews.csv", f"model{workers}", workers=workers) for workers in (0, 1)]
    assert parts[0]["epochs"] == parts[1]["epochs"]


def test_the_model_that_came_along(home):
    shelf = Path(sys.modules["fastcourse"].__file__).parent / "pretrained" / "docstrings"
    if not shelf.exists():
        pytest.skip("no language model is there yet")
    settings = ClassifySettings(str(home / "reviews.csv"), str(home / "shipped"), epochs=1, threads=1, device="cpu")
    assert train_classifier(settings)["labels"] == ["bad", "good"]
    with pytest.raises(ValueError, match="start must be a folder of a language model or a name"):
        classify(home, home / "reviews.csv", "none", start="docstring")


def test_an_example_has_a_place():
    assert Example("text").place == "" and os.path.basename(read_examples("reviews")[0].place) == "review 1"

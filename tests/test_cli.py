"The command, as a user meets it: real processes, from a file to answers, and every mistake in one line."
import csv
import json
import subprocess
import sys
import time
from dataclasses import fields

import pytest
from project import ROOT, settings

from fastcourse.cli import main
from fastcourse.text.ablation import AblateSettings
from fastcourse.text.files import made_up_reviews
from fastcourse.text.runs import ClassifySettings, FinetuneSettings, PretrainSettings, step_command
from fastcourse.text.verdicts import EvaluateSettings, PredictSettings

TINY = "--embed-size 8 --hidden-size 8 --num-layers 1 --threads 1 --device cpu --start none".split()
KINDS = dict(pretrain=PretrainSettings, finetune=FinetuneSettings, classify=ClassifySettings, predict=PredictSettings,
             evaluate=EvaluateSettings, ablate=AblateSettings)


def start(*words):
    command = [sys.executable, "-m", "fastcourse.cli", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def call(*words):
    process = start(*words)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def complaint(capsys, *words):
    "The one line that a mistake gets."
    assert main([*map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and err.startswith("fastcourse") and "Traceback" not in err
    return err


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    with open(folder / "reviews.csv", "w", newline="", encoding="utf8") as file:
        csv.writer(file).writerows([["review", "stars"], *(review[:2] for review in made_up_reviews(120))])
    return folder


@pytest.fixture(scope="module")
def model(home):
    "A model folder, by a real process."
    code, out, err = call("text", "classify", home / "reviews.csv", home / "model", "--text", "review", "--label",
                          "stars", "--epochs", 6, "--lr", 0.03, *TINY)
    assert code == 0, err
    assert "accuracy" in out and str(home / "model") in out and "epoch 5" in out and "Traceback" not in err
    return home / "model"


def test_from_a_file_to_answers(home, model):
    code, out, err = call("text", "predict", model, home / "reviews.csv", "-", "--text", "review", "--device", "cpu")
    rows = list(csv.DictReader(out.splitlines()))
    assert code == 0 and not err and len(rows) == 120 and list(rows[0]) == ["place", "label", "p_bad", "p_good"]
    right = [row["label"] == review.label for row, review in zip(rows, made_up_reviews(120))]
    assert sum(right) / len(right) > 0.8


def test_evaluation_is_written_and_told(home, model, capsys):
    words = ["text", "evaluate", str(model), str(model), str(home / "reviews.csv"), str(home / "result.json")]
    assert main([*words, "--text", "review", "--label", "stars", "--device", "cpu"]) == 0
    result = json.loads((home / "result.json").read_text())
    assert capsys.readouterr().out.startswith(f"accuracy {result['accuracy']:.4f}; ")
    assert result["models"] == [str(model)] * 2 and result["data"]["texts"] == 120


def test_the_stored_command_gives_the_same_result(model, tmp_path, capsys):
    stored = json.loads((model / "result.json").read_text())
    again = ClassifySettings(**{**stored["settings"], "output": str(tmp_path / "again")})
    import shlex
    assert main([*shlex.split(step_command("classify", again))[1:], "--quiet"]) == 0
    assert json.loads((tmp_path / "again" / "result.json").read_text())["epochs"] == stored["epochs"]
    assert capsys.readouterr().err == ""


def test_killed_and_resumed(home, model, tmp_path):
    words = ["text", "classify", home / "reviews.csv", tmp_path / "killed", "--text", "review", "--label", "stars",
             "--epochs", 6, "--lr", 0.03, "--keep-every", 1, *TINY]
    process, end = start(*words), time.monotonic() + 60
    while not (tmp_path / "killed" / "checkpoint.safetensors").exists() and time.monotonic() < end:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert not (tmp_path / "killed" / "result.json").exists()
    assert main([*map(str, words), "--resume", "--quiet"]) == 0
    found, expected = (json.loads((place / "result.json").read_text()) for place in (tmp_path / "killed", model))
    assert found["resumed"] and found["epochs"] == expected["epochs"]


@pytest.mark.parametrize("words, expected", [
    (["txt"], "No such command 'txt'"),
    (["text", "clasify"], "No such command 'clasify'"),
    (["text", "classify"], "Missing argument"),
    (["text", "classify", "reviews", "x", "--epoch", "3"], "--epochs"),
    (["text", "classify", "reviews", "x", "--epochs", "many"], "--epochs"),
    (["text", "classify", "reviews", "x", "--epochs", "0"], "epochs must be at least 1, got 0"),
    (["text", "classify", "reviews", "x", "--device", "gpu"], "device must be one of auto, cpu, cuda, mps, got 'gpu'"),
    (["text", "classify", "reviews", "x", "--precision", "fp16", "--device", "cpu"], "got 'fp16': it needs a GPU"),
    (["text", "finetune", "reviews", "x", "--schedule", "onecycle"], "did you mean 'one_cycle'?"),
    (["text", "ablate", "reviews", "x", "--parts", "rate"], "did you mean 'rates'?"),
    (["text", "ablate", "reviews", "x", "--labels", "5O"], "labels must be whole numbers of at least 2"),
    (["text", "ablate", "reviews", "x", "--labels", "9000"], "one a class, to the 901 texts to train on, got 9000"),
    (["text", "ablate", "reviews", "x", "--reading", "0", "--parts", "finetuning"], "of those of this recipe"),
    (["text", "ablate", "reviews", "x", "--separator", ";"], "separator must be empty"),
    (["text", "classify", "reviews", "x", "--start", "wikipedia"], "start must be a folder of a language model"),
    (["text", "classify", "imbd", "x", "--start", "none"], "did you mean 'imdb'?"),
    (["text", "pretrain", "reviews", "x", "--lang", "xx1"], "xx1"),
    (["text", "pretrain", "reviews", "x", "--mirror", "nowhere"], "mirror must be a folder, got 'nowhere'"),
    (["text", "predict", "nowhere", "reviews", "-"], "there is no folder nowhere"),
    (["text", "predict", "nowhere", "reviews", "answers.xlsx"], "output must end in .csv"),
    (["text", "evaluate", "nowhere", "reviews", "none/x.json"], "output must be a file in a folder that exists"),
])
def test_a_mistake_is_one_line(capsys, tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    assert expected in complaint(capsys, *words)
    assert not list(tmp_path.iterdir())


def test_mistakes_in_files_and_places(home, model, capsys, tmp_path):
    source = home / "reviews.csv"
    for words, expected in [
        (["classify", source, tmp_path / "a", "--text", "reviews", *TINY], "did you mean 'review'?"),
        (["classify", source, source, "--text", "review", *TINY], "output must be a folder, got the file"),
        (["classify", source, model, "--text", "review", *TINY], "there is a model in"),
        (["classify", home / "review.csv", tmp_path / "a", *TINY], "did you mean 'reviews.csv'?"),
        (["classify", source, model, "--resume", "--lr", "0.5", *TINY], "of a run with"),
        (["predict", model, source, "-"], "got 'text'"),
        (["evaluate", model, source, "-", "--text", "review", "--label", "review"], "labels must be among"),
    ]:
        assert expected in complaint(capsys, "text", *words)


@pytest.fixture(scope="module")
def table(home):
    "The folder of an ablation, by a real process."
    words = ["--text", "review", "--label", "stars", "--labels", "10,20", "--seeds", 1, "--parts", "finetuning,rates",
             "--steps", 2, "--epochs", 1, *TINY]
    code, out, err = call("text", "ablate", home / "reviews.csv", home / "table", *words)
    assert code == 0, err
    lines = [line for line in out.splitlines() if not line.startswith("epoch")]
    assert [line[:20].strip() for line in lines[:-1]] == [
        "wrong answers", "TF-IDF", "from scratch", "full recipe", "without fine-tuning", "one rate"]
    assert lines[0].split()[2:] == ["10", "labels", "20", "labels"] and lines[-1].endswith(str(home / "table"))
    return [str(word) for word in words]


def test_a_table_goes_on(home, table, capsys):
    path = home / "table" / "result.json"
    whole = json.loads(path.read_text())
    assert len(whole["cells"]) == 10 and whole["data"]["train"] == 108
    cells = dict(list(whole["cells"].items())[:7])
    path.write_text(json.dumps({**whole, "cells": cells}))
    words = ["text", "ablate", str(home / "reviews.csv"), str(home / "table"), *table]
    assert main([*words, "--resume", "--quiet"]) == 0
    again = json.loads(path.read_text())
    assert {key: cell["error"] for key, cell in again["cells"].items()} == {
        key: cell["error"] for key, cell in whole["cells"].items()}
    assert {key: again["cells"][key] for key in cells} == cells
    assert capsys.readouterr().out.count("\n") == 7


def test_mistakes_in_tables(home, table, model, capsys, tmp_path):
    source, place = str(home / "reviews.csv"), str(home / "table")
    one = tmp_path / "one.csv"
    one.write_text("review,stars\n" + "".join(f"Fine {i}.,good\n" for i in range(30)))
    other = tmp_path / "other.csv"
    other.write_text((home / "reviews.csv").read_text().replace("dull", "grey"))
    before = (home / "table" / "result.json").read_bytes()
    for words, expected in [
        ([source, place, *table], "there are results in"),
        ([source, place, *table, "--resume", "--lr", "0.5"], "of a run with lr 0.01, and not 0.5"),
        ([other, place, *table, "--resume"], "holds the result of other texts"),
        ([source, model, *table, "--resume"], "the result of a run with epochs 6, and not 1"),
        ([source, source, *table], "output must be a folder, got the file"),
        ([one, tmp_path / "a", *table], "labels must name at least two classes"),
        ([source, tmp_path / "a", *table, "--labels", "109"], "to the 108 texts to train on, got 109"),
        ([source, tmp_path / "a", *table, "--text", "reviews"], "did you mean 'review'?"),
    ]:
        assert expected in complaint(capsys, "text", "ablate", *words)
    assert not (tmp_path / "a").exists() and (home / "table" / "result.json").read_bytes() == before


def test_a_mistake_of_a_process_has_code_2(tmp_path):
    code, out, err = call("text", "classify", tmp_path / "none.csv", tmp_path / "model")
    assert code == 2 and not out and err.count("\n") == 1 and "source must be a file" in err


@pytest.mark.parametrize("step", KINDS)
def test_help_has_every_setting_and_an_example(capsys, step):
    assert main(["text", step, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Example: fastcourse text {step} " in text
    for item in fields(KINDS[step])[2:]:
        assert f"--{item.name.replace('_', '-')}" in text and item.metadata["help"].split()[0] in text


def test_version_and_help(capsys):
    assert main(["--version"]) == 0 and settings()["version"] in capsys.readouterr().out
    assert main([]) == 0 and "text" in capsys.readouterr().out


def test_the_script_is_stated():
    assert settings()["console_scripts"] == "fastcourse=fastcourse.cli:main"


def test_faults_of_the_program_show_themselves(monkeypatch):
    import fastcourse.cli

    def fail(*_):
        raise IndexError("a fault")

    monkeypatch.setattr(fastcourse.cli, "evaluate_file", fail)
    with pytest.raises(IndexError):
        main(["text", "evaluate", "model", "reviews", "-"])


def test_a_run_that_goes_wrong_has_code_1(monkeypatch, capsys):
    import fastcourse.cli

    def fail(*_):
        raise FloatingPointError("the loss is nan")

    monkeypatch.setattr(fastcourse.cli, "train_classifier", fail)
    assert main(["text", "classify", "reviews", "model"]) == 1
    assert capsys.readouterr().err == "fastcourse: the loss is nan\n"


def test_readme_has_the_recorded_runs():
    "They were made by the command, and what the command says of itself is what stands in the table."
    runs = json.loads((ROOT / "benchmarks/results/text_imdb.json").read_text(encoding="utf8"))["runs"]
    readme = (ROOT / "benchmarks/README.md").read_text(encoding="utf8")
    for run in runs:
        step = run["command"].split()[2]
        kind = KINDS[step]
        assert step_command(step, kind(**run["settings"])) == run["command"]
        assert f"| `{run['command']}` | {run['data']['train']:,} | " in readme
        assert f" | {run['wall_seconds']:.0f} |" in readme

"The command that trains on pictures, as a user meets it: folders as they come, mistakes, and runs that are killed."
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from project import ROOT

from fastcourse.data.archives import DataError
from fastcourse.vision.pictures import (
    decode_picture,
    find_parts,
    inspect_pictures,
    list_pictures,
    read_folder,
    read_pictures_at,
)
from fastcourse.vision.train import main

SMALL = "--size 16 --model xresnet18 --width 4 --batch-size 4 --threads 1 --device cpu".split()


def write(path, size=(20, 20), mode="RGB", seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (*size[::-1], *([len(mode)] if len(mode) > 1 else []))
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path):
    "Two classes of eight pictures, among them a grey one and one with alpha."
    for name in ("cat", "dog"):
        for i in range(8):
            write(tmp_path / "pets" / name / f"{i}.png", mode={0: "L", 1: "RGBA"}.get(i, "RGB"), seed=i)
    return tmp_path / "pets"


def run(*argv):
    command = [sys.executable, "-m", "fastcourse.vision.train", *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def complaint(capsys, *argv):
    try:
        code = main([*map(str, argv), *SMALL, "--quiet"])
    except SystemExit as stop:
        code = stop.code
    words = capsys.readouterr().err
    assert code == 2 and words.count("\n") == 1 and words.startswith("fastcourse.vision.train: ")
    return words


def test_a_folder_is_trained_on(folder, tmp_path, capsys):
    assert main([str(folder), "--output", str(tmp_path / "r.json"), "--epochs", "2", "--quiet", *SMALL]) == 0
    result = json.loads((tmp_path / "r.json").read_text(encoding="utf8"))
    assert result["pictures"] == [12, 4] and len(result["epochs"]) == 2 and result["left_out"] == []
    assert 0 <= result["share_waiting"] <= 1 and result["pictures_per_second"] > 0 and result["seed"] == 42
    assert {"hardware", "versions", "command", "commit", "wall_seconds", "settings"} <= set(result)
    assert "pictures/s" in capsys.readouterr().out


def test_what_cannot_be_used_is_named_or_counted(folder, tmp_path, capsys):
    whole = (folder / "cat" / "2.png").read_bytes()
    (folder / "cat" / "broken.png").write_bytes(whole[:len(whole) // 2])
    (folder / "dog" / "list.txt").write_text("not a picture")
    (folder / "dog" / "none.png").write_bytes(b"")
    (folder / "cow").mkdir()
    write(folder / "dog" / "small.png", (8, 30))
    words = complaint(capsys, folder, "--min-pixels", 16)
    for part in ("5 of the files", "cow is a class without a picture", "cat/broken.png is damaged", "on_problem='skip'",
                 "dog/none.png is empty", "dog/list.txt is no picture", "dog/small.png has 8 × 30 pixels"):
        assert part in words
    output = tmp_path / "r.json"
    argv = [folder, "--min-pixels", 16, "--on-problem", "skip", "--epochs", 1, "--output", output, "--quiet", *SMALL]
    assert main([*map(str, argv)]) == 0
    result = json.loads(output.read_text(encoding="utf8"))
    assert len(result["left_out"]) == 5 and result["pictures"] == [12, 4]


def test_small_pictures_are_enlarged_unless_they_are_refused(folder):
    write(folder / "dog" / "small.png", (5, 5))
    split, problems = read_folder(folder)
    assert not problems and len(split.train) + len(split.valid) == 17


@pytest.mark.parametrize("make, words", [
    (lambda path: None, "source must be one of"),
    (lambda path: path.mkdir(), "must hold a folder with pictures"),
    (lambda path: (path / "cat").mkdir(parents=True), "must hold a folder with pictures"),
    (lambda path: [write(path / f"{i}.png") for i in range(3)], "must hold a folder with pictures"),
    (lambda path: [write(path / "cat" / f"{i}.png") for i in range(9)], "two classes to learn from, got cat"),
    (lambda path: [write(path / "train" / kind / "1.png") for kind in "ab"] + [(path / "val").mkdir()],
     "must hold a folder with pictures"),
    (lambda path: path.write_text("no folder"), "there is no folder"),
], ids=["missing", "empty", "empty class alone", "no classes", "one class", "empty val", "file"])
def test_what_has_no_remedy_stops_the_run(tmp_path, capsys, make, words):
    make(tmp_path / "pets")
    assert words in complaint(capsys, tmp_path / "pets", "--on-problem", "skip")


def test_a_damaged_archive_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FASTCOURSE_HOME", str(tmp_path / "home"))
    (tmp_path / "pets.zip").write_bytes(b"PK\x03\x04 and then nothing")
    assert "pets.zip is damaged" in complaint(capsys, tmp_path / "pets.zip")
    assert not list((tmp_path / "home").rglob("*/*/*"))


@pytest.mark.parametrize("argv, words", [
    ([], "the following arguments are required: source"), (["scenes", "--size", "4"], "size must be at least 8, got 4"),
    (["scenes", "--model", "vgg"], "model must be one of xresnet18"),
    (["scenes", "--lr", "fast"], "invalid float value"),
    (["scenes", "--mixup", "-1"], "mixup must be at least 0"), (["scenes", "--wrokers", "2"], "unrecognized arguments"),
    (["scenes", "--precision", "fp8"], "precision must be one of"),
    (["scenes", "--resume"], "--resume needs --checkpoint"),
    (["scenes", "--output", "/no/such/folder/r.json"], "--output must be a file in a folder that exists"),
    (["scenes", "--subset", "5000"], "subset must be at most the 1000"), (["imagenete"], "did you mean 'imagenette'"),
    (["scenes", "--lr", "nan"], "lr must be at least 0"),
])
def test_mistakes_end_in_one_line(capsys, argv, words):
    try:
        code = main(argv)
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr().err
    assert code == 2 and words in said and said.count("\n") == 1


def test_a_mistake_in_a_terminal():
    done = run("scenes", "--epochs", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fastcourse.vision.train: epochs must be at least 1, got 0\n"


def test_a_checkpoint_of_another_kind_is_refused(folder, tmp_path, capsys):
    (tmp_path / "c.safetensors").write_bytes(b"\x80\x04 a pickle")
    assert "is a pickle" in complaint(capsys, folder, "--checkpoint", tmp_path / "c.safetensors", "--resume")


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process as POSIX does")
def test_a_killed_run_goes_on_to_the_same_numbers(folder, tmp_path, capsys):
    options = [str(folder), "--epochs", "6", "--mixup", "0.4", "--channels-last", "--quiet", *SMALL]
    whole, again, state = (str(tmp_path / name) for name in ("whole.json", "again.json", "state.safetensors"))
    assert main([*options, "--output", whole]) == 0
    command = [sys.executable, "-m", "fastcourse.vision.train", *options, "--checkpoint", state]
    process = subprocess.Popen(command)
    while not os.path.exists(state) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run(*options, "--checkpoint", state, "--resume", "--output", again).returncode == 0
    expected, result = (json.loads(Path(path).read_text(encoding="utf8")) for path in (whole, again))
    assert result["resumed"] and result["epochs"] == expected["epochs"]
    assert main([*options, "--checkpoint", state, "--resume", "--seed", "7"]) == 2
    assert "a run with seed 42, and not 7" in capsys.readouterr().err


def test_parts_are_found_behind_one_folder(tmp_path):
    for part in ("train", "valid"):
        for kind in "ab":
            write(tmp_path / "all" / part / kind / "1.png")
    assert [path.name for path in find_parts(tmp_path)] == ["train", "valid"]
    split, problems = read_folder(tmp_path)
    assert split.train.classes == split.valid.classes == ("a", "b") and not problems


def test_a_validation_class_that_cannot_be_learned_is_a_problem(tmp_path):
    for part, kinds in (("train", "ac"), ("val", "abc")):
        for kind in kinds:
            write(tmp_path / part / kind / f"{kind}.png")
    with pytest.raises(DataError, match="b is of a class that cannot be learned"):
        read_folder(tmp_path)
    split, problems = read_folder(tmp_path, "skip")
    assert split.valid.labels == [0, 1] and [problem.where for problem in problems] == ["b"]


def test_hidden_files_and_folders_are_no_pictures(folder):
    (folder / ".ipynb_checkpoints").mkdir()
    write(folder / ".ipynb_checkpoints" / "1.png")
    (folder / "cat" / ".DS_Store").write_bytes(b"x")
    (folder / "cat" / "more").mkdir()
    pictures, problems = list_pictures(folder)
    assert len(pictures) == 16
    assert [tuple(problem) for problem in problems] == [("cat/more", "is a folder inside a class")]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_a_problem(folder):
    (folder / "cat" / "2.png").chmod(0)
    assert len(inspect_pictures(list_pictures(folder)[0])) == 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16", "F"])
def test_every_kind_becomes_three_colours(tmp_path, mode):
    image = Image.fromarray(np.full((4, 6), 128, dtype=np.uint8))
    image = Image.fromarray(np.full((4, 6), 128 * 256, dtype=np.uint16)) if mode == "I;16" else image.convert(mode)
    path = tmp_path / "x.tif"
    image.save(path)
    decoded = decode_picture(path.read_bytes())
    assert decoded.mode == "RGB" and decoded.size == (6, 4)
    assert mode == "1" or abs(int(np.array(decoded)[0, 0, 0]) - 128) <= 2  # black and white are mixed in mode 1


def test_pictures_of_an_array(tmp_path):
    files, labels = [], [0, 1] * 5
    for i in range(10):
        write(tmp_path / f"{i}.png", seed=i)
        files.append((tmp_path / f"{i}.png").read_bytes())
    offsets = np.cumsum([0, *map(len, files)])
    np.savez(tmp_path / "all.npz", data=np.frombuffer(b"".join(files), np.uint8), offsets=offsets, labels=labels,
             names=[str(i) for i in range(10)], classes=["cat", "dog"])
    split, problems = read_pictures_at(tmp_path / "all.npz")
    assert (len(split.train), len(split.valid), problems) == (8, 2, [])
    for part in split:
        assert [int(name) % 2 for name in part.names] == part.labels
        assert [part.encoded(i) for i in range(len(part))] == [files[int(name)] for name in part.names]


def recorded(name):
    return json.loads((ROOT / "benchmarks/results" / f"{name}.json").read_text(encoding="utf8"))


def test_readme_has_the_recorded_results():
    readme = (ROOT / "benchmarks/README.md").read_text(encoding="utf8")
    for name, row in recorded("xresnet_step")["nets"].items():
        first, third = row["cpu_quartiles"]
        assert f"| {name} | {row['cpu_milliseconds']} | {row['cpu_ratio_to_ours']} | {first} to {third} |" in readme
    for name, row in recorded("picture_pipeline")["trainings"].items():
        assert f"| {name} | {row['share_waiting']:.1%} | {row['pictures_per_second']} |" in readme
    twin = recorded("vision_cpu")
    assert f"accuracy {twin['accuracy']:.3f}" in readme and twin["command"] in readme


def test_the_step_is_recorded_at_parity():
    nets = recorded("xresnet_step")["nets"]
    assert min(nets[name]["cpu_ratio_to_ours"] for name in ("fastai", "timm, channels last")) > 0.95


@pytest.mark.parametrize("argv", [
    ["xresnet_step.py", "--turns", "2", "--pixels", "32", "--batch-size", "2"],
    ["picture_pipeline.py", *"--pictures 120 --size 32 --batch-size 4 --batches 2 --workers 0".split()],
], ids=["step", "pipeline"])
def test_benchmarks_run(tmp_path, argv):
    command = [sys.executable, str(ROOT / "benchmarks" / argv[0]), *argv[1:], "--output", str(tmp_path / "r.json")]
    subprocess.run(command, check=True, cwd=ROOT, timeout=300)
    result = json.loads((tmp_path / "r.json").read_text(encoding="utf8"))
    assert result.get("nets") or 0 < result["trainings"]["in memory"]["share_waiting"] < 1

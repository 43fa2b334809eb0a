"Any entry of a catalogue, any damage to a mirror, any words of the command: the right data, or one clear sentence."
import contextlib
import hashlib
import io
import socket
import tempfile
from pathlib import Path

import pytest
from holding import CHARACTERS, holds
from hypothesis import assume
from hypothesis import strategies as st

import fastcourse.cli as cli
from fastcourse.data.archives import DataError, File
from fastcourse.data.catalog import Entry, Form, catalog, check_names, fetch, find_entry, read_entry

NAMES = [entry.name for entry in catalog()]


@contextlib.contextmanager
def cache(mirrors=""):
    "A cache and a network of our own; nobody is there."
    def nobody(*args, **kwargs):
        raise socket.gaierror("nobody is there")

    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASTCOURSE_HOME", home)
        patch.setenv("FASTCOURSE_MIRRORS", mirrors)
        patch.setattr(socket, "getaddrinfo", nobody)
        patch.setattr("time.sleep", lambda seconds: None)
        yield Path(home)


@holds(st.text(CHARACTERS, max_size=12) | st.sampled_from(NAMES).map(str.upper), few=40)
def test_a_name_is_known_or_refused_with_all_that_are(name):
    if name in NAMES:
        assert find_entry(name).name == name
    else:
        with pytest.raises(ValueError, match="name must be one of .*imdb"):
            find_entry(name)


@holds(st.text(CHARACTERS, max_size=4) | st.sampled_from([".", "..", "/", "\\", "C:", "a/b", "../x", "\0", "x.csv"]),
       st.text(CHARACTERS, max_size=4), few=40)
def test_names_of_files_lead_nowhere_else(start, end):
    name = start + end
    entry = Entry(name, "x", (Form("original", (File("x"),)),))
    try:
        check_names(entry)
    except ValueError:
        return
    folder = Path("cache")
    assert (folder / name).parent == folder and (folder / name).name == name and name not in (".", "..")


@holds(st.binary(max_size=40), st.lists(st.tuples(st.integers(0, 39), st.integers(0, 7)), max_size=2),
       st.booleans(), few=4)
def test_a_mirror_gives_the_published_bytes_or_nothing(content, damage, cut):
    sha256 = hashlib.sha256(content).hexdigest()
    entry = Entry("films", "Films", (Form("original", (File("films.bin", (), len(content), sha256),)),))
    stored = bytearray(content)
    for place, bit in damage:
        if place < len(stored):
            stored[place] ^= 1 << bit
    stored = bytes(stored[:-1] if cut else stored)
    with tempfile.TemporaryDirectory() as mirror, cache(mirror) as home:
        Path(mirror, "films.bin").write_bytes(stored)
        if stored == content:
            copy = fetch(entry, progress=False)
            assert (copy.folder / "films.bin").read_bytes() == content and fetch(entry) == copy
        else:
            with pytest.raises(DataError, match="is not the published file"):
                fetch(entry, progress=False)
            assert not (home / "data" / "films").exists()


SCHEMES = st.sampled_from(["http", "https", "ftp", "file", ""])


@holds(st.text(CHARACTERS, max_size=12) | st.builds("{}://{}".format, SCHEMES, st.text(CHARACTERS, max_size=10)), few=4)
def test_a_bad_address_is_an_unreachable_one(url):
    entry = Entry("films", "Films", (Form("original", (File("films.bin", (url,), 3, "0" * 64),)),))
    with cache() as home:
        with pytest.raises(DataError, match="films could not be fetched"):
            fetch(entry, progress=False)
        assert not (home / "data" / "films").exists()


@holds(st.sampled_from(catalog()))
def test_entries_come_back_from_their_tables(entry):
    table = {"title": entry.title, "forms": [{**form._asdict(), "files": [file._asdict() for file in form.files]}
                                             for form in entry.forms]}
    assert read_entry(entry.name, table).forms == entry.forms


def leaves(command, path=()):
    "All commands that are no groups."
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from leaves(inner, (*path, name))
    else:
        yield path, command


def harmless():
    "The command, with its words and its checks; what it would do is left out."
    import typer
    command = typer.main.get_command(MAKE_APP())
    for path, leaf in leaves(command):
        if path[0] != "text" or path[1] not in STEPS:
            leaf.callback = lambda **values: None
    return command


def nothing(*args, **kwargs):
    raise ValueError("it would begin now")


MAKE_APP = cli.make_app
WORKS = ["pretrain_model", "finetune_model", "train_classifier", "predict_file", "evaluate_file"]
STEPS = ["pretrain", "finetune", "classify", "predict", "evaluate"]
OPTIONS = ["--epochs", "--lr", "--text", "--label", "--quiet", "--resume", "--mirror", "--help", "--version", "--", "-",
           "--seed", "--device", "--start", "--threads", "--epochs=3", "--lr=x", "-h", "--batch-size"]
KNOWN = ["text", *STEPS, "reviews", "model", "3", "-1", "1e999", "nan", "cpu", "none", *OPTIONS]
WORDS = st.sampled_from(KNOWN) | st.text(CHARACTERS, max_size=6)


@holds(st.lists(WORDS, max_size=8), st.booleans(), few=15)
def test_any_words_are_understood_or_refused_in_one_line(words, text_first):
    words = ["text", *words] if text_first else words
    assume("\0" not in "".join(words))  # no system hands it to a program
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(cli, "make_app", harmless)
        for name in WORKS:
            patch.setattr(cli, name, nothing)
        code = cli.main(words)
    said = err.getvalue()
    assert code in (0, 2) and "Traceback" not in said + out.getvalue()
    assert (code == 2) == bool(said)
    if code == 2:
        assert said.startswith("fastcourse") and said.endswith("\n") and len(said.splitlines()) == 1

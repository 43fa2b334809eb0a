"What the catalogue says, and that the wheel carries it."
import re
import subprocess
import sys
from importlib import import_module
from inspect import signature
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from project import ROOT

from fastcourse.data import catalog as c
from fastcourse.data import datasets

NAMES = [entry.name for entry in c.catalog()]


def test_the_data_sets_of_the_course_are_there():
    assert {"human_numbers", "imdb", "wikitext2", "wikitext103", "penn_treebank", "imagenette", "imagewoof",
            "fashion_mnist", "cifar10", "oxford_pets", "movielens_100k"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_entry_is_complete(name):
    entry = c.find_entry(name)
    assert entry.title and entry.licence and entry.citation and urlsplit(entry.homepage).hostname
    if entry.embedded:
        module, _, function = entry.embedded.rpartition(".")
        signature(getattr(import_module(module), function)).bind()  # the message of `fetch` calls it without arguments
    assert entry.forms[0].name == "original" and all(file.urls for file in entry.forms[0].files)
    assert len({form.name for form in entry.forms}) == len(entry.forms)
    for form in entry.forms:
        assert len({file.name for file in form.files}) == len(form.files) > 0
        for file in form.files:
            assert re.fullmatch(r"[\w.-]+", file.name) and file.size > 0
            assert re.fullmatch("[0-9a-f]{64}", file.sha256 or "0" * 64)
            assert re.fullmatch("[0-9a-f]{32}", file.md5 or "0" * 32)
            assert file.sha256 or file.md5, "nothing proves that this file is the right one"
            assert all(urlsplit(url).scheme in ("http", "https") for url in file.urls)
        assert all(re.fullmatch("[0-9a-f]{64}", sha256) for _, sha256 in form.contents)


def test_no_checksum_is_given_to_two_files():
    sums = [file.sha256 for entry in c.catalog() for form in entry.forms for file in form.files if file.sha256]
    assert len(set(sums)) == len(sums)


def test_embedded_human_numbers_are_what_the_catalogue_knows():
    from hashlib import sha256
    (_, train), (_, valid) = c.find_entry("human_numbers").forms[0].contents
    parts = ["".join(f"{line} \n" for line in part).encode() for part in datasets.human_numbers()]
    assert [sha256(part).hexdigest() for part in parts] == [train, valid]


@pytest.mark.parametrize("name, nearest", [
    ("wikitext-2", "wikitext2"), ("WikiText 103", "wikitext103"), ("imagenet", "imagenette"), ("fashion-mnist",
    "fashion_mnist"), ("CIFAR10", "cifar10"), ("ptb", None), ("movielens", "movielens_100k"), ("", None),
])
def test_unknown_name_says_the_nearest(name, nearest):
    with pytest.raises(ValueError, match="name must be one of .*imdb") as caught:
        c.fetch(name)
    assert (f"did you mean {nearest!r}" in str(caught.value)) == bool(nearest)


@given(st.text(max_size=20))
def test_any_name_is_known_or_refused(name):
    if name not in NAMES:
        with pytest.raises(ValueError, match="name must be one of"):
            c.find_entry(name)


def test_cache_is_the_users_own_unless_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTCOURSE_HOME", str(tmp_path))
    assert c.data_folder() == tmp_path / "data"
    monkeypatch.setenv("FASTCOURSE_HOME", "")
    assert "fastcourse" in c.data_folder().parts and not c.data_folder().is_relative_to(tmp_path)


def test_catalogue_is_packaged(tmp_path):
    build = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    built = tmp_path / "fastcourse" / "data" / "catalog.toml"
    assert built.read_bytes() == (ROOT / "fastcourse" / "data" / "catalog.toml").read_bytes()

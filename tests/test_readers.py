"The same records from every form; on the real data, where a mirror has them, the published counts."
import gzip
import hashlib
import json
import lzma
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from project import ROOT

from fastcourse.data import readers as r
from fastcourse.data.archives import DataError
from fastcourse.data.catalog import Copy, fetch, find_entry

MIRRORS = [Path(name) for name in os.environ.get("FASTCOURSE_MIRRORS", "").split(os.pathsep) if name]
MIRRORS = MIRRORS or [ROOT.parent / "shared" / "data", Path("/usr/share/datasets")]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    "Fetches a data set from a mirror, or skips."
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASTCOURSE_HOME", str(home))
        patch.setenv("FASTCOURSE_MIRRORS", os.pathsep.join(map(str, MIRRORS)))

        def take(name):
            for form in find_entry(name).forms:
                for mirror in MIRRORS:
                    if any((mirror / folder / form.files[0].name).is_file() for folder in (form.folder, name, "")):
                        return fetch(name)
            pytest.skip(f"NOT TRIED: no folder in FASTCOURSE_MIRRORS holds {name}")
        yield take


@pytest.fixture(scope="module")
def reviews(shelf):
    return r.imdb(["train", "test", "unsup"], shelf("imdb"))


def test_imdb_has_the_published_counts(reviews):
    counts, sizes = {}, {}
    for text, label, split in reviews:
        counts[split, label] = counts.get((split, label), 0) + 1
        sizes[split] = sizes.get(split, 0) + len(text.encode())
    assert counts == {("train", 0): 12_500, ("train", 1): 12_500, ("test", 0): 12_500, ("test", 1): 12_500,
                      ("unsup", None): 50_000}
    # The card of the data set at Hugging Face gives these numbers of bytes, with 12 more for each review.
    assert sizes == {"train": 33_432_823 - 300_000, "test": 32_650_685 - 300_000, "unsup": 67_106_794 - 600_000}
    assert sum("\x85" in text or "\u2028" in text for text, _, _ in reviews) > 1000


def test_imdb_is_the_same_from_its_original_files(shelf, reviews, tmp_path):
    "Every review with an unusual line end, and each hundredth, as files of the original layout."
    copy, expected = shelf("imdb"), []
    for split in ("train", "test", "unsup"):
        lines = r.read_lines(copy.folder / f"{split}.jsonl.xz")
        for i, record in enumerate(map(json.loads, lines)):
            odd = any(end in record["text"] for end in "\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e\r\t")
            if not odd and i % 100:
                continue
            kind = ("neg", "pos")[record["label"]] if "label" in record else "unsup"
            folder = tmp_path / "aclImdb" / ("train" if split == "unsup" else split) / kind
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{record['id']}_{record.get('rating', 0)}.txt").write_bytes(record["text"].encode())
            expected.append(r.Review(record["text"], record.get("label"), split))
    assert len(expected) > 2000 and set(expected) <= set(reviews)
    assert r.imdb(["train", "test", "unsup"], Copy(tmp_path, "original")) == expected


@pytest.mark.parametrize("name, read, counts, vocab_size", [
    ("wikitext2", r.wikitext2, (2_088_628, 217_646, 245_569), 33_278),
    ("penn_treebank", r.penn_treebank, (929_589, 73_760, 82_430), 10_000),
])
def test_corpus_has_the_published_counts(shelf, tmp_path, name, read, counts, vocab_size):
    copy = shelf(name)
    corpus = read(copy)
    assert tuple(map(len, corpus)) == counts
    assert len(set().union(*corpus)) == len(set(corpus.train)) == vocab_size
    pattern, folder = ("wiki.{}.tokens", tmp_path / "wikitext-2") if name == "wikitext2" else ("ptb.{}.txt", tmp_path)
    folder.mkdir(exist_ok=True)
    raw = {}
    for path in copy.folder.glob("*.xz"):
        part = next(part for part in corpus._fields if part in path.name)
        raw[part] = r.read_bytes(path)
        (folder / pattern.format(part)).write_bytes(raw[part])
    published = {Path(file).name: sha256 for file, sha256 in find_entry(name).forms[0].contents}
    published |= {file.name: file.sha256 for file in find_entry(name).forms[0].files}
    for part, data in raw.items():
        assert hashlib.sha256(data).hexdigest() == published[pattern.format(part)]
    assert read(Copy(tmp_path, "original")) == corpus


@pytest.mark.parametrize("name, read, counts", [
    ("imagenette", r.imagenette, (9469, 3925)), ("imagewoof", r.imagewoof, (9025, 3929))])
def test_pictures_have_the_published_counts(shelf, tmp_path, name, read, counts):
    parts = read(shelf(name))
    assert tuple(map(len, parts)) == counts
    for part, folder in zip(parts, ("train", "val")):
        assert set(part.labels) == set(range(10)) and len(set(part.names)) == len(part)
        image, label = part[len(part) - 1]
        assert image.mode == "RGB" and image.size == (128, 128) and label == 9
        numbers = [number for number, kind in r.class_names().items() if kind in part.classes]
        for i in range(0, len(part), 50):
            path = tmp_path / f"{name}2-160" / folder / numbers[part.labels[i]] / f"{part.names[i]}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(part.encoded(i))
    for some, part in zip(read(Copy(tmp_path, "original")), parts):
        assert some.classes == part.classes
        chosen = range(0, len(part), 50)
        assert (some.labels, some.names) == ([part.labels[i] for i in chosen], [part.names[i] for i in chosen])
        assert [some.encoded(i) for i in range(len(some))] == [part.encoded(i) for i in chosen]


def test_fashion_mnist_has_the_published_counts(shelf):
    train, valid = r.fashion_mnist(shelf("fashion_mnist"))
    assert train.x.shape == (60_000, 28, 28) and valid.x.shape == (10_000, 28, 28)
    assert train.y.bincount().tolist() == [6000] * 10 and valid.y.bincount().tolist() == [1000] * 10


def test_readers_of_small_originals(tmp_path):
    "What no mirror holds, in the layout that its authors describe."
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations").mkdir()
    Image.new("RGB", (4, 3), (255, 0, 0)).save(tmp_path / "images" / "great_pyrenees_2.jpg")
    (tmp_path / "annotations" / "trainval.txt").write_text("#Image\nAbyssinian_1 1 1 1\ngreat_pyrenees_2 3 2 2\n")
    (tmp_path / "annotations" / "test.txt").write_text("boxer_7 2 2 1\n")
    train, test = r.oxford_pets(Copy(tmp_path, "original"))
    assert train.classes == test.classes == ("Abyssinian", "boxer", "great pyrenees")
    assert (train.labels, test.labels) == ([0, 2], [1]) and train[1][0].size == (4, 3)
    with pytest.raises(IndexError, match="i must be in"):
        train[2]


@pytest.mark.parametrize("data", [b"", b"\0\0\x08", b"\0\0\x0d\x01\0\0\0\x01x", b"\0\0\x08\x01\0\0\0\x02x"])
def test_idx_of_another_kind_is_refused(tmp_path, data):
    (tmp_path / "x.gz").write_bytes(gzip.compress(data))
    with pytest.raises(ValueError, match="x.gz must be an array of bytes"):
        r.read_idx(tmp_path / "x.gz")


def test_cifar_of_another_length_is_refused(tmp_path):
    (tmp_path / "cifar-10-batches-bin").mkdir()
    for name in ["test_batch", *(f"data_batch_{i}" for i in range(1, 6))]:
        (tmp_path / "cifar-10-batches-bin" / f"{name}.bin").write_bytes(b"\1" * 3073)
    (tmp_path / "cifar-10-batches-bin" / "test_batch.bin").write_bytes(b"\1" * 3072)
    with pytest.raises(ValueError, match="3,073 bytes a picture"):
        r.cifar10(Copy(tmp_path, "original"))


def test_array_with_a_pickle_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, data=np.array([print], dtype=object), offsets=[0], labels=[], names=[], classes=[])
    with pytest.raises(DataError, match="allow_pickle"):
        r.pictures_of_array(path)


def test_lines_end_at_newlines_only(tmp_path):
    text = "a\x85b\u2028c\r\n\nlast"
    (tmp_path / "x.txt.xz").write_bytes(lzma.compress(text.encode()))
    assert r.read_lines(tmp_path / "x.txt.xz") == ["a\x85b\u2028c\r", "", "last"]
    (tmp_path / "empty.txt").write_bytes(b"")
    assert r.read_lines(tmp_path / "empty.txt") == []


def test_pictures_serve_a_loader_with_workers(tmp_path):
    path = tmp_path / "x.png"
    Image.new("L", (2, 2), 9).save(path)
    pictures = r.Pictures([path, path.read_bytes()], [0, 1], ["a", "b"], ["no", "yes"])
    loader = torch.utils.data.DataLoader(pictures, batch_size=2, num_workers=1, collate_fn=as_numbers)
    assert next(iter(loader)) == ([27 * 4] * 2, [0, 1])


def as_numbers(batch):
    return [int(np.array(image).sum()) for image, _ in batch], [label for _, label in batch]

"""What is fuzzed: the readers of files that somebody else may have written.

A target gets bytes, makes a file of them, and reads it. It may refuse the file by the errors that its reader documents;
any other exception is a fault. Where a checksum would turn everything away, the target corrects it first, as somebody
could who wants to do harm.
"""
import copy
import gzip
import io
import json
import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastcourse.data.archives import DataError, unpack
from fastcourse.data.catalog import find_copy
from fastcourse.data.readers import Pictures, pictures_of_array, read_idx, read_lines
from fastcourse.study.exercises import parse_exercises
from fastcourse.study.progress import Progress, parse_progress
from fastcourse.study.quiz import parse_questions
from fastcourse.text.files import stream_json
from fastcourse.text.store import TokenStore, manifest_checksum, write_tokens
from fastcourse.text.transfer import load_language_model
from fastcourse.text.vocabulary import load_vocab, stream_rows
from fastcourse.training.state import encode_state, read_state, state_checksum
from fastcourse.vision.pictures import decode_picture


@cache
def scratch_of(process):
    memory = Path("/dev/shm")
    folder = tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None)
    KEPT.append(folder)
    return Path(folder.name)


KEPT = []  # folders are removed with the process


def scratch():
    "A folder of this process, in memory where that is possible."
    return scratch_of(os.getpid())


def file_of(name, data):
    path = scratch() / name
    path.write_bytes(data)
    return path


def places_of(value):
    "All (container, key) of a nesting."
    items = [*value.items()] if isinstance(value, dict) else [*enumerate(value)] if isinstance(value, list) else []
    for key, inner in items:
        yield value, key
        yield from places_of(inner)


def deep(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def edited(value, data):
    "A JSON value in which the bytes say which places are changed, and how: four bytes for each change."
    value = copy.deepcopy(value)
    for i in range(0, min(len(data) - 3, 12), 4):
        place, kind, low, high = data[i:i + 4]
        places = list(places_of(value))
        if not places:
            return value
        container, key = places[(place + 256 * (low % 4)) % len(places)]
        number = (high << 8 | low) - 2**15
        text = data[i + 4:].decode("utf8", "replace")
        other, other_key = places[high % len(places)]
        news = [None, True, -1, 0, number, 2**70, 1e308, float("nan"), "", "../outside", "/etc/passwd", text, [], {},
                [text], {text: number}, deep(30), other[other_key], number / 7, [number], "O", "<f8", "\0"]
        if kind >= 240 and isinstance(container, dict):
            del container[key]
        elif kind >= 224 and isinstance(container, dict):
            container[text] = container.pop(key)
        else:
            container[key] = copy.deepcopy(news[kind % len(news)])
    return value


def members(name="a/b.txt"):
    "A small tar and a small zip."
    tar, packed = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = 5
        archive.addfile(info, io.BytesIO(b"hello"))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, "hello hello hello")
    return tar.getvalue()[:1536], packed.getvalue()


def read_archive(ending, data):
    "Unpack, and look for what came to lie outside."
    home = scratch() / "home"
    shutil.rmtree(home, ignore_errors=True)
    (home / "inside").mkdir(parents=True)
    path = home / f"archive{ending}"
    path.write_bytes(data)
    try:
        unpack(path, home / "inside", max_bytes=200_000, max_members=50)
    finally:
        assert {entry.name for entry in home.iterdir()} == {path.name, "inside"}, "something lies outside"
        total = sum(entry.stat().st_size for entry in (home / "inside").rglob("*") if entry.is_file())
        assert total <= 200_000, "more was unpacked than is allowed"


def read_zip(data):
    read_archive(".zip", data)


def read_tar(data):
    "The first byte says in which compression, and whether that one is damaged."
    kinds = [(".tar", bytes), (".tar.gz", gzip.compress), (".tar.gz", bytes), (".tar.xz", bytes), (".tar.bz2", bytes)]
    ending, pack = kinds[data[0] % len(kinds)] if data else kinds[0]
    read_archive(ending, pack(data[1:]))


def read_picture(data):
    "By the course's two ways to open one."
    from PIL import Image
    Image.MAX_IMAGE_PIXELS = 100_000  # what is larger is refused, and takes no time
    for read in (decode_picture, lambda data: Pictures([data], [0], ["x"], ["y"])[0]):
        try:
            read(data)
        except DataError:
            pass


def pictures():
    from PIL import Image
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        buffer = io.BytesIO()
        Image.new("P" if kind == "GIF" else "RGB", (3, 2), 9).save(buffer, kind)
        yield buffer.getvalue()


def arrays():
    buffer = io.BytesIO()
    np.savez(buffer, data=np.frombuffer(b"picture", np.uint8), offsets=[0, 3, 7], labels=[0, 1], names=["a", "b"],
             classes=["c", "d"])
    yield buffer.getvalue()


def read_array(data):
    pictures_of_array(file_of("x.npz", data))


def read_table(data):
    list(stream_rows(file_of("x.csv", data)))


def read_json_lines(data):
    list(stream_json(file_of("x.jsonl", data), ["text", "label"], separator="|"))


def read_compressed(data):
    "Whole files and line by line; the first byte says how they are said to be compressed."
    path = file_of(("x.gz", "x.xz", "x.txt")[data[0] % 3] if data else "x.gz", data[1:])
    for read in (read_lines, lambda path: list(stream_rows(path)), read_idx):
        try:
            read(path)
        except (ValueError, DataError):
            pass


def read_index(data):
    read_idx(file_of("x.idx", data))


def read_vocab(data):
    "The first byte says which of both forms; of JSON the fingerprint is left out."
    load_vocab(file_of("v.txt" if data[:1] == b"t" else "v.json", data[1:]))


def vocabularies():
    from fastcourse.text.tokenizer import SPECIALS
    yield b"t" + "\n".join([*SPECIALS, "a", ""]).encode()
    yield b"j" + json.dumps({"tokens": [*SPECIALS, "a"], "fingerprint": None}).encode()


@cache
def store():
    "The manifest of a store."
    write_tokens(scratch() / "store", [[0, 1], [2]], ["a", "b", "c"])
    return json.loads((scratch() / "store" / "manifest.json").read_text())


def read_store(data):
    "A store whose manifest was changed, with its checksum; what opens can be read."
    manifest = edited(store(), data)
    if isinstance(manifest, dict):
        manifest["checksum"] = manifest_checksum(manifest)
    file = scratch() / "store" / "manifest.json"
    file.write_text(json.dumps(manifest))
    found = TokenStore(file.parent)
    for ids in found:
        assert ids.numel() == 0 or 0 <= int(ids.min()) <= int(ids.max()) < found.vocab_size


def read_manifest_bytes(data):
    "A store whose manifest is anything."
    store()
    (scratch() / "store" / "manifest.json").write_bytes(data)
    TokenStore(scratch() / "store")


def read_training_state(data):
    "A state whose description was changed, with its checksum."
    import torch
    from safetensors.torch import save
    tensors = []
    state = {"a": [torch.ones(2), 3], "b": (1, {"c": torch.zeros(1)}), "d": [torch.ones(1)] * 2}
    text = json.dumps(edited(encode_state(state, tensors), data)) if data[:1] != b"\0" else "[" * 2000 + "]" * 2000
    metadata = {"format": "fastcourse state", "version": "1", "checksum": state_checksum(text, tensors), "state": text}
    read_state(file_of("x.safetensors", save({str(i): t for i, t in enumerate(tensors)}, metadata)))


def read_tensors(data):
    read_state(file_of("x.safetensors", data))


def tensor_files():
    import torch
    from safetensors.torch import save
    yield save({"0": torch.ones(2)}, {"format": "fastcourse state", "version": "1", "state": "null", "checksum": "x"})


@cache
def model():
    "The configuration of a model folder."
    from fastcourse.text.awdlstm import AWDLSTM
    from fastcourse.text.language_model import LanguageModel
    from fastcourse.text.tokenizer import SPECIALS
    from fastcourse.text.transfer import save_language_model
    from fastcourse.text.vocabulary import Vocab
    vocab = Vocab([*SPECIALS, "a"])
    small = LanguageModel(AWDLSTM(len(vocab), embed_size=2, hidden_size=2, num_layers=1))
    save_language_model(scratch() / "model", small, vocab, name="x", data="y", metrics={})
    return json.loads((scratch() / "model" / "config.json").read_text())


def read_model_folder(data):
    "A language model whose configuration was changed, with its checksum."
    config = edited(model(), data)
    config["checksum"] = manifest_checksum(config)
    (scratch() / "model" / "config.json").write_text(json.dumps(config))
    load_language_model(scratch() / "model")


def read_progress(data):
    "Damage to the file never raises; to its text, as documented."
    assert isinstance(Progress(file_of("progress.json", data)).read(), dict)
    parse_progress(data.decode("utf8"))


def read_note(data):
    "A note that is damaged means that there is no copy."
    folder = scratch() / "copy"
    folder.mkdir(exist_ok=True)
    (folder / "fastcourse.json").write_bytes(data)
    assert find_copy(folder) is None


def read_lesson_file(data):
    "Questions or exercises."
    (parse_questions if data[:1] == b"q" else parse_exercises)("lesson", data[1:].decode("utf8"))


LESSON_FILES = [b'q[one]\ntext = "T"\nchoices = [{text="a", why="b", right=true}]\n',
                b'e[one]\ntitle="T"\ntask="T"\nstart="s"\nreference="r"\ncases=["c"]\nhints=["h"]\n'
                b'wrong=[{source="s", why="w"}]\n']


class Target(NamedTuple):
    read: Callable
    allowed: tuple    # what the reader documents
    seeds: Callable   # gives files that are right, or nearly


TARGETS = {
    "zip": Target(read_zip, (DataError,), lambda: [members()[1], members("../x")[1]]),
    "tar": Target(read_tar, (DataError,), lambda: [bytes([i]) + members()[0] for i in range(2)]
                  + [b"\2" + gzip.compress(members()[0]), b"\3" + lzma.compress(members()[0])]),
    "picture": Target(read_picture, (), lambda: list(pictures())),
    "array": Target(read_array, (DataError,), lambda: list(arrays())),
    "table": Target(read_table, (ValueError,), lambda: [b'text,label\n"a ""b""",1\nc,2\n']),
    "json_lines": Target(read_json_lines, (ValueError,), lambda: [b'{"text": "a", "label": ["x", 1]}\n',
                                                                  b'{"text": [[[1]]], "label": null}']),
    "compressed": Target(read_compressed, (), lambda: [b"\0" + gzip.compress(b"a,b\nc,d\n"),
                                                       b"\1" + lzma.compress(b"a\n"), b"\2a\n"]),
    "index": Target(read_index, (ValueError,), lambda: [b"\0\0\x08\x02\0\0\0\x01\0\0\0\x02ab"]),
    "vocabulary": Target(read_vocab, (ValueError,), lambda: list(vocabularies())),
    "store": Target(read_store, (ValueError, FileNotFoundError), lambda: [b"\1\2\3\4", bytes(12)]),
    "manifest": Target(read_manifest_bytes, (ValueError, FileNotFoundError), lambda: [json.dumps(store()).encode()]),
    "state": Target(read_training_state, (ValueError,), lambda: [b"\1\2\3\4", bytes(12)]),
    "tensors": Target(read_tensors, (ValueError,), lambda: list(tensor_files())),
    "model": Target(read_model_folder, (ValueError, FileNotFoundError), lambda: [b"\1\2\3\4", bytes(12)]),
    "progress": Target(read_progress, (ValueError,), lambda: [b'{"format": 1, "items": {"a": {"solved": true}}}']),
    "note": Target(read_note, (), lambda: [b'{"form": "original", "hash": "x"}']),
    "lesson_file": Target(read_lesson_file, (ValueError,), lambda: LESSON_FILES),
}


def check(name, data):
    "Whether target `name` accepts the bytes. Raises what the reader may not raise."
    target = TARGETS[name]
    try:
        target.read(bytes(data))
    except target.allowed:
        return False
    return True

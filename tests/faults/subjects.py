"""What the library keeps in files: each subject writes a version of itself and reads which version is there.

Everything in a file follows from the number of its version, so `read` knows whether what it got is whole. `read`
returns that number, raises what the library raises, or raises Lost for a mixture.
"""
import json
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from tries import Told, check

from fastcourse.study.progress import Progress
from fastcourse.text.awdlstm import AWDLSTM
from fastcourse.text.classifier import TextClassifier, TrainedClassifier, load_classifier, save_classifier
from fastcourse.text.files import stream_table, write_rows
from fastcourse.text.language_model import LanguageModel, load_encoder, save_encoder
from fastcourse.text.store import TokenStore, write_tokens
from fastcourse.text.tokenizer import SPECIALS, Tokenizer
from fastcourse.text.transfer import load_language_model, save_language_model
from fastcourse.text.vocabulary import Vocab, load_vocab, save_vocab
from fastcourse.training.state import load_weights, own_weights, read_state, save_weights, write_state


class Subject(NamedTuple):
    "Something in a folder."
    name: str
    write: Callable          # of folder and version
    read: Callable           # of folder and, where the reader can know it, the expected version; returns the version
    is_checked: bool = True  # is there a checksum, or a fingerprint that the reader knows?
    is_plain: bool = False   # one file, of which any version is right where any other is
    second: int = 2          # the version that comes after the first


# States, weights


def make_state(version):
    return {"number": version, "weights": torch.arange(10_000.0) + version, "history": [version] * 200}


def write_a_state(folder, version):
    write_state(folder / "state.safetensors", make_state(version))


def read_a_state(folder, expected=None):
    found = read_state(folder / "state.safetensors")
    version = int(found["number"])
    made = make_state(version)
    check(found["history"] == made["history"] and torch.equal(found["weights"], made["weights"]), "a mixture")
    return version


def fill(model, version):
    with torch.no_grad():
        for number, p in enumerate(model.parameters()):
            p.fill_(version + number / 8)
    return model


def version_of(model):
    "The version of a model that `fill` filled; it is whole."
    version = int(next(model.parameters()).flatten()[0])
    check(all((p == version + number / 8).all() for number, p in enumerate(model.parameters())), "a mixture")
    return version


def write_weights(folder, version):
    save_weights(folder / "weights.safetensors", fill(nn.Linear(100, 50), version))


def read_weights(folder, expected=None):
    model = nn.Linear(100, 50)
    load_weights(folder / "weights.safetensors", model)
    return version_of(model)


# Vocabularies, token stores


@cache
def make_vocab(version, num_words=1000):
    return Vocab([*SPECIALS, *(f"w{version}_{i}" for i in range(num_words))])


def version_of_vocab(vocab, num_words=1000):
    version = int(vocab[len(SPECIALS)][1:].split("_")[0])
    check(vocab.tokens == make_vocab(version, num_words).tokens, "a mixture")
    return version


def write_vocab(ending, folder, version):
    save_vocab(make_vocab(version), folder / f"vocab{ending}")


def read_vocab(ending, folder, expected=None):
    known = make_vocab(expected).fingerprint if expected else None
    return version_of_vocab(load_vocab(folder / f"vocab{ending}", known))


def documents(version, num=60):
    return [(np.arange(i % 40 + 1) * 7 + version) % 100 for i in range(num)]


def write_store(folder, version):
    write_tokens(folder, documents(version), range(100))


def read_store(folder, expected=None):
    store = TokenStore(folder)
    version = int(store[0][0])
    made = documents(version)
    check(len(store) == len(made) and all((a.numpy() == b).all() for a, b in zip(store, made)), "a mixture")
    return version


# Models


def make_encoder(version):
    return fill(AWDLSTM(len(SPECIALS) + 20, 4, 4, 1), version)


def write_encoder(folder, version):
    save_encoder(folder / "encoder.safetensors", LanguageModel(make_encoder(version)))


def read_encoder(folder, expected=None):
    encoder = make_encoder(0)
    load_encoder(folder / "encoder.safetensors", encoder)
    return version_of(encoder)


CARD = dict(name="Nobody", data="nothing", metrics={})


def write_language_model(folder, version):
    model = LanguageModel(make_encoder(0))
    fill(model, version)
    save_language_model(folder / "model", model, make_vocab(version, 20), Tokenizer(), **CARD | {"data": str(version)})


def read_language_model(folder, expected=None):
    read = load_language_model(folder / "model")
    version = version_of_vocab(read.vocab, 20)
    expected_weights = own_weights(fill(LanguageModel(make_encoder(0)), version))
    found = own_weights(read.model)
    check(all(torch.equal(found[name], value) for name, value in expected_weights.items()), "a mixture")
    check(read.config["card"]["data"] == str(version), "the card of another model")
    return version


def make_classifier(version):
    model = fill(TextClassifier(make_encoder(0), 2), version)
    return TrainedClassifier(model, make_vocab(version, 20), Tokenizer(), ["bad", "good"], False)


def write_classifier(folder, version):
    save_classifier(folder / "model", make_classifier(version), **CARD)


def read_classifier(folder, expected=None):
    read = load_classifier(folder / "model")
    version = version_of_vocab(read.vocab, 20)
    expected_weights, found = own_weights(make_classifier(version).model), own_weights(read.model)
    check(all(torch.equal(found[name], value) for name, value in expected_weights.items()), "a mixture")
    check(read.labels == ["bad", "good"], "other labels")
    return version


# Progress, tables of results


ITEM = "exercise/core/split"


def write_progress(folder, version):
    "One more attempt; a sentence in place of an error is as good as one."
    said = Progress(folder / "progress.json").record(ITEM, attempts=1, solved=True)
    if said:
        raise Told(said)


def read_progress(folder, expected=None):
    "The attempts. A damaged file counts as none, and the next record must keep it under another name."
    path = folder / "progress.json"
    items = Progress(path).read()
    if items:
        attempts = items.get(ITEM, {}).get("attempts", 0)
        check(items == {ITEM: {"attempts": attempts, "solved": True}}, f"other progress: {items}")
        return attempts
    before = path.read_bytes()
    write_progress(folder, 1)
    kept = [other.read_bytes() for other in folder.glob("progress.damaged-*.json")]
    check(kept == [before] and Progress(path).read()[ITEM]["attempts"] == 1, "the damaged file is gone")
    raise Told("progress.json was put aside")


def rows_of(version):
    return [{"place": f"row {i}", "label": "good" if (i * version) % 3 else "bad", "number": str(version)}
            for i in range(200)]


def write_table(ending, folder, version):
    write_rows(str(folder / f"answers{ending}"), ["place", "label", "number"], rows_of(version))


def read_table(ending, folder, expected=None):
    columns = ["place", "label", "number"]
    found = [dict(zip(columns, row)) for row in stream_table(folder / f"answers{ending}", columns)]
    version = int(found[0]["number"]) if found and found[0]["number"].isdecimal() else 0
    return version if found == rows_of(version) else 0  # 0: not as any version was


SUBJECTS = [
    Subject("state of a training", write_a_state, read_a_state, is_plain=True),
    Subject("weights", write_weights, read_weights, is_plain=True),
    Subject("encoder", write_encoder, read_encoder, is_plain=True),
    Subject("vocabulary (.json)", partial(write_vocab, ".json"), partial(read_vocab, ".json"), is_plain=True),
    Subject("vocabulary (.txt)", partial(write_vocab, ".txt"), partial(read_vocab, ".txt"), is_plain=True),
    Subject("token store", write_store, read_store),
    Subject("folder of a language model", write_language_model, read_language_model),
    Subject("folder of a classifier", write_classifier, read_classifier),
    Subject("progress", write_progress, read_progress, is_plain=True),
    *(Subject(f"answers ({ending})", partial(write_table, ending), partial(read_table, ending), is_checked=False,
              is_plain=True) for ending in (".csv", ".jsonl")),
]


# What somebody might have written instead


def write_naively(folder, version):
    with open(folder / "vocab.json", "w", encoding="utf8") as file:
        file.write(f'{{"version": {version}, "tokens": [')
        for token in make_vocab(version):
            file.write(json.dumps(token) + ", ")
            file.flush()
        file.write("null]}")


def read_naively(folder, expected=None):
    "What a reader without checks does: it takes what it can get."
    text = (folder / "vocab.json").read_text(encoding="utf8", errors="replace")
    return int(text.split(",")[0].split(":")[1]) if text.count(",") > len(make_vocab(1)) else 0


NAIVE = Subject("a plain file", write_naively, read_naively, is_plain=True, second=10**30)

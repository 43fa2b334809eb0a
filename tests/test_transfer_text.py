"Model folders: what is damaged, foreign or half written is not read, and the models of the package are whole."
import json
import pickle
import shutil
import subprocess
import sys

import pytest
import torch
from project import ROOT

from fastcourse.data.archives import file_hash
from fastcourse.text import store, transfer
from fastcourse.text.awdlstm import AWDLSTM, Dropouts
from fastcourse.text.language_model import LanguageModel
from fastcourse.text.store import manifest_checksum
from fastcourse.text.tokenizer import SPECIALS, Tokenizer
from fastcourse.text.transfer import (
    load_language_model, load_pretrained, match_vocab, read_model, save_language_model, text_loaders, write_model)
from fastcourse.text.vocabulary import Vocab
from fastcourse.training.state import own_weights

CARD = dict(name="tiny", data="none", metrics={"perplexity": 19.0})
SHIPPED = sorted(path.name for path in (ROOT / "fastcourse/pretrained").iterdir())


@pytest.fixture
def vocab():
    return Vocab([*SPECIALS, "a", "b", "c"])


@pytest.fixture
def folder(tmp_path, vocab):
    save_language_model(tmp_path / "model", tiny(vocab), vocab, **CARD)
    return tmp_path / "model"


def tiny(vocab, seed=0, tied=True):
    torch.manual_seed(seed)
    return LanguageModel(AWDLSTM(len(vocab), 4, 6, 2, Dropouts().scaled(0.5)), tied)


def rewrite(folder, **changes):
    "Change the settings, and make the checksum hold again."
    config = json.loads((folder / "config.json").read_text(encoding="utf8")) | changes
    (folder / "config.json").write_text(json.dumps(config | {"checksum": manifest_checksum(config)}), encoding="utf8")


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("half", [True, False])
def test_round_trip(tmp_path, vocab, tied, half):
    model = tiny(vocab, tied=tied)
    folder = tmp_path / "new" / "model"
    save_language_model(folder, model, vocab, Tokenizer(fastai=True), half=half, backwards=True, **CARD)
    read = load_language_model(folder)
    for name, value in own_weights(read.model).items():
        expected = own_weights(model)[name]
        assert torch.equal(value, expected.half().float() if half else expected)
    assert (read.model.decoder.weight is read.model.encoder.embedding.weight) == tied
    assert read.vocab.tokens == vocab.tokens and read.tokenizer.fastai and read.config["settings"]["backwards"]
    assert read.model.encoder.embedding.p == 0.05 and read.model.encoder.dropout.p == 0.2


@pytest.mark.parametrize("name", ["weights.safetensors", "vocab.json", "config.json"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        read_model(folder)


@pytest.mark.parametrize("name", ["weights.safetensors", "vocab.json", "config.json"])
def test_every_changed_part_is_seen(folder, name):
    content = (folder / name).read_bytes()
    for place in range(0, len(content) - 1, max(1, len(content) // 60)):
        changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1:]
        (folder / name).write_bytes(changed)
        with pytest.raises((ValueError, FileNotFoundError)):
            read_model(folder)
        (folder / name).write_bytes(content[:place])
        with pytest.raises((ValueError, FileNotFoundError)):
            read_model(folder)
    (folder / name).write_bytes(content)
    read_model(folder)


def test_card_may_be_edited(folder):
    (folder / "README.md").write_text("Mine.", encoding="utf8")
    read_model(folder)


@pytest.mark.parametrize("changes, words", [
    (dict(version=2), "version 2 of its format; this fastcourse reads 1"),
    (dict(format="something"), "configuration of something else"),
    (dict(kind="classifier"), "must hold a language model, it holds a classifier"),
    (dict(vocabulary="0" * 16), "fingerprint"),
    (dict(tokenizer=dict(lang="en", fastai=False, begin=True, end=False, rules=["fix_html"])), "rules must be those"),
])
def test_foreign_folders(folder, changes, words):
    rewrite(folder, **changes)
    with pytest.raises(ValueError, match=words):
        load_language_model(folder)


def test_list_in_place_of_settings(folder):
    (folder / "config.json").write_text("[1]", encoding="utf8")
    with pytest.raises(ValueError, match="something else"):
        read_model(folder)


def test_weights_of_another_size(folder, vocab, tmp_path):
    config = json.loads((folder / "config.json").read_text(encoding="utf8"))
    rewrite(folder, settings=config["settings"] | {"hidden_size": 8})
    with pytest.raises(ValueError, match="the weights are of another model"):
        load_language_model(folder)


class Attack:
    def __reduce__(self):
        return exec, ("raise SystemExit('it ran')",)


def test_a_pickle_is_not_opened(folder):
    (folder / "weights.safetensors").write_bytes(pickle.dumps(Attack()))
    config = json.loads((folder / "config.json").read_text(encoding="utf8"))
    rewrite(folder, files=config["files"] | {"weights.safetensors": file_hash(folder / "weights.safetensors")})
    with pytest.raises(ValueError, match="no safetensors file"):
        read_model(folder)


def test_other_words_and_other_tokenizer(folder, vocab):
    read_model(folder, vocab=vocab, tokenizer=Tokenizer())
    with pytest.raises(ValueError, match="another vocabulary"):
        read_model(folder, vocab=Vocab([*SPECIALS, "b", "a", "c"]))
    with pytest.raises(ValueError, match="another tokenizer"):
        read_model(folder, tokenizer=Tokenizer(end=True))


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("num_written", range(3))
def test_a_killed_writer_leaves_no_wrong_model(folder, vocab, monkeypatch, num_written, exists):
    if not exists:
        shutil.rmtree(folder)
    write, written = transfer.write_atomically, []

    def dying(path, content):
        if len(written) == num_written:
            raise KeyboardInterrupt
        written.append(path.name)
        write(path, content)

    for module in (transfer, store):
        monkeypatch.setattr(module, "write_atomically", dying)
    with pytest.raises(KeyboardInterrupt):
        save_language_model(folder, tiny(vocab, seed=1), vocab, **CARD)
    if exists:
        assert torch.equal(load_language_model(folder).model.decoder.weight, tiny(vocab).decoder.weight)
    else:
        with pytest.raises((ValueError, FileNotFoundError), match="half|half-written"):
            read_model(folder)
    monkeypatch.undo()
    save_language_model(folder, tiny(vocab, seed=1), vocab, **CARD)
    assert torch.equal(load_language_model(folder).model.decoder.weight, tiny(vocab, seed=1).decoder.weight)


def test_refused_before_the_first_file(folder, vocab):
    model = tiny(vocab)
    model.decoder.bias.data[0] = float("nan")
    for wrong, error in ((dict(card=CARD), ValueError), (dict(card={"name": "x"}), ValueError)):
        with pytest.raises(error):
            write_model(folder, "language model", model, vocab, Tokenizer(), {}, **wrong)
    with pytest.raises(TypeError):
        write_model(folder, "language model", tiny(vocab), vocab, Tokenizer(), {"labels": {1, 2}}, card=CARD)
    with pytest.raises(TypeError, match="tokenizer"):
        write_model(folder, "language model", tiny(vocab), vocab, Tokenizer(before=[]), {}, card=CARD)
    load_language_model(folder)


def test_matching_keeps_what_words_have_in_common(vocab):
    model, new = tiny(vocab), Vocab([*SPECIALS, "c", "z", "a"])
    moved = match_vocab(model, vocab, new)
    assert moved.decoder.weight is moved.encoder.embedding.weight
    for word, i in new.index.items():
        expected = model.decoder.weight[vocab.index[word]] if word in vocab else model.decoder.weight.mean(0)
        torch.testing.assert_close(moved.decoder.weight[i], expected)
    with pytest.raises(ValueError, match="as many as the 11 old words"):
        match_vocab(model, vocab[:11], new)


@pytest.mark.parametrize("texts", [[], [""], ["", "", ""]])
def test_empty_texts(vocab, texts):
    with pytest.raises(ValueError, match="the texts of train must hold at least 32 tokens"):
        text_loaders(texts, ["a b c"] * 50, vocab)


def test_one_long_text_and_one_of_a_token(vocab):
    loaders = text_loaders(["a b " * 25_000], ["a"] * 40, vocab)
    assert loaders.train.x.size > 49_000 and loaders.valid.x.size == 64


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_model(name):
    read = load_pretrained(name)
    assert read.config["settings"]["backwards"] == name.endswith("backwards") and len(read.vocab) == 8000
    result = json.loads((ROOT / f"benchmarks/results/pretrain{name.removeprefix('docstrings')}.json").read_text())
    assert round(next(iter(read.config["card"]["metrics"].values())), 2) == result["valid"][-1] < 45
    readme = (ROOT / "benchmarks/README.md").read_text(encoding="utf8")
    assert f"| {name} | {' | '.join(format(value, '.1f') for value in result['valid'][::3])} |" in readme
    with pytest.raises(ValueError, match="name must be one of"):
        load_pretrained("wikipedia")


def test_pretraining_runs_and_resumes(tmp_path):
    names = ["--state", "state.safetensors", "--folder", "model", "--output", "result.json"]
    command = [sys.executable, ROOT / "benchmarks/pretrain.py", "--epochs", "1", "--max-texts", "300", "--backwards",
               "--sizes", "8", "12", "2", *names]
    results = []
    for _ in range(2):  # the second time it goes on from the end
        subprocess.run(command, check=True, cwd=tmp_path)
        results.append(json.loads((tmp_path / "result.json").read_text(encoding="utf8"))["valid"])
        read = load_language_model(tmp_path / "model")
        assert read.config["settings"]["backwards"] and read.model.encoder.embed_size == 8
    assert results[0] == results[1] and results[0][0] < len(read.vocab)


def test_shipped_models_are_small():
    files = [path for path in (ROOT / "fastcourse/pretrained").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 8_000_000
    assert {path.name for path in files} == {"README.md", "config.json", "vocab.json", "weights.safetensors"}

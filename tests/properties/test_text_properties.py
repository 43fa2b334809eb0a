"Any text, any words, any file of them: nothing is thrown away, and what was written comes back."
import json
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from holding import CHARACTERS, TEXTS, holds
from hypothesis import assume
from hypothesis import strategies as st

from fastcourse.text.files import read_examples, split_examples, write_rows
from fastcourse.text.store import TokenStore, write_tokens
from fastcourse.text.tokenizer import (
    SPECIALS, Tokenizer, WordSplitter, add_spaces, make_tokenizer, mark_case, remove_spaces, replace_rep,
    replace_surrogates, replace_wrep, tokenizer_settings, undo_marks)
from fastcourse.text.vocabulary import Vocab, chunked, count_tokens, load_vocab, make_vocab, save_vocab

PLAIN = Tokenizer(before=[replace_surrogates, remove_spaces], begin=False)
FULL, ENDED, FASTAI = Tokenizer(), Tokenizer(end=True), Tokenizer(fastai=True)
SPLITTER = WordSplitter("en")
TOKENS = st.lists(st.text(CHARACTERS, min_size=1, max_size=8), unique=True, max_size=30)


def letters(text):
    "A text without white space."
    return "".join(text.replace("▁", " ").split())


def has_mark(text):
    return any(special in text for special in SPECIALS)


@holds(TEXTS)
def test_splitting_throws_nothing_away(text):
    assert letters(SPLITTER.join(text).replace(" ", "")) == letters(text)


@holds(TEXTS)
def test_splitting_twice_changes_nothing(text):
    "What a splitter has learned meanwhile does not matter either."
    assert SPLITTER.join(text) == SPLITTER.join(text)


@holds(TEXTS)
def test_case_comes_back_from_the_tokens(text):
    assume(not has_mark(text))
    assert letters(undo_marks(PLAIN.join(text))) == letters(text)


@holds(st.text(CHARACTERS, min_size=1, max_size=12), few=60)
def test_case_of_a_token_comes_back(token):
    assume(not token.split() or token.split() == [token])
    assume(not has_mark(token))
    assert undo_marks(mark_case(token)) == token


@holds(TEXTS)
def test_repeated_characters_come_back(text):
    assume(not has_mark(text))
    assert letters(undo_marks(" ".join(replace_rep(text).split()))) == letters(text)


@holds(st.lists(st.sampled_from(["no", "No", "é", "x_1", "!", "😀", "\n"]), max_size=12).map(" ".join))
def test_repeated_words_come_back(text):
    assert letters(undo_marks(" ".join(replace_wrep(text).split()))) == letters(text)


@holds(TEXTS)
def test_spaces_are_all_that_is_added(text):
    assert add_spaces(text).replace(" ", "") == text.replace(" ", "")
    assert "  " not in remove_spaces(text) and remove_spaces(remove_spaces(text)) == remove_spaces(text)


@holds(st.text(max_size=20), few=60)
def test_half_characters_are_all_that_is_replaced(text):
    whole = replace_surrogates(text)
    whole.encode("utf8")
    assert len(whole) == len(text)
    assert all(a == b or "\ud800" <= a <= "\udfff" and b == "\ufffd" for a, b in zip(text, whole))


@holds(TEXTS)
def test_a_list_of_tokens_is_the_joined_text(text):
    for tokenizer in (FULL, ENDED, FASTAI):
        tokens = tokenizer(text)
        assert " ".join(tokens) == tokenizer.join(text)
        assert "" not in tokens and not any(token != token.strip(" ") for token in tokens)
    assert FULL(text)[0] == "xxbos" and ENDED(text) == [*FULL(text), "xxeos"]


@holds(st.booleans(), st.booleans(), st.booleans(), TEXTS)
def test_a_tokenizer_comes_back_from_its_settings(fastai, begin, end, text):
    tokenizer = Tokenizer(fastai=fastai, begin=begin, end=end)
    again = make_tokenizer(json.loads(json.dumps(tokenizer_settings(tokenizer))))
    assert again(text) == tokenizer(text)


@holds(TOKENS)
def test_ids_are_places(tokens):
    vocab = Vocab([*SPECIALS, *(token for token in tokens if token not in SPECIALS)])
    assert vocab.encode(list(vocab)) == list(range(len(vocab)))
    assert vocab.decode(range(len(vocab))) == list(vocab)
    assert vocab.encode(["\0 unknown", *tokens]) == [0, *map(list(vocab).index, tokens)]
    for outside in (-1, len(vocab)):
        with pytest.raises(ValueError, match="ids must be in"):
            vocab.decode([outside])


@holds(TOKENS, st.sampled_from(["v.json", "v.txt"]), st.data(), few=5)
def test_a_vocabulary_comes_back_or_is_refused(tokens, name, data):
    vocab = Vocab([*SPECIALS, *(token for token in tokens if token not in SPECIALS)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        save_vocab(vocab, path)
        assert load_vocab(path, vocab.fingerprint).tokens == vocab.tokens
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        try:
            assert load_vocab(path, vocab.fingerprint).tokens == vocab.tokens
        except ValueError:
            pass


@holds(st.dictionaries(st.text(CHARACTERS, min_size=1, max_size=3), st.integers(1, 5), max_size=40),
       st.integers(9, 40), st.integers(1, 4), st.integers(1, 8), st.randoms(use_true_random=False))
def test_the_most_frequent_words_whatever_their_order(counts, max_size, min_freq, multiple_of, random):
    assume(max_size // multiple_of * multiple_of >= len(SPECIALS))
    vocab = make_vocab(Counter(counts), max_size, min_freq, multiple_of)
    words = list(counts)
    random.shuffle(words)
    mixed = Counter({word: counts[word] for word in words})
    assert make_vocab(mixed, max_size, min_freq, multiple_of).tokens == vocab.tokens
    assert len(vocab) <= max_size and len(vocab) % multiple_of == 0
    kept = [token for token in vocab[len(SPECIALS):] if token in counts]
    left_out = set(counts) - set(vocab)
    assert all(counts[token] >= min_freq for token in kept)
    if kept and left_out:
        assert max(counts[word] for word in left_out) <= max(min(counts[token] for token in kept), min_freq - 1)


@holds(st.lists(st.text("ab ", max_size=6)), few=60)
def test_tokens_are_counted(texts):
    joined = [" ".join(text.split()) for text in texts]
    assert count_tokens(joined).total() == sum(len(text.split()) for text in texts)


@holds(st.lists(st.text(max_size=30)), st.integers(1, 5), st.integers(1, 40), few=60)
def test_chunks_are_the_texts(texts, max_texts, max_letters):
    chunks = list(chunked(texts, max_texts, max_letters))
    assert [text for chunk in chunks for text in chunk] == texts and [] not in chunks
    assert all(len(chunk) <= max_texts and (len(chunk) == 1 or sum(map(len, chunk)) <= max_letters) for chunk in chunks)


@holds(st.lists(st.lists(st.integers(0, 70_000), max_size=6), min_size=1, max_size=6), few=3)
def test_a_store_gives_back_its_documents(documents):
    assume(any(documents))
    with tempfile.TemporaryDirectory() as folder:
        write_tokens(folder, documents, range(70_001))
        store = TokenStore(folder)
        assert [ids.tolist() for ids in store] == documents
        assert store.lengths.tolist() == [len(ids) for ids in documents]


@holds(st.lists(st.tuples(st.text(CHARACTERS, max_size=8), st.text(CHARACTERS, max_size=4)), min_size=1, max_size=8),
       st.sampled_from(["x.csv", "x.tsv", "x.jsonl"]), few=5)
def test_a_table_of_texts_comes_back(rows, name):
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, name))
        write_rows(path, ["text", "label"], [{"text": text, "label": label} for text, label in rows])
        found = read_examples(path, ["text"], "label")
    assert [(one.text, one.label) for one in found] == [(text, label.strip()) for text, label in rows]


@holds(st.lists(st.tuples(st.text("ab ", max_size=2), st.sampled_from("xyz")), min_size=1, max_size=30),
       st.floats(0.01, 0.99), st.integers(0, 2**31))
def test_a_split_is_of_all_examples_and_keeps_copies_together(pairs, share, seed):
    from fastcourse.text.files import Example
    examples = [Example(text, label, str(i)) for i, (text, label) in enumerate(pairs)]
    try:
        train, valid = split_examples(examples, share, seed)
    except ValueError as error:
        assert "must leave a text to check with" in str(error)
        return
    assert sorted(int(one.place) for one in [*train, *valid]) == list(range(len(examples)))
    assert not {one.text.strip() for one in train} & {one.text.strip() for one in valid}
    assert train

"Every token, document and sample once, and each target one token ahead."
import torch
from holding import holds
from hypothesis import assume
from hypothesis import strategies as st

from fastcourse.core import TensorLoader, map_tensors
from fastcourse.text.batches import (
    PaddedBatches, SortedSampler, SortishSampler, StreamBatches, pad_documents, padding_share, stream_lengths)
from fastcourse.training.state import decode_state, encode_state

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=40)


def documents_of(lengths):
    "Documents in which no token is there twice."
    ends = torch.tensor(lengths).cumsum(0).tolist()
    return [torch.arange(end - n, end) for end, n in zip(ends, lengths)]


@holds(st.integers(2, 300), st.integers(1, 9), st.integers(1, 40), st.booleans(), st.booleans(), st.integers(0, 2**31),
       few=12)
def test_every_token_once_and_y_is_one_ahead(num, batch_size, length, variable, backwards, seed):
    assume(num >= 2 * batch_size)
    generator = torch.Generator().manual_seed(seed)
    loader = StreamBatches(torch.arange(num), batch_size, length, variable=variable, backwards=backwards,
                           generator=generator)
    batches = list(loader)
    assert len(batches) == len(loader)
    x, y = (torch.cat(parts, dim=1) for parts in zip(*batches))
    step = -1 if backwards else 1
    assert torch.equal(y, x + step)  # the next token of the stream, in each row and from batch to batch
    assert torch.equal(x[:, 1:], x[:, :-1] + step)
    width = (num - 1) // batch_size
    expected = range(num - 1, num - 1 - batch_size * width, -1) if backwards else range(batch_size * width)
    assert x.flatten().tolist() == list(expected)


@holds(st.integers(1, 3000), st.integers(1, 200), st.integers(0, 2**31))
def test_drawn_lengths_use_up_the_stream(width, length, seed):
    lengths = stream_lengths(width, length, torch.Generator().manual_seed(seed))
    assert lengths.sum() == width and lengths.min() >= 1
    assert len(lengths) == min(width, max(1, round(width / (0.975 * length))))


@holds(LENGTHS, st.integers(0, 500), st.booleans())
def test_padding_is_beside_the_documents_and_nowhere_else(lengths, pad_id, left):
    documents = documents_of(lengths)
    x, found = pad_documents(documents, pad_id, left)
    assert x.shape == (len(lengths), max(lengths)) and found.tolist() == lengths
    for row, ids in zip(x, documents):
        real, rest = (row[-len(ids):], row[:-len(ids)]) if left else (row[:len(ids)], row[len(ids):])
        assert torch.equal(real, ids) and (rest == pad_id).all()


@holds(LENGTHS, st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**31), few=12)
def test_every_document_once_in_any_order(lengths, batch_size, num_sorted, seed):
    documents, labels = documents_of(lengths), torch.arange(len(lengths))
    sortish = SortishSampler(lengths, batch_size, torch.Generator().manual_seed(seed), num_sorted)
    for sampler in (None, SortedSampler(lengths), sortish):
        order = list(range(len(lengths)) if sampler is None else sampler)
        assert sorted(order) == list(range(len(lengths)))
        loader = PaddedBatches(documents, labels, sampler if sampler is not sortish else order, batch_size)
        seen = []
        for (x, found), y in loader:
            for row, n, number in zip(x, found.tolist(), y.tolist()):
                assert torch.equal(row[:n], documents[number])
                seen.append(number)
        assert seen == order and len(list(loader)) == len(loader)


@holds(LENGTHS, st.integers(1, 9))
def test_the_longest_first_needs_least_padding(lengths, batch_size):
    lengths = torch.tensor(lengths)
    shares = [padding_share(lengths, order, batch_size) for order in (SortedSampler(lengths), range(len(lengths)))]
    assert 0 <= shares[0] < 1 and 0 <= shares[1] < 1
    if len(lengths) % batch_size == 0:
        assert shares[0] <= shares[1] + 1e-12


@holds(st.integers(0, 60), st.integers(1, 12), st.booleans(), st.booleans(), st.integers(0, 2**31))
def test_every_sample_once_a_pass(num, batch_size, shuffle, drop_last, seed):
    x = torch.arange(num)
    loader = TensorLoader(x, 2 * x, batch_size=batch_size, shuffle=shuffle, drop_last=drop_last,
                          generator=torch.Generator().manual_seed(seed))
    batches = list(loader)
    assert len(batches) == len(loader) and all(torch.equal(y, 2 * x) for x, y in batches)
    seen = [i for x, _ in batches for i in x.tolist()]
    assert len(set(seen)) == len(seen) == (num // batch_size * batch_size if drop_last else num)
    assert shuffle or seen == list(range(len(seen)))


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.lists(
    st.floats(width=32, allow_nan=False), min_size=1, max_size=3).map(torch.tensor)
KEYS = st.text(max_size=3) | st.integers()
NESTED = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner)
                      | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8)


def same(a, b):
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@holds(NESTED)
def test_any_state_comes_back(state):
    import json
    tensors = []
    encoded = json.loads(json.dumps(encode_state(state, tensors)))
    assert same(decode_state(encoded, tensors), state)


@holds(NESTED)
def test_nestings_keep_their_form(nested):
    assert same(map_tensors(lambda t: t, nested), nested)

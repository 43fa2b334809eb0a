"Seeds that are changed at random, without atheris: what `make fuzz` does a thousand times as often."
import random
import warnings

import pytest
from targets import TARGETS, check

NUM_CHANGES = {"model": 30, "state": 150, "zip": 150, "tar": 150}
PIECES = [b"[", b"{", b'"', b"-1", b"9" * 5000, b"\0", b"null", b"1e999", b"[" * 3000, b"\xff\xff\xff\xff", b"../",
          b"\r", b"\xed\xa0\x80"]


def changed(data, rng):
    "Bytes with a few changes, or none of the seed at all."
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        place, kind = rng.randrange(len(data) + 1), rng.randrange(5)
        if kind == 0 and data:
            data[place % len(data)] = rng.randrange(256)
        elif kind == 1:
            data[place:place] = rng.randbytes(rng.choice([1, 2, 8]))
        elif kind == 2:
            del data[place:place + rng.choice([1, 2, 50])]
        elif kind == 3:
            data[place:place] = rng.choice(PIECES)
        else:
            data = bytearray(rng.randbytes(rng.choice([0, 1, 4, 12])))
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_changed_seeds_are_read_or_refused(name):
    rng, seeds = random.Random(0), TARGETS[name].seeds()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about pictures that are large or cut short
        for data in seeds:
            check(name, data)
        for _ in range(NUM_CHANGES.get(name, 300)):
            check(name, changed(rng.choice(seeds), rng))


@pytest.mark.parametrize("name", ["zip", "tar", "array", "table", "json_lines", "index", "vocabulary", "store", "state",
                                  "model", "progress", "lesson_file"])
def test_the_first_seed_is_right(name):
    "Else nothing but refusals would be tried."
    assert check(name, b"" if name in ("store", "state", "model") else TARGETS[name].seeds()[0])


# What was a fault once.
@pytest.mark.parametrize("name, data", [
    ("json_lines", b'{"text": ' + b"[" * 3000), ("json_lines", b"1" * 5000), ("compressed", b"\0\x1f\x8b\x08"),
    ("compressed", b"\1\xfd7zXZ"), ("note", b"[" * 3000), ("lesson_file", b"qa=" + b"[" * 3000),
    ("lesson_file", b"ea=" + b"[" * 3000), ("vocabulary", b'j{"tokens": [1], "fingerprint": null}'),
    ("manifest", b'{"format": "fastcourse tokens"}'), ("manifest", b"[" * 3000), ("state", b"\0"),
    ("picture", b"GIF89a"), ("array", b"PK\x05\x06"), ("tensors", b"\x80\x04."),
])
def test_what_was_a_fault_once(name, data):
    check(name, data)

"The fault suite with a few tries of each kind; that carelessness does not pass; and the table of what was recorded."
import json
import sys

import pytest
from run import NAIVE_ROWS, README, RESULTS, ROWS, table
from tries import run_row

needs_kill = pytest.mark.skipif(sys.platform == "win32", reason="NOT TRIED: this system has no SIGKILL")
# One try of each of these, which stand for the others; `make faults` takes all rows, with many tries each.
CHOSEN = [
    "killed (SIGKILL) training", "killed (SIGKILL) tokenising", "killed (SIGKILL) downloading",
    "killed (SIGKILL) downloading and unpacking (.zip)", "killed (SIGKILL) saving: folder of a classifier",
    "killed (SIGKILL) saving: progress", "disk full (ENOSPC) saving: token store", "disk full (ENOSPC) downloading",
    "read-only disk (EROFS) saving: state", "clock jumps saving: folder of a language model",
    "two processes at once saving: folder of a classifier", "two processes at once downloading",
    "file cut short archive (films.tar.gz)", "one bit changed archive (films.tar.gz)", "one bit changed progress",
    "file swapped for another `fastcourse text classify --resume`: result", "one bit changed cache of a data set",
]


def row_of(words):
    return next(row for row in ROWS if f"{row.fault} {row.what}".startswith(words))


@needs_kill
@pytest.mark.parametrize("words", CHOSEN)
def test_it_survives(words):
    found = run_row(row_of(words), 1, seed=1)
    if found["not_tried"]:
        pytest.skip(f"NOT TRIED: {found['reasons'][0]}")
    assert found["tries"] == 1 and not found["lost"], found["reasons"]


@needs_kill
@pytest.mark.parametrize("row", NAIVE_ROWS, ids=lambda row: row.fault)
def test_a_plain_file_does_not(row):
    found = run_row(row, 3)
    if found["not_tried"]:
        pytest.skip(f"NOT TRIED: {found['reasons'][0]}")
    assert found["lost"] > 0


def test_rows_have_different_names():
    assert len({(row.fault, row.what) for row in ROWS}) == len(ROWS)


def test_nothing_was_lost_when_it_was_recorded():
    result = json.loads(RESULTS.read_text(encoding="utf8"))
    recorded = {(row["fault"], row["what"]): row for row in result["rows"]}
    assert recorded.keys() <= {(row.fault, row.what) for row in ROWS} and len(recorded) > len(ROWS) / 2
    assert not any(row["lost"] or row["not_tried"] for row in result["rows"])
    assert all(row["tries"] == row["survived"] == row["right"] + row["told"] + row["plain"] for row in result["rows"])
    assert [row.what for row in ROWS[:2] if recorded[row.fault, row.what]["tries"] < 50] == []


def test_only_files_without_a_checksum_are_read_as_they_stand():
    plain = {row["what"] for row in json.loads(RESULTS.read_text(encoding="utf8"))["rows"] if row["plain"]}
    unchecked = ("answers", "archive (films.tar)", "texts (a.", "folder of pictures", "MovieLens", "model of subwords",
                 "`fastcourse text predict`: table")
    assert all(what.startswith(unchecked) for what in plain)
    assert not plain & {f"texts ({name})" for name in ("a.txt.gz", "a.csv.gz", "a.jsonl.xz")}


def test_readme_has_what_was_recorded():
    assert table(json.loads(RESULTS.read_text(encoding="utf8"))) in README.read_text(encoding="utf8")

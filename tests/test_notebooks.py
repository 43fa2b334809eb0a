"Every notebook runs from top to bottom in a fresh kernel: offline, in time, without errors, and says the same again."
import json
import math
import os
import re
from pathlib import Path

import nbformat
import pytest
from project import NOTEBOOKS, code_cells, num_widgets
from runs import LIMIT_SECONDS, all_texts, keep_texts, read_texts, run, texts

# Begins a cell whose words depend on the processor, such as a text by a trained model.
VARIES = "#| varies"
NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")

CONNECT = """
import asyncio, socket
from urllib.request import urlopen

def complaint(connect, *args):
    try: return connect(*args)
    except OSError as error: return str(error)

for address in [("192.0.2.1", 80), ("example.com", 80), ("0.0.0.0", 80)]:
    assert "offline" in complaint(socket.socket().connect, address), address
    assert "offline" in complaint(socket.socket().connect_ex, address), address
assert "offline" in complaint(socket.socket(socket.AF_INET6).connect, ("2001:db8::1", 80))
assert "offline" in complaint(socket.create_connection, ("192.0.2.1", 80))
assert "offline" in complaint(socket.socket(type=socket.SOCK_DGRAM).connect, ("192.0.2.1", 53))
try: await asyncio.open_connection("192.0.2.1", 80)
except OSError as error: assert "offline" in str(error)
else: assert False
assert "refused" in complaint(urlopen, "http://192.0.2.1/")

server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(("localhost", server.getsockname()[1])).close()
assert socket.socket().connect_ex(server.getsockname()) == 0
if hasattr(socket, "AF_UNIX"): assert "offline" not in complaint(socket.socket(socket.AF_UNIX).connect, "nowhere")
"""


def test_a_notebook_reaches_this_machine_alone(tmp_path):
    (tmp_path / "nbs").mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CONNECT)])
    nbformat.write(notebook, tmp_path / "nbs" / "connect.ipynb")
    run(Path("connect.ipynb"), tmp_path)


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture(scope="module")
def first_run(path, project_copy, runs_folder):
    done = run(path, project_copy)
    keep_texts(runs_folder / f"{path.stem}.json", done.cells)
    return done


def test_runs_in_time(first_run):
    assert first_run.seconds <= LIMIT_SECONDS


def test_no_error_or_warning(first_run):
    inside_widgets = [output for state in first_run.widgets for output in state.get("outputs", [])]
    for output in first_run.outputs + inside_widgets:
        assert output["output_type"] != "error" and output.get("name") != "stderr", output


def test_no_widget_shows_an_error(first_run):
    for state in first_run.widgets:
        assert "fastcourse-error" not in json.dumps(state, default=str), state


def near(a, b):
    "Are two written numbers equal, or fractions that differ as little as processors do?"
    fractions = re.search("[.e]", (a + b).lower())
    return a == b or bool(fractions) and math.isclose(float(a), float(b), rel_tol=0.25, abs_tol=0.02)


def alike(stored, fresh):
    "Do two texts agree but for white space and small differences of fractions?"
    if NUMBER.sub("#", stored).split() != NUMBER.sub("#", fresh).split():
        return False
    return all(map(near, NUMBER.findall(stored), NUMBER.findall(fresh)))


@pytest.mark.parametrize("stored, fresh, expected", [
    ("loss 0.52", "loss  0.55\n", True), ("loss 0.52", "loss 0.95", False), ("7.4e-09", "-2e-8", True),
    ("0.01", "-0.08", False), ("0.05", "0.14", False), ("0.01", "0.03", True), ("12.5%", "15.0%", True),
    ("2 words", "2 word", False), ("-20", "-21", False),
    ("63095 tokens", "63094 tokens", False), ("[1, 2]", "[1, 2, 3]", False),
])
def test_alike(stored, fresh, expected):
    assert alike(stored, fresh) is expected


def test_stored_outputs_are_fresh(path, first_run):
    for cell, run_now in zip(code_cells(path), first_run.cells, strict=True):
        stored, fresh = texts(cell), texts(run_now)
        same = [kind for kind, _ in stored] == [kind for kind, _ in fresh]
        if not cell["source"].startswith(VARIES):
            same = same and all(alike(old, new) for (_, old), (_, new) in zip(stored, fresh, strict=True))
        assert same, f"run {path.name} again: {stored} is stored, {fresh} is fresh"


def test_second_run_says_the_same(path, project_copy, runs_folder):
    """Two runs: the one that the tests above have made, and that of the browser's tests, if they are done by now.

    The browser opens lessons with a widget. For the others the stored outputs are the second run, unless the variable
    FASTCOURSE_RUN_TWICE asks for a third: a quarter of an hour of a processor.
    """
    if not num_widgets(path.stem) and not os.environ.get("FASTCOURSE_RUN_TWICE"):
        pytest.skip("no widget: compared with its stored outputs alone, as FASTCOURSE_RUN_TWICE is not set")
    files = [runs_folder / f"{path.stem}.json", runs_folder / f"{path.stem}.browser.json"]
    first, second = (read_texts(file) if file.exists() else all_texts(run(path, project_copy).cells) for file in files)
    for (source, said), (_, said_again) in zip(first, second, strict=True):
        assert said == said_again, source

"What holds between the modules, and for every stored notebook."
import ast
import json
import re
import subprocess
import sys
from base64 import b64decode
from collections import defaultdict

import pytest
from project import NOTEBOOKS, ROOT, code_cells, exported_module, imports_of_project, module_file, modules

HEAVY = {"spacy", "ipywidgets", "anywidget", "matplotlib", "IPython", "sklearn", "tqdm"}
# There seems to be a card, so that code for one runs, also where there is none; who asks for it is noted, and nobody
# gets it. Asking counts: after it, torch refuses CUDA in forked processes.
WATCH = f"""
import json, sys, torch, numpy
heavy = {HEAVY}
asked = []
def is_available():
    asked.append("is_available")
    return True
def initialise():
    asked.append("initialise")
    raise RuntimeError("CUDA is initialised")
torch.cuda.is_available, torch.cuda._lazy_init = is_available, initialise
"""
REPORT = "print(json.dumps([sorted(heavy & set(sys.modules)), asked]))"
# After each module, everything of the project's and everything heavy is forgotten again.
IMPORT_EACH = """
from importlib import import_module
before, found = set(sys.modules), {}
for name in names:
    import_module(name)
    found[name] = [sorted(heavy & set(sys.modules)), list(asked)]
    asked.clear()
    for loaded in set(sys.modules) - before:
        if loaded.partition(".")[0] in heavy | {"fastcourse"}: del sys.modules[loaded]
print(json.dumps(found))
"""
MAX_LINES = {ast.FunctionDef: 30, ast.AsyncFunctionDef: 30, ast.ClassDef: 60, ast.Module: 250}


def after(statement, report=REPORT):
    "In a fresh process after `statement`: the heavy packages that are loaded, and what was asked of CUDA."
    code = "\n".join([WATCH, statement, report])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, cwd=ROOT.parent)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_modules_match_notebooks():
    exported = {module_file(name) for name in modules()}
    generated = {path for path in (ROOT / "fastcourse").rglob("*.py") if not path.name.startswith("_")}
    assert exported == generated
    assert len(modules()) == len(exported), "two notebooks export to one module: the later overwrites the earlier"


EXPORTED = re.compile(r"^#\|\s*export", re.MULTILINE)


def test_imports_follow_the_reading_order():
    known = set()
    # Every lesson ends at the desk, those before the lessons that build it as well; the library does not sit there.
    desk, exported = {"fastcourse.study.exercises", "fastcourse.study.quiz"}, modules()
    for path in NOTEBOOKS:
        for cell in code_cells(path):
            # Its own module, too: processes that a cell starts cannot see the cells.
            own = set() if EXPORTED.search(cell["source"]) else desk | {exported_module(path)}
            allowed = known | {"fastcourse"} | own
            later = set(imports_of_project(cell["source"], exported)) - allowed
            assert not later, f"{path.name} imports {later}, which no earlier lesson exports"
        known.add(exported_module(path))


@pytest.mark.parametrize("source, expected", [
    ("import fastcourse.core as c, torch", {"fastcourse.core"}),
    ("from fastcourse.core import a, b", {"fastcourse.core"}),
    ("from fastcourse import core, __version__", {"fastcourse.core", "fastcourse"}),
    ("from fastcourse.data import datasets as d", {"fastcourse.data.datasets"}),
    ("%time\ndef f(): from fastcourse.data.datasets import digits", {"fastcourse.data.datasets"}),
    ("from fastcourse.nowhere import a", {"fastcourse.nowhere"}), ("from torch import nn", set()),
])
def test_imports_of_project(source, expected):
    assert set(imports_of_project(source, ["fastcourse.core", "fastcourse.data.datasets"])) == expected


def test_no_name_is_exported_twice():
    homes = defaultdict(list)
    for name in modules():
        for node in ast.parse(module_file(name).read_text(encoding="utf8")).body:
            if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
                for public in ast.literal_eval(node.value):
                    homes[public].append(name)
    assert homes
    assert not {public: where for public, where in homes.items() if len(where) > 1}


@pytest.fixture(scope="module")
def heavy_by_torch():
    return after("pass")[0]


@pytest.fixture(scope="module")
def imported_alone():
    return after(f"names = {modules()}", IMPORT_EACH)


@pytest.mark.parametrize("name", modules())
def test_module_imports_alone(name, imported_alone, heavy_by_torch):
    loaded, asked = imported_alone[name]
    assert loaded == heavy_by_torch
    assert not asked


@pytest.mark.parametrize("fault", ["import sklearn", "import matplotlib.pyplot", "torch.cuda.is_available()"])
def test_what_a_module_must_not_do_is_seen(tmp_path, fault, heavy_by_torch):
    for name, source in (("first", fault), ("second", "")):
        (tmp_path / f"{name}.py").write_text(f"import torch\n{source}\n")
    statement = f"names = ['first', 'second']; sys.path.insert(0, {str(tmp_path)!r})"
    first, second = after(statement, IMPORT_EACH).values()
    assert first != [heavy_by_torch, []] and second == [heavy_by_torch, []]


@pytest.mark.parametrize("fault, expected", [
    ("if torch.cuda.is_available(): torch.zeros(1, device='cuda')", ["is_available", "initialise"]),
    ("torch.cuda.current_device()", ["initialise"]),
])
def test_use_of_cuda_is_seen(fault, expected):
    assert after(f"try: exec({fault!r})\nexcept RuntimeError: pass")[1] == expected


def signature(function):
    "Numbers of the lines before the body: arguments, each documented beside it."
    return range(function.lineno, function.body[0].lineno)


def num_lines(node, source):
    """Lines of code of a module, a class or a function, docstrings included.

    Not counted are blank lines, lines that hold a comment alone, and, for classes and functions, the lines of
    functions' signatures, for they document the parameters.
    """
    first, last = (1, len(source)) if isinstance(node, ast.Module) else (node.lineno, node.end_lineno)
    numbers = {i for i in range(first, last + 1) if (line := source[i - 1].strip()) and not line.startswith("#")}
    if not isinstance(node, ast.Module):
        functions = [f for f in ast.walk(node) if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef))]
        numbers = numbers.difference(*map(signature, functions))
    return len(numbers)


def too_long(text):
    "What in the source `text` is longer than its kind may be: names and numbers of lines."
    source = text.splitlines()
    nodes = [node for node in ast.walk(ast.parse(text)) if type(node) in MAX_LINES]
    return [(getattr(node, "name", "module"), lines) for node in nodes
            if (lines := num_lines(node, source)) > MAX_LINES[type(node)]]


# nbdev writes _modidx.py, an index of names for its own use.
@pytest.mark.parametrize("path", sorted({*(ROOT / "fastcourse").rglob("*.py")} - {ROOT / "fastcourse" / "_modidx.py"}),
                         ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_too_long(path):
    assert not too_long(path.read_text(encoding="utf8"))


def test_too_long_is_seen():
    signature = "def f(\n    a,  # first\n\n    b,\n):\n"
    assert not too_long(signature + "\n    # why\n    a\n" * 30) and not too_long("a\n# why\n\n" * 250)
    assert too_long(signature + "    a\n" * 31) == [("f", 31)] and too_long("a\n" * 251) == [("module", 251)]
    method = "    def g(self,\n        a,  # first\n    ):\n        a\n        b\n"
    assert not too_long("class A:\n    'text'\n" + method * 29) and too_long("class A:\n" + method * 30) == [("A", 61)]


def test_ruff():
    check = [sys.executable, "-m", "ruff", "check", "--output-format=concise", "."]
    done = subprocess.run(check, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_small(path):
    assert path.stat().st_size <= 300_000
    for cell in code_cells(path):
        for output in cell["outputs"]:
            size = len(b64decode(output.get("data", {}).get("image/png", "")))
            assert size <= 60_000, f"a figure of {size} bytes follows:\n{cell['source']}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_error_is_stored(path):
    for cell in code_cells(path):
        for output in cell["outputs"]:
            assert output["output_type"] != "error", cell["source"]
            assert output.get("name") != "stderr", cell["source"]

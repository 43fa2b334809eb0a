"What holds between the modules, and for every stored notebook."
import ast
import json
import subprocess
import sys
from base64 import b64decode
from collections import defaultdict

import pytest
from project import NOTEBOOKS, ROOT, code_cells, exported_module, imports_of_project, module_file, modules

HEAVY = {"spacy", "ipywidgets", "anywidget", "matplotlib", "IPython", "sklearn", "tqdm"}
REPORT = f"print(json.dumps([sorted({HEAVY} & set(sys.modules)), torch.cuda.is_initialized()]))"


def heavy_after(statement):
    "In a fresh process after `statement`: which heavy packages are loaded, and is CUDA initialised?"
    code = f"import json, sys, torch, numpy; {statement}; {REPORT}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT.parent)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_modules_match_notebooks():
    exported = {module_file(name) for name in modules()}
    generated = {path for path in (ROOT / "fastcourse").rglob("*.py") if not path.name.startswith("_")}
    assert exported == generated
    assert len(modules()) == len(exported), "two notebooks export to one module: the later overwrites the earlier"


def test_imports_follow_the_reading_order():
    known = set()
    for path in NOTEBOOKS:
        for cell in code_cells(path):
            later = set(imports_of_project(cell["source"])) - known - {"fastcourse"}
            assert not later, f"{path.name} imports {later}, which no earlier lesson exports"
        known.add(exported_module(path))


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
    return heavy_after("pass")[0]


@pytest.mark.parametrize("name", modules())
def test_module_imports_alone(name, heavy_by_torch):
    loaded, cuda_initialised = heavy_after(f"import {name}")
    assert loaded == heavy_by_torch
    assert not cuda_initialised


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

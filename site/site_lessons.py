"The lessons, executed for the site: twins in place of widgets. A run is kept until something that it uses changes."
import ast
import hashlib
import json
import os
import re
import time
from functools import cache
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
WIDGET = "application/vnd.jupyter.widget-view+json"
TWINS = "from fastcourse.study.twins import show_twins\n\nshow_twins()"
LIMIT_SECONDS = 1200  # of a cell: one that draws a twin ahead draws many pictures


@cache
def imports(path):
    "Paths of the modules of fastcourse that the module at `path` imports."
    return imports_in(path.read_text(encoding="utf8"), path.relative_to(ROOT).parent.parts)


def imports_in(source, package=("fastcourse",)):
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*package[:len(package) - node.level + 1]] if node.level else []
            inside = ".".join([*base, *([node.module] if node.module else [])])
            names = [inside, *(f"{inside}.{alias.name}" for alias in node.names)]
        else:
            continue
        found |= {file for name in names if (file := ROOT.joinpath(*name.split(".")).with_suffix(".py")).is_file()}
    return {file for file in found if (ROOT / "fastcourse") in file.parents}


def used_files(notebook):
    "The modules that a notebook uses, directly or not, and the tables of its questions and exercises."
    source = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    plain = "\n".join(line for line in source.split("\n") if not line.lstrip().startswith(("%", "!")))
    waiting, found = imports_in(plain), {ROOT / "fastcourse" / "study" / "twins.py"}
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting |= imports(file)
    tables = {ROOT / "fastcourse" / kind / f"{file.stem}.toml" for kind in ("questions", "exercises") for file in found}
    return sorted(found | {table for table in tables if table.is_file()} | {ROOT / "fastcourse" / "study" / "twin.js"})


def fingerprint(path, notebook, limits):
    "Changes when a run of the notebook could."
    state = hashlib.sha256(json.dumps([[cell.cell_type, cell.source] for cell in notebook.cells] + [limits]).encode())
    for file in used_files(notebook):
        state.update(file.read_bytes())
    if path.stem == "index":  # reads the titles of the others
        for lesson in sorted(path.parent.glob("[0-9][0-9]_*.ipynb")):
            state.update(json.dumps(json.loads(lesson.read_text(encoding="utf8"))["cells"][0]["source"]).encode())
    return state.hexdigest()[:16]


def check_twins(name, notebook):
    "Each cell that shows a widget has a twin: what goes wrong while a cell's result is shown does not fail the cell."
    for cell in notebook.cells:
        if cell.cell_type == "code" and re.search(r"^explore\(", cell.source, re.MULTILINE):
            said = [output.get("data", {}).get("text/html", "") + output.get("text", "") for output in cell.outputs]
            if not any("fastcourse-twin" in words for words in said):
                raise ValueError(f"{name}: a widget has no twin: {cell.source}\n{' '.join(said)[:2000]}")


def execute(path, folder, limits):
    "Run the notebook at `path` with twins; the notebook with its outputs."
    notebook = nbformat.read(path, as_version=4)
    words = ", ".join(f"{name}={value}" for name, value in limits.items())
    notebook.cells.insert(0, nbformat.v4.new_code_cell(TWINS.replace("()", f"({words})")))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FASTCOURSE_")}
    environment |= {"FASTCOURSE_HOME": str(folder / "home"), "IPYTHONDIR": str(folder / "ipython")}
    environment |= {"OMP_NUM_THREADS": "1"}
    client = NotebookClient(notebook, timeout=LIMIT_SECONDS, resources={"metadata": {"path": str(path.parent)}})
    client.execute(env=environment)
    del notebook.cells[0]
    check_twins(path.stem, notebook)
    notebook.metadata.pop("widgets", None)
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        output.get("data", {}).pop(WIDGET, None)
    return notebook


def run_file(path, folder, limits):
    return folder / f"{path.stem}-{fingerprint(path, nbformat.read(path, as_version=4), limits)}.ipynb"


def kept_run(path, folder, limits):
    "The notebook at `path` with its outputs, if a run of it as it is now is kept in `folder`."
    kept = run_file(path, folder, limits)
    return nbformat.read(kept, as_version=4) if kept.exists() else None


def executed(path, folder, limits):
    "The notebook at `path` with its outputs, run now; the run is kept in `folder`."
    start, kept = time.perf_counter(), run_file(path, folder, limits)
    done = execute(path, folder, limits)
    for old in folder.glob(f"{path.stem}-*.ipynb"):
        old.unlink()
    unfinished = kept.with_suffix(".unfinished")
    nbformat.write(done, unfinished)
    unfinished.replace(kept)
    seconds, size = time.perf_counter() - start, kept.stat().st_size / 1000
    print(f"{path.stem}: run in {seconds:.0f} s, {size:.0f} kB", flush=True)
    return done

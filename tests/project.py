"The project's files, for the tests."
import ast
import json
import re
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "nbs").glob("*.ipynb"))  # the lessons in reading order, then index.ipynb


def settings():
    config = ConfigParser()
    config.read(ROOT / "settings.ini", encoding="utf8")
    return config["DEFAULT"]


def read_notebook(path):
    notebook = json.loads(path.read_text(encoding="utf8"))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
    return notebook


def code_cells(path):
    return [cell for cell in read_notebook(path)["cells"] if cell["cell_type"] == "code"]


def num_widgets(name):
    "How many cells of the lesson `name` show a widget."
    return sum(bool(re.search(r"^explore\(", cell["source"], re.MULTILINE))
               for cell in code_cells(ROOT / "nbs" / f"{name}.ipynb"))


def exported_module(path):
    "Name of the module that the notebook at `path` exports, or None."
    for cell in code_cells(path):
        if found := re.search(r"^#\|\s*default_exp\s+(\S+)", cell["source"], re.MULTILINE):
            return f"fastcourse.{found[1]}"


def modules():
    "Names of all exported modules, in reading order."
    return [name for path in NOTEBOOKS if (name := exported_module(path))]


def module_file(name):
    return ROOT.joinpath(*name.split(".")).with_suffix(".py")


def imports_of_project(source, exported):
    "Names of the modules of fastcourse that `source` imports; `exported` tells which names are modules."
    without_magics = re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", source)
    for node in ast.walk(ast.parse(without_magics)):
        names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        if isinstance(node, ast.ImportFrom):
            inside = [f"{node.module}.{name}" for name in names]
            names = [name if name in exported else node.module for name in inside]
        yield from (name for name in names if name.split(".")[0] == "fastcourse")

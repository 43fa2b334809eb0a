"Notebooks that are run in a fresh kernel, offline, and what they said."
import json
import os
import re
import time
from typing import NamedTuple

import nbformat
from clean_notebooks import WIDGET, cleaned
from nbclient import NotebookClient
from project import ROOT

LIMIT_SECONDS = 90
# What looks for the network fails at once, on every machine: nobody listens there, and sitecustomize.py in the folder
# offline refuses what goes past a proxy.
OFFLINE = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https", "all", "HTTP", "HTTPS", "ALL")}
OFFLINE |= {"no_proxy": "", "NO_PROXY": ""}
OFFLINE["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests" / "offline"), os.environ.get("PYTHONPATH", "")])


class Run(NamedTuple):
    "One run of a notebook: code cells in the stored form, outputs as they were, states of the widgets that they show."
    cells: list
    outputs: list
    widgets: list
    seconds: float


def displayed(outputs, states):
    "The states of the widgets in `outputs` and of those inside them. (One that nobody displays may show how to fail.)"
    found = {}
    waiting = [output["data"][WIDGET]["model_id"] for output in outputs if WIDGET in output.get("data", {})]
    while waiting:
        model = waiting.pop()
        if model not in found:
            found[model] = states[model]
            waiting += re.findall(r"IPY_MODEL_(\w+)", json.dumps(states[model], default=str))
    return list(found.values())


def stored_cells(text):
    "The code cells of a notebook's source text, in the stored form."
    cells = json.loads(cleaned(text))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in cells if cell["cell_type"] == "code"]


def run(path, project):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FASTCOURSE_")}
    environment |= OFFLINE | {"IPYTHONDIR": str(project / ".ipython")}
    environment["FASTCOURSE_HOME"] = str(project / ".home")  # nobody's own progress and data
    environment["FASTCOURSE_CHECK_WIDGETS"] = "1"  # `explore` draws both ends of every control
    environment["OMP_NUM_THREADS"] = "1"  # one core is enough for any lesson, and another test may need the other
    notebook = nbformat.read(project / "nbs" / path.name, as_version=4)
    client = NotebookClient(notebook, timeout=LIMIT_SECONDS, resources={"metadata": {"path": str(project / "nbs")}})
    start = time.perf_counter()
    client.execute(env=environment)
    seconds = time.perf_counter() - start
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return Run(stored_cells(nbformat.writes(notebook)), outputs, displayed(outputs, client.widget_state), seconds)


def texts(cell):
    "What a code cell says: kind and words of each output. A stream is joined, as timing decides where it is cut."
    said = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        kind = " ".join([output["output_type"], *sorted(data)])
        words = "".join(part for form in (output.get("text"), data.get("text/plain"), data.get("text/markdown"))
                        for part in form or "")
        if kind == "stream" and said and said[-1][0] == "stream":
            words = said.pop()[1] + words
        said.append([kind, words])
    return said


def all_texts(cells):
    "Source and texts of each code cell."
    return [[cell["source"], texts(cell)] for cell in cells]


def keep_texts(path, cells):
    "Write `all_texts` to a file, in one step."
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(all_texts(cells)), encoding="utf8")
    unfinished.replace(path)


def read_texts(path):
    return json.loads(path.read_text(encoding="utf8"))

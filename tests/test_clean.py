"What cleaning removes from a notebook, and what it leaves."
import json
import subprocess
import sys

import pytest
from clean_notebooks import WIDGET, cleaned, main, strip_before_saving
from hypothesis import given
from hypothesis import strategies as st
from project import ROOT

VIEW = {"model_id": "0f", "version_major": 2, "version_minor": 0}
BUNDLES = {
    "widget": {WIDGET: VIEW, "text/plain": ["VBox()"]},
    "widget with a static form": {WIDGET: VIEW, "image/png": "iVBO", "text/plain": ["VBox()"]},
    "figure": {"text/html": ['<img alt="a ', 'curve">'], "image/png": "iVBO", "text/plain": ["<Figure>"]},
    "live figure": {"text/html": '<img alt="a curve">', "image/png": "iVBO", "text/plain": "a curve"},
    "figure of another library": {"text/html": ["<div><script>"], "image/png": "iVBO", "text/plain": ["Figure({})"]},
    "table": {"text/html": ["<table>"], "text/plain": ["table"]},
}
STORED = {
    "widget": None,
    "widget with a static form": {"image/png", "text/plain"},
    "figure": {"image/png", "text/plain"},
    "live figure": {"image/png", "text/plain"},
    "figure of another library": {"text/html", "image/png", "text/plain"},
    "table": {"text/html", "text/plain"},
}


def notebook_with(*bundles):
    outputs = [{"output_type": "display_data", "metadata": dict.fromkeys(data, {}), "data": data} for data in bundles]
    cell = {"cell_type": "code", "id": "a", "execution_count": 3, "outputs": outputs, "source": ["f()"],
            "metadata": {"collapsed": True, "jupyter": {"source_hidden": True}}}
    metadata = {"widgets": {"state": {}}, "language_info": {"name": "python"}, "kernelspec": {"name": "python3"}}
    return {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def clean_form(*bundles):
    return json.loads(cleaned(json.dumps(notebook_with(*bundles))))


@pytest.mark.parametrize("name", BUNDLES)
def test_stored_forms(name):
    outputs = clean_form(BUNDLES[name])["cells"][0]["outputs"]
    assert [set(output["data"]) for output in outputs] == ([STORED[name]] if STORED[name] else [])


def test_alt_text_of_a_figure_stays():
    notebook = notebook_with(BUNDLES["figure"])
    notebook["cells"][0]["outputs"][0]["metadata"] = {"image/png": {"alt": "a curve"}, "text/html": {}}
    output = json.loads(cleaned(json.dumps(notebook)))["cells"][0]["outputs"][0]
    assert output["metadata"] == {"image/png": {"alt": "a curve"}}


def test_metadata():
    notebook = clean_form()
    assert set(notebook["metadata"]) == {"kernelspec"}
    assert notebook["cells"][0]["metadata"] == {"jupyter": {"source_hidden": True}}
    assert notebook["cells"][0]["execution_count"] is None


@given(st.lists(st.sampled_from(sorted(BUNDLES))))
def test_cleaning_twice_changes_nothing(names):
    once = cleaned(json.dumps(notebook_with(*(BUNDLES[name] for name in names))))
    assert cleaned(once) == once


def test_files_folders_and_filter_agree(tmp_path):
    text = json.dumps(notebook_with(*BUNDLES.values()))
    for name in ("nbs/a.ipynb", "nbs/_proc/b.ipynb", "c.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf8")
    main([str(tmp_path / "nbs"), str(tmp_path / "c.ipynb")])
    script = [sys.executable, ROOT / "scripts" / "clean_notebooks.py"]
    piped = subprocess.run(script, input=text.encode(), capture_output=True, check=True, cwd=ROOT).stdout.decode()
    assert (tmp_path / "nbs/a.ipynb").read_text(encoding="utf8") == piped == cleaned(text)
    assert (tmp_path / "c.ipynb").read_text(encoding="utf8") == piped
    assert (tmp_path / "nbs/_proc/b.ipynb").read_text(encoding="utf8") == text, "generated folders are left alone"


def test_filter_refuses_what_is_no_notebook():
    script = [sys.executable, ROOT / "scripts" / "clean_notebooks.py"]
    assert subprocess.run(script, input=b"no json", capture_output=True, cwd=ROOT).returncode != 0


def test_saving_keeps_what_the_learner_did():
    model = {"type": "notebook", "content": notebook_with(BUNDLES["widget with a static form"])}
    strip_before_saving(model=model, path="a.ipynb", contents_manager=None)
    cell = model["content"]["cells"][0]
    assert cell["execution_count"] == 3 and cell["metadata"]["collapsed"]
    assert set(cell["outputs"][0]["data"]) == {"image/png", "text/plain"}
    untouched = {"type": "file", "content": "text"}
    strip_before_saving(model=untouched, path="a.txt", contents_manager=None)
    assert untouched == {"type": "file", "content": "text"}

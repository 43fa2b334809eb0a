"""Bring notebooks into the form in which they are stored: `python scripts/clean_notebooks.py [file or folder …]`.

nbdev's own clean, and then `strip_live_outputs`. Without arguments it is a git clean filter: standard input to standard
output. JupyterLab calls `strip_before_saving` (jupyter/jupyter_server_config.py).
"""
import json
import sys
from pathlib import Path

WIDGET = "application/vnd.jupyter.widget-view+json"


def stored_output(output):
    "`output` without what needs a kernel to be seen, or None where nothing is left to see."
    data = output.get("data", {})
    if WIDGET in data:
        del data[WIDGET]
        if set(data) <= {"text/plain"}:
            return None
    if "image/png" in data and "".join(data.get("text/html", "")).startswith("<img alt="):
        # Live, a figure of the course is an <img> with an alt text. The same picture as PNG also shows in a notebook
        # that is not trusted and on GitHub; its metadata keeps the alt text.
        del data["text/html"]
        output["metadata"].pop("text/html", None)
    return output


def strip_live_outputs(notebook):
    "Remove in place the state of widgets, their views, and the second form of figures."
    notebook["metadata"].pop("widgets", None)
    for cell in notebook["cells"]:
        if "outputs" in cell:
            cell["outputs"] = [kept for output in cell["outputs"] if (kept := stored_output(output))]


def strip_before_saving(model, **_):
    "Hook of JupyterLab's contents manager: strip, and leave everything else as the learner has it."
    if model["type"] == "notebook":
        strip_live_outputs(model["content"])


def clean(notebook):
    "Clean `notebook`, a dict, in place."
    # Imported here because JupyterLab's server imports this module and needs none of it.
    from nbdev.clean import clean_nb
    from nbdev.config import get_config

    clean_nb(notebook, allowed_cell_metadata_keys=get_config().allowed_cell_metadata_keys.split())
    strip_live_outputs(notebook)


def cleaned(text):
    "The cleaned form of a notebook's source text, written as Jupyter writes it."
    notebook = json.loads(text)
    clean(notebook)
    return json.dumps(notebook, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def notebooks_in(path):
    "The notebook at `path`, or all those in the folder, without hidden and generated folders."
    if path.is_file():
        return [path]
    inside = sorted(path.rglob("*.ipynb"))
    return [p for p in inside if not any(part.startswith((".", "_")) for part in p.relative_to(path).parts)]


def main(arguments):
    if not arguments:
        sys.stdin.reconfigure(encoding="utf8")
        sys.stdout.reconfigure(encoding="utf8", newline="\n")
        sys.stdout.write(cleaned(sys.stdin.read()))
    for path in [notebook for argument in arguments for notebook in notebooks_in(Path(argument))]:
        text = path.read_text(encoding="utf8")
        if cleaned(text) != text:
            path.write_text(cleaned(text), encoding="utf8", newline="\n")
            print(f"cleaned {path}")


if __name__ == "__main__":
    main(sys.argv[1:])

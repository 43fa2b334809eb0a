"""Write README.md from nbs/index.ipynb, so that the page on the web and the page in JupyterLab say the same.

Of cells that are folded away in JupyterLab only the output is kept.
"""
import posixpath
import re
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import TagRemovePreprocessor

ROOT = Path(__file__).resolve().parent.parent
RELATIVE_LINK = re.compile(r"(?<=\]\()(?!\w+:|[#/])[^)\s]+")


def from_root(link):
    "The address, seen from the project's folder, of `link`, which is seen from nbs."
    return posixpath.normpath(posixpath.join("nbs", link[0]))


def readme(root=ROOT):
    "The text of README.md."
    notebook = nbformat.read(root / "nbs" / "index.ipynb", as_version=4)
    notebook.metadata.language_info = {"name": "python"}  # colours the code; the cleaned notebook does not say it
    for cell in notebook.cells:
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.metadata.tags = ["output-only"]
    remove_input = TagRemovePreprocessor(enabled=True, remove_input_tags={"output-only"})
    exporter = MarkdownExporter(preprocessors=[remove_input])
    text, _ = exporter.from_notebook_node(notebook)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return RELATIVE_LINK.sub(from_root, text).strip() + "\n"


if __name__ == "__main__":
    (ROOT / "README.md").write_text(readme(), encoding="utf8", newline="\n")

"""Write README.md from nbs/index.ipynb, so that the page on the web and the page in JupyterLab say the same.

Of cells that are folded away in JupyterLab only the output is kept, and the learner's progress is left out. What stands
between `<!-- README` and `-->` is for README.md alone; `{results}` becomes the table of recorded results.
"""
import json
import posixpath
import re
from pathlib import Path
from statistics import median

import nbformat
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import TagRemovePreprocessor

ROOT = Path(__file__).resolve().parent.parent
RELATIVE_LINK = re.compile(r"(?<=\]\()(?!\w+:|[#/])[^)\s]+")


def from_root(link):
    "The address, seen from the project's folder, of `link`, which is seen from nbs."
    return posixpath.normpath(posixpath.join("nbs", link[0]))


def errors_at(result, way, labels):
    "The median of a classifier's errors over the seeds of a recorded run."
    cells = [cell["error"] for name, cell in result["cells"].items() if name.split(" | ")[:2] == [way, str(labels)]]
    return f"{median(cells):.0%} wrong"


def reviews_tokenized(result, method):
    "Documents in a second of the processor, by one process."
    return next(f"{row['cpu']:,}" for row in result["rows"] if (row["method"], row["processes"]) == (method, 1))


# What was measured; the recorded file; ours; what it is compared with; that. The functions take what the file says.
RESULTS = [
    ("a batch in the training loop, with recorder, metric and bar", "loop_overhead",
     lambda found: f"{found['loops']['learner, recorder, metric, bar']['microseconds']:.0f} µs", "a bare loop",
     lambda found: f"{found['loops']['bare']['microseconds']:.0f} µs"),
    ("a step of Adam for an AWD-LSTM", "optimizer_step",
     lambda found: f"{found['models']['AWD-LSTM']['Adam']['ours']['milliseconds']:.0f} ms", "PyTorch's, `foreach`",
     lambda found: f"{found['models']['AWD-LSTM']['Adam']['foreach']['milliseconds']:.0f} ms"),
    ("memory for the loss of a language model", "linear_cross_entropy",
     lambda found: f"{found['sizes']['small']['rows']['ours']['peak_mib']:.0f} MiB", "two operations of PyTorch",
     lambda found: f"{found['sizes']['small']['rows']['two operations']['peak_mib']:.0f} MiB"),
    ("film reviews tokenized in a second of a processor, into the same tokens", "tokenizing",
     lambda found: reviews_tokenized(found, "ours, fastai's rules"), "fastai",
     lambda found: reviews_tokenized(found, "fastai")),
    ("next word of Human Numbers, median of ten seeds", "human_numbers",
     lambda found: f"{found['variants']['16 rows of 64, decay 1']['median']:.1%} right", "the book's recipe, same net",
     lambda found: f"{found['variants']['book']['median']:.1%} right"),
    ("package of a docstring, from 100 labels", "text_transfer",
     lambda found: errors_at(found, "fine-tuned", 100), "counted words (TF-IDF)",
     lambda found: errors_at(found, "TF-IDF", 100)),
]


def results_table(root=ROOT):
    "The recorded results, as a table in Markdown."
    rows = ["| what was measured | this course | beside it | |", "|---|---|---|---|"]
    for what, name, ours, other, theirs in RESULTS:
        found = json.loads((root / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf8"))
        rows.append(f"| {what} | **{ours(found)}** | {other} | {theirs(found)} |")
    return "\n".join(rows)


def readme(root=ROOT):
    "The text of README.md."
    notebook = nbformat.read(root / "nbs" / "index.ipynb", as_version=4)
    notebook.metadata.language_info = {"name": "python"}  # colours the code; the cleaned notebook does not say it
    for cell in notebook.cells:
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.metadata.tags = ["output-only"]
        if cell.source.startswith(("#| progress", "## Where you stand")):
            cell.metadata.tags = ["lab-only"]
        cell.source = re.sub(r"(?s)<!-- README\n(.*)\n-->", r"\1", cell.source)
    remove_input = TagRemovePreprocessor(enabled=True, remove_input_tags={"output-only"}, remove_cell_tags={"lab-only"})
    exporter = MarkdownExporter(preprocessors=[remove_input])
    text, _ = exporter.from_notebook_node(notebook)
    text = re.sub(r"\n{3,}", "\n\n", text).replace("{results}", results_table(root))
    return RELATIVE_LINK.sub(from_root, text).strip() + "\n"


if __name__ == "__main__":
    (ROOT / "README.md").write_text(readme(), encoding="utf8", newline="\n")

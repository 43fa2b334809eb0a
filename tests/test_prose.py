"""Words and links of everything that a reader sees: notebooks, questions, exercises, pages of documentation.

Links to other hosts are not followed: these tests need no network.
"""
import re
import subprocess
import sys
import tomllib

import pytest
from project import NOTEBOOKS, ROOT, read_notebook

PAGES = [*ROOT.glob("*.md"), ROOT / "benchmarks" / "README.md"]
LINK = re.compile(r"\]\((?!\w+:)([^)\s#]*)(#[^)\s]*)?\)")
CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
# Titles of papers and names of people keep their own spelling.
SOURCES = re.compile(r"^## Sources.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
# What this course writes otherwise: STYLE of names, British spelling with -ize, one word for one thing.
TERMS = {
    r"data-?sets?": "data set", r"mini-?batch(es)?": "batch", r"colors?": "colour", r"gr[a]y(scale)?": "grey",
    r"behaviors?": "behaviour", r"(token|normal|regular|optim|initial|general|summar)is(e[drs]?|ation|ing)": "…iz…",
    r"fine ?tun(e[ds]?|ing)": "fine-tune", r"pre-train(ed|ing|s)?": "pretrain", r"cross entropy": "cross-entropy",
    r"over-fit(s|ted|ting)?": "overfit", r"hyperparameters?": "hyper-parameter", r"wgts|tfms|cbf": "the whole word",
    r"ipywidget": "widget", r"Jupyter Lab": "JupyterLab", r"Pytorch|pyTorch": "PyTorch", r"Numpy": "NumPy",
    r"Github": "GitHub", r"utilize[ds]?": "use",
}


def markdown(path):
    "The Markdown of a file."
    if path.suffix == ".ipynb":
        cells = read_notebook(path)["cells"]
        return "\n\n".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")
    return path.read_text(encoding="utf8")


def prose(text):
    "Words alone: without code, sources, and the targets of links."
    text = SOURCES.sub("", CODE.sub("", text))
    return re.sub(r"\]\([^)]*\)", "]", text)


def words_of(table):
    "Every text in a table of questions or exercises that a learner reads."
    if isinstance(table, dict):
        hidden = ("source", "setup", "start", "reference", "cases")
        return [words for key, value in table.items() if key not in hidden for words in words_of(value)]
    return [words for value in table for words in words_of(value)] if isinstance(table, list) else (
        [table] if isinstance(table, str) else [])


def all_prose():
    "Name of each text that a reader sees -> its words."
    texts = {path.relative_to(ROOT).as_posix(): prose(markdown(path)) for path in [*NOTEBOOKS, *PAGES]}
    for kind in ("questions", "exercises"):
        for path in sorted((ROOT / "fastcourse" / kind).glob("*.toml")):
            table = tomllib.loads(path.read_text(encoding="utf8"))
            texts[path.relative_to(ROOT).as_posix()] = prose("\n".join(words_of(table)))
    glossary = ROOT / "site" / "glossary.md"
    return texts | {"site/glossary.md": prose(glossary.read_text(encoding="utf8").replace("```", ""))}


def anchors(text):
    "Anchors of the headings of a Markdown text: as GitHub and the site write them, and as JupyterLab does."
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    plain = [re.sub(r"[`*]", "", heading).strip() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain} | {
        heading.replace(" ", "-") for heading in plain}


def broken_links(path, text):
    "Links of a text in the folder of `path` that lead to no file, or to no heading of it."
    broken = []
    for target, anchor in LINK.findall(CODE.sub("", text)):
        file = path.parent / target
        if target and not file.exists():
            broken.append(target + anchor)
        elif anchor and file.suffix in (".md", ".ipynb", "") and anchor[1:] not in anchors(
                markdown(file) if target else text):
            broken.append(target + anchor)
    return broken


@pytest.mark.parametrize("path", [*NOTEBOOKS, *PAGES], ids=lambda path: path.stem)
def test_links_lead_to_files_and_headings(path):
    assert broken_links(path, markdown(path)) == []


def test_links_of_the_glossary():
    path = ROOT / "nbs" / "glossary.md"  # its links are seen from the lessons, beside which it lies on the site
    text = (ROOT / "site" / "glossary.md").read_text(encoding="utf8").replace("```", "")
    assert "](" in text and broken_links(path, text) == []


@pytest.mark.parametrize("text, expected", [
    ("# A b\n[x](#a-b) [y](#A-b)", []), ("[x](nowhere.md)", ["nowhere.md"]), ("[x](a.md#c)", ["a.md#c"]),
    ("[x](a.md#own-heading)", []), ("`[x](nowhere.md)`", []), ("[x](https://example.org/nowhere.md)", []),
    ("# A b\n[x](#b)", ["#b"]),
])
def test_broken_links_are_seen(tmp_path, text, expected):
    (tmp_path / "a.md").write_text("# Own heading\n", encoding="utf8")
    assert broken_links(tmp_path / "b.md", text) == expected


def misspelled(folder):
    "What codespell says of the texts in `folder`."
    words = ROOT / "tests" / "known_words.txt"
    command = [sys.executable, "-m", "codespell_lib", "--ignore-words", words, folder]
    return subprocess.run(command, capture_output=True, text=True).stdout


def test_spelling(tmp_path):
    pytest.importorskip("codespell_lib", reason="codespell is not installed")
    for name, text in all_prose().items():
        (tmp_path / name.replace("/", "-")).write_text(text, encoding="utf8")
    assert misspelled(tmp_path) == ""
    (tmp_path / "wrong.md").write_text("the recieved batch", encoding="utf8")
    assert "recieved ==> received" in misspelled(tmp_path)


def wrong_terms(text):
    return [(found[0], better) for term, better in TERMS.items()
            for found in re.finditer(rf"(?<![\w/.-])(?:{term})(?![\w/]|\.\w)", text)]


def test_one_word_for_one_thing():
    assert {name: wrong for name, text in all_prose().items() if (wrong := wrong_terms(text))} == {}


@pytest.mark.parametrize("text, expected", [
    ("two datasets", ["datasets"]), ("a data set", []), ("the color", ["color"]), ("normalised", ["normalised"]),
    ("fastcourse.data.datasets", []), ("finetuning", ["finetuning"]), ("on Github", ["Github"]),
])
def test_wrong_terms_are_seen(text, expected):
    assert [found for found, _ in wrong_terms(text)] == expected

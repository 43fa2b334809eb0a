"""Build the course's site: `python site/make_site.py [--lessons 00_core 24_schedule …] [--output _docs]`.

Runs the lessons with twins in place of widgets (or takes the run that is kept), writes the pages and calls Sphinx. The
site asks no other host for anything.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError
from site_lessons import ROOT, executed, kept_run
from site_pages import first_lines, gallery_page, open_line, reference_page, relinked, results_page

PARTS = [("Foundations", 0, 19), ("Training", 20, 31), ("Pictures", 32, 39), ("Text", 40, 55), ("Tables", 56, 57),
         ("Your own data", 58, 99)]
EXPORTED = re.compile(r"^#\|\s*default_exp\s+(\S+)", re.MULTILINE)
DIRECTIVES = re.compile(r"^#\|.*\n?", re.MULTILINE)
LETTERS_OF_THE_GALLERY = 2_500_000
DOCUMENTS = ["CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md"]


def settings():
    config = ConfigParser()
    config.read(ROOT / "settings.ini", encoding="utf8")
    return config["DEFAULT"]


def git_url():
    "The project's public address; the variable FASTCOURSE_GIT_URL replaces that of settings.ini."
    return os.environ.get("FASTCOURSE_GIT_URL", settings()["git_url"]).rstrip("/")


def is_hidden(cell):
    return re.match(r"#\|\s*hide\s*$", cell.source.partition("\n")[0]) is not None


def page_of(name, notebook, pages):
    "An executed lesson as a page: without hidden cells and directives, with links that lead to pages."
    notebook = nbformat.from_dict(notebook)
    notebook.cells = [cell for cell in notebook.cells if not is_hidden(cell)]
    for cell in notebook.cells:
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.metadata.tags = ["remove-input"]
        if cell.cell_type == "markdown":
            cell.source = relinked(cell.source, "nbs", pages, git_url())
            continue
        cell.source = DIRECTIVES.sub("", cell.source)
        for data in (output.data for output in cell.get("outputs", []) if "data" in output):
            for kind in {"text/markdown", "text/html"} & set(data):
                if "fastcourse-twin" not in data[kind]:
                    data[kind] = relinked(data[kind], "nbs", pages, git_url())
    if name != "index":
        notebook.cells.insert(1, nbformat.v4.new_markdown_cell(open_line(name, git_url())))
    notebook.metadata.language_info = {"name": "python", "pygments_lexer": "ipython3"}
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    return notebook


def contents(names):
    "The table of contents, for the end of the start page."
    lines = []
    for caption, first, last in PARTS:
        inside = [name for name in names if name[:2].isdigit() and first <= int(name[:2]) <= last]
        if inside:
            lines += ["```{toctree}", ":hidden:", f":caption: {caption}", "", *inside, "```", ""]
    more = ["gallery", "glossary", "results", "benchmarks/README", "api/index", "CONTRIBUTING", "CHANGELOG"]
    return "\n".join([*lines, "```{toctree}", ":hidden:", ":caption: More", "", *more, "```"])


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf8", newline="\n")


def write_open(name, folder):
    "The lesson as it is stored, for Colab and Binder: where the project has an address, a first cell installs it."
    notebook = nbformat.read(ROOT / "nbs" / f"{name}.ipynb", as_version=4)
    if git_url():
        install = nbformat.v4.new_code_cell(f'%pip install --quiet "fastcourse @ git+{git_url()}"', id="install")
        notebook.cells.insert(0, install)
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")


def write_reference(names, source):
    lines = ["# Reference", "", "Every public name, with what is written beside its parameters.", "", "| module | |",
             "|---|---|"]
    pages = []
    for name in names:
        path = ROOT / "nbs" / f"{name}.ipynb"
        if found := EXPORTED.search("\n".join(c.source for c in nbformat.read(path, 4).cells if c.cell_type == "code")):
            module = f"fastcourse.{found[1]}"
            write(source / "api" / f"{module}.md", reference_page(module, path))
            pages.append(module)
            lines.append(f"| [{module}]({module}.md) | {first_lines(path)[1]} |")
    write(source / "api" / "index.md", "\n".join([*lines, "", "```{toctree}", ":hidden:", "", *pages, "```"]))


def write_source(lessons, source):
    "All pages, `lessons` being name -> executed notebook."
    shutil.rmtree(source, ignore_errors=True)
    extra = source.parent / "extra"
    shutil.rmtree(extra, ignore_errors=True)
    shutil.copytree(ROOT / "images", source / "images")
    shutil.copytree(ROOT / "images", extra / "images")
    charts = [path for pattern in ("*.svg", "*.png") for path in (ROOT / "benchmarks").rglob(pattern)]
    for chart in charts:
        (source / chart.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(chart, source / chart.relative_to(ROOT))
    pages = {*DOCUMENTS, *(f"nbs/{name}.ipynb" for name in lessons)}
    pages |= {chart.relative_to(ROOT).as_posix() for chart in charts}
    for name, notebook in lessons.items():
        page = page_of(name, notebook, pages)
        if name == "index":
            page.cells.append(nbformat.v4.new_markdown_cell(contents(lessons)))
        else:
            write_open(name, extra / "open")
        nbformat.write(page, source / f"{name}.ipynb")
    for path in DOCUMENTS:
        folder = path.rpartition("/")[0]
        write(source / path, relinked((ROOT / path).read_text(encoding="utf8"), folder, pages, git_url()))
    glossary = (ROOT / "site" / "glossary.md").read_text(encoding="utf8")
    write(source / "glossary.md", relinked(glossary, "nbs", pages, git_url()))
    write(source / "results.md", results_page())
    (source / "_twins").mkdir()
    write(source / "gallery.md", gallery_page(lessons, source / "_twins", LETTERS_OF_THE_GALLERY))
    write_reference([name for name in lessons if name != "index"], source)


def run_lessons(names, folder, limits, jobs, keep_going, stored):
    """name -> executed notebook.

    With `keep_going` a lesson that fails is shown as it is stored, with `stored` one that has not been run before.
    """
    def one(name):
        path = ROOT / "nbs" / f"{name}.ipynb"
        try:
            return kept_run(path, folder, limits) or (
                nbformat.read(path, as_version=4) if stored else executed(path, folder, limits))
        except (CellExecutionError, ValueError) as error:
            if not keep_going:
                raise
            print(f"{name} FAILS, and is shown as it is stored: {error}", file=sys.stderr, flush=True)
            return nbformat.read(path, as_version=4)

    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        return dict(zip(names, pool.map(one, names)))


def mended(html):
    "A page as Sphinx writes it, with two things put right."
    # Pieces of HTML that cells print link to notebooks; the theme's arrows have no name for a screen reader.
    html = re.sub(r'(?<=href=")(?!\w+:|open/)([^"#]*)\.ipynb(?=["#])', r"\1.html", html)
    return html.replace('<summary><span class="toctree-toggle"',
                        '<summary aria-label="pages below"><span class="toctree-toggle"')


def build(source, output):
    "Call Sphinx; its warnings are errors."
    extra = source.parent / "extra"
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-c", str(ROOT / "site"),
               "-d", str(source.parent / "doctrees"), "-D", f"html_extra_path={extra}", str(source), str(output)]
    done = subprocess.run(command)
    (output / ".nojekyll").touch()
    for page in output.rglob("*.html"):
        text = page.read_text(encoding="utf8")
        if (better := mended(text)) != text:
            page.write_text(better, encoding="utf8")
    return done.returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lessons", nargs="*", help="names, such as 00_core; default: all")
    parser.add_argument("--output", type=Path, default=ROOT / "_docs")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "site", help="folder of runs and pages")
    parser.add_argument("--frames", type=int, default=80, help="pictures that a twin draws ahead, at most")
    parser.add_argument("--letters", type=int, default=400_000, help="size of a twin, at most")
    parser.add_argument("--jobs", type=int, default=1, help="lessons that run at a time")
    parser.add_argument("--stored", action="store_true", help="a quick look: lessons without a run as stored")
    parser.add_argument("--keep-going", action="store_true", help="show a lesson that fails as it is stored")
    given = parser.parse_args()
    names = given.lessons or sorted(path.stem for path in (ROOT / "nbs").glob("[0-9][0-9]_*.ipynb"))
    limits = {"max_frames": given.frames, "max_letters": given.letters}
    work = given.work.resolve()
    lessons = run_lessons([*names, "index"], work / "runs", limits, given.jobs, given.keep_going, given.stored)
    write_source(lessons, work / "source")
    return build(work / "source", given.output.resolve())


if __name__ == "__main__":
    sys.exit(main())

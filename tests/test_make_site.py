"The parts from which the site is made. That its pages work is tested in a browser: browser/test_site.py."
import json

import nbformat
import pytest
from project import NOTEBOOKS, ROOT, modules

pytest.importorskip("fastcore", reason="the extra `site` is not installed")
import site_lessons
import site_pages
from make_site import PARTS, contents, page_of, write_open
from site_pages import arguments, described, escaped, gallery_page, open_line, relinked, results_of, two_sentences

from fastcourse.plots import drawing, new_figure
from fastcourse.study.explore import explore
from fastcourse.study.twins import make_twin, read_twin, twin_html

ADDRESS = "https://github.com/someone/fastcourse"
PAGES = {"nbs/00_core.ipynb", "CONTRIBUTING.md", "benchmarks/README.md"}


@pytest.mark.parametrize("text, folder, git_url, expected", [
    ("[a](00_core.ipynb#seeds)", "nbs", "", "[a](00_core.ipynb#seeds)"),
    ("[a](../CONTRIBUTING.md)", "nbs", "", "[a](CONTRIBUTING.md)"),
    ("[a](../nbs/00_core.ipynb)", "benchmarks", "", "[a](../00_core.ipynb)"),
    ("[a](benchmarks/README.md)", "", "", "[a](benchmarks/README.md)"),
    ("![p](../images/x.svg)", "nbs", "", "![p](images/x.svg)"),
    ('<img src="../images/x.svg">', "nbs", "", '<img src="images/x.svg">'),
    ('<img src="data:image/png;base64,a/b">', "nbs", "", '<img src="data:image/png;base64,a/b">'),
    ("[a](../LICENSE)", "nbs", "", "a"), ("[a](../LICENSE)", "nbs", ADDRESS, f"[a]({ADDRESS}/blob/main/LICENSE)"),
    ("[a](https://example.org/b)", "nbs", ADDRESS, "[a](https://example.org/b)"),
])
def test_links_lead_to_pages_or_to_the_repository(text, folder, git_url, expected):
    assert relinked(text, folder, PAGES, git_url) == expected


def test_words_show_as_they_are():
    assert escaped("a_b *c* <d> `e_f` [g]") == r"a\_b \*c\* \<d\> `e_f` \[g\]"


def documented(
    x:int,              # how many, at least 1
    /,
    words:str="a_b",    # see `split`
    *,
    lr:float=0.1,
    **kwargs,           # passed on
)->list[str]:           # one for each
    "Words."


def test_signature_and_what_stands_beside_it():
    assert arguments(documented) == "(x, /, words='a_b', *, lr=0.1, **kwargs)"
    lines = described(documented)
    assert ":param x: how many, at least 1" in lines and ":type x: int" in lines
    assert ":param words: see `split`" in lines and ":returns: `list[str]` one for each" in lines


def test_every_public_name_has_an_entry():
    page = site_pages.reference_page("fastcourse.study.explore", ROOT / "nbs" / "03_explore.ipynb")
    for name in ("make_control", "Throttle", "explore", "request"):
        assert f"}} {name}(" in page, name
    assert "Built in the lesson [Explore](../03_explore.ipynb)" in page


def test_results_are_those_of_the_files():
    page = site_pages.results_page()
    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        assert f"## {path.stem.replace('_', ' ')}\n" in page
    rows = {"a": {"median": 1.25, "all": [1, 2]}, "b": {"median": 3, "all": [4]}}
    shown = results_of("one", {"what": "time", "seeds": [0, 1], "rows": rows})
    assert "- seeds: 0, 1" in shown and "| rows, a | 1.25 | 1, 2 |" in shown and "| rows, b | 3 | 4 |" in shown


def test_first_two_sentences_of_the_last_paragraph():
    text = "Before.\n\nDrag it. See [Plots](02_plots.ipynb) for e.g. more. And the third."
    assert two_sentences(text) == "Drag it. See Plots for e.g. more."


@drawing
def draw_number(n=3, shown=True): return new_figure(2, 1, f"number {n} {shown}")


def test_gallery_has_small_twins_words_and_links(tmp_path):
    html = twin_html(make_twin(explore(draw_number, n=(1, 12), shown=True)), "number")
    cells = [nbformat.v4.new_markdown_cell("# Numbers\n\n> All"), nbformat.v4.new_markdown_cell("Drag it. Now. Third."),
             nbformat.v4.new_code_cell("explore(…)")]
    cells[2].outputs = [nbformat.v4.new_output("display_data", {"text/html": html})]
    page = gallery_page({"16_numbers": nbformat.v4.new_notebook(cells=cells)}, tmp_path, len(html) // 3)
    assert "## Numbers: number\n\nDrag it. Now.\n\n[To the lesson](16_numbers.ipynb)" in page
    small = read_twin((tmp_path / "16_numbers-0.html").read_text(encoding="utf8"))
    assert 1 < small.frames.size < 24 and len(small.data()) <= len(html) // 3
    assert small.words[small.start] == "number 3 True"


def test_a_widget_without_a_twin_is_seen():
    cell = nbformat.v4.new_code_cell("x = 1\nexplore(draw, n=(1, 2))")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    with pytest.raises(ValueError, match="a widget has no twin"):
        site_lessons.check_twins("16_numbers", notebook)
    cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": '<div class="fastcourse-twin">'})]
    site_lessons.check_twins("16_numbers", nbformat.v4.new_notebook(cells=[cell]))


def test_where_a_lesson_opens(monkeypatch, tmp_path):
    assert "Colab" not in open_line("00_core", "") and 'href="open/00_core.ipynb"' in open_line("00_core", "")
    for address in ("", ADDRESS):
        monkeypatch.setenv("FASTCOURSE_GIT_URL", address)
        write_open("00_core", tmp_path)
        first = nbformat.read(tmp_path / "00_core.ipynb", as_version=4).cells[0].source
        assert first.startswith(f'%pip install --quiet "fastcourse @ git+{ADDRESS}"' if address else "# Core")


def test_page_shows_what_is_to_be_read():
    code, words = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    cells = [words("# Core\n\n> Seeds"), code("#| hide\n#| default_exp core"), code("#| export\nx = 1"),
             words("[a](../CONTRIBUTING.md)")]
    page = page_of("00_core", nbformat.v4.new_notebook(cells=cells), PAGES)
    title, line, *others = [cell.source for cell in page.cells]
    assert title.startswith("# Core") and "fastcourse-open" in line and others == ["x = 1", "[a](CONTRIBUTING.md)"]


def test_every_lesson_is_in_the_contents():
    names = [path.stem for path in NOTEBOOKS if path.stem[:2].isdigit()]
    listed = contents(names).split()
    assert all(listed.count(name) == 1 for name in names) and PARTS[0][0] in listed


def test_a_run_is_kept_until_something_that_it_uses_changes(tmp_path, monkeypatch):
    path = ROOT / "nbs" / "03_explore.ipynb"
    notebook = nbformat.read(path, as_version=4)
    used = site_lessons.used_files(notebook)
    names = {file.relative_to(ROOT).as_posix() for file in used}
    assert {"fastcourse/plots.py", "fastcourse/study/twin.js", "fastcourse/exercises/exercises.toml"} <= names
    assert "fastcourse/vision/resnet.py" not in names and len(modules()) > 40
    before = site_lessons.fingerprint(path, notebook, {"max_frames": 3})
    assert site_lessons.fingerprint(path, notebook, {"max_frames": 3}) == before
    assert site_lessons.fingerprint(path, notebook, {"max_frames": 4}) != before
    notebook.cells[-1].source += "\n"
    assert site_lessons.fingerprint(path, notebook, {"max_frames": 3}) != before
    changed = tmp_path / "plots.py"
    changed.write_text("changed")
    notebook = nbformat.from_dict(json.loads(path.read_text(encoding="utf8")) | {})
    monkeypatch.setattr(site_lessons, "used_files", lambda notebook: [changed])
    first = site_lessons.fingerprint(path, notebook, {})
    changed.write_text("changed again")
    assert site_lessons.fingerprint(path, notebook, {}) != first

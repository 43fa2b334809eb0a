"The figures of the lessons: drawn by code, readable, shown where the text speaks of them."
import re
from xml.etree import ElementTree

import pytest
from draw_figures import FIGURES, draw_all
from figures.pen import COLORS
from project import NOTEBOOKS, ROOT, read_notebook

SHOWN = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<path>[^)]+)\)")
SVG = "{http://www.w3.org/2000/svg}"


def pictures():
    "Lesson, words and address of every picture in a lesson's text; of attached ones the address is no path."
    for path in NOTEBOOKS:
        for cell in read_notebook(path)["cells"]:
            if cell["cell_type"] == "markdown":
                yield from ((path, found["alt"], found["path"]) for found in SHOWN.finditer(cell["source"]))


def luminance(color):
    values = [int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    light = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    return sum(part * weight for part, weight in zip(light, (0.2126, 0.7152, 0.0722), strict=True))


def test_the_script_draws_the_committed_figures(tmp_path):
    draw_all(tmp_path)
    drawn = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(drawn) == sorted(f"{name}.svg" for name in FIGURES)
    stale = [name for name in drawn if (ROOT / "images" / name).read_bytes() != drawn[name]]
    assert not stale, "run: make figures"


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_small_described_and_whole(name):
    path = ROOT / "images" / f"{name}.svg"
    assert path.stat().st_size <= 30_000
    root = ElementTree.parse(path).getroot()
    assert len(root.find(f"{SVG}title").text) > 10 and len(root.find(f"{SVG}desc").text) > 60
    kinds = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert kinds <= {"svg", "title", "desc", "rect", "path", "circle", "polygon", "text"}, "nothing from elsewhere"
    assert not re.search(r"(href|url\(|<script|@import)", path.read_text(encoding="utf8"))
    width, height = (float(root.get(side)) for side in ("width", "height"))
    assert root.get("viewBox") == f"0 0 {width:g} {height:g}" and width <= 800
    paper = root.find(f"{SVG}rect")
    assert paper.get("fill") == COLORS["paper"] and float(paper.get("width")) == width - 1


@pytest.mark.parametrize("name", FIGURES)
def test_the_words_of_a_figure_can_be_read(name):
    for text in ElementTree.parse(ROOT / "images" / f"{name}.svg").getroot().iter(f"{SVG}text"):
        contrast = 1.05 / (luminance(text.get("fill")) + 0.05)
        assert contrast >= 4.5 and float(text.get("font-size")) >= 11, text.text


def test_pictures_are_there_and_have_words():
    for lesson, alt, address in pictures():
        assert len(alt) > 20, f"{lesson.name}: {address} needs words for those who cannot see it"
        assert not re.match(r"\w+://", address), f"{lesson.name}: {address} is not on this machine"
        assert (lesson.parent / address).resolve().is_file(), f"{lesson.name}: {address} does not exist"


def test_every_figure_is_shown():
    shown = {address.rpartition("/")[2] for _, _, address in pictures()}
    assert {f"{name}.svg" for name in FIGURES} <= shown

@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_lesson_shows_a_picture_twice(path):
    seen = {}
    for cell in read_notebook(path)["cells"]:
        for output in cell.get("outputs", []):
            if png := "".join(output.get("data", {}).get("image/png", "")):
                first = seen.setdefault(png, cell["id"])
                assert first == cell["id"], f"{path.name}: cells {first} and {cell['id']} show the same picture"

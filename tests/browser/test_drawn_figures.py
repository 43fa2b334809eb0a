"The figures, drawn by a browser: no word leaves the paper or touches another, and a lesson shows them."
from itertools import combinations

import pytest
from draw_figures import FIGURES
from project import ROOT

BOXES = """() => [...document.querySelectorAll("text")].map(text => {
    const box = text.getBoundingClientRect();
    return [text.textContent, box.left, box.top, box.right, box.bottom];
})"""


def overlap(first, second, slack=2):
    "Do two boxes share more than a hair?"
    return all(min(first[i + 2], second[i + 2]) - max(first[i], second[i]) > slack for i in (1, 2))


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page(viewport={"width": 900, "height": 700})
    yield page
    page.close()


@pytest.mark.parametrize("name", FIGURES)
def test_words_stay_on_the_paper_and_apart(page, name):
    page.goto((ROOT / "images" / f"{name}.svg").as_uri())
    width, height = (page.evaluate(f"() => document.documentElement.{side}.baseVal.value")
                     for side in ("width", "height"))
    boxes = page.evaluate(BOXES)
    assert boxes
    for words, left, top, right, bottom in boxes:
        assert left >= 6 and top >= 6 and right <= width - 6 and bottom <= height - 6, f"{words!r} leaves the paper"
    for first, second in combinations(boxes, 2):
        assert not overlap(first, second), f"{first[0]!r} and {second[0]!r} touch"


def test_a_lesson_shows_its_figure(open_lesson):
    lesson = open_lesson("40_rnn")
    picture = lesson.page.locator('.jp-RenderedMarkdown img[alt^="Left, a cell"]')
    lesson.page.evaluate("""async () => {
        const notebook = jupyterapp.shell.currentWidget.content;
        const is_it = cell => cell.model.sharedModel.source.includes("unrolled_network.svg");
        await notebook.scrollToItem(notebook.widgets.findIndex(is_it), "start");
    }""")
    picture.evaluate("image => image.scrollIntoView({block: 'center'})")
    size = picture.evaluate("async image => { await image.decode(); return [image.naturalWidth, image.width]; }")
    assert size[0] == 760 and size[1] > 500
    lesson.screenshot("figure")
    assert lesson.complaints == []

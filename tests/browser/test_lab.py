"A reader in JupyterLab: the start page, and every lesson that has a widget."
import shutil
import sys

import pytest
from axe_playwright_python.sync_playwright import Axe
from clean_notebooks import WIDGET
from lab import CONTROLS, key_that_moves, kind_of, lab_server
from playwright.sync_api import expect
from project import NOTEBOOKS, ROOT, code_cells, num_widgets
from runs import keep_texts, stored_cells

WITH_WIDGET = [path.stem for path in NOTEBOOKS if num_widgets(path.stem)]
NARROWEST_TRACK = 100  # pixels of a slider's track: with fewer, one pixel of the mouse skips values


def test_lessons_with_a_widget_are_found():
    assert WITH_WIDGET, "without one, every test of a lesson would be skipped"


@pytest.fixture(scope="module", params=WITH_WIDGET)
def lesson(request, open_lesson, project_copy, runs_folder):
    lesson = open_lesson(request.param)
    assert lesson.run_all(), lesson.messages()
    lesson.save()  # before anything is moved: test_notebooks.py compares it with its own run
    saved = project_copy / "nbs" / f"{request.param}.ipynb"
    keep_texts(runs_folder / f"{request.param}.browser.json", stored_cells(saved.read_text(encoding="utf8")))
    yield lesson
    lesson.page.close()


def test_no_error_or_warning(lesson):
    assert lesson.messages() == []


def test_every_widget_has_usable_controls(lesson):
    for explorer in lesson.explorers():
        assert explorer.locator(CONTROLS).count(), explorer.text_content()
        for track in explorer.locator(".noUi-base").all():
            assert track.bounding_box()["width"] > NARROWEST_TRACK, explorer.text_content()


def test_every_control_moves_its_picture(lesson):
    for number, explorer in enumerate(lesson.explorers()):
        picture = explorer.locator("img")
        for control in explorer.locator(CONTROLS).all():
            kind = kind_of(control)
            before = lesson.settled(picture)
            lesson.screenshot(f"{number}-before")
            if kind == "slider":
                lesson.drag(control)
                dragged = lesson.settled(picture, unlike=before)
                assert dragged != before, f"dragging moves nothing: {control.get_attribute('aria-label')}"
                before = dragged
            key = key_that_moves(control)
            control.press(key)
            after = lesson.settled(picture, unlike=before)
            assert after != before, f"the key {key} moves nothing: {control.evaluate('e => e.outerHTML')}"
            lesson.screenshot(f"{number}-after")
    assert lesson.messages() == []


def test_widgets_are_accessible(lesson):
    for _ in lesson.explorers():
        found = Axe().run(lesson.page, context=".fastcourse-explorer")
        assert not found.violations_count, found.generate_report()


def test_page_has_no_complaint(lesson):
    assert lesson.complaints == []


def test_saved_notebook_shows_pictures_without_a_kernel(lesson, project_copy):
    lesson.save()
    cells = code_cells(project_copy / "nbs" / f"{lesson.name}.ipynb")
    assert cells[-1]["execution_count"] == len(cells), "what the reader did is kept"
    stored = {kind for cell in cells for output in cell["outputs"] for kind in output.get("data", {})}
    assert "image/png" in stored and WIDGET not in stored


def test_start_page_leads_to_the_lessons(open_lesson):
    start = open_lesson("index")
    start.page.get_by_role("link", name="Core", exact=True).first.click()  # the progress names it, too
    expect(start.page.get_by_role("heading", name="Core", exact=True)).to_be_visible()
    start.screenshot("lesson")
    assert start.complaints == []


SET_UP = shutil.which("make") and (ROOT / ".venv" / ".installed").exists()


@pytest.mark.skipif(not SET_UP or sys.platform == "win32", reason="the environment of `make` is not set up")
def test_make_lab_says_its_address_and_answers(tmp_path):
    with lab_server(["make", "lab", "LAB_ARGS=--no-browser --port=0"], tmp_path) as address:
        assert "/lab/tree/nbs/index.ipynb?token=" in address

"A learner at the study desk in JupyterLab: answers with the keyboard, a wrong and a right solution, a restart."
import json

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from fastcourse.study.exercises import exercise
from fastcourse.study.quiz import lesson_questions

EXERCISE = exercise("core", "count_parameters")
CHECK = f'exercise("core", "{EXERCISE.name}").check({EXERCISE.name})'
CELLS = ["from fastcourse.study.exercises import exercise\nfrom fastcourse.study.quiz import quiz",
         EXERCISE.setup.strip(), 'quiz("core")', f"{EXERCISE.start}\n\n{CHECK}"]


@pytest.fixture(scope="module")
def home(server_folder):
    "The learner's folder."
    return server_folder / "home"


@pytest.fixture(scope="module")
def desk(project_copy, open_lesson):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "python3"}
    nbformat.write(notebook, project_copy / "nbs" / "desk.ipynb")
    lesson = open_lesson("desk")
    assert lesson.run_all(), lesson.messages()
    return lesson


def question(desk, name):
    return desk.page.locator(".fastcourse-question").nth(list(lesson_questions("core")).index(name))


def submit(desk, answer):
    "Write an answer into the exercise's cell and run it; the message that follows."
    desk.page.evaluate("""source => {
        const notebook = jupyterapp.shell.currentWidget.content;
        notebook.activeCellIndex = 3;
        notebook.activeCell.model.sharedModel.setSource(source);
        return jupyterapp.commands.execute("notebook:run-cell");
    }""", f"{answer.strip()}\n\n{CHECK}")
    return desk.page.locator(".jp-CodeCell").nth(3).locator(".fastcourse-message").first


def progress(home):
    path = home / "progress.json"
    return json.loads(path.read_text(encoding="utf8"))["items"] if path.exists() else {}


def test_looking_records_nothing(desk, home):
    expect(desk.page.locator(".fastcourse-exercise")).to_contain_text(EXERCISE.title)
    assert progress(home) == {}


def test_a_choice_is_answered_with_the_keyboard(desk, home):
    item = lesson_questions("core")["two_runs"]
    form, wrong, right = question(desk, item.name), item.choices[0], item.choices[1]
    form.get_by_role("radio").first.focus()
    desk.page.keyboard.press("Space")
    desk.page.keyboard.press("Enter")
    expect(form).to_contain_text(wrong["why"])
    expect(form).not_to_contain_text("✓ answered")
    desk.page.keyboard.press("ArrowDown")
    desk.page.keyboard.press("Enter")
    expect(form).to_contain_text("They have states of their own")
    expect(form).to_contain_text("✓ answered")
    assert right["right"] and progress(home)["question/core/two_runs"] == {"attempts": 2, "solved": True}
    desk.screenshot("quiz")


def test_a_number_is_answered_with_the_keyboard(desk):
    form = question(desk, "number_of_batches")
    form.get_by_role("textbox").fill("15")
    form.get_by_role("textbox").press("Enter")
    expect(form).to_contain_text("Not yet")
    form.get_by_role("textbox").fill("16")
    form.get_by_role("textbox").press("Enter")
    expect(form).to_contain_text("✓ answered")


def test_hints_come_by_button(desk):
    card = desk.page.locator(".fastcourse-exercise")
    card.get_by_role("button", name="Hint").press("Enter")
    expect(card).to_contain_text("Hint 1 of 2")


def test_desk_is_accessible(desk):
    for part in (".fastcourse-quiz", ".fastcourse-exercise"):
        found = Axe().run(desk.page, context=part)
        assert not found.violations_count, found.generate_report()


def test_a_wrong_answer_is_explained_and_a_right_one_accepted(desk, home):
    wrong = EXERCISE.wrong[0]
    message = submit(desk, wrong["source"])
    expect(message).to_contain_text("Not yet")
    expect(message).to_contain_text("This is the number of tensors.")
    desk.screenshot("wrong")
    assert not progress(home)["exercise/core/count_parameters"]["solved"]
    expect(submit(desk, EXERCISE.reference)).to_contain_text("Right")
    found = Axe().run(desk.page, context=".fastcourse-message")
    assert not found.violations_count, found.generate_report()
    assert progress(home)["exercise/core/count_parameters"] == {"attempts": 2, "hints": 1, "solved": True}


def test_progress_is_kept_after_a_restart(desk):
    submit(desk, EXERCISE.start)
    desk.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    assert desk.run_all(), desk.messages()
    expect(question(desk, "two_runs")).to_contain_text("✓ answered")
    expect(desk.page.locator(".fastcourse-exercise")).to_contain_text("(solved)")
    assert desk.messages() == [] and desk.complaints == []


def test_what_is_saved_holds_no_answer_and_no_progress(desk, project_copy):
    desk.save()
    saved = (project_copy / "nbs" / "desk.ipynb").read_text(encoding="utf8")
    assert EXERCISE.title in saved and "two runs on the CPU still differ" in saved
    assert "(solved)" not in saved and "They have states of their own" not in saved and "widget-view" not in saved

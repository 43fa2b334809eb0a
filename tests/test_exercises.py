"Every exercise and question on the shelf is sound, and whatever is handed in, a learner gets words and never an error."
import json
import subprocess
import sys
import time

import pytest
import torch
from project import NOTEBOOKS, ROOT, code_cells

from fastcourse.study.exercises import exercise, lesson_exercises, parse_exercises
from fastcourse.study.progress import Progress
from fastcourse.study.quiz import lesson_questions, overview, quiz

SHELF = {kind: sorted(path.stem for path in (ROOT / "fastcourse" / kind).glob("*.toml"))
         for kind in ("exercises", "questions")}
EXERCISES = [pytest.param(item, id=f"{lesson}-{item.name}")
             for lesson in SHELF["exercises"] for item in lesson_exercises(lesson).values()]
QUESTIONS = [pytest.param(item, id=f"{lesson}-{item.name}")
             for lesson in SHELF["questions"] for item in lesson_questions(lesson).values()]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTCOURSE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize("item", EXERCISES)
def test_the_solution_passes(item):
    message = item.check(item.build(item.reference))
    assert message and message.passed, message


@pytest.mark.parametrize("item", EXERCISES)
def test_each_wrong_answer_gets_its_own_explanation(item):
    assert len(item.wrong) >= 3
    for wrong in item.wrong:
        message = item.judge(item.build(wrong["source"]))
        assert message.passed is False
        assert wrong["why"] in message.text, f"{wrong['source']}\n\n{message.text}"
        others = [other["why"] for other in item.wrong if other is not wrong and other["why"] in message.text]
        assert not others, f"{wrong['source']}\n\n{message.text}"
        assert message.text != wrong["why"], "what differs is said besides the idea behind it"


@pytest.mark.parametrize("item", EXERCISES)
def test_the_beginning_is_open_and_wrong(item):
    start = item.build(item.start)
    assert item.check(start) is item
    assert not Progress().read(), "looking at a task is no attempt"
    if start is not ...:
        assert item.judge(start).passed is False
    assert not item.repair or start is not ..., "a repair begins with something broken"


@pytest.mark.parametrize("item", EXERCISES)
def test_hints_lead_on_and_the_solution_is_shown(item):
    assert len(item.hints) >= 2
    shown = [item.hint().text for _ in range(len(item.hints) + 1)]
    assert item.hints[0] in shown[0] and all(hint in shown[-1] for hint in item.hints)
    assert all(line in item.solution().text for line in item.reference.strip().splitlines())


@pytest.mark.parametrize("item", EXERCISES)
def test_the_solution_tells_itself_apart_from_repeated_runs(item):
    "Two runs of the solution agree: no call depends on the clock, on the machine or on what ran before."
    assert item.judge(item.build(item.reference)) and item.judge(item.build(item.reference))


@pytest.mark.parametrize("lesson", SHELF["exercises"])
def test_each_lesson_has_three_exercises_and_a_repair(lesson):
    items = lesson_exercises(lesson).values()
    assert len(items) >= 3 and any(item.repair for item in items)


@pytest.mark.parametrize("item", QUESTIONS)
def test_every_choice_is_explained(item):
    replies = item.letters or [str(item.answer), *(str(wrong["value"]) for wrong in item.wrong), "123456.5"]
    messages = [item.judge(reply) for reply in replies]
    assert sum(map(bool, messages)) == 1 and all(message.passed is not None for message in messages)
    assert len({message.text for message in messages}) == len(replies), "each has an explanation of its own"
    assert not item.choices or len(item.choices) >= 3


def test_the_right_choice_cannot_be_guessed_by_its_place_or_length():
    items = [item.values[0] for item in QUESTIONS if item.values[0].choices]
    right = [[choice.get("right", False) for choice in item.choices].index(True) for item in items]
    longest = [max(range(len(item.choices)), key=lambda i, item=item: len(item.choices[i]["text"])) for item in items]
    assert max(map(right.count, set(right))) <= 0.5 * len(right)
    assert sum(map(int.__eq__, right, longest)) <= 0.5 * len(right)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_exercises_in_lessons_are_open_and_known(path):
    for cell in code_cells(path):
        if cell["source"].find("exercise(") < 0 or path.stem == "06_exercises":
            continue
        said = json.dumps(cell["outputs"])
        assert "Not yet" not in said and "Right" not in said, f"{path.name} stores an answer:\n{cell['source']}"


TOTAL = """
[total]
title = "Add them up"
task = "Write `total(x)`."
setup = "import torch"
start = "def total(x): ..."
reference = "def total(x): return x.sum().item()"
cases = ["total(torch.tensor([1.0, 2.0]))", "total(torch.tensor([[0.5, -2.0], [1.0, 4.0]]))"]
hints = ["Which method adds?", "`x.sum()`, then `item()`."]
seconds = 0.5
wrong = [{source = "def total(x): return x.sum()", why = "A tensor is no number."}]
"""


@pytest.fixture
def total():
    return parse_exercises("demo", TOTAL)["total"]


def change_inputs(x):
    return x.cumsum_(0)[-1].sum().item()


def print_only(x):
    print(x.sum().item())


def recurse(x):
    return recurse(x)


def loop(x):
    while True:
        pass


def loop_and_swallow(x):
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass


def sleep(x):
    time.sleep(3)


def print_for_ever(x):
    while True:
        print("x" * 1000)


def import_missing(x):
    import a_package_that_is_not_there  # noqa: F401


def leave(x):
    sys.exit(1)


def raise_in_a_line(x):
    size = len(x)
    return x / size + "one"


class Totaller:
    pass


@pytest.mark.parametrize("answer, words", [
    (3.0, "must be a function, got 3.0"), (torch.ones(2), "must be a function, got a tensor"),
    ("total", "must be a function, got 'total'"), (None, "must be a function, got None"),
    (Totaller, "must be a function, got a class"), (lambda: 3, "TypeError"), (lambda x, y: 3, "TypeError"),
    (change_inputs, "has changed: argument 1 differs first at [1]"), (recurse, "calls itself without end"),
    (print_only, "It prints '3.0' and returns nothing"), (loop, "did not finish within 0.5 seconds"),
    (loop_and_swallow, "did not finish"), (print_for_ever, "did not finish"), (sleep, "at work in the background"),
    (import_missing, "'a_package_that_is_not_there', which is not installed"), (leave, "ends the program"),
    (raise_in_a_line, "in line"), (lambda x: print(), "is a return missing?"), (lambda x: x, "a tensor of shape (2,)"),
    (lambda x: str(x.sum().item()), "is '3.0', expected 3.0"), (lambda x: len(x) + 1.0, "is 3.0, expected 3.5"),
    (lambda x: float("nan"), "is nan, expected 3.0"), (lambda x: x.sum(), "A tensor is no number."),
])
def test_bad_answers_get_words(total, answer, words):
    output, before = sys.stdout, torch.get_rng_state()
    message = total.check(answer)
    assert message.passed is False and words in message.text, message.text
    assert "role=\"status\"" in message._repr_html_() and "Not yet" in message._repr_html_()
    assert sys.stdout is output and torch.equal(torch.get_rng_state(), before)


def test_a_right_answer_may_print(total, capsys):
    def chatty(x):
        print("adding")
        return x.sum().item()
    message = total.check(chatty)
    assert message and "also prints" in message.text
    assert capsys.readouterr().out == ""


def test_a_value_can_be_asked_for():
    text = TOTAL.replace("def total(x): ...", "total = ...").replace(
        "def total(x): return x.sum().item()", "total = torch.tensor([1.0, 2.0])")
    text = text.split("cases")[0] + 'cases = ["total"]\n' + text[text.index("hints"):]
    item = parse_exercises("demo", text)["total"]
    assert item.check(...) is item and item.check(torch.tensor([1.0, 2.0]))
    assert "differs first at [1]: 3, expected 2" in item.check(torch.tensor([1.0, 3.0])).text
    assert "has the shape (1, 2), expected (2,)" in item.check(torch.tensor([[1.0, 2.0]])).text
    assert "type torch.float64" in item.check(torch.tensor([1.0, 2.0], dtype=torch.float64)).text
    assert "got a function" in item.check(lambda: 3).text


def test_progress_is_kept_by_another_process(total, home):
    total.check(lambda x: 0)
    total.check(lambda x: x.sum().item())
    code = "from fastcourse.study.progress import Progress; print(Progress().read())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str({"exercise/demo/total": {"attempts": 2, "solved": True}})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 1, "items": {"a": 3}}', "\0\xff"])
def test_damaged_progress_stops_nothing_and_is_kept_aside(total, home, content):
    home.mkdir()
    (home / "progress.json").write_bytes(content.encode("latin1"))
    assert "could not be kept" not in total.check(lambda x: x.sum().item()).text
    assert Progress().read() == {"exercise/demo/total": {"attempts": 1, "solved": True}}
    assert (home / "progress.damaged-1.json").read_bytes() == content.encode("latin1")


def test_a_folder_that_cannot_be_written_stops_nothing(total, home):
    home.write_text("a file where the folder should be")
    message = total.check(lambda x: x.sum().item())
    assert message and "could not be kept" in message.text
    assert "Hint" in total.hint().heading and quiz("core").answer("two_runs", "b")


def test_names_are_suggested():
    with pytest.raises(ValueError, match="did you mean 'core'"):
        exercise("coer", "count_parameters")
    with pytest.raises(ValueError, match="has no exercise"):
        exercise("core", "")


def test_overview_counts(home):
    Progress().record("exercise/core/count_parameters", solved=True)
    assert f"core: exercises 1 of {len(lesson_exercises('core'))}, questions 0 of" in overview().text


def test_answers_are_not_in_what_a_notebook_shows_and_stores():
    for lesson in SHELF["questions"]:
        shown = str(quiz(lesson)._repr_mimebundle_())
        for question in lesson_questions(lesson).values():
            assert not any(choice["why"] in shown for choice in question.choices)
            assert not question.why or question.why not in shown

"Every lesson is complete: what it needs, how long it takes, summary, questions, exercises, sources."
import ast
import re

import pytest
from project import NOTEBOOKS, exported_module, read_notebook

from fastcourse.study.exercises import lesson_exercises
from fastcourse.study.quiz import lesson_questions

LESSONS = [path for path in NOTEBOOKS if exported_module(path)]
TIME = re.compile(r"(the lesson|the worked example|it) takes [^.]*\b(second|minute)s?\b", re.IGNORECASE)
NEEDS = re.compile(r"\b(You need|Nothing is needed)\b")
SECTIONS = ["## Summary", "## Questions", "## Exercises", "## Sources and further work"]
NAMED = re.compile(r"""^(quiz|exercise)\("(\w+)"(?:, "(\w+)")?\)""", re.MULTILINE)


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem, scope="module")
def lesson(request):
    return read_notebook(request.param)["cells"]


def prose(cells):
    return [cell["source"] for cell in cells if cell["cell_type"] == "markdown"]


def named(cells, kind):
    "(file, name) of the exercises, or (file, \"\") of the quiz, that the lesson's cells show."
    found = [match for cell in cells if cell["cell_type"] == "code" for match in NAMED.findall(cell["source"])]
    return [(file, name) for called, file, name in found if called == kind]


def shelf_of(cells):
    "The name under which the lesson's questions and exercises are kept."
    (file, _), = named(cells, "quiz")
    return file


def section(cells, heading):
    "The lesson's text and code under a heading, up to the next one of its rank."
    text = "\n".join(cell["source"] for cell in cells)
    return re.split(r"^## ", text.split(f"\n{heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def test_it_begins_with_a_title_and_a_line(lesson):
    assert re.fullmatch(r"# [^\n]+\n\n> [^\n]+", lesson[0]["source"].strip()), lesson[0]["source"]


def test_it_says_what_it_needs_and_how_long_it_takes(lesson):
    opening = "\n".join(prose(lesson)[:3]).split("\n## ")[0]
    assert re.search("After this (lesson|project) you can", opening)
    assert NEEDS.search(opening), "what must a reader know or have read?"
    assert TIME.search(opening), "how long does it take?"


def test_its_last_sections_stand_in_their_order(lesson):
    headings = [line for source in prose(lesson) for line in source.splitlines() if line.startswith("## ")]
    assert [heading for heading in headings if heading in SECTIONS] == SECTIONS
    assert headings[-1] == SECTIONS[-1], "sources come last"


def test_its_summary_and_its_sources_say_something(lesson):
    assert 3 <= len(re.findall(r"^- ", section(lesson, "## Summary"), re.MULTILINE)) <= 8
    assert len(re.findall(r"^- ", section(lesson, SECTIONS[-1]), re.MULTILINE)) >= 1


def test_its_quiz_has_five_to_ten_questions(lesson):
    assert 5 <= len(lesson_questions(shelf_of(lesson))) <= 10


def test_it_shows_all_of_its_exercises(lesson):
    items = lesson_exercises(shelf_of(lesson))
    shown = {name for file, name in named(lesson, "exercise") if file == shelf_of(lesson)}
    assert shown == set(items), "an exercise on the shelf that nobody sees, or the other way round"
    assert len(items) >= 3 and any(item.repair for item in items.values())


def test_what_a_learner_begins_with_is_on_the_shelf(lesson):
    "The code above `exercise(…).check(…)` is the exercise's `start`, but for white space and remarks."
    items = lesson_exercises(shelf_of(lesson))
    found = [(name, cell["source"]) for cell in lesson if cell["cell_type"] == "code"
             for called, file, name in NAMED.findall(cell["source"]) if name in items and called == "exercise"]
    for name, source in found:
        code = ast.Module(ast.parse(source).body[:-1], [])
        assert ast.dump(code) == ast.dump(ast.parse(items[name].start)), name


def test_exercises_that_are_named_in_the_text_exist(lesson):
    for file, name in re.findall(r'exercise\("(\w+)", "(\w+)"\)', "\n".join(prose(lesson))):
        assert name in lesson_exercises(file), f"{file} has no exercise {name!r}"


def test_code_to_repair_imports_nothing(lesson):
    "Python 3.11 sees another function where an import stands beside it; imports belong into `setup`."
    for name, item in lesson_exercises(shelf_of(lesson)).items():
        found = [node for node in ast.walk(ast.parse(item.start)) if isinstance(node, (ast.Import, ast.ImportFrom))]
        assert not found, name

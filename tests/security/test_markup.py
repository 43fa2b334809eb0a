"A text that looks like markup is shown as the text that it is, wherever the course makes HTML."
import ast
import html.parser
import re

import pytest
import torch
from project import ROOT

from fastcourse import plots
from fastcourse.study.answers import Message, words_html
from fastcourse.study.exercises import Exercise
from fastcourse.study.explore import error_html, explore
from fastcourse.study.quiz import Quiz, parse_questions, question_form, static_html
from fastcourse.study.twins import make_twin, script, twin_html
from fastcourse.text.interpret import draw_confusion

ATTACK = '<img src=x onerror="alert(1)"><script>alert(2)</script>\'"&lt;b&gt;'
ALLOWED = {"div", "p", "b", "span", "pre", "code", "details", "summary", "img", "ol", "ul", "li", "em", "i", "br", "h3",
           "h4", "fieldset", "legend", "label", "form", "table", "tr", "td", "th", "strong"}


class Seen(html.parser.HTMLParser):
    "Tags, attributes and words of a page, as a browser would see them."
    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attributes]

    def handle_data(self, data):
        self.words += data


def assert_harmless(source, shown=ATTACK):
    seen = Seen(source)
    assert not set(seen.tags) - ALLOWED, seen.tags
    assert not [a for a in seen.attributes if a[1].startswith("on") or a[1] in ("srcdoc", "formaction")]
    assert all(value.startswith("data:image/png;base64,") for tag, name, value in seen.attributes if name == "src")
    assert all(not value.lower().startswith("javascript:") for _, name, value in seen.attributes if name == "href")
    alts = " ".join(value for _, name, value in seen.attributes if name in ("alt", "aria-label"))
    assert shown in " ".join(seen.words.split()) + alts, seen.words


def test_the_checker_sees_markup():
    for bad in (ATTACK, '<a href="javascript:x">a</a>', '<div onclick="x">a</div>', '<img src="http://x/y">'):
        with pytest.raises(AssertionError):
            assert_harmless(bad)


def test_words_and_messages():
    for text in (ATTACK, f"`{ATTACK}`", f"```\n{ATTACK}\n```", f"a ` {ATTACK} ``` {ATTACK}"):
        assert_harmless(words_html(text))
        assert_harmless(Message(ATTACK, text, True)._repr_html_())


def exercise():
    return Exercise("lesson", "name", title=ATTACK, task=ATTACK, start="def name(): ...",
                    reference=f"def name(): return {ATTACK!r}", cases=["name()"], hints=[ATTACK],
                    wrong=[dict(source="def name(): return 1", why=ATTACK)])


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTCOURSE_HOME", str(tmp_path))


def widget_texts(widget):
    "HTML of all widgets inside one."
    import ipywidgets
    if isinstance(widget, ipywidgets.HTML):
        yield widget.value
    for inner in getattr(widget, "children", ()):
        yield from widget_texts(inner)


def test_exercises():
    from fastcourse.study.exercises import exercise_card
    task = exercise()
    card = exercise_card(task)
    for button in card.children[1].children:
        button.click()
        for source in filter(None, widget_texts(card)):
            assert_harmless(source, "onerror=")
    for answer in (lambda: ATTACK + "!", lambda: 1, lambda: {}[ATTACK]):
        source = task.check(answer)._repr_html_()
        assert_harmless(source, "onerror=")
    assert_harmless(task._repr_mimebundle_()["text/html"])


QUESTIONS = f"""
[choice]
text = '''{ATTACK}'''
choices = [{{text='''{ATTACK}''', why='''{ATTACK}''', right=true}}, {{text="b", why="c"}}]
[number]
text = '''{ATTACK}'''
answer = 1.0
why = '''{ATTACK}'''
otherwise = '''{ATTACK}'''
"""


def test_questions():
    questions = parse_questions("lesson", QUESTIONS)
    assert_harmless(static_html([*questions.values()]))
    for question, reply in zip(questions.values(), ("a", ATTACK)):
        form = question_form(question)
        for source in [form.text, *form.choices[:1]]:
            assert_harmless(source)
        form._handle_custom_msg({"reply": reply}, [])
        assert_harmless(form.feedback, "onerror=" if reply == "a" else "Write a number")
        assert "<" not in form.state
    assert_harmless(Quiz(questions)._repr_mimebundle_()["text/html"])


def test_controls_figures_and_errors_of_explore():
    @plots.drawing
    def draw(text=ATTACK, label=ATTACK):
        figure = plots.new_figure(title=text)
        figure.set_label(label)
        if text == "wrong":
            raise ValueError(ATTACK)
        return figure

    explorer = explore(draw, text=ATTACK, label=[ATTACK, "b"])
    assert_harmless(explorer.picture.value)
    assert_harmless(explorer._repr_mimebundle_()[0]["text/html"])
    explorer.controls["text"].value = "wrong"
    explorer.redraw()
    assert_harmless(explorer.picture.value)
    assert_harmless(error_html(draw, {"text": ATTACK}, ValueError(ATTACK)))
    for control in explorer.controls.values():  # ipywidgets shows descriptions as text unless it is told otherwise
        assert not getattr(control, "description_allow_html", False)


def test_twins_of_explorers():
    "The piece of a page that moves without a kernel: its words are data, which the script shows as text."
    @plots.drawing
    def draw(text=ATTACK, n=1):
        return plots.new_figure(title=f"{text} {n} {ATTACK}")

    explorer = explore(draw, text=[ATTACK, "</script><b>"], n=(1, 3))
    source = twin_html(make_twin(explorer), ATTACK)
    seen = Seen(source)
    assert seen.tags.count("script") == 2 and "b" not in seen.tags and seen.tags.count("img") == 1
    assert not [a for a in seen.attributes if a[1].startswith("on")]
    assert "</script><b>" not in source and "innerHTML" not in script()
    assert ATTACK in [value for _, name, value in seen.attributes if name == "aria-label"]


def test_figures_of_words():
    "Heat maps of words are pictures; what they say to those who cannot see them is escaped."
    tokens = ["xxbos", ATTACK, "<b>", "$x^2$", "$", "\\frac{"]
    assert_harmless(plots.mimebundle(plots.draw_tokens([tokens], [[0.0] * 6], ATTACK))[0]["text/html"])
    confusion = draw_confusion(torch.tensor([[1, 0], [0, 1]]), [ATTACK, "$x$"], ATTACK)
    assert_harmless(plots.mimebundle(confusion)[0]["text/html"])
    for words in (tokens, ["$", "$"]):
        assert_harmless(plots.mimebundle(plots.draw_text(words, torch.zeros(len(words)), ATTACK))[0]["text/html"])


MAKES_HTML = re.compile(r"HTML\(|text/html|_repr_html_|innerHTML|<(div|img|p|span|form|button|details|ol|pre|table)\b")


def test_every_place_that_makes_html_is_known():
    "Who adds one adds a test above, then its name here."
    found = set()
    for path in (ROOT / "fastcourse").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                if isinstance(node, ast.FunctionDef) and MAKES_HTML.search(ast.unparse(node)):
                    found.add(f"{path.relative_to(ROOT / 'fastcourse').with_suffix('').as_posix()}.{node.name}")
    assert found == KNOWN


KNOWN = {
    "plots.mimebundle", "study/answers.words_html", "study/answers._repr_html_", "study/exercises.exercise_card",
    "study/exercises._repr_mimebundle_", "study/explore.error_html", "study/explore.__init__", "study/explore.redraw",
    "study/quiz.question_form", "study/quiz.static_html", "study/quiz.receive", "study/quiz._repr_mimebundle_",
    "study/twins.twin_html", "study/twins.twin_bundle", "study/twins.html", "study/twins.start_image"}

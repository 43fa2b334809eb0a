"The course's own commands, as a learner meets them: lab, list, check, data, doctor; every mistake is one line."
import json
import os
import re

import pytest
from project import NOTEBOOKS, ROOT

from fastcourse.cli import main
from fastcourse.data import catalog as catalog_module
from fastcourse.data.archives import File, file_hash
from fastcourse.data.catalog import Entry, Form
from fastcourse.study import doctor as doctor_module
from fastcourse.study import own_copy
from fastcourse.study.checks import check_notebook, find_answers, needed_cells, notebook_sources
from fastcourse.study.exercises import lesson_exercises
from fastcourse.study.own_copy import content_digest, find_lesson, hand_out, list_lessons
from fastcourse.study.progress import Progress

LESSONS = list_lessons(ROOT / "nbs")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    "Nobody's own progress, data or lessons; the command is given in an empty folder."
    monkeypatch.setenv("FASTCOURSE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FASTCOURSE_MIRRORS", raising=False)
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    return tmp_path / "home"


@pytest.fixture
def course(tmp_path):
    "A small course."
    (tmp_path / "course" / "nbs").mkdir(parents=True)
    (tmp_path / "course" / "images").mkdir()
    (tmp_path / "course" / "images" / "a.svg").write_text("<svg/>")
    for name in ("00_core", "01_testing", "02_plots", "index"):
        write(tmp_path / "course" / "nbs" / f"{name}.ipynb", f"# {name}", "1 + 1")
    return tmp_path / "course"


def write(path, *sources):
    cells = [dict(cell_type="markdown" if source.startswith("# ") else "code", source=source, metadata={}, outputs=[])
             for source in sources]
    path.write_text(json.dumps(dict(cells=cells, metadata={}, nbformat=4, nbformat_minor=5)), encoding="utf8")


def said(capsys, *words, code=0):
    assert main([*map(str, words)]) == code
    out, err = capsys.readouterr()
    assert not err
    return out


def complaint(capsys, *words):
    assert main([*map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and err.startswith("fastcourse") and "Traceback" not in err
    return err


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("words, expected", [
    (["lab", "file"], "folder must be a folder, got the file"), (["lab", "file/lessons"], "folder must be"),
    (["lab", ROOT], "which holds the course itself"), (["lab", "--lesson", "coer"], "did you mean 'core'?"),
    (["lab", "--port", "many"], "--port"), (["labs"], "No such command 'labs'"),
    (["check"], "Missing argument"), (["check", "coer"], "did you mean 'core'?"), (["check", "core"], "there is no "),
    (["check", "file.ipynb"], "is no notebook"), (["check", "index", "--folder", "nowhere"], "lesson must be one of"),
    (["data"], "Missing command"), (["data", "fetch"], "Missing argument"),
    (["data", "fetch", "imbd"], "did you mean 'imdb'?"), (["data", "verify", "imbd"], "did you mean 'imdb'?"),
    (["data", "mirror"], "Missing argument"), (["data", "mirror", "stick"], "there is no data on this machine"),
    (["data", "mirror", "file", "imdb"], "got the file"), (["list", "all"], "unexpected extra argument"),
])
def test_a_mistake_is_one_line(capsys, tmp_path, words, expected):
    for name in ("file", "file.ipynb"):
        (tmp_path / "desk" / name).write_text("mine")
    assert expected in complaint(capsys, *words)
    assert files_below(tmp_path / "desk") == {"file": b"mine", "file.ipynb": b"mine"}


def test_a_folder_that_cannot_be_written_to(capsys, monkeypatch):
    def closed(*_): raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(own_copy, "write_atomically", closed)
    assert "folder must be one that can be written to" in complaint(capsys, "lab", "mine")


def test_first_copy_has_everything_that_the_lessons_show(capsys, tmp_path):
    assert " new" in said(capsys, "lab", "--only-copy")
    own = tmp_path / "desk" / "fastcourse-lessons"
    assert {path.name for path in (own / "lessons").iterdir()} == {path.name for path in NOTEBOOKS}
    for path in (own / "lessons").iterdir():
        cells = json.loads(path.read_text(encoding="utf8"))["cells"]
        prose = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        prose = re.sub(r"(?s)<!--.*?-->", "", prose)
        links = re.findall(r"\]\((?!\w+:|#)([^)\s#]+)", prose) + re.findall(r'src="(?!\w+:)([^"]+)"', prose)
        assert not [link for link in links if not (path.parent / link).exists()], path.name


def test_the_command_given_in_ones_own_folder_means_this_folder(capsys, tmp_path, monkeypatch):
    said(capsys, "lab", "mine", "--only-copy")
    monkeypatch.chdir(tmp_path / "desk" / "mine")
    assert said(capsys, "lab", "--only-copy") == ".: everything is up to date\n"
    assert "3 open" in said(capsys, "check", "core", code=3)


def test_updates_lose_nothing(course, tmp_path):
    own = tmp_path / "own"
    assert len(hand_out(own, course, "1").new) == 5
    write(own / "lessons" / "00_core.ipynb", "# 00_core", "my answer")
    write(own / "lessons" / "02_plots.ipynb", "# 02_plots", "another answer")
    write(own / "lessons" / "notes.ipynb", "# mine", "a note")
    (own / "images" / "mine.png").write_bytes(b"mine")
    edited = {name: content for name, content in files_below(own).items()
              if name.endswith(("00_core.ipynb", "02_plots.ipynb", "notes.ipynb", "mine.png"))}
    for version in ("2", "3"):
        for name in ("00_core", "01_testing", "index"):
            write(course / "nbs" / f"{name}.ipynb", f"# {name}", f"version {version}")
        (course / "nbs" / "02_plots.ipynb").unlink(missing_ok=True)
        (course / "images" / "a.svg").write_text(f"<svg>{version}</svg>")
        handout = hand_out(own, course, version)
        assert handout.updated == ["lessons/01_testing.ipynb", "lessons/index.ipynb", "images/a.svg"]
        assert handout.beside == {"lessons/00_core.ipynb": f"lessons/00_core-{version}.ipynb"}
        assert handout.left == (["lessons/02_plots.ipynb"] if version == "2" else []) and not handout.removed
        assert files_below(own).items() >= edited.items()
        assert hand_out(own, course, version) == own_copy.Handout([], [], {}, [], [])
    beside = [name for name in files_below(own) if "00_core-" in name]
    assert beside == ["lessons/00_core-3.ipynb"], "the newer copy that nobody wrote in is exchanged"


def test_the_newer_copy_that_somebody_wrote_in_stays(course, tmp_path):
    own = tmp_path / "own"
    hand_out(own, course, "1")
    write(own / "lessons" / "00_core.ipynb", "my answer")
    write(course / "nbs" / "00_core.ipynb", "version 2")
    hand_out(own, course, "2")
    write(own / "lessons" / "00_core-2.ipynb", "version 2", "and more of my own")
    before = files_below(own)
    write(course / "nbs" / "00_core.ipynb", "version 3")
    assert hand_out(own, course, "2").beside == {"lessons/00_core.ipynb": "lessons/00_core-2-2.ipynb"}
    assert {name: content for name, content in files_below(own).items() if name in before and name[0] != "."} == {
        name: content for name, content in before.items() if name[0] != "."}


def test_running_a_lesson_is_no_edit(course, tmp_path):
    own = tmp_path / "own"
    hand_out(own, course, "1")
    path = own / "lessons" / "00_core.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"][1] |= dict(execution_count=7, outputs=[dict(output_type="stream", name="stdout", text="2")])
    notebook["metadata"] = dict(widgets={"a": 1})
    path.write_text(json.dumps(notebook, indent=4))
    write(course / "nbs" / "00_core.ipynb", "version 2")
    assert hand_out(own, course, "2").updated == ["lessons/00_core.ipynb"]


@pytest.mark.parametrize("moment", range(1, 12))
def test_a_crash_at_any_moment_costs_nothing(course, tmp_path, monkeypatch, moment):
    own, write_atomically, left = tmp_path / "own", own_copy.write_atomically, [moment]
    hand_out(own, course, "1")
    write(own / "lessons" / "00_core.ipynb", "my answer")
    mine = (own / "lessons" / "00_core.ipynb").read_bytes()
    for name in ("00_core", "01_testing", "index"):
        write(course / "nbs" / f"{name}.ipynb", "version 2")

    def crash(path, content):
        left[0] -= 1
        if not left[0]: raise KeyboardInterrupt
        write_atomically(path, content)

    monkeypatch.setattr(own_copy, "write_atomically", crash)
    try: hand_out(own, course, "2")
    except KeyboardInterrupt: pass
    monkeypatch.undo()
    hand_out(own, course, "2")
    assert (own / "lessons" / "00_core.ipynb").read_bytes() == mine
    newest = content_digest((course / "nbs" / "00_core.ipynb").read_bytes())
    for name in ("00_core-2", "01_testing", "index"):
        assert content_digest((own / "lessons" / f"{name}.ipynb").read_bytes()) == newest
    assert len(list((own / "lessons").iterdir())) == 5, "no copy is there twice"


@pytest.mark.parametrize("note", ["", "{", "[]", '{"version": 1}', "[" * 100_000,
                                  '{"version": "1", "digests": [], "beside": {}}'])
def test_a_damaged_note_replaces_nothing(course, tmp_path, note):
    own = tmp_path / "own"
    hand_out(own, course, "1")
    (own / ".fastcourse.json").write_text(note)
    write(course / "nbs" / "00_core.ipynb", "version 2")
    before = (own / "lessons" / "00_core.ipynb").read_bytes()
    assert hand_out(own, course, "2").beside
    assert (own / "lessons" / "00_core.ipynb").read_bytes() == before


def test_the_start_page_knows_the_progress(capsys, tmp_path):
    said(capsys, "lab", "mine", "--only-copy")
    page = tmp_path / "desk" / "mine" / "lessons" / "index.ipynb"

    def shown():
        cells = [cell for cell in json.loads(page.read_text(encoding="utf8"))["cells"]
                 if "".join(cell["source"]).startswith("#| progress")]
        return "".join(cells[0]["outputs"][0]["data"]["text/markdown"])

    assert "Begin with [Core](00_core.ipynb)" in shown()
    Progress().record("question/core/two_runs", attempts=1, solved=True)
    assert said(capsys, "lab", "mine", "--only-copy") == "mine: everything is up to date\n"
    assert "You have solved 1 of " in shown() and "Go on with [Core](00_core.ipynb)" in shown()


def test_list_counts_what_is_solved(capsys):
    Progress().record("question/core/two_runs", attempts=1, solved=True)
    lines = said(capsys, "list").splitlines()
    assert len(lines) == len(LESSONS) + 1 and re.match(r"00_core +\d+ min   1 of ", lines[0])
    assert re.search(r", 1 of \d+ solved$", lines[-1])


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.file)
def test_every_lesson_is_found_and_its_answers_too(lesson):
    "By its names; and the check finds each exercise of the lesson's shelf in the notebook."
    assert find_lesson(lesson.file, LESSONS) == find_lesson(lesson.file[3:], LESSONS) == lesson
    if lesson.shelf:
        sources = notebook_sources(ROOT / "nbs" / f"{lesson.file}.ipynb")
        answers = {answer.name: answer for answer in find_answers(sources) if answer.shelf == lesson.shelf}
        assert set(answers) == set(lesson_exercises(lesson.shelf))
        assert all(answer.cell in needed_cells(sources, answer.cell) for answer in answers.values())


CORE = (ROOT / "nbs" / "00_core.ipynb").read_text(encoding="utf8")


def answer_core(path, **answers):
    "The lesson Core with answers in place of its stubs."
    notebook = json.loads(CORE)
    for cell in notebook["cells"]:
        for name, source in answers.items():
            if f'exercise("core", "{name}").check' in (text := "".join(cell["source"])) and cell["cell_type"] == "code":
                cell["source"] = source + "\n\n" + text[text.index("exercise("):]
    path.write_text(json.dumps(notebook), encoding="utf8")


RIGHT = {name: item.reference for name, item in lesson_exercises("core").items()}
WRONG = lesson_exercises("core")["count_parameters"].wrong[2]


@pytest.mark.parametrize("answers, code, expected", [
    ({}, 3, "0 right, 0 wrong, 3 open"), (RIGHT, 0, "3 right, 0 wrong, 0 open"),
    ({"count_parameters": RIGHT["count_parameters"]}, 3, "1 right, 0 wrong, 2 open"),
    ({"count_parameters": WRONG["source"]}, 1, WRONG["why"]),
    ({"count_parameters": "def count_parameters(nested) return 8"}, 1, "no Python yet"),
    ({"count_parameters": "def count_parameters(nested): return unknown"}, 1, "name 'unknown' is not defined"),
    ({"count_parameters": "unknown + 1\ndef count_parameters(nested): return 8"}, 1, "name 'unknown' is not defined"),
    ({"count_parameters": "import os\nos.environ['FASTCOURSE_HOME'] = '/nowhere'\nraise SystemExit"}, 1, "exit()"),
])
def test_check(capsys, home, answers, code, expected):
    answer_core(doctor_module.Path("00_core.ipynb"), **answers)
    assert expected in said(capsys, "check", "00_core.ipynb", code=code)
    solved = {name.split("/")[2] for name, done in Progress().read().items() if done["solved"]}
    assert solved == (set(answers) if code != 1 else set()), "what is judged is kept, as in the notebook"
    assert os.environ["FASTCOURSE_HOME"] == str(home)


def test_check_runs_what_an_answer_needs_and_no_more(tmp_path):
    check = 'from fastcourse.study.exercises import exercise\nexercise("core", "count_parameters").check(f)'
    write(tmp_path / "a.ipynb", "words = []", "words.append(1)", "raise SystemExit", "import torch",
          "def f(nested): return torch.zeros(()).item()", check)
    lesson = find_lesson("core", LESSONS)
    assert check_notebook(tmp_path / "a.ipynb", lesson)["count_parameters"].passed is False
    write(tmp_path / "b.ipynb", "%matplotlib inline", "exec('hidden = 8')", "def f(nested): return hidden * 0\nhidden",
          check)
    message = check_notebook(tmp_path / "b.ipynb", lesson)["count_parameters"]
    assert "NameError" not in message.text, "where a name is missing, everything before is run"


@pytest.fixture
def poem(tmp_path, monkeypatch):
    "A data set of one file, in a mirror."
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "poem.txt").write_text("Roses are red")
    file = File("poem.txt", size=13, sha256=file_hash(tmp_path / "stick" / "poem.txt"))
    entry = Entry("poem", "A poem", (Form("original", (file,)),), licence="public domain")
    for module in (catalog_module, doctor_module):
        monkeypatch.setattr(module, "catalog", lambda: (entry,))
    monkeypatch.setenv("FASTCOURSE_MIRRORS", str(tmp_path / "stick"))
    return tmp_path


def test_data_from_a_mirror_to_a_mirror(capsys, poem, monkeypatch):
    assert re.match(r"poem +0.00 MB +mirror +A poem; licence: public domain", said(capsys, "data", "list"))
    assert "nothing is on this machine" in said(capsys, "data", "verify")
    folder = said(capsys, "data", "fetch", "poem").strip()
    assert " here " in said(capsys, "data", "list") and said(capsys, "data", "verify").startswith("✓ poem")
    monkeypatch.delenv("FASTCOURSE_MIRRORS")
    assert "FASTCOURSE_MIRRORS=class" in said(capsys, "data", "mirror", "class")
    monkeypatch.setenv("FASTCOURSE_MIRRORS", str(poem / "desk" / "class"))
    monkeypatch.setenv("FASTCOURSE_HOME", str(poem / "another machine"))
    other = said(capsys, "data", "fetch", "poem").strip()
    assert other != folder and doctor_module.Path(other, "poem.txt").read_text() == "Roses are red"


def test_damaged_data_are_found_and_not_handed_on(capsys, poem, monkeypatch):
    folder = doctor_module.Path(said(capsys, "data", "fetch", "poem").strip())
    (folder / "poem.txt").write_text("Roses are blue")
    assert "✗ poem: not as it was fetched\n    fastcourse data fetch poem" in said(capsys, "data", "verify", code=1)
    (poem / "stick" / "poem.txt").write_text("Roses are blue")
    assert "poem.txt is not the published file" in complaint(capsys, "data", "mirror", "class", "poem")
    assert not list((poem / "desk" / "class").rglob("poem.txt"))
    (poem / "stick" / "poem.txt").write_text("Roses are red")
    said(capsys, "data", "fetch", "poem")
    assert said(capsys, "data", "verify", "poem").startswith("✓ poem")


def test_doctor_says_what_to_do(capsys, monkeypatch):
    monkeypatch.setattr(doctor_module, "check_jupyter", lambda: [])
    monkeypatch.setattr(doctor_module, "check_versions", lambda: [])
    monkeypatch.setattr(doctor_module, "check_languages", lambda: [])
    assert "✗" not in said(capsys, "doctor")
    monkeypatch.setenv("FASTCOURSE_MIRRORS", "/nowhere/at/all")
    assert "Mend the environment variable FASTCOURSE_MIRRORS" in said(capsys, "doctor", code=1)


def test_doctor_asks_for_all_requirements(monkeypatch):
    from importlib import metadata
    version = metadata.version
    found = {"torch": "1.4", "ipywidgets": None, "jupyterlab": None}

    def fake(name):
        if name not in found: return version(name)
        if found[name] is None: raise metadata.PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(metadata, "version", fake)
    states = {one.what: one.state for one in doctor_module.check_versions()}
    assert states["torch"] == "bad" and states["ipywidgets"] == "bad" and states["jupyterlab"] == "note"


def test_doctor_finds_a_kernel_of_another_python(monkeypatch, tmp_path):
    kernel = tmp_path / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    command = ["/another/bin/python", "-m", "ipykernel"]
    kernel.write_text(json.dumps(dict(argv=command, display_name="another", language="python")))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    states = {one.what: one.state for one in doctor_module.check_jupyter()}
    assert states == {"widgets (jupyterlab_widgets)": "good", "widgets (anywidget)": "good", "kernel": "bad"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}', '{"cells": [{"cell_type": "code"}]}',
                                     "[" * 100_000])
def test_damaged_notebooks_of_ones_own_stop_nothing(capsys, tmp_path, content):
    said(capsys, "lab", "mine", "--only-copy")
    lessons = tmp_path / "desk" / "mine" / "lessons"
    (lessons / "99_mine.ipynb").write_text(content)
    (lessons / "98_without_words.ipynb").write_text('{"cells": []}')
    (lessons / "00_core.ipynb").write_text(content)
    said(capsys, "lab", "mine", "--only-copy")
    assert said(capsys, "lab", "mine", "--only-copy") == "mine: everything is up to date\n"
    assert "Nothing is solved yet" in (lessons / "index.ipynb").read_text(encoding="utf8")
    assert "notebook" in complaint(capsys, "check", "core", "--folder", "mine")
    assert "notebook" in complaint(capsys, "check", "mine/lessons/99_mine.ipynb")
    assert (lessons / "99_mine.ipynb").read_text() == (lessons / "00_core.ipynb").read_text() == content

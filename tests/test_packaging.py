"The distributions build, and the wheel works where there is nothing but torch and numpy."
import json
import os
import re
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from project import ROOT, modules, settings

from fastcourse.study.exercises import lesson_exercises


def call(*command, **kwargs):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    "The folder of the sdist and of the wheel that is built from the sdist, as a package index would get them."
    out = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT)
    return out


def needed_by(*names):
    "The installed distributions that `names` need, themselves included."
    found, waiting = {}, [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if applies and requirement.name not in found:
            found[requirement.name] = distribution(requirement.name)
            waiting += map(Requirement, found[requirement.name].requires or [])
    return found.values()


def link(path, target):
    "Make `path` a symbolic link to `target`. Windows may refuse that."
    try:
        path.symlink_to(target, target_is_directory=target.is_dir())
    except OSError as error:
        if os.name != "nt":
            raise
        pytest.skip(f"THE WHEEL IS NOT TRIED: symbolic links need Windows' developer mode ({error})")


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory, distributions):
    "The interpreter of an environment that holds fastcourse, torch and numpy with their needs, and nothing else."
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for installed in needed_by("torch", "numpy"):
        for top in {path.parts[0] for path in installed.files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                link(site / top, Path(installed.locate_file(top)))
    wheel = next(distributions.glob("*.whl"))
    call(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    return python


def test_sdist_is_complete(distributions):
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"settings.ini", "setup.py", "pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md"} <= inside


IMPORT_ALL = """
import json
from importlib import import_module
found = {}
for name in [*names, "no_such_module"]:
    try: found[name] = import_module(name).__file__
    except ImportError as error: found[name] = str(error)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def imported(bare_python, tmp_path_factory):
    "Module -> its file, or what was missing."
    code = f"names = {modules()}" + IMPORT_ALL
    return json.loads(call(bare_python, "-c", code, cwd=tmp_path_factory.mktemp("elsewhere")))


@pytest.mark.parametrize("name", modules())
def test_module_imports_with_torch_and_numpy_alone(name, bare_python, imported):
    assert str(bare_python.parents[1]) in imported[name]


def test_a_missing_module_is_seen(imported):
    assert imported["no_such_module"] == "No module named 'no_such_module'"


def test_wheel_brings_exercises_and_questions(bare_python, tmp_path):
    code = ("from fastcourse.study import exercises, quiz\n"
            "print(len(exercises.lesson_exercises('core')) >= 3, len(quiz.lesson_questions('core')) >= 3)")
    assert call(bare_python, "-c", code, cwd=tmp_path).split() == ["True", "True"]


@pytest.mark.parametrize("name", ["docstrings", "docstrings_backwards"])
def test_wheel_brings_the_pretrained_model(bare_python, tmp_path, name):
    code = ("from importlib.resources import files\n"
            f"folder = files('fastcourse') / 'pretrained' / '{name}'\n"
            "print(*sorted(path.name for path in folder.iterdir()))")
    names = call(bare_python, "-c", code, cwd=tmp_path).split()
    assert names == ["README.md", "config.json", "vocab.json", "weights.safetensors"]


def test_wheel_brings_the_command(bare_python, tmp_path):
    "Where typer is missing, it says so in a line."
    command = bare_python.with_name("fastcourse.exe" if os.name == "nt" else "fastcourse")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and "pip install typer" in done.stderr and "Traceback" not in done.stderr


def test_environment_is_bare(bare_python, tmp_path):
    others = ("matplotlib", "ipywidgets", "tqdm", "IPython")
    code = f"from importlib.util import find_spec; print([name for name in {others} if find_spec(name)])"
    assert call(bare_python, "-c", code, cwd=tmp_path).strip() == "[]"


def test_tested_versions_are_within_the_stated_ranges():
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    for key in ("requirements", "lab_requirements", "scale_requirements", "subword_requirements",
                "parquet_requirements", "hub_requirements", "site_requirements", "dev_requirements"):
        for requirement in map(Requirement, settings()[key].split()):
            assert requirement.specifier.contains(pins[requirement.name]), requirement


# A learner with nothing but the wheel: first start, an answer, an upgrade to a wheel with changed lessons.

def newer_wheel(wheel, folder):
    "The same wheel as version 9.9.9: one lesson is changed, one is changed that the learner edits, one is renamed."
    path = folder / wheel.name.replace("0.1.0", "9.9.9")
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith(("nbs/00_core.ipynb", "nbs/01_testing.ipynb")):
                content = content.replace(b'"# ', b'"# New: ', 1)
            if name.endswith(("METADATA", "fastcourse/__init__.py", "RECORD")):
                content = content.replace(b"0.1.0", b"9.9.9")
            new.writestr(name.replace("0.1.0", "9.9.9").replace("02_plots.ipynb", "02_figures.ipynb"), content)
    return path


class Learner:
    "Somebody in an empty folder, with a wheel; torch and the others come from this environment."
    def __init__(self, folder):
        self.folder, self.site = folder, folder / "site"
        own = {"PYTHONPATH": self.site, "FASTCOURSE_HOME": folder / "home", "IPYTHONDIR": folder / "ipython"}
        own |= {f"JUPYTER_{name}_DIR": folder / name for name in ("CONFIG", "DATA", "RUNTIME")}
        self.environment = os.environ | {name: str(value) for name, value in own.items()} | {"OMP_NUM_THREADS": "1"}
        (folder / "desk").mkdir()

    def install(self, wheel):
        target = ["--upgrade", "--no-compile", "--target", self.site]
        call(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", *target, wheel)

    def start(self, *words):
        command = [sys.executable, "-m", "fastcourse.cli", *map(str, words)]
        return subprocess.Popen(command, cwd=self.folder / "desk", env=self.environment, text=True, encoding="utf8",
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def say(self, *words, code=0):
        process = self.start(*words)
        said = process.communicate(timeout=120)[0]
        assert process.returncode == code, said
        return said

    def lessons(self):
        return {path.name: path.read_bytes() for path in (self.folder / "desk/fastcourse-lessons/lessons").iterdir()}


@pytest.fixture(scope="module")
def learner(distributions, tmp_path_factory):
    learner = Learner(tmp_path_factory.mktemp("learner"))
    learner.install(next(distributions.glob("*.whl")))
    return learner


def answer(path, name, source):
    "Write an answer over a stub of the lesson Core."
    notebook = json.loads(path.read_text(encoding="utf8"))
    for cell in notebook["cells"]:
        if (text := "".join(cell["source"])).startswith(f"def {name}"):
            cell["source"] = source + "\n\n" + text[text.index("exercise("):]
    path.write_text(json.dumps(notebook), encoding="utf8")


def test_wheel_has_all_lessons_and_pictures(learner):
    inside = {path.name for path in (learner.site / "fastcourse/lessons").rglob("*") if path.is_file()}
    assert {path.name for folder in ("nbs", "images") for path in (ROOT / folder).iterdir() if path.is_file()} <= inside
    assert not (ROOT / "fastcourse" / "lessons").exists(), "no copy in the project"


def test_learner_with_the_wheel_loses_nothing(learner, distributions, tmp_path):
    assert " new" in learner.say("lab", "--only-copy")
    own = learner.folder / "desk/fastcourse-lessons/lessons"
    answer(own / "00_core.ipynb", "count_parameters", "def count_parameters(nested): return len(nested)")
    assert "✗ Exercise: Count the parameters" in learner.say("check", "core", code=1)
    answer(own / "00_core.ipynb", "count_parameters", lesson_exercises("core")["count_parameters"].reference)
    assert "1 right, 0 wrong, 2 open" in learner.say("check", "core", code=3)
    (own / "notes.ipynb").write_text("mine")
    before = learner.lessons()

    learner.install(newer_wheel(next(distributions.glob("*.whl")), tmp_path))
    assert learner.say("--version") == "fastcourse 9.9.9\n"
    said, after = learner.say("lab", "--only-copy"), learner.lessons()
    assert "00_core.ipynb is yours and stays; the newer one is lessons/00_core-9.9.9.ipynb" in said
    assert after["00_core.ipynb"] == before["00_core.ipynb"] and after["notes.ipynb"] == b"mine"
    assert b"# New: " in after["00_core-9.9.9.ipynb"] and b"# New: " in after["01_testing.ipynb"]
    assert "02_figures.ipynb" in after and "02_plots.ipynb" not in after, "nobody has edited it"
    assert "00_core " in (listed := learner.say("list")) and "  1 of " in listed.splitlines()[0]


def test_learner_gets_jupyterlab_on_this_machine_with_a_token(learner):
    process = learner.start("lab", "--no-browser", "--port", 0)
    try:
        said, end = "", time.monotonic() + 90
        while "?token=" not in said and time.monotonic() < end and process.poll() is None:
            said += process.stdout.readline()
        address = re.search(r"http://(127\.0\.0\.1|localhost):\d+/lab/tree/lessons/index\.ipynb\?token=\w+", said)
        assert address, said
        with urllib.request.urlopen(address[0], timeout=60) as page:
            assert page.status == 200
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(re.sub(r"/lab/.*", "/api/contents/lessons/index.ipynb", address[0]), timeout=60)
        contents = re.sub(r"/lab/tree/(\S+)\?", r"/api/contents/\1?", address[0])
        with urllib.request.urlopen(contents, timeout=60) as answer:
            assert json.load(answer)["name"] == "index.ipynb"
    finally:
        process.terminate()
        process.communicate(timeout=60)

"The distributions build, and the wheel works where there is nothing but torch and numpy."
import json
import os
import subprocess
import sys
import tarfile
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from project import ROOT, modules, settings


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


def test_wheel_brings_the_pretrained_model(bare_python, tmp_path):
    code = ("from importlib.resources import files\n"
            "folder = files('fastcourse') / 'pretrained' / 'docstrings'\n"
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

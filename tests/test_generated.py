"What is generated agrees with its source: the package, the stored form of notebooks, README.md. Nothing is rewritten."
import re
import shutil
import subprocess
import sys

import pytest
from clean_notebooks import cleaned
from make_readme import readme
from project import NOTEBOOKS, ROOT, read_notebook


def test_package_is_exported(tmp_path):
    shutil.copy(ROOT / "settings.ini", tmp_path)
    shutil.copytree(ROOT / "nbs", tmp_path / "nbs")
    export = [sys.executable, "-c", "from nbdev.doclinks import nbdev_export; nbdev_export()"]
    done = subprocess.run(export, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    fresh, stored = ({path.relative_to(folder): path.read_text(encoding="utf8") for path in folder.rglob("*.py")}
                     for folder in (tmp_path / "fastcourse", ROOT / "fastcourse"))
    assert stored == fresh, "run `make export`"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_clean(path):
    assert path.read_bytes().decode("utf8") == cleaned(path.read_text(encoding="utf8")), "run `make clean-notebooks`"


def test_readme_is_generated():
    assert (ROOT / "README.md").read_text(encoding="utf8") == readme(), "run `make readme`"


def relative_links(markdown):
    return re.findall(r"\]\((?!\w+:|#)([^)\s#]+)", markdown)


def test_links_of_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf8")
    missing = [link for link in relative_links(text) if not (ROOT / link).exists()]
    assert relative_links(text) and not missing


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_of_the_notebook(path):
    prose = "".join(cell["source"] for cell in read_notebook(path)["cells"] if cell["cell_type"] == "markdown")
    assert not [link for link in relative_links(prose) if not (path.parent / link).exists()]

"What several modules of tests need."
import shutil

import pytest
from project import ROOT


@pytest.fixture(scope="module")
def project_copy(tmp_path_factory):
    "What lessons read and write, for one module of tests; the package that they import is the installed one."
    copy = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "settings.ini", copy)
    for folder in ("nbs", "images"):
        shutil.copytree(ROOT / folder, copy / folder)
    return copy

"What several modules of tests need."
import shutil

import pytest
from project import ROOT
from xdist.scheduler import LoadScopeScheduling


class Groups(LoadScopeScheduling):
    "What runs in one process: the tests of one notebook, which share its runs; those of the browser; those of a file."
    def _split_scope(self, nodeid):
        file, _, test = nodeid.partition("::")
        if "browser" in file:
            return "browser"
        return test.partition("[")[2] if file.endswith("test_notebooks.py") else file


def pytest_xdist_make_scheduler(config, log):
    return Groups(config, log)


@pytest.fixture(scope="module")
def project_copy(tmp_path_factory):
    "What lessons read and write, for one module of tests; the package that they import is the installed one."
    copy = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "settings.ini", copy)
    for folder in ("nbs", "images"):
        shutil.copytree(ROOT / folder, copy / folder)
    return copy

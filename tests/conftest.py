"What several modules of tests need."
import re
import shutil

import pytest
from project import ROOT
from xdist.scheduler import LoadScopeScheduling

COMPARES = "test_second_run_says_the_same"


class Groups(LoadScopeScheduling):
    """What runs in one process: the tests of one notebook, which share its run; those of a file.

    The browser's tests are two groups, which share a server each: lessons with an even number, and the others.
    """
    def _split_scope(self, nodeid):
        file, _, test = nodeid.partition("::")
        if "browser" in file:
            return f"browser {re.search(r'[02468]_', test.partition('[')[2]) is not None}"
        if test.startswith(COMPARES):
            return test
        return test.partition("[")[2] if file.endswith("test_notebooks.py") else file


def pytest_xdist_make_scheduler(config, log):
    return Groups(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    "What compares two runs comes last: by then both are likely to be there."
    items.sort(key=lambda item: item.name.startswith(COMPARES))


@pytest.fixture(scope="session")
def runs_folder(tmp_path_factory, worker_id):
    "For what the notebooks said, for all processes of these tests."
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "runs"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def project_copy(tmp_path_factory):
    "What lessons read and write, for one module of tests; the package that they import is the installed one."
    copy = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "settings.ini", copy)
    for folder in ("nbs", "images"):
        shutil.copytree(ROOT / folder, copy / folder)
    return copy

"The browser, and a JupyterLab on a copy of the lessons."
import os
import shutil
import sys

import pytest
from lab import Lesson, lab_server
from playwright.sync_api import Error, sync_playwright

NAMES = ("google-chrome", "google-chrome-stable", "chromium", "chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]


def launch(playwright):
    "The browser on the path, else the Chrome that playwright finds where systems install it."
    if path := next(filter(None, map(shutil.which, NAMES)), None):
        return playwright.chromium.launch(executable_path=path, args=FLAGS)
    try:
        return playwright.chromium.launch(channel="chrome", args=FLAGS)
    except Error:
        message = "BROWSER TESTS NOT RUN: no Chrome or Chromium was found; install one"
        if os.environ.get("FASTCOURSE_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(scope="package")
def browser():
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def lab_address(project_copy, server_folder):
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0", "--LabApp.expose_app_in_browser=True",
               f"--ServerApp.root_dir={project_copy}"]
    with lab_server(command, server_folder) as address:
        yield address


@pytest.fixture(scope="module")
def open_lesson(browser, lab_address):
    "Open the lesson of a name in a page of its own."
    pages = []

    def open_one(name):
        pages.append(browser.new_page(viewport={"width": 1280, "height": 900}))
        return Lesson(pages[-1], lab_address, name)

    yield open_one
    for page in pages:
        page.close()

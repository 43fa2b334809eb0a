"A JupyterLab server, and a lesson that is open in it, for tests."
import hashlib
import os
import re
import subprocess
import time
import urllib.request
from contextlib import contextmanager

from playwright.sync_api import expect
from project import ROOT, num_widgets

SCREENSHOTS = ROOT / "artefacts" / "browser"
expect.set_options(timeout=60_000)  # another test may be busy beside the browser
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S*\?token=\w+")
CONTROLS = ".noUi-handle, input[type=checkbox], input[type=text], select"
MESSAGES = ".jp-RenderedText[data-mime-type$='error'], .jp-RenderedText[data-mime-type$='stderr'], .fastcourse-error"
KEYS = {"checkbox": "Space", "text": "1", "select-one": "ArrowDown"}  # "1": a text may have to be a number


def printed_address(process, log, timeout_seconds):
    "The address that the server writes to the file `log`."
    deadline = time.monotonic() + timeout_seconds
    while not (found := ADDRESS.search(log.read_text(encoding="utf8"))):
        assert process.poll() is None and time.monotonic() < deadline, log.read_text(encoding="utf8")
        time.sleep(0.2)
    return found[0]


@contextmanager
def lab_server(command, folder, timeout_seconds=90):
    """The address of the JupyterLab that `command` starts, once it answers.

    Its settings, its log and the learner's progress (`home`) are in `folder`: nobody's own are read or written.
    """
    own = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {f"JUPYTERLAB_{name}_DIR": str(folder / name) for name in ("WORKSPACES", "SETTINGS")}
    own |= {"OMP_NUM_THREADS": "1"}  # the browser needs a core, and torch's threads wait for each other by spinning
    own |= {"IPYTHONDIR": str(folder / "ipython"), "JUPYTER_CONFIG_PATH": str(ROOT / "jupyter")}
    own |= {"FASTCOURSE_HOME": str(folder / "home")}
    log = folder / "server.log"
    with open(log, "w", encoding="utf8") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | own, stdout=output, stderr=output)
    try:
        address = printed_address(process, log, timeout_seconds)
        with urllib.request.urlopen(address, timeout=timeout_seconds) as answer:
            assert answer.status == 200
        yield address
    finally:
        process.terminate()
        process.wait(timeout_seconds)


class Lesson:
    "A notebook, open in a page of the browser."

    def __init__(self, page, address, name):
        self.page, self.name = page, name
        self.complaints = []  # of the page: errors on its console, addresses outside this machine
        page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: "//127.0.0.1:" in request.url or self.request_outside(request.url))
        page.goto(address.replace("index.ipynb", f"{name}.ipynb") + "&reset")  # without the tabs of the page before
        page.locator(".jp-NotebookPanel:visible").wait_for(timeout=60_000)

    def request_outside(self, url):
        if not url.startswith(("data:", "blob:")):
            self.complaints.append(url)

    def run_all(self, timeout_seconds=300):
        "Run all cells; False where one fails."
        return self.page.evaluate("""async seconds => {
            await jupyterapp.restored;
            await jupyterapp.shell.currentWidget.sessionContext.ready;
            const late = new Promise((_, reject) => setTimeout(reject, seconds * 1000, new Error("cells still run")));
            return Promise.race([jupyterapp.commands.execute("notebook:run-all-cells"), late]);
        }""", timeout_seconds)

    def messages(self):
        "Errors and warnings that can be read in the notebook, in cells and in widgets."
        return self.page.locator(MESSAGES).all_text_contents()

    def save(self):
        self.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")

    def screenshot(self, moment):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.locator(".jp-NotebookPanel:visible").screenshot(path=SCREENSHOTS / f"{self.name}-{moment}.png")

    def explorers(self):
        "The widgets of the lesson, as many as its cells show, each scrolled into view when its turn comes."
        found = self.page.locator(".fastcourse-explorer")
        expect(found, f"each explore(…) of {self.name} shows a widget").to_have_count(num_widgets(self.name))
        for explorer in found.all():
            # JupyterLab does not lay out distant cells; only its own scrolling brings them back. The cell before,
            # which introduces the widget, comes to the top: for the screenshots.
            explorer.evaluate("""async element => {
                const notebook = jupyterapp.shell.currentWidget.content;
                const index = notebook.widgets.findIndex(cell => cell.node.contains(element));
                await notebook.scrollToItem(index, "center");
                notebook.widgets[index - 1].node.scrollIntoView();
            }""")
            expect(explorer, f"a widget of {self.name} cannot be seen").to_be_visible()
            yield explorer

    def is_busy(self):
        session = "jupyterapp.shell.currentWidget.sessionContext.session"
        return self.page.evaluate(f"() => {session}.kernel.status !== 'idle'")

    def settled(self, picture, unlike=None, timeout_seconds=30):
        """Digest of `picture` once it is no longer `unlike` and stands still beside an idle kernel.

        A drag asks for many redraws, and on a busy machine some time passes between two of them.
        """
        deadline, before = time.monotonic() + timeout_seconds, None
        while time.monotonic() < deadline:
            now = digest(picture)
            if now == before and now != unlike and not self.is_busy():
                break
            before = now
            self.page.wait_for_timeout(400)
        return before

    def drag(self, handle):
        "Drag the handle of a slider with the mouse, from its half of the slider into the other."
        track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-base')]").bounding_box()
        box = handle.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        share = 0.75 if x < track["x"] + track["width"] / 2 else 0.25
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(track["x"] + share * track["width"], y, steps=8)
        self.page.mouse.up()


def digest(picture):
    return hashlib.sha256(picture.get_attribute("src").encode()).hexdigest()[:12]


def key_that_moves(control):
    "The key that changes a control; a menu at its last choice can only go up, a slider at its end only down."
    kind = kind_of(control)
    if kind == "slider":
        is_at_end = control.get_attribute("aria-valuenow") == control.get_attribute("aria-valuemax")
        return "ArrowLeft" if is_at_end else "ArrowRight"
    is_at_end = control.evaluate("element => element.length > 1 && element.selectedIndex === element.length - 1")
    return "ArrowUp" if is_at_end else KEYS[kind]


def kind_of(control):
    return control.evaluate("element => element.type || element.getAttribute('role')")

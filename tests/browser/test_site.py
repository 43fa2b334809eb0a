"""The course's site in a browser, without a kernel.

A small site is built here, of three lessons and with few pictures; `make test-site` sets FASTCOURSE_SITE to the folder
of the whole one, which `make site` has built.
"""
import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from lab import SCREENSHOTS
from playwright.sync_api import expect
from project import ROOT

from fastcourse.plots import drawing, new_figure
from fastcourse.study.explore import explore
from fastcourse.study.twins import make_twin, twin_html

pytest.importorskip("myst_nb", reason="the extra `site` is not installed")

GIVEN = os.environ.get("FASTCOURSE_SITE")
SMALL = ["00_core", "03_explore", "20_events"]
ADDRESS = "https://github.com/someone/fastcourse"
MAX_PAGE = 3_000_000
# What the picture has to be, from the places of the dials and the page's own data.
PLACE = "input.type === 'checkbox' ? +input.checked : input.type === 'range' ? +input.value : input.selectedIndex"
WANTED = """twin => {
    const data = JSON.parse(twin.querySelector("script").textContent);
    const dials = data.dials.filter(dial => dial.kind !== "fixed");
    const at = [...twin.querySelectorAll("input, select")].map(input => PLACE);
    return data.pictures[data.frames[at.reduce((sum, place, i) => sum * dials[i].labels.length + place, 0)]][2];
}""".replace("PLACE", PLACE)
RESTORE = """(input, start) => {
    const field = { checkbox: "checked", range: "value" }[input.type] ?? "selectedIndex";
    input[field] = start;
    input.dispatchEvent(new Event("input", { bubbles: true }));
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    "Folder of the site."
    if GIVEN:
        return Path(GIVEN).resolve()
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, ROOT / "site" / "make_site.py", "--lessons", *SMALL, "--frames", "8",
               "--work", folder / "work", "--output", folder / "html"]
    environment = os.environ | {"FASTCOURSE_GIT_URL": ADDRESS, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        "Say nothing."


@pytest.fixture(scope="module")
def address(site):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Page:
    "A page of the site, open in the browser."

    def __init__(self, browser, address, name, **options):
        self.page, self.name, self.complaints = browser.new_page(**options), name, []
        self.page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        own = (f"{address}/", "data:", "blob:")
        self.page.on("request", lambda request: request.url.startswith(own) or self.complaints.append(request.url))
        self.page.goto(f"{address}/{name}.html")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.page.close()

    def screenshot(self, moment):
        folder = SCREENSHOTS.parent / "site"
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=folder / f"{self.name.replace('/', '-')}-{moment}.png")


@pytest.fixture
def open_page(browser, address):
    return functools.partial(Page, browser, address)


@pytest.fixture(scope="module")
def names(site):
    "All pages."
    return sorted(path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")
                  if "_static" not in path.parts)


@pytest.fixture(scope="module")
def with_twins(site, names):
    found = [name for name in names if '<div class="fastcourse-twin"' in (site / f"{name}.html").read_text("utf8")]
    assert {"03_explore", "gallery"} <= set(found)
    return found


def picture_after(twin, before):
    "Wait until the twin shows another picture than `before`, the right one."
    image = twin.locator("img")
    expect(image).not_to_have_attribute("src", before)
    assert image.get_attribute("alt") == twin.evaluate(WANTED)
    return image.get_attribute("src")


def move(page, twin, control):
    "Move a control with the mouse, then with the keyboard; the picture follows both."
    start, kind = control.evaluate(f"input => {PLACE}"), control.evaluate("input => input.type")
    control.scroll_into_view_if_needed()
    before, box = twin.locator("img").get_attribute("src"), control.bounding_box()
    if kind == "range":
        is_left = start < int(control.get_attribute("max")) / 2
        page.mouse.click(box["x"] + box["width"] * (0.98 if is_left else 0.02), box["y"] + box["height"] / 2)
        before = picture_after(twin, before)
        control.evaluate(RESTORE, start)
        before = picture_after(twin, before)
        control.press("ArrowRight" if is_left else "ArrowLeft")
    elif kind == "checkbox":
        control.click()
        before = picture_after(twin, before)
        control.press("Space")
    else:
        control.focus()
        control.press("ArrowUp" if control.evaluate("menu => menu.selectedIndex === menu.length - 1") else "ArrowDown")
    after = picture_after(twin, before)
    if control.evaluate(f"input => {PLACE}") != start:
        control.evaluate(RESTORE, start)
        picture_after(twin, after)


def test_every_twin_moves_with_mouse_and_keyboard(open_page, with_twins):
    moved = 0
    for name in with_twins:
        with open_page(name) as opened:
            for twin in opened.page.locator(".fastcourse-twin").all():
                first = twin.locator("img").get_attribute("alt")
                assert first == twin.evaluate(WANTED)
                for control in twin.locator("input, select").all():
                    expect(control).to_be_enabled()
                    move(opened.page, twin, control)
                    moved += 1
            opened.page.locator(".fastcourse-twin").first.scroll_into_view_if_needed()
            opened.screenshot("moved")
            assert opened.complaints == [], name
    assert moved >= 4


@drawing
def draw_all(n=2, p=0.25, kind="cosine", shown=True, text="<b>"):
    return new_figure(3, 1 + n / 9, f"n {n}, p {p}, {kind}, {shown}, {text}")


def test_a_twin_of_every_kind_of_control_moves(browser, tmp_path):
    "In a page of its own: sizes of pictures differ, and texts are escaped."
    kinds = ["cosine", "linear", "</script>"]
    explorer = explore(draw_all, n=(1, 3), p=(0.0, 0.5, 0.25), kind=kinds, shown=True, text="<b>")
    page = f"<!doctype html><html lang=en><title>Twin</title><main>{twin_html(make_twin(explorer), 'all')}</main>"
    (tmp_path / "twin.html").write_text(page, encoding="utf8")
    with Page(browser, tmp_path.as_uri(), "twin") as opened:
        twin = opened.page.locator(".fastcourse-twin")
        for control in twin.locator("input, select").all():
            move(opened.page, twin, control)
        menu = twin.get_by_label("kind")
        menu.select_option("</script>")
        expect(twin.locator("img")).to_have_attribute("alt", "n 2, p 0.25, </script>, True, <b>")
        slider = twin.get_by_role("slider").first
        expect(slider).to_have_attribute("aria-valuetext", "2")
        slider.press("End")
        expect(slider).to_have_attribute("aria-valuetext", "3")
        assert twin.locator("input, select").count() == 4 and opened.complaints == []
        found = Axe().run(opened.page, context=".fastcourse-twin")
        assert not found.violations_count, found.generate_report()


def test_a_twin_without_javascript_is_its_first_picture(open_page):
    with open_page("03_explore", java_script_enabled=False) as opened:
        twin = opened.page.locator(".fastcourse-twin").first
        expect(twin.locator("input").first).to_be_disabled()
        assert twin.locator("img").get_attribute("alt").startswith("Waves added: 3")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible(open_page, theme):
    "axe finds nothing serious or critical on the start page, three lessons and the gallery."
    for name in ("index", "gallery", *SMALL):
        with open_page(name, color_scheme=theme) as opened:
            opened.screenshot(theme)
            assert opened.complaints == [], name  # before axe, which fetches style sheets from places of its own
            violations = Axe().run(opened.page).response["violations"]
            grave = [(v["id"], v["help"], [node["target"] for node in v["nodes"]][:5]) for v in violations
                     if v["impact"] in ("serious", "critical")]
            assert grave == [], name


def test_no_page_asks_another_host(open_page, names):
    for name in ("index", "genindex", "glossary", "results", "api/fastcourse.core", "benchmarks/README"):
        assert name in names
        with open_page(name) as opened:
            opened.page.wait_for_load_state("networkidle")
            assert opened.complaints == [], name


def test_search_finds_a_lesson_and_a_function(open_page):
    with open_page("search") as opened:
        opened.page.goto(opened.page.url + "?q=throttle")
        expect(opened.page.locator(".search li").first).to_contain_text("hrottle")
        opened.screenshot("search")
        assert opened.complaints == []


def test_pages_are_light_and_none_is_internal(site, names):
    for name in names:
        assert (site / f"{name}.html").stat().st_size <= MAX_PAGE, name
    assert not [name for name in names if "site/" in name or name.startswith(("test", "artefacts"))]


def test_links_between_pages_lead_somewhere(site, names):
    for name in names:
        page = site / f"{name}.html"
        for link in re.findall(r'<a [^>]*?href="(?!\w+:|#)([^"#?]+)', page.read_text("utf8")):
            assert (page.parent / link).exists(), f"{name} links to {link}"


@pytest.mark.skipif(bool(GIVEN), reason="the whole site has the address of settings.ini")
def test_lessons_open_elsewhere(site, open_page):
    with open_page("03_explore") as opened:
        colab = opened.page.get_by_role("link", name="Open in Colab").get_attribute("href")
        assert colab == "https://colab.research.google.com/github/someone/fastcourse/blob/gh-pages/open/03_explore.ipynb"
        binder = opened.page.get_by_role("link", name="Open in Binder").get_attribute("href")
        assert binder == "https://mybinder.org/v2/gh/someone/fastcourse/gh-pages?urlpath=lab/tree/open/03_explore.ipynb"
    assert f"fastcourse @ git+{ADDRESS}" in (site / "open" / "03_explore.ipynb").read_text("utf8")

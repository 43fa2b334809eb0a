"Sphinx's settings for the course's site. `make_site.py` writes the pages and calls Sphinx; no page asks another host."
import os
from configparser import ConfigParser
from pathlib import Path

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

HERE = Path(__file__).resolve().parent
config = ConfigParser()
config.read(HERE.parent / "settings.ini", encoding="utf8")
settings = config["DEFAULT"]
git_url = os.environ.get("FASTCOURSE_GIT_URL", settings["git_url"])

project, author, copyright = settings["title"], settings["author"], settings["copyright"]
release = settings["version"]
extensions = ["myst_nb"]
nb_execution_mode = "off"  # the pages come with their outputs
nb_output_stderr = "show"
myst_enable_extensions = ["dollarmath", "fieldlist", "deflist"]
myst_heading_anchors = 4

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_favicon = str(HERE / "static" / "icon.svg")
html_context = {"default_mode": "auto"}
html_math_renderer = "mathml"
add_module_names = False
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    "use_download_button": False, "show_navbar_depth": 1, "show_toc_level": 2, "navigation_with_keys": False,
    "pygments_light_style": "a11y-high-contrast-light", "pygments_dark_style": "a11y-high-contrast-dark",
    "content_footer_items": [], "logo": {"text": project}}
if git_url:
    html_theme_options |= {"repository_url": git_url, "use_repository_button": True}


def as_mathml(self, node):
    "Formulas are drawn by the browser; nothing is fetched for them."
    self.body.append(tex2mathml(node.astext(), as_block=node.tagname == "math_block"))
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", inline_renderers=(as_mathml, None), block_renderers=(as_mathml, None))

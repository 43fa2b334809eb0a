"Pages of the site that are made by code: the reference, the results, the gallery, the line under a lesson's title."
import importlib
import inspect
import json
import posixpath
import re
from dataclasses import is_dataclass
from html import escape
from pathlib import Path

from fastcore.docments import docments

from fastcourse.study.twins import read_twin, thinned, twin_html

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)")
SOURCE = re.compile(r'((?:src|href)=")(?!\w+:|#|/)([^"#]+)')


def site_path(path):
    "Where the project's file `path`, such as nbs/00_core.ipynb, lies in the site's source."
    return path.removeprefix("nbs/")


def relinked(text, folder, pages, git_url):
    """Markdown from a file in the project's `folder`, whose links lead to pages of the site, or else to the repository.

    `pages` are files of the project that are in the site. A link that leads nowhere becomes plain words.
    """
    def target(link, anchor=""):
        path = posixpath.normpath(posixpath.join(folder, link))
        if path in pages or path.startswith("images/"):
            return posixpath.relpath(site_path(path), folder.removeprefix("nbs") or ".") + anchor
        return f"{git_url}/blob/main/{path}" if git_url else None

    def replaced(found):
        to = target(found[3], found[4] or "")
        return f"{found[1]}[{found[2]}]({to})" if to else found[2]

    return SOURCE.sub(lambda found: found[1] + (target(found[2]) or found[2]), LINK.sub(replaced, text))


def escaped(text):
    "Plain words with `code` as Markdown: what is not code shows as it is."
    parts = re.split(r"(`[^`]*`)", " ".join(str(text).split()))
    return "".join(part if part.startswith("`") else re.sub(r"([\\*_<>\[\]${}|~#])", r"\\\1", part) for part in parts)


def type_words(annotation):
    if annotation is inspect.Parameter.empty or annotation is None:
        return ""
    return annotation if isinstance(annotation, str) else (
        annotation.__name__ if inspect.isclass(annotation) and not hasattr(annotation, "__args__")
        else re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", str(annotation)))


def default_words(value):
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    words = repr(value)
    return words if " at 0x" not in words and len(words) < 60 else "…"


def arguments(function):
    "The signature without annotations: they are with the descriptions."
    parts, star = [], False
    parameters = list(inspect.signature(function).parameters.values())
    for i, p in enumerate(parameters):
        if p.kind is p.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        star = star or p.kind is p.VAR_POSITIONAL
        sign = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        parts.append(sign + p.name + ("" if p.default is p.empty else f"={default_words(p.default)}"))
        is_last = i + 1 == len(parameters) or parameters[i + 1].kind is not p.POSITIONAL_ONLY
        if p.kind is p.POSITIONAL_ONLY and is_last:
            parts.append("/")
    return f"({', '.join(parts)})"


def described(function):
    "Fields of a directive: what is written beside the parameters and beside the result."
    lines, source = [], inspect.getsource(function)
    for name, found in docments(function, full=True, returns=True).items():
        # docments skips arguments before a slash.
        beside = re.search(rf"^\s*{name}\b[^#\n]*,\s*#\s*(.+)$", source, re.MULTILINE)
        words = escaped(found["docment"] or (beside[1] if beside else ""))
        kind = type_words(found["anno"])
        if name == "return":
            if words or kind not in ("", "None"):
                lines.append(f":returns: {' '.join(filter(None, [f'`{kind}`' if kind else '', words]))}")
        elif name not in ("self", "cls") and (words or kind):
            lines.append(f":param {name}: {words}")
            lines += [f":type {name}: {escaped(kind)}"] if kind else []
    return lines


def entry(name, member, depth=0):
    "The directive of a function, a class with its methods, or a value."
    ticks, lines = "`" * (5 - depth), [escaped(inspect.getdoc(member) or "") if callable(member) else "", ""]
    kind = "method" if depth else "function"
    if isinstance(member, property):
        return [f"{ticks}{{py:property}} {name}", escaped(inspect.getdoc(member) or ""), ticks, ""]
    if inspect.isclass(member):
        kind = "class"
        if "__init__" in vars(member):
            lines += described(member if is_dataclass(member) else member.__init__)
        lines.append("")
        for method, value in vars(member).items():
            public = not method.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
            lines += entry(method, value, depth + 1) if public else []
    elif callable(member):
        lines += described(member)
    else:
        return [f"{ticks}{{py:data}} {name}", ticks, ""]
    try:
        signature = arguments(member)
    except (TypeError, ValueError):  # a class of another library, such as an exception, has none to read
        signature = ""
    signature = signature.replace("(self, ", "(").replace("(self)", "()")
    return [f"{ticks}{{py:{kind}}} {name}{signature}", *lines, ticks, ""]


def reference_page(module_name, lesson):
    "Markdown of the reference of a module; `lesson` is the notebook that exports it."
    module = importlib.import_module(module_name)
    title = lesson_title(lesson)
    lines = [f"# {module_name}", "", escaped(module.__doc__ or ""), "",
             f"Built in the lesson [{title}](../{lesson.name}).", "", f"```{{py:module}} {module_name}", "```", ""]
    for name in module.__all__:
        lines += entry(name, getattr(module, name))
    return "\n".join(lines)


def lesson_title(path):
    return first_lines(path)[0]


def first_lines(path):
    "Title and the line under it."
    source = "".join(json.loads(path.read_text(encoding="utf8"))["cells"][0]["source"])
    title, _, summary = source.removeprefix("# ").partition("\n\n> ")
    return title, summary


def rows_of(record, path=()):
    "(names on the way, numbers and words) of each innermost part of a record of results."
    plain = {name: value for name, value in record.items() if not isinstance(value, dict)}
    if plain:
        yield path, {name: value_words(value) for name, value in plain.items()}
    for name, value in record.items():
        if isinstance(value, dict):
            yield from rows_of(value, (*path, str(name)))


def value_words(value):
    if isinstance(value, list):
        return ", ".join(map(value_words, value)) if len(value) <= 10 else f"{len(value)} values"
    if isinstance(value, dict):
        return ", ".join(f"{name} {value_words(inner)}" for name, inner in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


ABOUT = ("what", "command", "commit", "hardware", "versions", "threads", "seed", "seeds", "turns", "made")


def results_of(name, record):
    "Markdown of one recorded result: how it was made, then a table for each kind of row."
    lines = [f"## {name.replace('_', ' ')}", "", escaped(record.get("what", "")), ""]
    lines += [f"- {key}: " + (f"`{value_words(record[key])}`" if key in ("command", "commit")
                              else escaped(value_words(record[key]))) for key in ABOUT[1:] if key in record]
    tables = {}
    for path, values in rows_of({key: value for key, value in record.items() if key not in ABOUT}):
        tables.setdefault(tuple(values), []).append((path, values))
    for columns, rows in tables.items():
        lines += ["", f"| | {' | '.join(map(escaped, columns))} |", "|---" * (len(columns) + 1) + "|"]
        lines += [f"| {escaped(', '.join(path)) or 'all'} | {' | '.join(map(escaped, values.values()))} |"
                  for path, values in rows]
    return "\n".join([*lines, ""])


def results_page(folder=ROOT / "benchmarks" / "results"):
    "Every recorded result, as it was written by its benchmark."
    intro = ("# Results\n\nWhat the benchmarks have recorded, number by number. What the numbers mean, and what "
             "they do not, is said in [Benchmarks](benchmarks/README.md).\n")
    records = {path.stem: json.loads(path.read_text(encoding="utf8")) for path in sorted(folder.glob("*.json"))}
    return "\n".join([intro, *(results_of(name, record) for name, record in records.items())])


def two_sentences(markdown):
    "The first two sentences of a text's last paragraph, without links."
    paragraph = markdown.strip().split("\n\n")[-1]
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(paragraph.split()))
    return " ".join(re.split(r"(?<=[.?!:])\s+(?=[A-Z*`“\"])", plain)[:2])


def twins_of(name, notebook):
    "(number of the widget, the words before it, its twin as HTML) for each widget of an executed lesson."
    words, number = "", 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            words = cell.source
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            if 'class="fastcourse-twin"' in html:
                yield number, words, html
                number += 1


def gallery_page(lessons, folder, max_letters):
    """Markdown of the page with all widgets, `lessons` being name -> executed notebook.

    Twins are thinned to `max_letters` in all and written to `folder`.
    """
    found = [(name, notebook, *twin) for name, notebook in lessons.items() for twin in twins_of(name, notebook)]
    lines = ["# Gallery", "", "All widgets of the course on one page. Here each has some of its pictures only; "
             "its lesson has more of them, and in a notebook every value can be reached.", ""]
    for name, notebook, number, words, html in found:
        title = notebook.cells[0].source.partition("\n")[0].removeprefix("# ")
        label = re.search(r'aria-label="([^"]*)"', html)[1]
        small = thinned(read_twin(html), max_letters // len(found))
        file = folder / f"{name}-{number}.html"
        file.write_text(twin_html(small, f"{label}, small"), encoding="utf8")
        lines += [f"## {title}: {label}", "", two_sentences(words), "", f"[To the lesson]({name}.ipynb)", "",
                  f"```{{raw}} html\n:file: {folder.name}/{file.name}\n```", ""]
    return "\n".join(lines)


def open_line(name, git_url, branch="gh-pages"):
    "HTML under a lesson's title: where it can be opened."
    links = [(f"open/{name}.ipynb", "Download the notebook")]
    if git_url:
        owner = git_url.removeprefix("https://github.com/")
        path = f"{owner}/blob/{branch}/open/{name}.ipynb"
        links += [(f"https://colab.research.google.com/github/{path}", "Open in Colab"),
                  (f"https://mybinder.org/v2/gh/{owner}/{branch}?urlpath=lab/tree/open/{name}.ipynb", "Open in Binder")]
    shown = " ".join(f'<a href="{escape(address)}"{" download" if i == 0 else ""}>{words}</a>'
                     for i, (address, words) in enumerate(links))
    return f'<p class="fastcourse-open">{shown}</p>'

"""Every figure in a table of benchmarks/README.md, and in a lesson's table beside a benchmark, was recorded.

A table belongs to the results that the text around it names: `results/NAME.json`, `NAME.py`. Each of its numbers must
be one of them, or the median, the least, the largest or the count of a list there, rounded as it is printed. The same
is asked of decimal numbers in a lesson's code where the cell above names a benchmark and the code says "recorded" or
"medians".
"""
import json
import re
import statistics
from itertools import chain

import pytest
from project import NOTEBOOKS, ROOT, read_notebook

RESULTS = ROOT / "benchmarks/results"
NAMED = re.compile(r"(?:results/(\w+)\.json|\b(\w+)\.py)\b")
NUMBER = re.compile(r"(?<![\w.,])[-+−]?\d[\d,]*(?:\.\d+)?%?(?![\w])")
# Lines of tables that quote somebody else: the book, the paper.
FOREIGN = re.compile(r"paper|fastbook|book's", re.IGNORECASE)


def results_named(text, known):
    "The results of the names in a text: of `tables.py` all whose names begin with tables."
    names = {name for pair in NAMED.findall(text) for name in pair if name}
    return sorted(result for result in known for name in names if result == name or result.startswith(f"{name}_"))


def leaves(value):
    "All numbers of a result, and what is said about its lists."
    if isinstance(value, dict):
        yield from chain.from_iterable(map(leaves, value.values()))
        yield from (float(key) for key in value if re.fullmatch(r"\d+(\.\d+)?", str(key)))
    elif isinstance(value, list):
        yield from chain.from_iterable(map(leaves, value))
        numbers = [number for number in value if isinstance(number, (int, float)) and not isinstance(number, bool)]
        if numbers:
            yield from (statistics.median(numbers), min(numbers), max(numbers), len(numbers))
    elif isinstance(value, str):
        yield from (float(found.replace(",", "")) for found in re.findall(r"\d[\d,]*(?:\.\d+)?", value))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield float(value)


def known_numbers(names, derived=()):
    return [number for name in names
            for number in leaves(json.loads((RESULTS / f"{name}.json").read_text(encoding="utf8")))] + [*derived]


def is_recorded(printed, numbers):
    "Whether a number that is printed is one of `numbers`, rounded."
    text = printed.rstrip("%").replace(",", "").replace("−", "-").lstrip("+")
    digits = len(text.partition(".")[2])
    shift = 100 if printed.endswith("%") else 1
    return any(abs(number * shift - float(text)) <= 0.501 * 10 ** -digits for number in numbers)


def table_lines(text):
    "Lines of tables, without their heads."
    lines = text.splitlines()
    rules = {i for i, line in enumerate(lines) if line.startswith("|") and set(line) <= set("|- ")}
    return [line for i, line in enumerate(lines) if line.startswith("|") and i not in rules and i + 1 not in rules]


def figures(line):
    "The numbers of a line's cells that hold figures; the first cell is a name, and so is any with other words."
    cells = [cell.strip() for cell in line.strip("| ").split("|")][1:]
    return [number for cell in cells if re.fullmatch(r"[-+−\d.,%\s]*(?: to )?[-+−\d.,%\s]*", cell)
            for number in NUMBER.findall(cell)]


def recorded_names():
    return [path.stem for path in RESULTS.glob("*.json")]


def sections():
    "Title and text of each section of benchmarks/README.md that is written by hand."
    text = (ROOT / "benchmarks/README.md").read_text(encoding="utf8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part) for part in parts if "<!--" not in part]


def group_results(names):
    "errors of a run's cells, grouped as the tables group them: way and number of labels."
    groups = {}
    for name in names:
        for key, cell in json.loads((RESULTS / f"{name}.json").read_text(encoding="utf8")).get("cells", {}).items():
            groups.setdefault(key.rpartition(" | ")[0], []).append(cell["error"])
    return chain.from_iterable(map(leaves, groups.values()))


def ratios_to_fastai(names):
    "The tables of a step say how many times as fast as fastai a version is."
    for name in names:
        found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf8")).get("ratios_to_fastai", {})
        yield from (1 / ratio for ratio in found.values())


def unknown_figures(text, names):
    numbers = known_numbers(names, [*group_results(names), *ratios_to_fastai(names)])
    return [(printed, line) for line in table_lines(text) if not FOREIGN.search(line)
            for printed in figures(line) if not is_recorded(printed, numbers)]


@pytest.mark.parametrize(("title", "text"), sections(), ids=[title for title, _ in sections()])
def test_tables_of_the_readme_are_recorded(title, text):
    names = results_named(text, recorded_names())
    if table_lines(text):
        assert names, f"no result is named above the table of {title!r}"
        assert not unknown_figures(text, names)


def quoting_cells():
    "Lesson, text and names of each Markdown cell with a table that names a benchmark."
    for path in NOTEBOOKS:
        for cell in read_notebook(path)["cells"]:
            source = cell["source"]
            if cell["cell_type"] == "markdown" and "benchmarks/" in source and table_lines(source):
                yield path.stem, source, results_named(source, recorded_names())


def test_tables_of_the_lessons_are_recorded():
    found = list(quoting_cells())
    assert len(found) >= 5 and all(names for _, _, names in found)
    assert not [(lesson, *wrong) for lesson, text, names in found for wrong in unknown_figures(text, names)]


def quoting_code():
    "Lesson, code and names, where the Markdown cell above names a benchmark and the code says what was recorded."
    for path in NOTEBOOKS:
        cells = read_notebook(path)["cells"]
        for above, cell in zip(cells, cells[1:]):
            names = results_named(above["source"], recorded_names()) if above["cell_type"] == "markdown" else []
            if cell["cell_type"] == "code" and names and re.match(r"(recorded|medians) = ", cell["source"]):
                yield path.stem, cell["source"], names


def test_code_of_the_lessons_has_recorded_numbers():
    found = list(quoting_code())
    assert len(found) >= 2
    for lesson, code, names in found:
        numbers = known_numbers(names)
        block = code.partition("\n}")[0]
        wrong = [printed for printed in re.findall(r"(?<![\w.])\d+\.\d+", block) if not is_recorded(printed, numbers)]
        assert not wrong, (lesson, wrong)


def test_a_changed_figure_is_noticed():
    "The mechanism itself: a digit that is wrong is found in nearly every figure with three digits behind the point."
    for title, text in sections():
        names = results_named(text, recorded_names())
        changed, num = re.subn(r"\b0\.(\d\d)(\d)\b", lambda m: f"0.{m[1]}{(int(m[2]) + 5) % 10}", text)
        if num >= 12 and table_lines(text) and names:
            assert len(unknown_figures(changed, names)) > 3, title

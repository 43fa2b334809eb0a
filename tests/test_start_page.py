"The start page: what stands on what, pictures of real lessons, and numbers that were recorded."
import json
import re
from xml.etree import ElementTree

import pytest
from draw_lessons import code_of, draw_all, read_graph, read_parts, reached, reduced, rows_of
from make_readme import RESULTS, readme, results_table
from project import NOTEBOOKS, ROOT, exported_module, imports_of_project, modules

LESSONS = [path for path in NOTEBOOKS if path.stem[:2].isdigit()]
GRAPH = read_graph()
PARTS = sorted((ROOT / "images").glob("part-*.svg"))


def test_the_graphs_are_drawn(tmp_path):
    draw_all(tmp_path)
    fresh, stored = ({path.name: path.read_text(encoding="utf8") for path in folder.glob("part-*.svg")}
                     for folder in (tmp_path, ROOT / "images"))
    assert fresh == stored, "run `make readme`"


def test_every_lesson_is_in_one_graph_and_one_table():
    titles = {path.stem: code_of(path)[0] for path in LESSONS}
    drawn = [text.text for path in PARTS for text in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
             if text.get("font-weight") == "bold"]
    assert sorted(drawn) == sorted(titles.values())
    rows = re.findall(r"^\| \[([^]]+)\]\(nbs/(\w+)\.ipynb\) \|.*\| (\d+) \|$", readme(), re.MULTILINE)
    assert [(file, title) for title, file, _ in rows] == sorted(titles.items())
    assert all(int(minutes) % 5 == 0 and 5 <= int(minutes) <= 90 for *_, minutes in rows)


def test_edges_are_the_imports():
    "Counted in another way: by the tests' own reading of the exported modules."
    files, exported = {exported_module(path): path.stem for path in LESSONS}, modules()
    for path in LESSONS:
        name = exported_module(path)
        if "_project_" in path.stem:
            assert len(GRAPH[path.stem].needs) > 3, "a project stands on what its examples use"
        elif name:
            source = (ROOT / (name.replace(".", "/") + ".py")).read_text(encoding="utf8")
            package = name.rpartition(".")[0]
            source = re.sub(r"(?m)^(\s*from )(\.+)(\w*)", lambda found: found[1] + ".".join(filter(None, [
                *package.split(".")[:len(package.split(".")) + 1 - len(found[2])], found[3]])), source)
            needed = {files[module] for module in imports_of_project(source, exported) if module in files}
            assert GRAPH[path.stem].needs == needed - {path.stem}, path.stem


def test_what_is_left_out_of_the_graph_is_reached_by_way_of_others():
    few = reduced(GRAPH)
    for file in GRAPH:
        assert reached(few, file) == reached(GRAPH, file)
        assert not any(need in reached(few, other) for need in few[file].needs for other in few[file].needs)


def test_graphs_are_readable():
    few = reduced(GRAPH)
    for name, last in read_parts().items():
        inside = {file: node for file, node in few.items() if file[:2] <= last}
        above = set()
        for row in rows_of(inside):
            assert len(row) <= 4
            assert all(inside[file].needs <= above for file in row), f"{name}: an arrow leads upwards"
            above |= set(row)
    for path in PARTS:
        root = ElementTree.parse(path).getroot()
        assert float(root.get("width")) <= 930, path.name
        assert root.find("{http://www.w3.org/2000/svg}title").text and root.find("{http://www.w3.org/2000/svg}desc").text
        assert min(float(text.get("font-size")) for text in root.iter("{http://www.w3.org/2000/svg}text")) >= 10


def test_pictures_are_small_and_described():
    shown = re.findall(r"!\[([^]]*)\]\((images/[^)]+)\)", (ROOT / "README.md").read_text(encoding="utf8"))
    assert len([name for _, name in shown if name.endswith(".png")]) == 2 and len(shown) == 2 + len(PARTS)
    for alt, name in shown:
        assert len(alt) > 20 and (ROOT / name).stat().st_size <= 150_000, name


NUMBERS = {  # the numbers of the table, read from the recorded results without the table's own code
    "loop_overhead": ["loops", "bare", "microseconds"], "optimizer_step": ["models", "AWD-LSTM", "Adam", "foreach",
                                                                          "milliseconds"],
    "linear_cross_entropy": ["sizes", "small", "rows", "two operations", "peak_mib"],
    "human_numbers": ["variants", "book", "median"]}


@pytest.mark.parametrize("name", [row[1] for row in RESULTS])
def test_readme_has_the_recorded_results(name):
    table = results_table()
    assert table in (ROOT / "README.md").read_text(encoding="utf8"), "run `make readme`"
    what = next(row[0] for row in RESULTS if row[1] == name)
    line = next(line for line in table.splitlines() if line.startswith(f"| {what} |"))
    assert len(re.findall(r"\d", line)) >= 2 and f"`{name}.py`" in (ROOT / "benchmarks/README.md").read_text()
    if name in NUMBERS:
        value = json.loads((ROOT / f"benchmarks/results/{name}.json").read_text(encoding="utf8"))
        for key in NUMBERS[name]:
            value = value[key]
        assert f"{100 * value:.1f}%" in line if value < 1 else f" {value:.0f} " in line


def test_what_is_for_the_readme_alone_is_hidden_in_the_notebook():
    text = readme()
    assert "<!--" not in text and "{results}" not in text and "## Contribute" in text and "make test" in text
    assert "Where you stand" not in text and "Nothing is solved yet" not in text

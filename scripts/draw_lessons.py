"""Draw which lessons stand on which, one graph for each part of the course: `python scripts/draw_lessons.py [folder]`.

The parts are those of the start page (nbs/index.ipynb). A lesson stands on those whose modules its exported cells
import; a project, whose cells use what was learned, on those that any of its cells imports. What is reached by way of
others is left out.
"""
import ast
import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

from figures.pen import Drawing

ROOT = Path(__file__).resolve().parent.parent
WIDTH, HEIGHT, GAP, ROW, LANES = 196, 58, 24, 106, 4  # of a box; between boxes; from row to row; boxes side by side


class Node(NamedTuple):
    "A lesson in the graph."
    file:str
    title:str
    needs:set[str]  # files of the lessons that it stands on


def code_of(path):
    "Title and code cells of a notebook."
    cells = json.loads(path.read_text(encoding="utf8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    codes = [re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", text) for text, cell in zip(texts, cells)
             if cell["cell_type"] == "code"]
    return texts[0].splitlines()[0].removeprefix("# "), codes


def imported(codes):
    "All names `fastcourse.module` and `fastcourse.module.name` that codes import."
    for node in ast.walk(ast.parse("\n".join(codes))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def read_graph(folder=ROOT / "nbs"):
    "The lessons in reading order, with all that they import."
    lessons = {path.stem: code_of(path) for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))}
    modules = {f"fastcourse.{found[1]}": file for file, (_, codes) in lessons.items()
               if (found := re.search(r"(?m)^#\|\s*default_exp\s+(\S+)", "\n".join(codes)))}
    nodes = {}
    for file, (title, codes) in lessons.items():
        exported = [code for code in codes if re.match(r"#\|\s*export", code) and "_project_" not in file]
        desk = {"fastcourse.study.exercises", "fastcourse.study.quiz"} if not exported else set()
        names = set(imported(exported or codes)) - desk
        nodes[file] = Node(file, title, {modules[name] for name in names if name in modules} - {file})
    return nodes


def reached(nodes, file):
    "All that a lesson stands on, by way of others too."
    found = set()
    for need in nodes[file].needs:
        found |= {need} | reached(nodes, need)
    return found


def reduced(nodes):
    "The same graph without what is reached by way of others."
    return {file: node._replace(needs={need for need in node.needs if not any(
        need in reached(nodes, other) for other in node.needs)}) for file, node in nodes.items()}


def read_parts(path=ROOT / "nbs" / "index.ipynb"):
    "Name of each part -> the number of its last lesson, as the start page has them."
    for code in code_of(path)[1]:
        for node in ast.parse(code).body:
            if isinstance(node, ast.Assign) and node.targets[0].id == "parts":
                return ast.literal_eval(node.value)
    raise ValueError(f"{path.name} must have a dictionary called parts")


def rows_of(inside):
    "Lessons of a part in rows: each below all that it stands on, at most LANES beside each other."
    rank = {}
    for file, node in inside.items():
        rank[file] = 1 + max((rank[need] for need in node.needs if need in rank), default=-1)
    rows = []
    for level in range(max(rank.values()) + 1):
        row = [file for file in inside if rank[file] == level]
        rows += [row[i:i + LANES] for i in range(0, len(row), LANES)]
    return untangled(rows, inside)


def untangled(rows, inside):
    "The same rows, in each of them what belongs together below and above each other: fewer lines cross."
    for _ in range(4):
        place = {file: i - (len(row) - 1) / 2 for row in rows for i, file in enumerate(row)}

        def wanted(file):
            others = inside[file].needs & inside.keys() | {other for other in inside if file in inside[other].needs}
            return sum(place[other] for other in others) / len(others) if others else place[file]

        rows = [sorted(row, key=wanted) for row in rows]
    return rows


def wrap(words, length):
    "The words in lines of at most `length` letters."
    lines = [""]
    for word in words.split():
        lines = [*lines[:-1], f"{lines[-1]} {word}".strip()] if len(lines[-1]) + len(word) < length else [*lines, word]
    return lines


def draw_part(name, inside, nodes):
    "The graph of a part."
    rows = rows_of(inside)
    width = 2 * GAP + LANES * (WIDTH + GAP) - GAP
    outside = {file: ", ".join(nodes[need].title for need in sorted(node.needs - inside.keys()))
               for file, node in inside.items()}
    said = [f"{node.title} stands on {', '.join(nodes[need].title for need in sorted(node.needs))}."
            for node in inside.values() if node.needs]
    drawing = Drawing(width, GAP + len(rows) * ROW - 8, f"What stands on what: {name}", " ".join(said) or "No arrows.")
    place = {}
    for number, row in enumerate(rows):
        left = (width - len(row) * (WIDTH + GAP) + GAP) / 2
        for i, file in enumerate(row):
            place[file] = left + i * (WIDTH + GAP), GAP + number * ROW
    for file, node in inside.items():
        for need in sorted(node.needs & inside.keys()):
            (x, y), (u, v) = place[need], place[file]
            drawing.arrow((x + WIDTH / 2, y + HEIGHT), (u + WIDTH / 2, v), color="muted")
    for file, (x, y) in place.items():
        drawing.add("rect", x=x, y=y, width=WIDTH, height=HEIGHT, rx=6, fill="#ffffff")
        drawing.box(x, y, WIDTH, HEIGHT)
        after = wrap(f"after {outside[file]}", 34) if outside[file] else []
        after = [*after[:1], after[1] + " …"] if len(after) > 2 else after
        drawing.text(x + WIDTH / 2, y + HEIGHT / 2 - 7.5 * len(after), nodes[file].title, size=14, weight="bold")
        if after:
            drawing.note(x + WIDTH / 2, y + HEIGHT / 2 + 10, "\n".join(after), size=10.5)
    return drawing


def draw_all(folder):
    "Write the graph of each part; those that are right already are left alone."
    nodes = reduced(read_graph())
    rest = dict(nodes)
    for name, last in read_parts().items():
        inside = {file: rest.pop(file) for file in list(rest) if file[:2] <= last}
        path = folder / f"part-{'-'.join(name.lower().replace(',', '').split()[:2])}.svg"
        svg = draw_part(name, inside, nodes).svg()
        if not path.exists() or path.read_text(encoding="utf8") != svg:
            path.write_text(svg, encoding="utf8", newline="\n")
            print(f"drawn {path.name}")


if __name__ == "__main__":
    draw_all(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "images")

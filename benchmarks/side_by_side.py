"""What the course costs beside what a user would take instead: all rows, one result for this machine, one table.

Each row is a benchmark of this folder that is run in a process of its own, with fastai, timm and Lightning where they
are installed (`make bench` builds an environment that has them). Its result goes into results/<machine>.json, whole,
and what was measured before stays, so that rows can be measured one by one. The table in README.md is made from it:

  python benchmarks/side_by_side.py                      all rows but those that take an hour or a card
  python benchmarks/side_by_side.py --rows loop imports  two of them
  python benchmarks/side_by_side.py --table              nothing but the table

A ratio says how many times as fast ours is, the median of the ratios within a turn; above 1 ours is faster.
"""
import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from frame import ROOT, hardware, make_parser, save

RESULTS = ROOT / "benchmarks/results"
README = ROOT / "benchmarks/README.md"
BEGIN, END = "<!-- side by side: begin -->", "<!-- side by side: end -->"


class Line(NamedTuple):
    "One comparison: what is measured, with whom, the figure with its quartiles or its range, and the goal."
    what: str
    other: str
    value: float
    spread: list
    goal: float | None = None
    unit: str = "×"
    at_most: bool = False  # the goal is an upper bound

    def is_met(self):
        return self.value <= self.goal if self.at_most else self.value >= self.goal


class Row(NamedTuple):
    "A benchmark, and how to read its result."
    arguments: str
    lines: Callable
    waits: str = ""  # why it is measured on demand alone


def inverse(row):
    "A ratio of times, other to reference, the other way round: median and quartiles."
    return round(1 / row["ratio"], 3), [round(1 / q, 3) for q in row["ratio_quartiles"][::-1]]


def against(what, ours, rows, goals):
    "Lines of rows made by `compare` with ours as the reference: how many times as fast ours is."
    return [Line(what, name, row["ratio"], row["ratio_quartiles"], goals.get(name))
            for name, row in rows.items() if name != ours]


def loop_lines(result):
    what, lines = "loop: µs a batch beyond the bare loop", []
    for name, row in result["loops"].items():
        goal = 60 if name == "learner, recorder, metric, bar" else None
        if name not in ("bare", "learner"):
            lines.append(Line(what, name, row["added"], row["added_quartiles"], goal, "µs", at_most=True))
    return lines


LANGUAGE_GOALS = {"small": {"fastai, its own Adam": 1.45}, "WikiText-2": {"fastai, its own Adam": 1.2},
                  "large": {"fastai, its own Adam": 1.15, "no dropout": 1.0}}


def language_lines(size):
    def lines(result):
        numbers = [result["sizes"][key] for key in ("embed_size", "hidden_size", "num_layers")]
        what = f"AWD-LSTM step, vocabulary {result['sizes']['vocab_size']:,}, {'/'.join(map(str, numbers))}"
        rows = {name: row for name, row in result["to_ours"].items() if name in ("no dropout", "fastai",
                                                                              "fastai, its own Adam")}
        return against(what, "", rows, LANGUAGE_GOALS[size])
    return lines


def tokenizing_lines(result):
    lines = []
    for row in result["rows"]:
        if row["method"] != "ours, fastai's rules":
            continue
        num = row["processes"]
        for name, ratios in row["to"].items():
            goal = {(1, "fastai"): 3.5, (2, "fastai, one process"): 5.5}.get((num, name))
            if not (num == 1 and name == "fastai, one process"):
                lines.append(Line(f"tokenizing, the same tokens, processes: {num}", name, ratios["median"],
                                  ratios["range"], goal))
    return lines


def picture_lines(result):
    what = "xresnet18 step, 64 × 64"
    return [Line(what, name, row["cpu_ratio_to_ours"], row["cpu_quartiles"], 1.0)
            for name, row in result["nets"].items() if isinstance(row, dict) and not name.startswith("ours")]


def optimizer_lines(result):
    rows = result["models"]["25 million"]["AdamW"]
    return [Line("AdamW step, 25 million parameters", f"torch, {name}", *inverse(row),
                 0.95 if name == "fused" else None) for name, row in rows.items() if name != "ours"]


def extra_lines(result):
    lines = []
    for extra, versions in result["extras"].items():
        for name, row in versions.items():
            if isinstance(row, str):
                continue
            goal = None if name != "ours" else min((other["added"] for key, other in versions.items() if key != "ours"
                                                    and not isinstance(other, str)), default=None)
            lines.append(Line(f"{extra}: µs added to a step", name, row["added"], row["added_quartiles"], goal, "µs",
                              at_most=True))
    return lines


def import_lines(result):
    goals = {"the learner": 1.1, "the text half": 1.15}
    return [Line("import: times the processor time of `import torch`", name, row["ratio"], row["ratio_quartiles"],
                 goals.get(name), at_most=True) for name, row in result["imports"].items() if name != "torch"]


def accuracy_lines(result):
    return [Line(f"time to accuracy {rows['goal']:.0%}: {task}{', at least' if row['bound'] else ''}", name,
                 row["ratio"], row["range"], 2.0)
            for task, rows in result["tasks"].items() for name, row in rows.items()
            if isinstance(row, dict) and "ratio" in row]


def lesson_lines(result):
    return [Line("all lessons in fresh kernels: minutes", "", result["minutes"], [result["longest_seconds"]], 20, "min",
                 at_most=True)]


CHOSEN = "--versions 'ours, loss in chunks' 'fastai, its own Adam'"
ROWS = {
    "loop": Row("loop_overhead.py --epochs 12", loop_lines),
    "language, small": Row(f"awdlstm_step.py --turns 6 {CHOSEN}", language_lines("small")),
    "language, large": Row(f"awdlstm_step.py --size large --turns 4 {CHOSEN}", language_lines("large")),
    "language, WikiText-2": Row(f"awdlstm_step.py --size WikiText-2 --turns 3 {CHOSEN}", language_lines("WikiText-2")),
    "classifier": Row("classifier_step.py --documents 128 --turns 3",
                      lambda result: against("classifier step, documents of log-normal length", "ours",
                                             result["ways"], {"fastai, sorted": 1.0})),
    "tokenizing": Row("tokenizing.py --texts 600 --turns 3", tokenizing_lines),
    "pictures": Row("xresnet_step.py --turns 8", picture_lines),
    "optimizer": Row("optimizer_step.py --models '25 million' --optimizers AdamW --turns 20", optimizer_lines),
    "extras": Row("extra_steps.py --turns 8", extra_lines),
    "imports": Row("imports.py --turns 3 --names torch 'the learner' 'the text half' fastai.text.all", import_lines),
    "accuracy": Row("time_to_accuracy.py --tasks numbers --seeds 2", accuracy_lines),
    "lessons": Row("lessons.py", lesson_lines, "all lessons take a quarter of an hour"),
}


def machine_file():
    "results/<machine>.json, named after the processor and its cores."
    return RESULTS / f"{re.sub(r'[^a-z0-9]+', '-', hardware().lower()).strip('-')}.json"


def read_machine(path):
    return json.loads(path.read_text(encoding="utf8")) if path.exists() else dict(what=__doc__.splitlines()[0], rows={})


def measure(name, note):
    "The result of a row, whole."
    script, *arguments = shlex.split(ROWS[name].arguments)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "result.json"
        subprocess.run([sys.executable, "-W", "ignore", f"benchmarks/{script}", *arguments, "--output", output],
                       check=True, cwd=ROOT)
        result = json.loads(output.read_text(encoding="utf8"))
    result["command"] = result["command"].partition(" --output ")[0]
    return result | (dict(note=note) if note else {})


def table(machine):
    "Lines of Markdown."
    found = ["| work | beside | figure | quartiles or range | goal | met | commit |", "|---|---|---|---|---|---|---|"]
    for name, result in machine["rows"].items():
        for line in ROWS[name].lines(result):
            sign, met = ("≤" if line.at_most else "≥"), ""
            goal = "" if line.goal is None else f"{sign} {line.goal:g} {line.unit}"
            if line.goal is not None:
                met = "yes" if line.is_met() else "**no**"
            spread = " to ".join(f"{value:,}" for value in line.spread)
            found.append(f"| {line.what} | {line.other} | {line.value:,} {line.unit} | {spread} | {goal} | {met} "
                         f"| {result['commit']} |")
    missing = [f"{name} (`python benchmarks/{row.arguments}`)" for name, row in ROWS.items()
               if name not in machine["rows"]]
    versions = {}
    for result in machine["rows"].values():
        versions |= result["versions"]
    first = next(iter(machine["rows"].values()))
    notes = {f"measured {result['note']}" for result in machine["rows"].values() if result.get("note")}
    words = ["one thread", *sorted(notes), *(f"{name} {number}" for name, number in versions.items())]
    found += ["", f"{first['hardware']}, {', '.join(words)}."]
    found += ["", f"Not measured yet: {'; '.join(missing)}."] if missing else []
    found += ["", "Commands:", "", "```", *[result["command"] for result in machine["rows"].values()], "```"]
    return found


def write_table(path, machine):
    "Replace what stands between the marks."
    text = path.read_text(encoding="utf8")
    before, rest = text.split(BEGIN)
    lines = [f"{before}{BEGIN}", *table(machine), f"{END}{rest.partition(END)[2]}"]
    path.write_text("\n".join(lines), encoding="utf8")


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--rows", nargs="*", choices=ROWS, help="which (default: all that do not wait for a person)")
    parser.add_argument("--note", default="", help="recorded with the results, such as: beside other work")
    parser.add_argument("--table", action="store_true", help="write the table of README.md, and measure nothing")
    arguments = parser.parse_args()
    path = arguments.output or machine_file()
    chosen = [name for name, row in ROWS.items() if not row.waits] if arguments.rows is None else arguments.rows
    for name in () if arguments.table else chosen:
        print(f"== {name}", flush=True)
        result = measure(name, arguments.note)
        machine = read_machine(path)  # again: rows may be measured side by side
        machine["rows"] = {key: result if key == name else machine["rows"][key] for key in ROWS
                           if key in machine["rows"] or key == name}
        save(machine, path)
    if not arguments.output:
        write_table(README, read_machine(path))


if __name__ == "__main__":
    main()

"""Do terrible things to the library, again and again, and count what survives.

    python tests/faults/run.py                      # 50 tries of each fault, recorded, with the table of README.md
    python tests/faults/run.py --tries 5 --only disk --output -

A row that is recorded already with as many tries is not tried again; `--again` tries all that are asked for.
"""
import argparse
import json
import platform
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import damage  # noqa: E402
import kills  # noqa: E402
import numpy  # noqa: E402
import places  # noqa: E402
import torch  # noqa: E402
from tries import run_row  # noqa: E402

from fastcourse import __version__  # noqa: E402
from fastcourse.vision.train import describe_machine  # noqa: E402

RESULTS, README = HERE / "results.json", HERE / "README.md"
BEGIN, END = "<!-- begin: made by run.py -->", "<!-- end: made by run.py -->"
ROWS = [*kills.ROWS, *places.ROWS, *damage.ROWS]
NAIVE_ROWS = [kills.NAIVE_ROW, places.NAIVE_ROW, damage.NAIVE_ROW]


def facts(seed):
    "What a table was made with."
    machine = describe_machine(torch.device("cpu"))
    return dict(what="tries of faults, and what became of them", command="python tests/faults/run.py",
                seed=seed, hardware=machine["hardware"], versions={**machine["versions"], "numpy": numpy.__version__,
                                                                   "fastcourse": __version__},
                system=platform.system())


def table(result):
    "The recorded rows as Markdown."
    lines = ["| fault | what | tries | survived | right | told | as it stands | lost |", "|---|---|" + "---:|" * 6]
    for row in result["rows"]:
        if row["not_tried"]:
            lines.append(f"| {row['fault']} | {row['what']} | NOT TRIED: {row['reasons'][0]} | | | | | |")
            continue
        counts = " | ".join(f"{row[name]:,}" for name in ("tries", "survived", "right", "told", "plain", "lost"))
        lines.append(f"| {row['fault']} | {row['what']} | {counts} |")
    sums = " | ".join(f"{sum(row[name] for row in result['rows']):,}"
                      for name in ("tries", "survived", "right", "told", "plain", "lost"))
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    made = (f"Made by `{result['command']}` with seed {result['seed']} on {result['system']}, {result['hardware']}; "
            f"{versions}.")
    return "\n".join([made, "", *lines, f"| **all** | {len(result['rows'])} rows | {sums} |"])


def put_into_readme(result):
    before, _, rest = README.read_text(encoding="utf8").partition(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{table(result)}\n{END}{rest.partition(END)[2]}", encoding="utf8")


def same(row, recorded):
    return (row.fault, row.what) == (recorded["fault"], recorded["what"])


def record(result, path):
    "Write the rows in the order of the suite, in one step."
    order = [(row.fault, row.what) for row in ROWS]
    result["rows"].sort(key=lambda row: order.index((row["fault"], row["what"])))
    new = path.with_suffix(".unfinished")
    new.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
    new.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=50, help="of each row (default 50)")
    parser.add_argument("--seed", type=int, default=0, help="of moments, places and bits (default 0)")
    parser.add_argument("--only", default="", help="rows whose fault or subject holds these words")
    parser.add_argument("--again", action="store_true", help="also rows that are recorded already")
    parser.add_argument("--output", default=str(RESULTS), help="JSON file of the results; - writes none, and no table")
    arguments = parser.parse_args()
    from tqdm import tqdm
    keep, path = arguments.output != "-", Path(arguments.output)
    result = facts(arguments.seed) | {"rows": []}
    if keep and path.exists():
        known = json.loads(path.read_text(encoding="utf8"))
        if known["seed"] == arguments.seed:
            current = [(row.fault, row.what) for row in ROWS]
            result["rows"] = [row for row in known["rows"] if (row["fault"], row["what"]) in current]
    wanted = [row for row in ROWS if arguments.only in f"{row.fault} {row.what}"]
    if not arguments.again:
        wanted = [row for row in wanted if not any(same(row, other) and other["tries"] >= arguments.tries
                                                   for other in result["rows"])]
    lost = 0
    with tqdm(total=len(wanted) * arguments.tries, unit="try", smoothing=0) as bar:
        for row in wanted:
            bar.set_description(f"{row.fault}: {row.what}"[:60])
            found = run_row(row, arguments.tries, arguments.seed, bar.update)
            lost += found["lost"]
            if found["lost"] or found["not_tried"]:
                bar.write(f"{row.fault}, {row.what}: {'NOT TRIED' if found['not_tried'] else found['lost']} "
                          f"{'' if found['not_tried'] else 'lost'} {found['reasons']}")
            result["rows"] = [other for other in result["rows"] if not same(row, other)] + [found]
            if keep:
                record(result, path)
    if keep and path == RESULTS:
        put_into_readme(result)
    print(f"{sum(row['tries'] for row in result['rows']):,} tries, {sum(row['lost'] for row in result['rows'])} lost")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())

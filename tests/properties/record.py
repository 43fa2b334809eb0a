"Try every property many times, and record how often: `make properties`."
import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
START, END = "<!-- table -->", "<!-- end of table -->"


def write_results(counts, times, seed):
    versions = {"Python": platform.python_version()}
    versions |= {name: version(name) for name in ("hypothesis", "numpy", "spacy", "torch", "typer")}
    command = f"make properties PROPERTIES_ARGS='--times {times} --seed {seed}'"
    results = dict(command=command, seed=seed, versions=versions, examples=dict(sorted(counts.items())))
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf8")
    said = ", ".join(f"{name} {number}" for name, number in versions.items())
    names = {name: name.partition(".test_")[2].replace("_", " ") for name in results["examples"]}
    rows = [f"| {words} | {counts[name]:,} |" for name, words in names.items()]
    head = [START, f"`{command}`, with {said}; no example failed:", "", "| property | examples |", "|---|---|"]
    table = "\n".join([*head, *rows, f"| **all {len(rows)}** | **{sum(counts.values()):,}** |", END])
    readme = (HERE / "README.md").read_text(encoding="utf8")
    (HERE / "README.md").write_text(readme.split(START)[0] + table + readme.split(END)[1], encoding="utf8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=82, help="as many examples as in `make test`, times this")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder, "counts.json")
        environment = {"FASTCOURSE_EXAMPLES": str(args.times), "FASTCOURSE_COUNTS": str(counts), "OMP_NUM_THREADS": "1"}
        pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command = [*pytest, f"--hypothesis-seed={args.seed}", HERE]
        done = subprocess.run(command, env=os.environ | environment)
        if done.returncode:
            raise SystemExit(done.returncode)
        write_results(json.loads(counts.read_text())["counts"], args.times, args.seed)


if __name__ == "__main__":
    main()

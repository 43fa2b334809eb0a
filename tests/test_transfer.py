"The benchmark of transfer runs, its recorded result holds what the lesson says, and lesson and README quote it."
import json
import statistics
import subprocess
import sys

from project import ROOT

LADDER = ["from scratch", "frozen, BatchNorm too", "frozen, BatchNorm moves", "all"]


def recorded():
    return json.loads((ROOT / "benchmarks/results/transfer.json").read_text(encoding="utf8"))["tasks"]


def test_benchmark_runs(tmp_path):
    output = tmp_path / "result.json"
    command = [sys.executable, ROOT / "benchmarks/transfer.py", "--seeds", "1", "--shapes", "128", "--epochs", "3",
               "--output", output]
    subprocess.run(command, check=True, cwd=ROOT)
    tasks = json.loads(output.read_text(encoding="utf8"))["tasks"]
    assert {name: list(ways) for name, ways in tasks.items()} == {name: list(ways) for name, ways in recorded().items()}


def test_order_holds_for_every_seed():
    ways = recorded()["600 labels"]
    ladder = list(zip(*[ways[way] for way in LADDER]))
    assert len(ladder) == 5
    assert all(scratch < frozen < moves <= everything for scratch, frozen, moves, everything in ladder)


def test_few_labels_and_light():
    few, lamp = recorded()["150 labels"], recorded()["600 labels, by lamp"]
    assert all(gradual > everything for gradual, everything in zip(few["gradual"], few["all"]))
    frozen, moves = (statistics.median(lamp[way]) for way in LADDER[1:3])
    assert abs(frozen - moves) < 0.02


def test_tables_quote_the_result():
    readme = (ROOT / "benchmarks/README.md").read_text(encoding="utf8")
    lesson = json.loads((ROOT / "nbs/35_transfer.ipynb").read_text(encoding="utf8"))
    prose = "".join(line for cell in lesson["cells"] if cell["cell_type"] == "markdown" for line in cell["source"])
    for name in ("600 labels", "150 labels"):
        for way, shares in recorded()[name].items():
            row = f"| {way} | {statistics.median(shares):.3f} | {min(shares):.3f} to {max(shares):.3f} |"
            assert f"{row}\n" in readme
            if name == "150 labels" or way in LADDER:
                assert row in prose

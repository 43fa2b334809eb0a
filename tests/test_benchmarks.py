"The benchmarks run, and what they measure costs what it may, with slack for a busy machine."
import json
import subprocess
import sys

from project import ROOT

FULL = "learner, recorder, metric, bar"
# Five times the goal. A loop that waited for a number at every batch, or a library ten times as heavy, is above it.
LIMIT_MICROSECONDS = 300


def test_loop_overhead(tmp_path):
    output = tmp_path / "result.json"
    command = [sys.executable, ROOT / "benchmarks/loop_overhead.py", "--epochs", "10", "--output", output]
    subprocess.run(command, check=True, cwd=ROOT)
    result = json.loads(output.read_text(encoding="utf8"))
    assert set(result["loops"]) == {"bare", "learner", FULL}
    assert result["loops"][FULL]["added"] < LIMIT_MICROSECONDS


def test_recorded_result_meets_its_goal():
    result = json.loads((ROOT / "benchmarks/results/loop_overhead.json").read_text(encoding="utf8"))
    assert result["loops"][FULL]["added"] <= result["goal_microseconds"] == 60


def test_readme_has_the_recorded_result():
    loops = json.loads((ROOT / "benchmarks/results/loop_overhead.json").read_text(encoding="utf8"))["loops"]
    readme = (ROOT / "benchmarks/README.md").read_text(encoding="utf8")
    for name, row in loops.items():
        assert f"| {name} | {row['microseconds']} | {row['added']:+} |" in readme


# Above the goal, for a busy machine, and below 1.4, which is what torch's own loop over the parameters costs here.
LIMIT_RATIO = 1.3


def test_optimizer_step(tmp_path):
    output = tmp_path / "result.json"
    command = [sys.executable, ROOT / "benchmarks/optimizer_step.py", "--turns", "10", "--output", output,
               "--models", "many small"]
    subprocess.run(command, check=True, cwd=ROOT)
    rows = json.loads(output.read_text(encoding="utf8"))["models"]["many small"]
    assert set(rows) == {"Adam", "AdamW", "SGD"}
    assert all(row["foreach"]["ratio"] < LIMIT_RATIO for row in rows.values())


def recorded_steps():
    "The recorded rows, (model, optimizer, row), and the goal."
    result = json.loads((ROOT / "benchmarks/results/optimizer_step.json").read_text(encoding="utf8"))
    rows = [(model, name, row) for model, names in result["models"].items() for name, row in names.items()]
    return rows, result["goal_ratio"]


def test_recorded_steps_meet_their_goal():
    rows, goal = recorded_steps()
    assert len(rows) == 6 and goal == 1.1
    assert all(row["foreach"]["ratio"] <= goal for model, name, row in rows)


def test_readme_has_the_recorded_steps():
    readme = (ROOT / "benchmarks/README.md").read_text(encoding="utf8")
    for model, name, row in recorded_steps()[0]:
        times = " | ".join(str(row[version]["milliseconds"]) for version in ("ours", "foreach", "loop", "fused"))
        assert f"| {model} | {name} | {times} | {row['foreach']['ratio']} |" in readme

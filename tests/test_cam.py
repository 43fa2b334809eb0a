"The recorded pointing game holds what the lesson says, the lesson quotes it, and its script runs."
import json
import statistics
import subprocess
import sys

from project import ROOT

ROWS = {"middle": "middle of the picture", "place": "hottest place", "smooth": "hottest pixel of the smooth map",
        "off the middle": "the same, object not in the middle"}


def recorded():
    return json.loads((ROOT / "benchmarks/results/pointing.json").read_text(encoding="utf8"))["shares"]


def test_heat_points_at_the_object():
    shares = recorded()
    assert len(shares["smooth"]) == 5
    assert min(shares["smooth"]) >= 0.9 > max(shares["middle"])


def test_lesson_quotes_the_result():
    lesson = json.loads((ROOT / "nbs/36_cam.ipynb").read_text(encoding="utf8"))
    prose = "".join(line for cell in lesson["cells"] if cell["cell_type"] == "markdown" for line in cell["source"])
    for name, label in ROWS.items():
        shares = recorded()[name]
        assert f"| {label} | {statistics.median(shares):.3f} | {min(shares):.3f} to {max(shares):.3f} |" in prose


def test_benchmark_runs(tmp_path):
    output = tmp_path / "result.json"
    command = [sys.executable, ROOT / "benchmarks/pointing.py", "--seeds", "1", "--pictures", "128", "--epochs", "1",
               "--output", output]
    subprocess.run(command, check=True, cwd=ROOT)
    assert json.loads(output.read_text(encoding="utf8"))["shares"].keys() == recorded().keys()

"The benchmarks of the text classifier run, go on where they were interrupted, and are recorded as they are quoted."
import json
import statistics
import subprocess
import sys

from project import ROOT, code_cells

RESULTS = ROOT / "benchmarks/results"
CURVE_ONLY = "| TF-IDF |", "| from scratch |"


def prose_of(lesson):
    cells = json.loads((ROOT / f"nbs/{lesson}.ipynb").read_text(encoding="utf8"))["cells"]
    return "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def test_errors_by_labels_and_ablation(tmp_path):
    output = tmp_path / "result.json"
    command = [sys.executable, ROOT / "benchmarks/text_transfer.py", "--labels", "20", "--ways", "TF-IDF", "fine-tuned",
               "--ablation", "constant rate", "linear probe", "all texts read", "--ablation-labels", "20",
               "--seeds", "1", "--steps", "2", "--min-epochs", "1", "--max-valid", "40",
               "--read-texts", "40", "--read-epochs", "1", "--cache", tmp_path, "--output", output]
    subprocess.run(command, check=True, cwd=ROOT)
    cells = json.loads(output.read_text(encoding="utf8"))["cells"]
    ways = "TF-IDF", "fine-tuned", "constant rate", "linear probe", "all texts read"
    assert set(cells) == {f"{way} | 20 | 0" for way in ways}
    assert all(0 <= cell["error"] <= 1 for cell in cells.values())
    again = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout
    assert "processor_seconds" not in again and json.loads(output.read_text(encoding="utf8"))["cells"] == cells
    other = subprocess.run([*command, "--batch-size", "8"], cwd=ROOT, capture_output=True, text=True)
    assert other.returncode == 1 and "was made with other settings" in other.stderr


def test_memory(tmp_path):
    output = tmp_path / "result.json"
    command = [sys.executable, ROOT / "benchmarks/classifier_memory.py", "--tokens", "100", "--batch-size", "2"]
    subprocess.run([*command, "--output", output], check=True, cwd=ROOT)
    assert set(json.loads(output.read_text(encoding="utf8"))["ways"]) == {"at once", "in pieces"}


def recorded_memory():
    return json.loads((RESULTS / "classifier_memory.json").read_text(encoding="utf8"))["ways"]


def test_recorded_memory_is_bounded():
    ways = {way: {n: row["mib"] for n, row in rows.items()} for way, rows in recorded_memory().items()}
    assert ways["in pieces"]["10000"] < min(1.1 * ways["in pieces"]["2000"], 0.2 * ways["at once"]["10000"])


def recorded_errors(name="text_transfer"):
    "way -> number of labels -> errors, by seed."
    found = {}
    for key, cell in json.loads((RESULTS / f"{name}.json").read_text(encoding="utf8"))["cells"].items():
        way, n, seed = key.split(" | ")
        found.setdefault(way, {}).setdefault(int(n), {})[int(seed)] = cell["error"]
    return {way: {n: [errors[seed] for seed in sorted(errors)] for n, errors in sorted(rows.items())}
            for way, rows in found.items()}


def test_recorded_errors_meet_their_goal():
    rows = recorded_errors()
    medians = {way: statistics.median(rows[way][100]) for way in ("TF-IDF", "from scratch", "fine-tuned")}
    assert all(len(rows[way][100]) >= 5 for way in medians)
    assert medians["fine-tuned"] <= 0.6 * medians["from scratch"] and medians["fine-tuned"] < medians["TF-IDF"]


def table_rows(name):
    "A line of a table for each way and number of labels."
    rows = [(way, n, errors) for way, numbers in recorded_errors(name).items() for n, errors in numbers.items()]
    return [f"| {way} | {n} | {statistics.median(errors):.3f} | {min(errors):.3f} to {max(errors):.3f} "
            f"| {len(errors)} |"
            for way, n, errors in rows]


def test_readme_and_lesson_have_the_recorded_numbers():
    readme = (ROOT / "benchmarks/README.md").read_text(encoding="utf8")
    for row in table_rows("text_recipe"):
        assert row in readme
    for row in table_rows("text_transfer"):
        is_in_lesson = "| 100 |" in row and not row.startswith(CURVE_ONLY)
        assert row in readme and (not is_in_lesson or row in prose_of("61_few_labels"))
    for way, rows in recorded_memory().items():
        cells = f"| {way} | {' | '.join(format(row['mib'], ',') for row in rows.values())} |"
        assert cells in readme and cells in prose_of("54_classifier")


def test_lesson_quotes_how_the_recipe_was_chosen():
    medians = {way: statistics.median(rows[100]) for way, rows in recorded_errors("text_recipe").items()}
    assert medians["fine-tuned"] == min(medians.values())
    for way in ("fine-tuned", "without thawing", "constant rate", "one rate"):
        assert f"{medians[way]:.3f}" in prose_of("61_few_labels")


def test_lesson_draws_the_recorded_curve():
    cells = [cell["source"] for cell in code_cells(ROOT / "nbs/61_few_labels.ipynb")]
    source, = [source for source in cells if source.startswith("recorded = ")]
    drawn = {}
    exec(source.partition("\ndraw_errors")[0], drawn)
    rows = recorded_errors()
    assert drawn["recorded"] == {way: rows[way] for way in drawn["recorded"]}


if __name__ == "__main__":
    print("\n".join(table_rows("text_transfer") + table_rows("text_recipe")))

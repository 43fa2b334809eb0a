"The benchmarks of the lessons on ratings and tables, and inputs that would do harm without an error."
import json
import math
import subprocess
import sys

import pytest
import torch
from project import ROOT

from fastcourse.data.datasets import Samples
from fastcourse.data.readers import FilmRatings
from fastcourse.plots import mimebundle
from fastcourse.tabular.collab import (
    Categories, FactorModel, draw_reasons, encode_ratings, main_components, recommend)
from fastcourse.tabular.model import Table, TableModel, read_columns

sys.path.insert(0, str(ROOT / "benchmarks"))


def recorded(name):
    return json.loads((ROOT / f"benchmarks/results/{name}.json").read_text(encoding="utf8"))


def text(path):
    return (ROOT / path).read_text(encoding="utf8")


def run(tmp_path, name, *settings):
    "What a benchmark writes with small sizes."
    output = tmp_path / "result.json"
    command = [sys.executable, ROOT / f"benchmarks/{name}.py", "--seeds", "1", "--epochs", "1", *settings]
    subprocess.run([*command, "--output", output], check=True, cwd=ROOT)
    return json.loads(output.read_text(encoding="utf8"))


def test_collab_benchmark_runs(tmp_path):
    result = run(tmp_path, "collab", "--users", "60", "--items", "40", "--ratings", "1000")
    assert set(result["rows"]) == set(recorded("collab")["rows"])


def test_tables_benchmark_runs(tmp_path):
    assert set(run(tmp_path, "tables", "--rows", "300")["rows"]) == set(recorded("tables")["rows"])


def test_factors_beat_the_mean_of_the_film_and_the_biases():
    rows = recorded("collab")["rows"]
    known = {name: row["known"]["errors"] for name, row in rows.items()}
    assert len(known["mean"]) == 5
    for seed in range(5):
        best, ours, biases, films, mean = (known[name][seed] for name in (
            "best possible", "8 factors, dropout", "biases alone", "mean of the film", "mean"))
        assert best < ours < biases - 0.03 and biases < films < mean


def test_network_and_trees_are_between_a_guess_and_the_best():
    rows = {name: row["errors"] for name, row in recorded("tables")["rows"].items()}
    assert len(rows["network"]) == 5
    for mean, network, trees, best in zip(*[rows[name] for name in (
            "mean", "network", "boosting, best", "best possible")]):
        assert best < network < trees < mean / 2
    assert all(network < blind for network, blind in zip(rows["network"], rows["without gaps"]))


def test_factors_are_found():
    for found in recorded("collab")["angles"]:
        assert len(found) == 4 and max(found) < 45


def lines_of(name):
    "The lines of the tables in README and lesson."
    if name == "tables":
        return [f"| {row} | {found['median']:.0f} | {min(found['errors']):.0f} to {max(found['errors']):.0f} |"
                for row, found in recorded(name)["rows"].items()]
    parts = [[(found["median"], min(found["errors"]), max(found["errors"])) for found in row.values()]
             for row in recorded(name)["rows"].values()]
    cells = [" | ".join(f"{middle:.3f} | {low:.3f} to {high:.3f}" for middle, low, high in row) for row in parts]
    return [f"| {row} | {cell} |" for row, cell in zip(recorded(name)["rows"], cells)]


@pytest.mark.parametrize("name, lesson", [("collab", "56_collab"), ("tables", "57_tabular")])
def test_readme_and_lesson_have_the_recorded_results(name, lesson):
    readme, cells = text("benchmarks/README.md"), json.loads(text(f"nbs/{lesson}.ipynb"))["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells)
    for line in lines_of(name):
        assert line in readme and line in prose


def test_movielens_is_measured(monkeypatch):
    import argparse

    import collab
    generator = torch.Generator().manual_seed(0)
    pairs = torch.randperm(40 * 30, generator=generator)[:600]
    stars = torch.randint(1, 6, (600,), generator=generator).float()
    films = FilmRatings(pairs // 30, pairs % 30, stars, torch.zeros(600), tuple(map(str, range(30))))
    monkeypatch.setattr(collab, "movielens_100k", lambda: films)
    found, _ = collab.movielens(0, argparse.Namespace(epochs=1, lr=0.02))
    assert {"mean", "biases alone", "8 factors, dropout"} < set(found)
    assert all(0 < errors[0] < 3 for errors in found.values())


def test_missing_values_are_one_category():
    rows = Categories(["a", None, float("nan"), "b"])
    assert rows.encode([None, math.nan, "b", "z"]).tolist() == [2, 2, 3, 0]


@pytest.mark.parametrize("stars, message", [([3, math.inf], "got inf"), ([3, -1], "got -1.0"), ([None, 3], "got nan")])
def test_bad_stars_are_named(stars, message):
    rows = Categories([1, 2])
    with pytest.raises(ValueError, match=message):
        encode_ratings([1, 2], [1, 2], stars, rows, rows, 1, 5)


def test_everything_seen_leaves_nothing_to_recommend():
    model = FactorModel(4, 5)
    seen = torch.tensor([[2, item] for item in range(1, 5)])
    assert recommend(model, 2, seen).tolist() == []
    assert 0 not in recommend(model, 1, seen).tolist()


def test_any_name_can_be_drawn():
    rated = Samples(torch.tensor([[1, 1], [2, 3]]), torch.tensor([4.0, 2.0]))
    names = ["unknown", *[r"<img src=x onerror=alert(1)> $\foo$ 100 % {x}"] * 4]
    figure = draw_reasons(FactorModel(4, 5), rated, names)
    words = mimebundle(figure)[0]["text/html"]
    assert "&lt;img" in words and "<img src=x" not in words
    with pytest.raises(ValueError, match="place must be from 1 to 3, got 4"):
        draw_reasons(FactorModel(4, 5), rated, names, place=4)


@pytest.mark.parametrize("num_factors", [0, 2, 8])
def test_components_of_any_number_of_factors(num_factors):
    model = FactorModel(4, 5, num_factors)
    users, items = main_components(model)
    torch.testing.assert_close(users @ items.T, model.user_factors.weight @ model.item_factors.weight.T)
    assert sorted(recommend(model, 1, torch.zeros(0, 2, dtype=torch.int64)).tolist()) == [1, 2, 3, 4]


def test_table_of_one_kind_of_column():
    columns = {"a": ["x", "y", "x"], "b": [1, None, 3]}
    words, numbers = Table(columns, ["a"], []), Table(columns, [], ["b"])
    assert words.encode(columns)[1].shape == (3, 0) and numbers.encode(columns)[0].shape == (3, 0)
    for table in (words, numbers):
        model = TableModel(table.num_rows, table.num_continuous, 0, 1).eval()
        assert model(*table.encode(columns)).shape == (3,)


def test_gap_that_comes_later_is_filled():
    table = Table({"a": [1, 2, 9]}, [], ["a"])
    assert table.encode({"a": ["", "4"]})[1].tolist() == [[2.0], [4.0]]


def test_ragged_file_is_named(tmp_path):
    path = tmp_path / "ragged.csv"
    path.write_text("a,b\n1,2\n3\n", encoding="utf8")
    with pytest.raises(ValueError, match="1 fields instead of 2"):
        read_columns(path)

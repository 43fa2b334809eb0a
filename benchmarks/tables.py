"""A network against gradient boosting on a generated table of flats, over several seeds.

The table and the model of the lesson "Tables": 4,000 flats to learn from and 1,000 to check with. A seed decides the
table, the order and all first weights. What is reported is the root of the mean squared error of the rents, in euros.

    mean             of the training rents
    network          TableModel: embeddings, BatchNorm, two hidden layers, a column that says where the gaps are
    without gaps     the same without that column
    boosting         scikit-learn's HistGradientBoostingRegressor with its standard settings
    boosting, best   the best of three settings, chosen on the very rows that it is judged by
    best possible    by somebody who knows all causes

Torch takes one thread.
"""
import statistics
import time
from functools import partial

import numpy as np
import torch
from frame import frame, make_parser, save
from sklearn.ensemble import HistGradientBoostingRegressor
from torch.nn import functional as F

from fastcourse.core import seed_everything
from fastcourse.data.datasets import Split
from fastcourse.tabular.model import Table, TableModel, flats, parse_numbers, table_loaders
from fastcourse.training.learner import Learner
from fastcourse.training.schedule import fit_one_cycle

CATEGORICAL, CONTINUOUS = ["district", "heating"], ["size", "year", "distance"]
SETTINGS = [dict(), dict(learning_rate=0.05, max_iter=300), dict(max_leaf_nodes=8, max_iter=300)]


def error(preds, y):
    return (preds - y).square().mean().sqrt().item()


def network(table, split, seed, epochs):
    "The validation error after the last epoch."
    seed_everything(seed)
    model = TableModel(table.num_rows, split.train[1].shape[1], 0, 1.2 * split.train[2].max().item())
    opt_func = partial(torch.optim.AdamW, weight_decay=0.1)
    learn = Learner(model, table_loaders(split, 64, seed), F.mse_loss, opt_func)
    fit_one_cycle(learn, epochs, 0.01)
    return learn.averages["valid_loss"] ** 0.5


def boosted(parts, split):
    "The validation errors with each of the settings."
    def features(part, x):
        return np.column_stack([x[0], part["size"], parse_numbers("year", part["year"]), part["distance"]])

    errors = []
    for setting in SETTINGS:
        trees = HistGradientBoostingRegressor(categorical_features=[0, 1], random_state=0, **setting)
        trees.fit(features(parts[0], split.train), split.train[2].numpy())
        errors.append(error(torch.tensor(trees.predict(features(parts[1], split.valid))), split.valid[2]))
    return errors


def one_seed(seed, num_rows, epochs):
    "Name -> error."
    columns, expected = flats(num_rows, seed)
    cut = num_rows * 4 // 5
    parts = [{name: values[rows] for name, values in columns.items()} for rows in (slice(cut), slice(cut, None))]
    table = Table(parts[0], CATEGORICAL, CONTINUOUS)
    split = Split(*[(*table.encode(part), torch.tensor(part["rent"])) for part in parts])
    blind = Split(*[(rows, numbers[:, :3], y) for rows, numbers, y in split])
    trees = boosted(parts, split)
    return {"mean": error(split.train[2].mean(), split.valid[2]), "network": network(table, split, seed, epochs),
            "without gaps": network(table, blind, seed, epochs), "boosting": trees[0], "boosting, best": min(trees),
            "best possible": error(expected[cut:], split.valid[2])}


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many (default 5)")
    parser.add_argument("--rows", type=int, default=5000, help="of the table, a fifth of them held out (default 5000)")
    parser.add_argument("--epochs", type=int, default=12, help="of the network (default 12)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    runs = [one_seed(seed, arguments.rows, arguments.epochs) for seed in range(arguments.seeds)]
    rows = {name: [round(run[name], 1) for run in runs] for name in runs[0]}
    for name, errors in rows.items():
        print(f"{name:16} {statistics.median(errors):.1f}, from {min(errors):.1f} to {max(errors):.1f}")
    result = frame(
        "root of the mean squared error of the rents of held-out flats, in euros, for each seed", "scikit-learn",
        seeds=[*range(arguments.seeds)], table_rows=arguments.rows, epochs=arguments.epochs, settings=SETTINGS,
        rows={name: dict(median=statistics.median(errors), errors=errors) for name, errors in rows.items()},
        processor_seconds=round(time.process_time() - start))
    save(result, arguments.output)


if __name__ == "__main__":
    main()

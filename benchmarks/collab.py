"""How well ratings are predicted, from the mean of all to the best possible, over several seeds.

The models of the lesson "Collaborative filtering" on generated ratings; a seed decides the ratings, their order and all
first weights. What is reported is the root of the mean squared error, in stars, of held-out ratings by known users, and
of all ratings by users who are not in the training part ("cold").

    mean                  of the training ratings
    mean of the film      with five ratings of the overall mean added to each film
    biases alone          a mean, and a bias for each user and each film
    4 factors             biases and four factors, with weight decay
    8 factors, dropout    biases and eight factors, with weight decay and dropout
    network               embeddings of user and film side by side, and a network with a hidden layer
    best possible         by somebody who knows everything but the mood

"Angles" are those between the spaces of the true factors and of the first four main components of "8 factors, dropout",
in degrees, over films with at least 50 ratings. With `--data movielens_100k` all that needs no known causes is measured
on MovieLens-100k, a fifth of the ratings held out at random. Torch takes one thread.
"""
import statistics
import time
from functools import partial

import torch
from frame import frame, make_parser, save
from torch import nn
from torch.nn import functional as F

from fastcourse.core import seed_everything
from fastcourse.data.datasets import Split, split_loaders
from fastcourse.data.ratings import best_ratings, ratings
from fastcourse.data.readers import movielens_100k
from fastcourse.tabular.collab import (
    Categories, FactorModel, encode_ratings, fill_unknown, main_components, sigmoid_range)
from fastcourse.training.learner import Learner
from fastcourse.training.schedule import fit_one_cycle

GOAL_MOVIELENS = 0.92
# number of factors, dropout, weight decay
MODELS = {"biases alone": (0, 0.0, 0.02), "4 factors": (4, 0.0, 0.2), "8 factors, dropout": (8, 0.2, 0.2)}
NETWORK_DECAY = 0.02


class Network(nn.Module):
    "Embeddings of user and item, side by side, and a hidden layer."
    def __init__(self, num_users, num_items, low, high):
        super().__init__()
        self.low, self.high = low, high
        self.users, self.items = nn.Embedding(num_users, 16), nn.Embedding(num_items, 16)
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=0.1)
        self.layers = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, x):
        h = torch.cat([self.users(x[:, 0]), self.items(x[:, 1])], dim=1)
        return sigmoid_range(self.layers(h).squeeze(1), self.low, self.high)


def error(preds, y):
    return (preds - y).square().mean().sqrt().item()


def train(make, split, weight_decay, arguments, seed):
    "The trained model, in eval mode."
    seed_everything(seed)
    opt_func = partial(torch.optim.AdamW, weight_decay=weight_decay)
    learn = Learner(make(), split_loaders(split, 128, seed), F.mse_loss, opt_func)
    fit_one_cycle(learn, arguments.epochs, arguments.lr)
    return learn.model.eval()


def angles(a, b):
    "Between the spaces of the columns, in degrees, the smallest first."
    bases = [torch.linalg.qr(columns.double() - columns.double().mean(0)).Q for columns in (a, b)]
    return torch.linalg.svdvals(bases[0].T @ bases[1]).clamp(max=1).acos().rad2deg().tolist()


def film_means(train, num_items):
    mean = train.y.mean()
    totals = torch.zeros(num_items).index_add_(0, train.x[:, 1], train.y - mean)
    return mean + totals / (train.x[:, 1].bincount(minlength=num_items) + 5)


@torch.no_grad()
def measure(split, cold, sizes, span, arguments, seed):
    "Name -> errors on held-out ratings and of cold users; and the models."
    means, models = film_means(split.train, sizes[1]), {}
    parts = [split.valid] + [cold] * (cold is not None)
    found = {"mean": [error(split.train.y.mean(), part.y) for part in parts],
             "mean of the film": [error(means[part.x[:, 1]], part.y) for part in parts]}
    with torch.enable_grad():
        for name, (count, dropout, decay) in MODELS.items():
            models[name] = train(lambda: FactorModel(*sizes, count, *span, dropout), split, decay, arguments, seed)
        models["network"] = train(lambda: Network(*sizes, *span), split, NETWORK_DECAY, arguments, seed)
    for name, model in models.items():
        found[name] = [error(fill_unknown(model)(part.x), part.y) for part in parts]
    return found, models


def generated(seed, arguments):
    "Errors and angles for one seed."
    data = ratings(arguments.users, arguments.items, arguments.ratings, seed)
    user_rows, film_rows = Categories(data.train.users), Categories(data.train.items)
    encoded = [encode_ratings(part.users, part.items, part.ratings, user_rows, film_rows, 0.5, 5) for part in data[:3]]
    sizes = len(user_rows), len(film_rows)
    found, models = measure(Split(*encoded[:2]), encoded[2], sizes, (0.0, 5.5), arguments, seed)
    found["best possible"] = [error(best_ratings(data.causes, part.users, part.items), part.ratings)
                              for part in (data.valid, data.cold)]
    known = encoded[0].x[:, 1].bincount(minlength=len(film_rows))[1:] >= 50
    truth = data.causes.item_factors[torch.tensor(film_rows.names)][known]
    components = main_components(models["8 factors, dropout"])[1][1:, :4][known]
    return found, angles(truth, components) if len(truth) > 4 else []


def movielens(seed, arguments):
    "Errors for one seed; films that only the held-out part has are unknown."
    data = movielens_100k()
    order = torch.randperm(len(data.stars), generator=torch.Generator().manual_seed(seed))
    cut = len(order) // 5
    columns = [[column[rows] for column in (data.user, data.film, data.stars)] for rows in (order[cut:], order[:cut])]
    rows = [Categories(column) for column in columns[0][:2]]
    split = Split(*[encode_ratings(*part, *rows, 1, 5) for part in columns])
    return measure(split, None, [len(each) for each in rows], (0.5, 5.5), arguments, seed)[0], []


def summary(runs):
    "Name -> part -> errors of all seeds and their median."
    rows = {}
    for name in runs[0]:
        for part, errors in zip(("known", "cold"), zip(*[run[name] for run in runs])):
            errors = [round(value, 4) for value in errors]
            rows.setdefault(name, {})[part] = dict(median=statistics.median(errors), errors=errors)
    return rows


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--data", choices=["generated", "movielens_100k"], default="generated")
    parser.add_argument("--seeds", type=int, default=5, help="how many (default 5)")
    parser.add_argument("--epochs", type=int, default=10, help="of each training (default 10)")
    parser.add_argument("--lr", type=float, default=0.02, help="highest rate (default 0.02)")
    parser.add_argument("--users", type=int, default=1000, help="of the generated ratings (default 1000)")
    parser.add_argument("--items", type=int, default=500, help="of the generated ratings (default 500)")
    parser.add_argument("--ratings", type=int, default=40_000, help="generated (default 40000)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    start, one_seed = time.process_time(), generated if arguments.data == "generated" else movielens
    runs, all_angles = zip(*[one_seed(seed, arguments) for seed in range(arguments.seeds)])
    rows = summary(runs)
    for name, parts in rows.items():
        print(f"{name:20}", "   ".join(f"{part} {row['median']:.3f}, from {min(row['errors']):.3f} to "
                                       f"{max(row['errors']):.3f}" for part, row in parts.items()))
    result = frame(
        "root of the mean squared error in stars, of held-out ratings by known users and of cold users",
        data=arguments.data,
        seeds=[*range(arguments.seeds)], epochs=arguments.epochs, lr=arguments.lr, goal_movielens=GOAL_MOVIELENS,
        rows=rows, angles=[[round(angle, 1) for angle in found] for found in all_angles],
        processor_seconds=round(time.process_time() - start))
    print("angles", result["angles"])
    save(result, arguments.output)


if __name__ == "__main__":
    main()

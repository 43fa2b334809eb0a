"""What each part and each change of the regularized LSTM is worth on Human Numbers, over several seeds.

The base, "book", is the last recipe of fastbook's chapter 12: its split, 64 units, two layers, tied weights, dropout
0.4, AR 2, TAR 1, weight decay 0.1, 15 epochs of one cycle up to 1e-2, batches of 64 rows of 16 words. Every other
variant leaves out one thing, changes one thing, or adds up changes that are measured alone as well. All have the same
epochs, and all but the untied ones the same number of parameters. An output file with the same seeds, epochs and
versions is added to, so the run can be made in parts.

The recipe is `number_learner` of the lesson Regularization. Each run has one thread, and the runs are shared out to the
cores. The accuracy is that of the last epoch, not of the best one, on the same 12,288 words for all.
"""
import json
import os
import statistics
import time

import torch
from frame import frame, make_parser, save
from joblib import Parallel, delayed

from fastcourse.text.regularize import Dropout, accuracy_by_place, dropout_mask, number_learner
from fastcourse.training.callbacks import ClipGradients
from fastcourse.training.schedule import fit_one_cycle

NUM_EPOCHS = 15
BEST = "weight decay 1"
GOAL = 0.9  # median of BEST
# Name -> settings of number_learner; those of fit_one_cycle are under "fit", and "rows" asks for a mask for each row.
VARIANTS = {
    "plain LSTM": dict(dropout=0.0, alpha=0.0, beta=0.0, weight_decay=0.01, tied=False),
    "book": {},
    "book without dropout": dict(dropout=0.0),
    "book without AR and TAR": dict(alpha=0.0, beta=0.0),
    "book, not tied": dict(tied=False),
    "book, embedding 0.01": dict(embedding_std=0.01),
    "momentum 0.8, 0.7, 0.8": dict(fit=dict(momentums=(0.8, 0.7, 0.8))),
    "peak rate 0.02": dict(fit=dict(lr_max=0.02)),
    "gradients clipped at 0.25": dict(cbs=[ClipGradients(max_norm=0.25)]),
    "one mask for each row": dict(rows=True),
    "16 rows of 16": dict(batch_size=16),
    "16 rows of 64": dict(batch_size=16, length=64),
    "forget bias 1": dict(forget_bias=1.0),
    BEST: dict(weight_decay=1.0),
    "16 rows of 64, decay 1": dict(batch_size=16, length=64, weight_decay=1.0),
    "16 rows of 64, decay 1, forget bias 1": dict(batch_size=16, length=64, weight_decay=1.0, forget_bias=1.0),
}


class RowDropout(Dropout):
    "Dropout with one mask for all steps of a row. Gal and Ghahramani 2016."
    def forward(self, x):
        return x * dropout_mask(x, (x.size(0), 1, x.size(2)), self.p) if self.training else x


def measure(variant, seed, num_epochs):
    "Train once. Accuracy of the last epoch, of first words and of the others; parameters; seconds of one core."
    torch.set_num_threads(1)
    settings = dict(VARIANTS[variant])
    fit, rows = {"lr_max": 1e-2, **settings.pop("fit", {})}, settings.pop("rows", False)
    learn = number_learner(seed=seed, **settings)
    if rows:
        learn.model.dropout = RowDropout(learn.model.dropout.p)
    start = time.process_time()
    fit_one_cycle(learn, num_epochs, **fit)
    seconds = time.process_time() - start
    found = dict(accuracy=learn.averages["accuracy"], **accuracy_by_place(learn))
    num_params = sum(p.numel() for p in learn.model.parameters())
    return {name: round(value, 4) for name, value in found.items()} | dict(params=num_params, seconds=round(seconds, 1))


def summarize(runs):
    "For each measure its values, one for each seed, and the median of the accuracy."
    row = {name: [run[name] for run in runs] for name in ("accuracy", "first", "other")}
    return dict(median=round(statistics.median(row["accuracy"]), 4), **row, params=runs[0]["params"],
                seconds=round(statistics.median(run["seconds"] for run in runs), 1))


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each variant, seeds 0, 1, ... (default 5)")
    parser.add_argument("--epochs", type=int, default=NUM_EPOCHS, help=f"of each training (default {NUM_EPOCHS})")
    parser.add_argument("--variants", nargs="*", choices=VARIANTS, default=[*VARIANTS], help="which (default: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="trainings at a time (default: one a core)")
    arguments = parser.parse_args()
    known = arguments.output.read_text(encoding="utf8") if arguments.output and arguments.output.exists() else "{}"
    known = json.loads(known)
    result = frame(
        "accuracy on the 12,288 validation words after the last epoch, for each seed; first: of first words",
        seeds=[*range(arguments.seeds)], epochs=arguments.epochs, threads=1, goal=GOAL, variants={})
    if all(known.get(name) == result[name] for name in ("seeds", "epochs", "versions")):
        result["variants"] = known["variants"]  # go on from there
    for variant in arguments.variants:
        runs = Parallel(n_jobs=arguments.jobs)(
            delayed(measure)(variant, seed, arguments.epochs) for seed in range(arguments.seeds))
        row = result["variants"][variant] = summarize(runs)
        print(f"{variant:40} median {row['median']:.3f}, {min(row['accuracy']):.3f} to {max(row['accuracy']):.3f}; "
              f"first words {statistics.median(row['first']):.2f}; {row['seconds']:.0f} s", flush=True)
        save(result, arguments.output)


if __name__ == "__main__":
    main()

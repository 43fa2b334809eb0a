"""What a step of the course's optimizers costs, compared with PyTorch's.

Adam, AdamW and SGD with momentum, for two models in float32: one with the parameters of an AWD-LSTM for WikiText-2, few
and large, and one with many small ones. The versions take turns (A B C D A B C D ...): the course's, PyTorch's with
foreach=True, its loop with foreach=False, and fused=True. All have the same random gradients, which do not change.

The figure is the median over turns of the ratio within a turn, ours to PyTorch's. Torch computes with one thread.
"""
import statistics
import time
from functools import partial

import torch
from frame import frame, make_parser, save

from fastcourse.core import seed_everything
from fastcourse.training import optimizer

GOAL_RATIO = 1.1  # ours to foreach
SEED = 42
WARM_UP = 3  # turns that are not counted
OPTIMIZERS = {"Adam": {}, "AdamW": {}, "SGD": dict(momentum=0.9)}
VERSIONS = {"foreach": dict(foreach=True), "loop": dict(foreach=False), "fused": dict(fused=True)}


def awd_lstm_shapes():
    "An embedding that is the output layer as well, and three LSTM layers."
    shapes = [(33_278, 400), (33_278,)]
    for inputs, hidden in [(400, 1150), (1150, 1150), (1150, 400)]:
        shapes += [(4 * hidden, inputs), (4 * hidden, hidden), (4 * hidden,), (4 * hidden,)]
    return shapes


MODELS = {"AWD-LSTM": awd_lstm_shapes(), "many small": [(16, 16), (16,)] * 400,
          "25 million": [(1000, 1000), (1000,)] * 25}


def make_params(shapes):
    "Parameters with gradients, the same every time."
    seed_everything(SEED)
    params = [torch.nn.Parameter(0.1 * torch.randn(shape)) for shape in shapes]
    for p in params:
        p.grad = torch.randn(p.shape)
    return params


def make_steps(shapes, name):
    "Version -> a function that makes a step."
    settings = dict(OPTIMIZERS[name], lr=1e-5)
    opts = {"ours": getattr(optimizer, name)(make_params(shapes), **settings)}
    for version, choice in VERSIONS.items():
        opts[version] = getattr(torch.optim, name)(make_params(shapes), **settings, **choice)
    return {version: partial(opt.step) for version, opt in opts.items()}


def measure(shapes, name, num_turns):
    "Version -> milliseconds of each turn's step."
    steps = make_steps(shapes, name)
    times = {version: [] for version in steps}
    for _ in range(num_turns + WARM_UP):
        for version, step in steps.items():
            start = time.perf_counter()
            step()
            times[version].append((time.perf_counter() - start) * 1e3)
    return {version: values[WARM_UP:] for version, values in times.items()}


def summarize(times):
    "Medians of the times, and medians and quartiles of the ratios of ours to the others."
    rows = {}
    for version, values in times.items():
        rows[version] = dict(milliseconds=round(statistics.median(values), 2))
        if version == "ours":
            continue
        ratios = [ours / other for ours, other in zip(times["ours"], values, strict=True)]
        rows[version]["ratio"] = round(statistics.median(ratios), 3)
        rows[version]["ratio_quartiles"] = [round(q, 3) for q in statistics.quantiles(ratios, n=4)[::2]]
    return rows


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--turns", type=int, default=30, help="turns that are measured, at least 2 (default 30)")
    parser.add_argument("--models", nargs="*", choices=MODELS, default=[*MODELS][:2], help="(default: the first two)")
    parser.add_argument("--optimizers", nargs="*", choices=OPTIMIZERS, default=[*OPTIMIZERS], help="(default: all)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result = frame(
        "milliseconds of an optimizer's step, float32; ratio of ours to PyTorch's within a turn", seed=SEED,
        turns=arguments.turns, models={}, goal_ratio=GOAL_RATIO)
    for model in arguments.models:
        rows = result["models"][model] = {}
        for name in arguments.optimizers:
            rows[name] = summarize(measure(MODELS[model], name, arguments.turns))
            text = ", ".join(f"{version} {row['milliseconds']:.2f} ms" for version, row in rows[name].items())
            print(f"{model:10} {name:5} {text}; ours to foreach {rows[name]['foreach']['ratio']:.3f}", flush=True)
    worst = max(row["foreach"]["ratio"] for rows in result["models"].values() for row in rows.values())
    print(f"The goal, at most {GOAL_RATIO} times foreach, is {'met' if worst <= GOAL_RATIO else 'missed'}.")
    save(result, arguments.output)


if __name__ == "__main__":
    main()

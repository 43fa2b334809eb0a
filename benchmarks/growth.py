"""How cost grows: a step of the AWD-LSTM by vocabulary, hidden size, length and rows, beside its matrix products alone.

From the base (vocabulary 5,000, 128/256/2, 32 rows of 35 tokens) one size at a time is changed. Each step, with all
dropouts, the loss in chunks and fused Adam, takes turns with the matrix products that nobody can do without: those of
the gates and of the last layer, forward and backward, of the same sizes. The processor's time, one thread.

`--picture` draws results/growth.svg from the recorded result, with the memory of the classifier by the length of the
documents (results/classifier_memory.json) and the tokenizer by the size of the text (results/tokenizing_memory.json).
What is fitted are powers: an exponent of 1 says that twice as much costs twice as much.
"""
import json
import statistics
from pathlib import Path

import numpy as np
import torch
from awdlstm_step import OURS, make_steps
from frame import ROOT, frame, make_parser, save
from linear_cross_entropy import products as last_products
from turns import compare, take_turns

from fastcourse.plots import drawing, new_figure
from fastcourse.text.lstm import fast_linear

SEED, WARM_UP = 42, 1
RESULTS = ROOT / "benchmarks/results"
BASE = dict(vocab_size=5_000, embed_size=128, hidden_size=256, num_layers=2, batch=32, time=35)
RANGES = {"vocab_size": [1_000, 2_500, 5_000, 10_000, 20_000], "hidden_size": [64, 128, 256, 512, 1024],
          "time": [9, 18, 35, 70, 140], "batch": [8, 16, 32, 64, 128]}
NAMES = {"vocab_size": "words of the vocabulary", "hidden_size": "hidden units", "time": "tokens of a row (bptt)",
         "batch": "rows of a batch"}


def operands(sizes):
    "The factors of all products of the layers in a step, each with how often it is made; both directions."
    rows, steps, embed, hidden = (sizes[name] for name in ("batch", "time", "embed_size", "hidden_size"))
    widths, tokens = [embed, *[hidden] * (sizes["num_layers"] - 1), embed], rows * steps
    for inputs, outputs in zip(widths[:-1], widths[1:]):
        gates = 4 * outputs
        for a, b, times in [((tokens, inputs), (gates, inputs), 1), ((tokens, gates), (inputs, gates), 1),
                            ((gates, tokens), (inputs, tokens), 1), ((gates, tokens), (outputs, tokens), 1),
                            ((rows, outputs), (gates, outputs), steps), ((rows, gates), (outputs, gates), steps)]:
            yield torch.ones(a), torch.ones(b), times


def make_products(sizes):
    "A function that makes the matrix products of a step, those of the layers by oneDNN, and nothing else."
    factors = list(operands(sizes))
    x, weight = torch.ones(sizes["batch"] * sizes["time"], sizes["embed_size"]), torch.ones(
        sizes["vocab_size"], sizes["embed_size"])

    @torch.no_grad()
    def run():
        for a, b, times in factors:
            for _ in range(times):
                fast_linear(a, b)
        last_products(x, weight, None, None)
    return run


def measure(sizes, num_turns):
    "Milliseconds of a step, of the products, and the median share of the products within a turn."
    steps = make_steps(sizes, "cpu", {OURS})
    times = take_turns({"step": steps[OURS], "products": make_products(sizes)}, num_turns, WARM_UP)
    rows = compare(times, "step", digits=2)
    step, bound = rows["step"]["milliseconds"], rows["products"]
    return dict(step=step, products=bound["milliseconds"], share=bound["ratio"], share_quartiles=bound[
        "ratio_quartiles"], tokens_per_second=round(sizes["batch"] * sizes["time"] / step * 1e3))


def fitted_power(x, y):
    "The exponent of the power that fits best, over all points."
    return round(float(np.polyfit(np.log(x), np.log(y), 1)[0]), 2)


def read(name):
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf8"))


def memory_series():
    "Name -> (tokens of a document, MiB), as recorded."
    return {way: ([int(n) for n in rows], [row["mib"] for row in rows.values()])
            for way, rows in read("classifier_memory")["ways"].items()}


def tokenizing_series():
    "MB of text and seconds, as recorded."
    rows = read("tokenizing_memory")["rows"]
    return [float(size) for size in rows], [row["seconds"] for row in rows.values()]


def draw_panel(axes, x, curves, xlabel, ylabel):
    for name, y in curves.items():
        line, = axes.plot(x[name] if isinstance(x, dict) else x, y, marker="o", markersize=3, label=name)
    axes.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
    axes.minorticks_off()
    shown = next(iter(x.values())) if isinstance(x, dict) else x
    axes.set_xticks(shown, [f"{value:,.0f}" for value in shown])
    low, high = axes.get_ylim()
    ticks = [n * 10 ** k for k in range(6) for n in (1, 2, 5) if low < n * 10 ** k < high]
    axes.set_yticks(ticks, [f"{value:,}" for value in ticks])
    axes.legend(fontsize=7)


@drawing
def draw_growth(grown):
    "Six panels: the step by each size, memory by length, tokenizing by the size of the text."
    figure = new_figure(9.0, 5.4, "What a step, a long document and a large text cost, as each grows")
    panels = figure.subplots(2, 3).flat
    for (name, rows), axes in zip(grown.items(), panels):
        sizes = [int(size) for size in rows]
        draw_panel(axes, sizes, {"step": [row["step"] for row in rows.values()],
                                 "its products alone": [row["products"] for row in rows.values()]}, NAMES[name], "ms")
    memory, (megabytes, seconds) = memory_series(), tokenizing_series()
    draw_panel(next(panels), {way: x for way, (x, _) in memory.items()}, {way: y for way, (_, y) in memory.items()},
               "tokens of a document", "MiB of a step")
    draw_panel(next(panels), megabytes, {"two workers": seconds}, "MB of text", "seconds to tokenize")
    figure.set_label("Six panels with logarithmic axes")
    return figure


def save_picture(result, path):
    "As SVG, the same on every run, text as text."
    import matplotlib
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "growth"}):
        draw_growth(result["grown"]).savefig(path, format="svg", metadata={"Date": None})


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--turns", type=int, default=5, help="turns that are measured, at least 2 (default 5)")
    parser.add_argument("--points", type=int, default=5, help="of each size (default 5)")
    parser.add_argument("--note", default="", help="recorded with the result, such as: beside other work")
    parser.add_argument("--picture", type=Path, help="draw the recorded result into this file, and measure nothing")
    arguments = parser.parse_args()
    if arguments.picture:
        save_picture(read("growth"), arguments.picture)
        return
    torch.set_num_threads(1)
    grown, powers = {}, {}
    for name, values in RANGES.items():
        rows = grown[name] = {}
        for value in values[:arguments.points]:
            rows[value] = measure(BASE | {name: value}, arguments.turns)
            print(name, value, rows[value], flush=True)
        powers[name] = fitted_power(list(rows), [row["step"] for row in rows.values()])
    share = round(statistics.median(row["share"] for rows in grown.values() for row in rows.values()), 3)
    print(powers, share)
    save(frame("milliseconds of a step and of its matrix products alone, by size; exponents of the fitted powers",
               seed=SEED, turns=arguments.turns, note=arguments.note, base=BASE, grown=grown, powers=powers,
               median_share_of_products=share), arguments.output)


if __name__ == "__main__":
    main()

"""A quick look, in a few minutes and without peers: has a ratio to PyTorch's own, or to a plain version, fallen?

Each row times ours in turns with what it is measured against, in processor time with one thread: what counts is the
median of the ratio within a turn, which other programs and a slower machine hardly change. A row fails below its floor,
and the floors are far below what is recorded, so that only a change of the code can reach them.

  loop          the bare loop / the Learner with recorder, metric and bar, on a net of 784-50-10
  optimizer     torch's AdamW with foreach=True / ours, 800 small tensors
  LSTM          nn.LSTM / the layer that is one operation, 64 x 35, 256 units
  language      the stack without dropout / AWDLSTM with all dropouts and the loss in chunks, 5,000 words
  loss          two operations of torch / the loss in chunks, 5,000 words
  tokenizer     bare spaCy / our tokenizer with fastai's rules, 200 texts again and again
  MixUp         a step without / a step with it, in the Learner
"""
import sys
from functools import partial

import torch
from frame import frame, make_parser, save
from turns import compare, take_turns

WARM_UP = 1
FLOORS = {"loop": 0.6, "optimizer": 0.75, "LSTM": 0.6, "language": 0.9, "loss": 0.9, "tokenizer": 0.4, "MixUp": 0.08}


def loop(size):
    from loop_overhead import FULL, make_loaders, make_loops
    loops = make_loops(make_loaders(size), peers=False)
    return loops["bare"], loops[FULL]


def optimizer(size):
    from optimizer_step import make_steps
    steps = make_steps([(16, 16), (16,)] * round(400 * size), "AdamW")
    return tuple(partial(repeat, steps[name], 20) for name in ("foreach", "ours"))


def repeat(work, times):
    for _ in range(times):
        work()


def lstm(size):
    from lstm_step import make_layers, train_step
    layers, width = make_layers(256), max(2, round(64 * size))
    x, sent_back = torch.randn(width, 35, 256, requires_grad=True), torch.randn(width, 35, 256)
    return tuple(partial(train_step, layers[name], x, sent_back) for name in ("nn.LSTM", "one operation"))


def language(size):
    from awdlstm_step import OURS, PLAIN, make_steps
    rows = max(2, round(32 * size))
    sizes = dict(vocab_size=5_000, embed_size=128, hidden_size=256, num_layers=2, batch=rows, time=35)
    steps = make_steps(sizes, "cpu", {PLAIN, OURS})
    return steps[PLAIN], steps[OURS]


def loss(size):
    from linear_cross_entropy import make_data, run
    data = make_data(max(64, round(2_240 * size)), 128, 5_000)
    return partial(run, "two operations", data), partial(run, "ours", data)


def tokenizer(size):
    from tokenizing import METHODS, load_texts
    texts = load_texts(max(20, round(200 * size)))[0]
    return tuple(METHODS[name](texts, 1) for name in ("bare spaCy", "ours, fastai's rules"))


def mixup(size):
    from extra_steps import ALPHA, make_data, our_fit

    from fastcourse.vision.mixup import MixUp
    dls = make_data(max(2, round(5 * size)), 64)
    return our_fit(dls, 64), our_fit(dls, 64, cbs=[partial(MixUp, ALPHA)])


WORKS = {"loop": loop, "optimizer": optimizer, "LSTM": lstm, "language": language, "loss": loss,
         "tokenizer": tokenizer, "MixUp": mixup}


def measure(name, num_turns, size):
    "How many times as fast ours is: median and quartiles."
    reference, ours = WORKS[name](size)
    row = compare(take_turns(dict(ours=ours, reference=reference), num_turns, WARM_UP), "ours", digits=2)["reference"]
    return dict(ratio=row["ratio"], quartiles=row["ratio_quartiles"])


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--turns", type=int, default=7, help="turns that are measured, at least 2 (default 7)")
    parser.add_argument("--rows", nargs="*", choices=WORKS, default=[*WORKS], help="which (default: all)")
    parser.add_argument("--size", type=float, default=1.0, help="share of the usual size of the work (default 1)")
    parser.add_argument("--floor", type=float, help="of all rows, to try the script out (default: each row's own)")
    parser.add_argument("--note", default="", help="recorded with the result, such as: beside other work")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = {}
    for name in arguments.rows:
        row = rows[name] = measure(name, arguments.turns, arguments.size)
        row["floor"] = FLOORS[name] if arguments.floor is None else arguments.floor
        low, high = row["quartiles"]
        print(f"{name:10} {row['ratio']:7.3f} times as fast, {low} to {high}, floor {row['floor']}", flush=True)
    save(frame("how many times as fast ours is as torch's own or a plain version, medians within a turn", "spacy",
               turns=arguments.turns, note=arguments.note, rows=rows), arguments.output)
    fallen = [name for name, row in rows.items() if row["ratio"] < row["floor"]]
    if fallen:
        sys.exit(f"Below the floor: {', '.join(fallen)}.")


if __name__ == "__main__":
    main()

"""The AWD-LSTM of the paper on the paper's texts: perplexities on held-out text, and the time that it takes.

Data are Penn Treebank or WikiText-2, from the catalogue: the network, or a folder in FASTCOURSE_MIRRORS. Recipes:

  one-cycle  AdamW along one cycle, in 90 epochs
  nt-asgd    the paper's: SGD, batches of varying length, averaged weights as soon as validation stops improving

A run keeps its state in a file and goes on from it, so that it can be cut into several: start it again with the same
arguments. Merity et al. 2017 report 60.0 / 57.3 (validation / test) for Penn Treebank, 68.6 / 65.8 for WikiText-2.
"""
import math
import time
from functools import partial
from pathlib import Path

import torch
from frame import frame, make_parser, save

from fastcourse.core import DataLoaders, default_device, seed_everything
from fastcourse.data.readers import penn_treebank, wikitext2
from fastcourse.text.awdlstm import AWDLSTM, Dropouts
from fastcourse.text.batches import RateByLength, StreamBatches
from fastcourse.text.cross_entropy import DecoderLoss
from fastcourse.text.language_model import LanguageLearner, LanguageModel
from fastcourse.training.callbacks import Checkpoint, FiniteLossGuard, MoveToDevice, ProgressBar
from fastcourse.training.events import Callback
from fastcourse.training.learner import evaluate
from fastcourse.training.optimizer import NTASGD, NonMonotoneTrigger
from fastcourse.training.precision import AutoMixedPrecision
from fastcourse.training.schedule import fit_one_cycle

DATA = {"penn_treebank": penn_treebank, "wikitext2": wikitext2}
BATCH_SIZES = {"penn_treebank": 20, "wikitext2": 80}  # the paper's
DROPOUTS = {"penn_treebank": Dropouts(hidden=0.25), "wikitext2": Dropouts(input=0.65, hidden=0.2)}  # its authors'
LENGTH = 70
EVAL_ROWS, TEST_ROWS = 10, 1


class Seconds(Callback):
    "How long all parts of an interrupted training took together."
    memory = ("before",)

    def __init__(self):
        self.before, self.start = 0.0, time.perf_counter()

    def state_dict(self):
        return {"before": self.total}

    @property
    def total(self):
        return self.before + time.perf_counter() - self.start


def read_data(name, max_tokens):
    "Train, valid and test as ids, and the number of words; numbers follow the first appearance in the training text."
    parts = [part[:max_tokens] for part in DATA[name]()]
    number = {word: i for i, word in enumerate(dict.fromkeys(parts[0] + parts[1] + parts[2]))}
    return [torch.tensor([number[word] for word in part]) for part in parts], len(number)


def make_learner(arguments, seconds):
    (train, valid, test), vocab_size = read_data(arguments.data, arguments.max_tokens)
    seed_everything(arguments.seed)
    dropouts = DROPOUTS[arguments.data].scaled(arguments.drop_mult)
    model = LanguageModel(AWDLSTM(vocab_size, *arguments.sizes, dropouts))
    is_paper = arguments.recipe == "nt-asgd"
    loader = StreamBatches(train, arguments.batch_size or BATCH_SIZES[arguments.data], LENGTH, variable=True,
                           generator=torch.Generator().manual_seed(arguments.seed))
    decay = 1.2e-6 if arguments.weight_decay is None and is_paper else arguments.weight_decay or 0.1
    opt_func = NTASGD if is_paper else partial(torch.optim.AdamW, betas=(0.8, 0.99), fused=True)
    cbs = [MoveToDevice(), seconds, FiniteLossGuard(), RateByLength(LENGTH), Checkpoint(arguments.state, every=200)]
    cbs += [NonMonotoneTrigger()] if is_paper else []
    cbs += [AutoMixedPrecision(torch.bfloat16)] if arguments.bf16 else []
    learn = LanguageLearner(model, DataLoaders(loader, StreamBatches(valid, EVAL_ROWS, LENGTH)),
                            partial(opt_func, weight_decay=decay), cbs=[*cbs, ProgressBar()])
    learn.loss_func = DecoderLoss(model.decoder, chunk_size=arguments.chunk_size)
    return learn, StreamBatches(test, TEST_ROWS, LENGTH), decay


def train(learn, arguments):
    resume = arguments.state if arguments.state.exists() else None
    if arguments.recipe == "nt-asgd":
        learn.fit(arguments.epochs, lr=arguments.lr or 30.0, resume=resume)
        if learn.opt.is_averaging:
            learn.opt.swap_averages()
    else:
        fit_one_cycle(learn, arguments.epochs, arguments.lr or 5e-3, momentums=(0.8, 0.7, 0.8), resume=resume)


def main():
    parser = make_parser(__doc__)
    parser.add_argument("data", choices=DATA, help="the text")
    parser.add_argument("--recipe", choices=["one-cycle", "nt-asgd"], default="one-cycle", help="(default one-cycle)")
    parser.add_argument("--epochs", type=int, default=90, help="(default 90; the paper takes 500 and 750)")
    parser.add_argument("--lr", type=float, help="highest rate (default 5e-3 for one-cycle, 30 for nt-asgd)")
    parser.add_argument("--weight-decay", type=float, help="(default 0.1 for one-cycle, 1.2e-6 for nt-asgd)")
    parser.add_argument("--drop-mult", type=float, default=1.0, help="factor of all dropouts (default 1)")
    parser.add_argument("--batch-size", type=int, help="rows (default: the paper's, 20 and 80)")
    parser.add_argument("--sizes", type=int, nargs=3, default=[400, 1152, 3], metavar=("EMBED", "HIDDEN", "LAYERS"),
                        help="of the AWD-LSTM (default 400 1152 3)")
    parser.add_argument("--max-tokens", type=int, help="of each part, to try the script out (default: all)")
    parser.add_argument("--chunk-size", type=int, default=2048, help="rows of scores at a time (default 2048)")
    parser.add_argument("--bf16", action="store_true", help="forward and backward in bfloat16")
    parser.add_argument("--seed", type=int, default=42, help="(default 42)")
    parser.add_argument("--state", type=Path, required=True, help="file that keeps the state; resumed if it exists")
    arguments = parser.parse_args()
    seconds = Seconds()
    learn, test, decay = make_learner(arguments, seconds)
    train(learn, arguments)
    total = seconds.total
    test_loss = evaluate(learn, test)["valid_loss"]
    device = default_device()
    valid = [round(epoch["perplexity"], 2) for epoch in learn.history]
    settings = {name: value for name, value in vars(arguments).items() if name not in ("state", "output")}
    result = frame(
        "perplexity after each epoch on the validation text, at the end on the test text; seconds of training",
        device=device.type,
        settings=settings | dict(weight_decay=decay), valid=valid, test=round(math.exp(test_loss), 2),
        seconds=round(total), tokens_per_second=round(learn.dls.train.x.size * len(valid) / total))
    print(f"{arguments.data}, {arguments.recipe}: validation {valid[-1]}, test {result['test']}, {total:.0f} s, "
          f"{result['tokens_per_second']} tokens/s")
    save(result, arguments.output)


if __name__ == "__main__":
    main()

"""Pretrain the small language model that comes with the package: on prose of installed packages, without labels.

Its text is that of `docstring_text()`: the training part alone, so that no held-out file has been read. With
`--backwards` the texts are read from their last token to the first. A run keeps its state and goes on from it when it
is started again with the same arguments. It writes a model folder, with weights in half precision. The package's:

  python benchmarks/pretrain.py --state forwards.safetensors --folder fastcourse/pretrained/docstrings
"""
import argparse
import json
import platform
import random
import sys
from functools import partial
from pathlib import Path

import torch
from frame import commit, hardware
from language_model import Seconds

from fastcourse.core import DataLoaders, seed_everything
from fastcourse.data.docstrings import PACKAGES, docstring_text
from fastcourse.text.awdlstm import AWDLSTM, Dropouts
from fastcourse.text.batches import StreamBatches
from fastcourse.text.language_model import LanguageLearner, LanguageModel
from fastcourse.text.transfer import save_language_model
from fastcourse.text.vocabulary import count_tokens, make_vocab, tokenize_texts
from fastcourse.training.callbacks import Checkpoint, FiniteLossGuard, ProgressBar
from fastcourse.training.schedule import fit_one_cycle

VALID_TOKENS = 100_000
SEED = 42
DATA = "docstrings of installed packages as prose, the training files of `docstring_text()` (" + ", ".join(
    (*PACKAGES, "scipy", "sklearn")) + ")"


def read_texts(arguments):
    "Both parts as streams of ids, texts in random order, and the vocabulary of the first."
    parts = [list(tokenize_texts(part[:arguments.max_texts])) for part in docstring_text()]
    vocab = make_vocab(count_tokens(parts[0]), max_size=arguments.vocab_size, min_freq=3, multiple_of=8)
    shuffle, step = random.Random(SEED).shuffle, -1 if arguments.backwards else 1
    for part in parts:
        shuffle(part)
    return [torch.tensor([i for text in part for i in vocab.encode(text)[::step]]) for part in parts], vocab


def make_learner(arguments, seconds):
    (train, valid), vocab = read_texts(arguments)
    seed_everything(SEED)
    model = LanguageModel(AWDLSTM(len(vocab), *arguments.sizes, Dropouts().scaled(arguments.drop_mult)))
    dls = DataLoaders(StreamBatches(train, arguments.batch_size, 70, variable=True, generator=torch.Generator()),
                      StreamBatches(valid[:VALID_TOKENS], 16, 70))
    opt_func = partial(torch.optim.AdamW, betas=(0.8, 0.99), weight_decay=arguments.weight_decay, fused=True)
    cbs = [seconds, FiniteLossGuard(), Checkpoint(arguments.state, every=500), ProgressBar()]
    return LanguageLearner(model, dls, opt_func, cbs=cbs), vocab


def describe(arguments, learn, vocab_size, seconds):
    "The run and what it reached."
    settings = {name: value for name, value in vars(arguments).items() if name not in ("state", "folder", "output")}
    return dict(
        what="perplexity after each epoch on held-out files", commit=commit(), settings=settings, seed=SEED,
        command=" ".join(["python", "benchmarks/pretrain.py", *sys.argv[1:]]),
        hardware=hardware() + ", one thread",
        versions=dict(python=platform.python_version(), torch=torch.__version__),
        vocab=vocab_size, tokens=learn.dls.train.x.size, seconds=seconds,
        valid=[round(epoch["perplexity"], 2) for epoch in learn.history])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10, help="(default 10)")
    parser.add_argument("--lr", type=float, default=5e-3, help="highest rate of the one cycle (default 5e-3)")
    parser.add_argument("--sizes", type=int, nargs=3, default=[128, 256, 2], metavar=("EMBED", "HIDDEN", "LAYERS"),
                        help="(default 128 256 2)")
    parser.add_argument("--drop-mult", type=float, default=0.2, help="factor of all dropouts (default 0.2)")
    parser.add_argument("--weight-decay", type=float, default=0.05, help="(default 0.05)")
    parser.add_argument("--batch-size", type=int, default=32, help="rows (default 32)")
    parser.add_argument("--vocab-size", type=int, default=8000, help="at most so many tokens (default 8000)")
    parser.add_argument("--max-texts", type=int, help="of each part, to try the script out (default: all)")
    parser.add_argument("--backwards", action="store_true", help="read each text from its end")
    parser.add_argument("--state", type=Path, required=True, help="file that keeps the state; resumed if it exists")
    parser.add_argument("--folder", type=Path, required=True, help="gets the model")
    parser.add_argument("--output", type=Path, help="write the result as JSON to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seconds = Seconds()
    learn, vocab = make_learner(arguments, seconds)
    fit_one_cycle(learn, arguments.epochs, arguments.lr, momentums=(0.8, 0.7, 0.8),
                  resume=arguments.state if arguments.state.exists() else None)
    result = describe(arguments, learn, len(vocab), round(seconds.total))
    print(result["valid"], result["seconds"])
    metrics = {f"perplexity, {VALID_TOKENS:,} tokens of held-out files": learn.history[-1]["perplexity"],
               "accuracy there": learn.history[-1]["accuracy"]}
    save_language_model(
        arguments.folder, learn.model, vocab, backwards=arguments.backwards, half=True,
        name="Docstrings, read backwards" if arguments.backwards else "Docstrings", data=DATA, metrics=metrics,
        **{key: result[key] for key in ("tokens", "seconds", "hardware", "command", "commit", "seed")})
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()

"""The error of a text classifier against the number of labels, and what each part of its recipe is worth.

The texts are those of `docstrings()`: which of six packages is a docstring from? A text has at most 250 words. A seed
draws the texts that have labels, and decides the order and all first weights; the error is that on 1,000 texts of files
that were held out.

    TF-IDF                words counted, rare ones weighted up, and logistic regression (scikit-learn)
    from scratch          the network without anything that it has read before
    fine-tuned            the network with the pretrained language model as its encoder
    both directions       the mean of two: this one, and one that reads backwards

and for one number of labels, what is missing without a part of the recipe, and what else can be had:

    without pretraining   from scratch, but with the recipe of the fine-tuned one
    without thawing       all layers are trained from the first epoch on
    one rate              the same rate for all layers
    constant rate         no slanted triangle: the rate does not change
    linear probe          the language model is not trained: logistic regression on what the head would see of a text
    all texts read        the language model has read all texts once more before, without labels, also the held-out ones
    all read, both        the mean of two that have

`--choose` judges by training files that are set aside instead, to choose a recipe by. (The language model has read
those.) Each result is written as soon as it is known, and a run that is started again goes on with those that are
missing. Torch takes one thread.
"""
import argparse
import json
import platform
import shlex
import statistics
import sys
import time
from functools import partial
from itertools import compress
from pathlib import Path
from zlib import crc32

import torch
from frame import commit, hardware
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastcourse.core import seed_everything
from fastcourse.data.datasets import Split
from fastcourse.data.docstrings import Texts, docstrings, few_texts
from fastcourse.study.progress import write_atomically
from fastcourse.text.awdlstm import encoder_settings, make_encoder
from fastcourse.text.classifier import (
    TextClassifier, classifier_learner, document_loaders, document_results, encode_texts, predict_documents)
from fastcourse.text.language_model import LanguageLearner
from fastcourse.text.transfer import fine_tune, language_groups, load_language_model, load_pretrained, text_loaders
from fastcourse.training.schedule import fit_scheduled
from fastcourse.training.state import own_weights, put_weights

CURVE = ["TF-IDF", "from scratch", "fine-tuned", "both directions"]
READ = ["all texts read", "all read, both"]
ABLATION = ["without pretraining", "without thawing", "one rate", "constant rate", "linear probe", *READ]
RECIPE = dict(lr=1e-2, factor=2.6, epochs_per_group=1)
SCRATCH = dict(lr=5e-3, factor=1, epochs_per_group=0)


def fit_constant(learn, num_epochs, rates, **settings):
    fit_scheduled(learn, num_epochs, lambda peak: lambda progress: peak, rates, **settings)


CHANGES = {"without thawing": dict(epochs_per_group=0), "one rate": dict(factor=1),
           "constant rate": dict(fit=fit_constant)}


def short(part, max_words=250):
    return Texts(tuple(" ".join(text.split(" ")[:max_words]) for text in part.x), part.y, part.files)


def choosing_split(train):
    "A fifth of the training files is set aside."
    is_aside = torch.tensor([crc32(file.encode()) // 5 % 5 == 0 for file in train.files])
    return [Texts(tuple(compress(train.x, keep)), train.y[keep], tuple(compress(train.files, keep)))
            for keep in (~is_aside, is_aside)]


def tfidf_error(train, valid):
    words = TfidfVectorizer(sublinear_tf=True)
    model = LogisticRegression(C=10, max_iter=500).fit(words.fit_transform(train.x), train.y.numpy())
    return 1 - model.score(words.transform(valid.x), valid.y.numpy())


def probe(model, documents, labels, valid):
    "Probabilities of the documents `valid`, by logistic regression on the features of an encoder that stays as it is."
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    probe.fit(document_results(model, model.features, documents).numpy(), labels.numpy())
    return torch.from_numpy(probe.predict_proba(document_results(model, model.features, valid).numpy()))


class Bench:
    "Texts, language models and settings of all cells."
    def __init__(self, arguments):
        self.arguments = arguments
        parts = [short(part) for part in docstrings()]
        if arguments.choose:
            parts = choosing_split(parts[0])
        self.corpus = Split(parts[0], few_texts(parts[1], min(arguments.max_valid, len(parts[1].x))))
        self.languages, self.documents = {}, {}

    def language(self, name):
        "A pretrained language model; one that has read all texts, if the name ends in a plus sign."
        if name not in self.languages:
            base = name.removesuffix("+")
            found = load_language_model(base) if Path(base).is_dir() else load_pretrained(base)
            self.languages[name] = found if name == base else self.read_all(found, Path(name).name)
        return self.languages[name]

    def read_all(self, pretrained, name):
        path = self.arguments.cache / f"{name}.pt"
        if path.exists():
            put_weights(torch.load(path, weights_only=True), pretrained.model)
            return pretrained
        seed_everything(0)
        texts = [text for part in self.corpus for text in part.x][:self.arguments.read_texts]
        dls = text_loaders(texts, self.corpus.valid.x[:50], pretrained.vocab, pretrained.tokenizer, batch_size=32,
                           backwards=pretrained.config["settings"]["backwards"])
        learn = LanguageLearner(pretrained.model, dls, partial(torch.optim.AdamW, fused=True),
                                split_params=language_groups)
        fine_tune(learn, self.arguments.read_epochs, 2e-3, epochs_per_group=0)
        pretrained.model.reset()
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(own_weights(pretrained.model), path)
        return pretrained

    def valid_documents(self, name):
        if name not in self.documents:
            self.documents[name] = self.encode(self.corpus.valid, name)
        return self.documents[name]

    def encode(self, part, name):
        _, vocab, tokenizer, config = self.language(name)
        return encode_texts(part.x, vocab, tokenizer, config["settings"]["backwards"])

    def probabilities(self, way, train, seed, name):
        "Of the held-out texts, by a network that was trained in some way."
        pretrained, scratch = self.language(name), way == "from scratch"
        seed_everything(seed)
        encoder = make_encoder(encoder_settings(pretrained.model.encoder), len(pretrained.vocab),
                               self.arguments.drop_mult)
        if not scratch and way != "without pretraining":
            put_weights(own_weights(pretrained.model.encoder), encoder)
        documents, valid = self.encode(train, name), self.valid_documents(name)
        dls = document_loaders((documents, train.y), (valid[:16], self.corpus.valid.y[:16]), self.arguments.batch_size,
                               torch.Generator().manual_seed(seed))
        model = TextClassifier(encoder, 6, dropout=self.arguments.head_dropout)
        if way == "linear probe":
            return probe(model, documents, train.y, valid)
        learn = classifier_learner(model, dls, partial(torch.optim.AdamW, betas=(0.9, 0.99), fused=True))
        num_steps = self.arguments.scratch_steps if scratch else self.arguments.steps
        num_epochs = max(self.arguments.min_epochs, min(self.arguments.max_epochs, num_steps // len(dls.train)))
        fine_tune(learn, num_epochs, **(SCRATCH if scratch else RECIPE | CHANGES.get(way, {})))
        return predict_documents(model, valid)

    def error(self, way, num_labels, seed):
        train = few_texts(self.corpus.train, num_labels, 1000 * seed + num_labels)
        if way == "TF-IDF":
            return tfidf_error(train, self.corpus.valid)
        forward, backward = self.arguments.forward, self.arguments.backward
        names = [forward, backward] if way in ("both directions", "all read, both") else [forward]
        if way in READ:
            names = [name + "+" for name in names]
        probs = [self.probabilities(way, train, seed, name) for name in names]
        return (torch.stack(probs).mean(dim=0).argmax(dim=1) != self.corpus.valid.y).double().mean().item()


def wanted_cells(arguments):
    "All cells, in the order of their worth: way, number of labels, seed."
    seeds = range(arguments.seeds)
    cells = [(way, n, seed) for n in arguments.labels for way in arguments.ways for seed in seeds]
    return cells + [(way, arguments.ablation_labels, seed) for way in arguments.ablation for seed in seeds]


def summary(cells):
    "way -> number of labels -> errors, by seed."
    found = {}
    for key, cell in cells.items():
        way, n, seed = key.split(" | ")
        found.setdefault(way, {}).setdefault(int(n), {})[int(seed)] = cell["error"]
    return {way: {n: [seeds[seed] for seed in sorted(seeds)] for n, seeds in sorted(rows.items())}
            for way, rows in found.items()}


def make_parser():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, nargs="*", default=[100, 50, 200, 500, 2000], help="numbers of labels")
    parser.add_argument("--ways", nargs="*", default=CURVE, choices=CURVE, metavar="WAY", help="(default: all)")
    parser.add_argument("--ablation", nargs="*", default=ABLATION, choices=ABLATION, metavar="WAY",
                        help="(default: all)")
    parser.add_argument("--ablation-labels", type=int, default=100, help="(default 100)")
    parser.add_argument("--seeds", type=int, default=5, help="how many (default 5)")
    parser.add_argument("--steps", type=int, default=84, help="of the optimizer, about (default 84)")
    parser.add_argument("--scratch-steps", type=int, default=1500, help="of a network from scratch (default 1500)")
    parser.add_argument("--min-epochs", type=int, default=3, help="at least, whatever --steps says (default 3)")
    parser.add_argument("--max-epochs", type=int, default=15, help="at most (default 15)")
    parser.add_argument("--batch-size", type=int, default=16, help="(default 16)")
    parser.add_argument("--drop-mult", type=float, default=0.2, help="of the encoder (default 0.2)")
    parser.add_argument("--head-dropout", type=float, default=0.5, help="(default 0.5)")
    parser.add_argument("--read-texts", type=int, help="of all texts, so many are read (default: all)")
    parser.add_argument("--read-epochs", type=int, default=2, help="of reading them (default 2)")
    parser.add_argument("--choose", action="store_true", help="judge by training files that are set aside")
    parser.add_argument("--max-valid", type=int, default=1000, help="held-out texts, at most (default 1000)")
    parser.add_argument("--forward", default="docstrings", help="name or folder of a language model")
    parser.add_argument("--backward", default="docstrings_backwards", help="likewise, of one that reads backwards")
    parser.add_argument("--cache", type=Path, required=True, help="a folder for what the seeds share")
    parser.add_argument("--output", type=Path, required=True, help="JSON file; gets each result as soon as it is known")
    return parser


def main():
    arguments = make_parser().parse_args()
    torch.set_num_threads(1)
    free = "labels", "ways", "ablation", "ablation_labels", "seeds", "output", "cache"
    settings = {name: value for name, value in vars(arguments).items() if name not in free}
    result = dict(
        what="share of wrong answers on held-out texts", settings=settings, commit=commit(), threads=1,
        command=shlex.join(["python", "benchmarks/text_transfer.py", *sys.argv[1:]]),
        hardware=hardware(),
        versions=dict(python=platform.python_version(), torch=torch.__version__),
        recipe=RECIPE, scratch=SCRATCH, cells={})
    if arguments.output.exists():
        before = json.loads(arguments.output.read_text(encoding="utf8"))
        for name in ("settings", "recipe", "scratch"):
            if before[name] != result[name]:
                sys.exit(f"{arguments.output} was made with other {name}: {before[name]}, not {result[name]}")
        result["cells"] = before["cells"]
        result["command"] = "; ".join(dict.fromkeys([*before["command"].split("; "), result["command"]]))
    bench, cells = Bench(arguments), result["cells"]
    for way, num_labels, seed in wanted_cells(arguments):
        key = f"{way} | {num_labels} | {seed}"
        if key not in cells:
            start = time.process_time()
            error = bench.error(way, min(num_labels, len(bench.corpus.train.x)), seed)
            cells[key] = dict(error=round(error, 4), processor_seconds=round(time.process_time() - start, 1))
            write_atomically(arguments.output, json.dumps(result, indent=1, ensure_ascii=False) + "\n")
            print(key, cells[key], flush=True)
    for way, rows in summary(cells).items():
        for n, errors in rows.items():
            low, middle, high = min(errors), statistics.median(errors), max(errors)
            print(f"{way:20} {n:6} labels: error {middle:.3f}, {low:.3f} to {high:.3f}, {len(errors)} seeds")


if __name__ == "__main__":
    main()

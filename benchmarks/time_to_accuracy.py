"""How long a training takes until a goal is reached: ours by its recipe, fastai by its own defaults or its book's.

    numbers  Human Numbers, 90 % of the validation words (the split and sizes of fastbook, chapter 12)
             ours: the recipe of the lesson Regularization with weight decay 1; fastai: the book's last recipe
    scenes   95 % of 1,000 generated scenes with 4,000 to learn from, xresnet18, one cycle
             ours: rate 8e-3 and AdamW; fastai: its learner's default rate and Adam
    imdb     85 % of 2,000 held-out reviews of IMDb, with 5,000 to learn from, from scratch, 128/256/2
             ours: the text classifier; fastai: its text classifier with its defaults

The figure is the processor's seconds, with one thread, up to the end of the first epoch whose accuracy is at the goal.
Validation is counted, data and tokens are there before. Where no epoch of the other's training gets there, all of that
training counts: the ratio is then a lower bound, and said to be one. "numbers" takes a minute, "scenes" and "imdb"
hours on two cores.
"""
import statistics
import time
from functools import partial

import torch
from frame import frame, make_parser, save
from peers import fastai_learner, is_installed, peer
from torch import nn
from torch.nn import functional as F

from fastcourse.core import seed_everything
from fastcourse.training.events import Callback
from fastcourse.training.learner import Learner, accuracy
from fastcourse.training.schedule import fit_one_cycle

GOALS = {"numbers": 0.90, "scenes": 0.95, "imdb": 0.85}


class Reached(Callback):
    "Processor seconds up to the end of the first epoch at the goal."
    order = 1000  # after whatever computes the metric

    def __init__(self, goal):
        self.goal, self.seconds, self.total, self.best, self.start = goal, None, 0.0, 0.0, time.process_time()

    def after_epoch(self, learn):
        self.note(learn.averages["accuracy"])

    def note(self, found):
        self.best, self.total = max(self.best, found), time.process_time() - self.start
        if self.seconds is None and found >= self.goal:
            self.seconds = self.total


def fastai_watch(reached):
    "The same for fastai's learner, whose recorder ends with the accuracy."
    class Watch(peer("fastai.callback.core").Callback):
        order = 100  # after its recorder

        def after_epoch(self):
            reached.note(float(self.recorder.values[-1][-1]))
    return Watch()


def our_numbers(reached, seed, epochs):
    from fastcourse.text.regularize import number_learner
    fit_one_cycle(number_learner(seed=seed, weight_decay=1.0, cbs=[reached]), epochs or 15, 1e-2)


def fastai_numbers(reached, seed, epochs):
    "The LMModel7 of the book on its batches, with its learner for texts."
    from fastcourse.text.regularize import number_learner
    dls = number_learner(seed=seed).dls

    class Model(nn.Module):
        def __init__(self, vocab_size, size=64, num_layers=2, p=0.4):
            super().__init__()
            self.i_h, self.rnn = nn.Embedding(vocab_size, size), nn.LSTM(size, size, num_layers, batch_first=True)
            self.drop, self.h_o = nn.Dropout(p), nn.Linear(size, vocab_size)
            self.h_o.weight, self.h = self.i_h.weight, None

        def forward(self, x):
            raw, h = self.rnn(self.i_h(x), self.h)
            self.h, dropped = [part.detach() for part in h], self.drop(raw)
            return self.h_o(dropped), raw, dropped

        def reset(self):
            self.h = None

    seed_everything(seed)
    rnn = peer("fastai.callback.rnn")
    model = Model(len(number_words()))
    learn = fastai_learner(dls, model, loss_func=peer("fastai.losses").CrossEntropyLossFlat(),
                           metrics=peer("fastai.metrics").accuracy,
                           cbs=[*rnn.rnn_cbs(alpha=2, beta=1), fastai_watch(reached)])
    cycle(learn, epochs or 15, 1e-2, wd=0.1)


def number_words():
    from fastcourse.data.datasets import number_vocab
    return number_vocab()


def cycle(learn, epochs, lr=None, **settings):
    peer("fastai.callback.schedule")
    with learn.no_logging():
        learn.fit_one_cycle(epochs, lr, **settings)


def our_scenes(reached, seed, epochs):
    from fastcourse.data.scenes import scene_loaders
    from fastcourse.vision.xresnet import xresnet18
    seed_everything(seed)
    learn = Learner(xresnet18(num_classes=6), scene_loaders(seed=seed), F.cross_entropy,
                    partial(torch.optim.AdamW, fused=True), metrics=[accuracy], cbs=[reached])
    fit_one_cycle(learn, epochs or 10, 8e-3)


def fastai_scenes(reached, seed, epochs):
    from fastcourse.data.scenes import scene_loaders
    seed_everything(seed)
    learn = fastai_learner(scene_loaders(seed=seed), peer("fastai.vision.models.xresnet").xresnet18(n_out=6),
                           loss_func=peer("fastai.losses").CrossEntropyLossFlat(),
                           metrics=peer("fastai.metrics").accuracy, cbs=[fastai_watch(reached)])
    cycle(learn, epochs or 10)


def read_imdb(seed):
    "Ids and labels of 5,000 reviews and of 2,000 others, at most 400 tokens each; and the number of words."
    from fastcourse.data.catalog import fetch
    from fastcourse.data.readers import imdb
    from fastcourse.text.vocabulary import count_tokens, make_vocab, tokenize_texts
    reviews = list(imdb(["train"], fetch("imdb")))
    order = torch.randperm(len(reviews), generator=torch.Generator().manual_seed(seed)).tolist()[:7000]
    texts = list(tokenize_texts([reviews[i].text for i in order]))
    labels = torch.tensor([int(reviews[i].label == "pos") for i in order])
    vocab = make_vocab(count_tokens(texts[:5000]), max_size=8000, min_freq=3)
    documents = [torch.tensor(vocab.encode(text)[:400]) for text in texts]
    return (documents[:5000], labels[:5000]), (documents[5000:], labels[5000:]), len(vocab)


def our_imdb(reached, seed, epochs):
    from fastcourse.text.awdlstm import AWDLSTM, Dropouts
    from fastcourse.text.classifier import TextClassifier, classifier_learner, document_loaders
    train, valid, num_words = read_imdb(seed)
    reached.start = time.process_time()
    seed_everything(seed)
    model = TextClassifier(AWDLSTM(num_words, 128, 256, 2, Dropouts().scaled(0.3)), 2, dropout=0.1)
    dls = document_loaders(train, valid, 32, torch.Generator().manual_seed(seed))
    fit_one_cycle(classifier_learner(model, dls, partial(torch.optim.AdamW, fused=True), cbs=[reached]), epochs or 8,
                  5e-3)


def fastai_imdb(reached, seed, epochs):
    data, core, models = peer("fastai.text.data"), peer("fastai.data.core"), peer("fastai.text.models.core")
    awdlstm, learner = peer("fastai.text.models.awdlstm"), peer("fastai.learner")
    train, valid, num_words = read_imdb(seed)
    reached.start = time.process_time()
    seed_everything(seed)
    loaders = [data.SortedDL([(data.TensorText(ids), label) for ids, label in zip(*part)], bs=64, num_workers=0,
                             shuffle=part is train, before_batch=data.Pad_Chunk(pad_idx=1)) for part in (train, valid)]
    model = models.get_text_classifier(awdlstm.AWD_LSTM, num_words, 2, config=dict(emb_sz=128, n_hid=256, n_layers=2))
    learn = learner.Learner(core.DataLoaders(*loaders), model, cbs=[
        *peer("fastai.callback.rnn").rnn_cbs(), fastai_watch(reached)], metrics=peer("fastai.metrics").accuracy,
        loss_func=peer("fastai.losses").CrossEntropyLossFlat())
    cycle(learn, epochs or 8)


TASKS = {"numbers": {"ours": our_numbers, "fastai": fastai_numbers},
         "scenes": {"ours": our_scenes, "fastai": fastai_scenes}, "imdb": {"ours": our_imdb, "fastai": fastai_imdb}}


def summarize(runs):
    "By name: seconds and best accuracy of each seed; how many times as fast ours is, where both got there."
    rows = {name: dict(seconds=[run.seconds and round(run.seconds, 1) for run in found],
                       total=[round(run.total, 1) for run in found], best=[round(run.best, 4) for run in found])
            for name, found in runs.items()}
    for name, row in rows.items():
        ratios = [round((other.seconds or other.total) / own.seconds, 2)
                  for own, other in zip(runs["ours"], runs[name], strict=True) if own.seconds]
        if name != "ours" and ratios:
            row |= dict(ratio=statistics.median(ratios), range=[min(ratios), max(ratios)], bound=None in row["seconds"])
    return rows


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--tasks", nargs="*", choices=TASKS, default=["numbers"], help="which (default numbers)")
    parser.add_argument("--seeds", type=int, default=3, help="0, 1, ... (default 3)")
    parser.add_argument("--epochs", type=int, help="of each training (default: the recipe's)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for task in arguments.tasks:
        makers, runs = {name: make for name, make in TASKS[task].items() if name == "ours" or is_installed(name)}, {}
        for seed in range(arguments.seeds):
            for name, make in makers.items():
                reached = Reached(GOALS[task])
                make(reached, seed, arguments.epochs)
                runs.setdefault(name, []).append(reached)
                print(task, seed, name, reached.seconds, round(reached.best, 4), flush=True)
        found[task] = dict(goal=GOALS[task]) | summarize(runs)
    save(frame("processor seconds until an epoch reaches the goal", "fastai", seeds=[*range(arguments.seeds)],
               tasks=found), arguments.output)


if __name__ == "__main__":
    main()

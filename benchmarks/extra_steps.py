"""What MixUp, label smoothing and mixed precision add to a training step, side by side with fastai's and timm's.

A linear layer on pictures of 3 x 64 x 64 in batches of 64, so that little but the extra is computed. Each version takes
turns with itself without the extra (A a B b ...), in the same loop: ours in the Learner, fastai's in its learner on
the same batches, timm's and torch's in a bare loop, as timm has no learner. timm draws one share for a whole batch by
default, ours and fastai's one for each picture. Mixed precision is torch.bfloat16; fastai's asks for CUDA and is left
out.

The figure is the median over turns of the difference within a turn, in microseconds of the processor a step, with one
thread.
"""
import statistics
from functools import partial

import torch
from frame import frame, make_parser, save
from peers import fastai_learner, fit_quietly, is_installed, peer
from torch import nn
from torch.nn import functional as F
from turns import take_turns

from fastcourse.core import DataLoaders, seed_everything
from fastcourse.training.learner import Learner
from fastcourse.training.precision import AutoMixedPrecision
from fastcourse.vision.mixup import LabelSmoothing, MixUp

SEED, WARM_UP, NUM_CLASSES, ALPHA, SMOOTHING = 42, 2, 10, 0.4, 0.1


def make_data(num_batches, pixels):
    seed_everything(SEED)
    x = torch.randn(num_batches, 64, 3, pixels, pixels)
    data = list(zip(x, torch.randint(0, NUM_CLASSES, (num_batches, 64))))
    return DataLoaders(data, data[:1])


def make_model(pixels):
    seed_everything(SEED)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * pixels ** 2, NUM_CLASSES))


def our_fit(dls, pixels, loss_func=F.cross_entropy, cbs=()):
    learn = Learner(make_model(pixels), dls, loss_func, torch.optim.SGD, 0.01, cbs=[make() for make in cbs])
    return partial(learn.fit, 1)


def fastai_fit(dls, pixels, loss_func=None, cbs=()):
    losses = peer("fastai.losses")
    learn = fastai_learner(dls, make_model(pixels), loss_func=loss_func or losses.CrossEntropyLossFlat(), lr=0.01,
                           cbs=list(cbs), opt_func=peer("fastai.optimizer").SGD)
    return partial(fit_quietly, learn)


def bare_fit(dls, pixels, loss_func=F.cross_entropy, mix=None, half=False):
    "Trains and validates, as the learners do."
    model = make_model(pixels)
    opt = torch.optim.SGD(model.parameters(), 0.01)

    def run():
        for x, y in dls.train:
            x, y = mix(x, y) if mix else (x, y)
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss = loss_func(model(x), y)
            loss.backward()
            opt.step()
            opt.zero_grad()
        with torch.no_grad():
            for x, y in dls.valid:
                F.cross_entropy(model(x), y)
    return run


def peer_versions(dls, pixels):
    "Extra -> name -> (without, with), of those that are installed."
    found = {"MixUp": {}, "label smoothing": {}, "mixed precision": {}}
    if is_installed("fastai"):
        losses, mixup = peer("fastai.losses"), peer("fastai.callback.mixup")
        found["MixUp"]["fastai"] = fastai_fit(dls, pixels), fastai_fit(dls, pixels, cbs=[mixup.MixUp(ALPHA)])
        smooth = losses.LabelSmoothingCrossEntropyFlat(eps=SMOOTHING)
        found["label smoothing"]["fastai"] = fastai_fit(dls, pixels), fastai_fit(dls, pixels, smooth)
    if is_installed("timm"):
        data, loss = peer("timm.data.mixup"), peer("timm.loss")
        for name, mode in {"timm": "batch", "timm, a share each": "elem"}.items():
            mix = data.Mixup(mixup_alpha=ALPHA, mode=mode, label_smoothing=0.0, num_classes=NUM_CLASSES)
            pair = bare_fit(dls, pixels), bare_fit(dls, pixels, loss.SoftTargetCrossEntropy(), mix)
            found["MixUp"][name] = pair
        smooth = loss.LabelSmoothingCrossEntropy(SMOOTHING)
        found["label smoothing"]["timm"] = bare_fit(dls, pixels), bare_fit(dls, pixels, smooth)
    return found


def make_versions(dls, pixels):
    "Extra -> name -> (without, with)."
    smooth = partial(F.cross_entropy, label_smoothing=SMOOTHING)
    own = {"MixUp": {"ours": (our_fit(dls, pixels), our_fit(dls, pixels, cbs=[partial(MixUp, ALPHA)]))},
           "label smoothing": {"ours": (our_fit(dls, pixels), our_fit(dls, pixels, LabelSmoothing(SMOOTHING))),
                               "torch": (bare_fit(dls, pixels), bare_fit(dls, pixels, smooth))},
           "mixed precision": {"ours": (our_fit(dls, pixels),
                                        our_fit(dls, pixels, cbs=[partial(AutoMixedPrecision, torch.bfloat16)])),
                               "torch": (bare_fit(dls, pixels), bare_fit(dls, pixels, half=True))}}
    peers = peer_versions(dls, pixels)
    return {extra: rows | peers[extra] for extra, rows in own.items()}


def summarize(without, with_extra, num_batches):
    added = [(b - a) * 1e3 / num_batches for a, b in zip(without, with_extra, strict=True)]
    return dict(added=round(statistics.median(added), 1), added_quartiles=[
        round(q, 1) for q in statistics.quantiles(added, n=4)[::2]])


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--turns", type=int, default=20, help="turns that are measured, at least 2 (default 20)")
    parser.add_argument("--batches", type=int, default=5, help="of an epoch (default 5)")
    parser.add_argument("--pixels", type=int, default=64, help="height and width (default 64)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    versions, rows = make_versions(make_data(arguments.batches, arguments.pixels), arguments.pixels), {}
    for extra, names in versions.items():
        works = {(name, i): work for name, pair in names.items() for i, work in enumerate(pair)}
        times = take_turns(works, arguments.turns, WARM_UP)
        rows[extra] = {name: summarize(times[name, 0], times[name, 1], arguments.batches) for name in names}
        print(extra, rows[extra], flush=True)
    save(frame("microseconds that an extra adds to a training step, linear layer on 64 pictures", "fastai", "timm",
               seed=SEED, turns=arguments.turns, batches=arguments.batches, extras=rows), arguments.output)


if __name__ == "__main__":
    main()

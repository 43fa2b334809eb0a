"""The libraries that the course is measured against, from the environment that `make bench` builds.

They want torchvision, whose compiled operators are built for CUDA and do not load beside a torch without it. Nothing
that is measured here uses them, but torchvision names two of them while it is imported. So these are declared first.
"""
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec

OPERATORS = ["nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
             "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"]


@cache
def declare_operators():
    "Let torchvision be imported beside any torch. Returns what has to live as long as the operators."
    import torch
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in OPERATORS:
        with suppress(RuntimeError):  # where torchvision's own are loaded they stay
            library.define(schema)
    return library


def peer(name):
    "A module of a peer, by its full name. Raises ImportError where the peer is not installed."
    if find_spec(name.partition(".")[0]) is None:
        raise ImportError(f"{name} is not installed")
    declare_operators()
    return import_module(name)


def is_installed(name):
    return find_spec(name) is not None


class Batches:
    "A loader of ours as fastai's learner wants one."
    device = "cpu"

    def __init__(self, loader):
        self.loader = loader

    def __len__(self):
        return len(self.loader)

    def __iter__(self):
        return iter(self.loader)

    def to(self, device):
        return self


def fastai_learner(dls, model, **settings):
    "fastai's learner on loaders of ours, with its recorder, and without a bar."
    loaders = peer("fastai.data.core").DataLoaders(Batches(dls.train), Batches(dls.valid))
    return peer("fastai.learner").Learner(loaders, model, **settings)


def fit_quietly(learn, num_epochs=1):
    "Train with fastai's learner; it prints no line for an epoch."
    with learn.no_logging():
        learn.fit(num_epochs)

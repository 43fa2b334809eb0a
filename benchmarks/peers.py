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

"""What half precision gains: time, memory and loss of training steps in fp32, TF32, fp16 and bf16, side by side.

Two models: xresnet50 on pictures of 128 pixels with ten classes, and a language model with the
sizes of AWD-LSTM for WikiText-2 (400, 1150, three layers; without its dropouts). Data are random and the same for all.
The versions take turns (A B C A B C ...), each with a learner of its own, and a turn is a few steps:

  fp32        single precision, TF32 off
  TF32        single precision, products with 10 bits of fraction (NVIDIA cards since Ampere only)
  fp16 hand   MixedPrecision
  fp16 amp    AutoMixedPrecision, that is torch.autocast and GradScaler
  bf16 amp    AutoMixedPrecision(torch.bfloat16)

The figures are medians over turns of the time of a step and of its ratio to fp32's within a turn, the peak of the
memory that one turn takes beside the other versions' weights, and the training loss over the last turn.

Then each version trains an xresnet18 on the generated scenes from several seeds, and the accuracies on 1,000 pictures
that were held out stand beside those of fp32.
"""
import gc
import statistics
import time

import torch
from frame import frame, make_parser, save
from torch import nn
from torch.nn import functional as F

from fastcourse.core import DataLoaders, default_device, seed_everything
from fastcourse.data.scenes import scene_loaders
from fastcourse.training.callbacks import MoveToDevice, Recorder
from fastcourse.training.learner import Learner, accuracy
from fastcourse.training.precision import AutoMixedPrecision, MixedPrecision
from fastcourse.training.schedule import fit_one_cycle
from fastcourse.vision.xresnet import XResNet

SEED = 42
VERSIONS = {"fp32": [], "TF32": [], "fp16 hand": [MixedPrecision], "fp16 amp": [AutoMixedPrecision],
            "bf16 amp": [lambda: AutoMixedPrecision(torch.bfloat16)]}
SIZES = {"full": dict(batch_size=64, pixels=128, blocks=(3, 4, 6, 3), width=64, vocab_size=33_278, embed_size=400,
                      hidden_size=1150, bptt=70, scene_width=64, num_scenes=4000),
         "tiny": dict(batch_size=4, pixels=32, blocks=(1, 1, 1, 1), width=4, vocab_size=50, embed_size=8,
                      hidden_size=12, bptt=5, scene_width=4, num_scenes=200)}


def conv_net(size):
    return XResNet(4, size["blocks"], num_classes=10, width=size["width"])


class LanguageModel(nn.Module):
    "Embedding, three LSTM layers and a tied decoder."
    def __init__(self, size):
        super().__init__()
        n, h = size["embed_size"], size["hidden_size"]
        self.embedding = nn.Embedding(size["vocab_size"], n)
        self.layers = nn.ModuleList([nn.LSTM(n, h), nn.LSTM(h, h), nn.LSTM(h, n)])
        self.decoder = nn.Linear(n, size["vocab_size"])
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.decoder.weight = self.embedding.weight

    def forward(self, x):
        x = self.embedding(x)  # (time, batch, features)
        for layer in self.layers:
            x = layer(x)[0]
        return self.decoder(x).flatten(0, 1)


def pictures(size, num_batches):
    x = torch.randn(num_batches, size["batch_size"], 3, size["pixels"], size["pixels"])
    return list(zip(x, torch.randint(0, 10, (num_batches, size["batch_size"]))))


def words(size, num_batches):
    ids = torch.randint(0, size["vocab_size"], (num_batches, size["bptt"] + 1, size["batch_size"]))
    return [(part[:-1], part[1:].flatten()) for part in ids]


MODELS = {"convolutional": (conv_net, pictures), "language": (LanguageModel, words)}


def make_learner(name, version, size, num_batches):
    seed_everything(SEED)
    make_model, make_data = MODELS[name]
    data = make_data(size, num_batches)
    cbs = [MoveToDevice(), Recorder(), *(make() for make in VERSIONS[version])]
    return Learner(make_model(size), DataLoaders(data, data[:1]), F.cross_entropy, torch.optim.SGD, 0.01, cbs=cbs)


def set_tf32(version):
    torch.set_float32_matmul_precision("high" if version == "TF32" else "highest")
    torch.backends.cudnn.allow_tf32 = version == "TF32"


def turn(learn, version):
    "Seconds and peak bytes of an epoch; the bytes only on a GPU."
    on_gpu = torch.cuda.is_available()
    set_tf32(version)
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
    start = time.perf_counter()
    learn.fit(1)
    if on_gpu:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    return seconds, torch.cuda.max_memory_allocated() - held if on_gpu else None


def measure(name, size, num_turns, num_batches):
    "Version -> row of results, or the reason why there is none."
    learners, rows, runs = {}, {}, {}
    for version in VERSIONS:
        if version == "TF32" and not torch.cuda.is_available():
            rows[version] = "needs an NVIDIA card"
            continue
        learn = make_learner(name, version, size, num_batches)
        try:
            turn(learn, version)  # not counted
            learners[version], runs[version] = learn, []
        except RuntimeError as error:
            rows[version] = str(error).splitlines()[0]
        gc.collect()
    for _ in range(num_turns):
        for version, learn in learners.items():
            runs[version].append(turn(learn, version))
    for version, learn in learners.items():
        seconds, peaks = zip(*runs[version])
        ratios = [base / own for (base, _), own in zip(runs["fp32"], seconds, strict=True)]
        rows[version] = dict(
            milliseconds=round(statistics.median(seconds) * 1e3 / num_batches, 3),
            speed_to_fp32=round(statistics.median(ratios), 3),
            peak_mib=None if peaks[0] is None else round(max(peaks) / 2 ** 20, 1),
            train_loss=round(learn.history[-1]["train_loss"], 4))
    return {version: rows[version] for version in VERSIONS}


def measure_accuracy(version, size, num_epochs, seed):
    "The accuracy of an xresnet18 after a training on scenes; the pictures and their order are the same for all seeds."
    set_tf32(version)
    seed_everything(seed)
    model = XResNet(1, (2, 2, 2, 2), num_classes=6, width=size["scene_width"])
    dls = scene_loaders(num_train=size["num_scenes"], num_valid=size["num_scenes"] // 4)
    cbs = [MoveToDevice(), *(make() for make in VERSIONS[version])]
    learn = Learner(model, dls, F.cross_entropy, torch.optim.AdamW, metrics=[accuracy], cbs=cbs)
    fit_one_cycle(learn, num_epochs, 3e-3)
    return round(learn.averages["accuracy"], 4)


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--size", choices=SIZES, default="full", help="of models and data (default full: for a GPU)")
    parser.add_argument("--turns", type=int, default=10, help="turns that are measured, at least 1 (default 10)")
    parser.add_argument("--batches", type=int, default=10, help="training steps of a turn (default 10)")
    parser.add_argument("--models", nargs="*", choices=MODELS, default=[*MODELS], help="which (default: all)")
    parser.add_argument("--epochs", type=int, default=5, help="of the trainings for accuracy (default 5)")
    parser.add_argument("--seeds", type=int, default=3, help="of the trainings for accuracy (default 3; 0: none)")
    arguments = parser.parse_args()
    device = default_device()
    result = frame(
        "milliseconds of a training step, its speed in relation to fp32 within a turn, peak memory, training loss",
        device=device.type, seed=SEED, size=SIZES[arguments.size], turns=arguments.turns,
        models={}, accuracies={})
    for name in arguments.models:
        rows = measure(name, SIZES[arguments.size], arguments.turns, arguments.batches)
        result["models"][name] = rows
        for version, row in rows.items():
            print(f"{name:14} {version:10} {row}", flush=True)
    for version in VERSIONS if arguments.seeds else ():
        if version == "TF32" and device.type != "cuda":
            continue
        row = result["accuracies"][version] = [
            measure_accuracy(version, SIZES[arguments.size], arguments.epochs, seed) for seed in range(arguments.seeds)]
        print(f"accuracy       {version:10} {row}", flush=True)
    save(result, arguments.output)


if __name__ == "__main__":
    main()

"""What each way to transfer a net reaches on signs at dusk, over several seeds.

The tasks are those of the lesson "Transfer": a small XResNet learns 4,000 shapes by day, gets a new head, and learns
signs at dusk from few labels, with 32 × 32 pixels. A seed decides the pictures, their order and all first weights.

    from scratch              no transfer
    frozen, BatchNorm too     in the body nothing moves, running statistics included
    frozen, BatchNorm moves   the body's BatchNorm goes on: statistics, weights and biases
    all                       everything is trained at one rate
    discriminative            everything, each group at a rate 2.6 times smaller than the next one's
    gradual                   with these rates, a third of the epochs for the head, then one more group each third

"by lamp": the same signs, with the colour of the light at dusk divided out. What is reported is the accuracy on 1,000
pictures after the last epoch. Torch takes one thread.
"""
import copy
import statistics
import time

import torch
from frame import frame, make_parser, save
from torch.nn import functional as F

from fastcourse.core import seed_everything
from fastcourse.data.datasets import Samples, Split, split_loaders
from fastcourse.data.scenes import scene_samples, scene_split
from fastcourse.training.learner import Learner, accuracy
from fastcourse.training.norm import FreezeNorm, freeze_to
from fastcourse.training.schedule import fit_one_cycle, spread_lr
from fastcourse.vision.transfer import adapt_head, transfer_groups
from fastcourse.vision.xresnet import XResNet

LR = 8e-3
LADDER = ["from scratch", "frozen, BatchNorm too", "frozen, BatchNorm moves", "all"]
OTHERS = ["discriminative", "gradual"]


def halved(scenes):
    x, y = scene_samples(scenes)
    return Samples(F.avg_pool2d(x, 2), y)


def relit(samples):
    light = torch.tensor([0.7, 0.65, 0.9])[:, None, None]
    return Samples((((0.25 * samples.x + 0.5) / light).clamp(max=1) - 0.5) / 0.25, samples.y)


def first(split, num_labels):
    return Split(Samples(*[column[:num_labels] for column in split.train]), split.valid)


def new_net():
    return XResNet(1, (1, 1, 1), num_classes=6, width=16)


def transfer(net, split, way, num_epochs, seed):
    "The accuracy after the last epoch."
    seed_everything(100 + seed)
    model = adapt_head(new_net() if way == "from scratch" else copy.deepcopy(net), 6, split.train.x[:32])
    cbs = [FreezeNorm(model.body)] if way == "frozen, BatchNorm too" else []
    learn = Learner(model, split_loaders(split, 32, seed), F.cross_entropy, split_params=transfer_groups,
                    metrics=[accuracy], cbs=cbs)
    rates = spread_lr(LR, 3)
    if way == "gradual":
        for n in (-1, -2, 0):
            freeze_to(learn, n)
            fit_one_cycle(learn, num_epochs // 3, rates)
    else:
        if way.startswith("frozen"):
            freeze_to(learn, -1, train_norm=way.endswith("moves"))
        fit_one_cycle(learn, num_epochs, rates if way == "discriminative" else LR)
    return round(learn.averages["accuracy"], 4)


def one_seed(seed, num_shapes, settings):
    "Name of the task -> way -> accuracy."
    day = Split(*map(halved, scene_split(num_shapes, 500, "shapes", seed)))
    dusk = Split(*map(halved, scene_split(600, 1000, "signs", seed)))
    seed_everything(seed)
    net = new_net()
    learn = Learner(net, split_loaders(day, 32, seed), F.cross_entropy, metrics=[accuracy])
    fit_one_cycle(learn, 6, LR)
    found = {"shapes by day": {"from scratch": round(learn.averages["accuracy"], 4)}}
    tasks = {"600 labels": (dusk, LADDER + OTHERS), "150 labels": (first(dusk, 150), LADDER + OTHERS),
             "600 labels, by lamp": (Split(*map(relit, dusk)), LADDER[1:3])}
    for name, num_epochs in settings.items():
        split, ways = tasks[name]
        found[name] = {way: transfer(net, split, way, num_epochs, seed) for way in ways}
    return found


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many (default 5)")
    parser.add_argument("--shapes", type=int, default=4000, help="pictures to learn the shapes from (default 4000)")
    parser.add_argument("--epochs", type=int, default=12, help="for 600 labels; twice as many for 150 (default 12)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    start, epochs = time.process_time(), arguments.epochs
    settings = {"600 labels": epochs, "150 labels": 2 * epochs, "600 labels, by lamp": epochs}
    runs = [one_seed(seed, arguments.shapes, settings) for seed in range(arguments.seeds)]
    tasks = {name: {way: [run[name][way] for run in runs] for way in runs[0][name]} for name in runs[0]}
    for name, ways in tasks.items():
        for way, shares in ways.items():
            low, middle, high = min(shares), statistics.median(shares), max(shares)
            print(f"{name:20} {way:24} accuracy {middle:.3f}, from {low:.3f} to {high:.3f}")
    result = frame(
        "validation accuracy after the last epoch, for each seed",
        seeds=[*range(arguments.seeds)], shapes=arguments.shapes, epochs=settings, lr=LR, tasks=tasks,
        processor_seconds=round(time.process_time() - start))
    save(result, arguments.output)


if __name__ == "__main__":
    main()

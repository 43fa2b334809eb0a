"""How often heat maps point at the object, over several seeds.

The net and its training are those of the lesson "Class activation maps": five epochs on 4,000 scenes of 64 × 64 pixels.
A seed decides the pictures, their order and the first weights. What is reported, for 500 held-out pictures:

    accuracy        of the net
    middle          share of objects that lie over the middle of the picture, the blind player to beat
    place           the middle of the hottest of the 8 × 8 places is in the object's box
    smooth          the hottest pixel of the smooth heat map is in the box
    off the middle  the same, among the pictures whose object does not lie over the middle
"""
import statistics
from collections import OrderedDict

import torch
from frame import frame, make_parser, save
from torch import nn
from torch.nn import functional as F

from fastcourse.core import seed_everything
from fastcourse.data.datasets import Split, split_loaders
from fastcourse.data.scenes import scene_samples, scene_split
from fastcourse.training.learner import Learner, accuracy
from fastcourse.training.schedule import fit_one_cycle
from fastcourse.vision.cam import class_activation_map, heat_over, peaks, points_inside
from fastcourse.vision.resnet import ResidualBlock, conv_layer


def one_seed(seed, num_train, num_epochs):
    "Name -> share."
    scenes = scene_split(num_train, 500, seed=seed)
    data, boxes = Split(*map(scene_samples, scenes)), scenes.valid.boxes
    seed_everything(seed)
    model = nn.Sequential(OrderedDict(
        stem=conv_layer(3, 16, 5, stride=2), block_1=ResidualBlock(16, 32, 2), block_2=ResidualBlock(32, 64, 2),
        block_3=ResidualBlock(64, 64), average=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), head=nn.Linear(64, 6)))
    learn = Learner(model, split_loaders(data, 32, seed), F.cross_entropy, metrics=[accuracy])
    fit_one_cycle(learn, num_epochs, 8e-3)
    maps = class_activation_map(model, *data.valid)
    middle = points_inside(torch.full((500, 2), 32), boxes)
    place, smooth = (points_inside(peaks(m, 64, 64), boxes) for m in (maps, heat_over(maps, 64, 64)))
    hits = {"middle": middle, "place": place, "smooth": smooth, "off the middle": smooth[~middle]}
    shares = {name: hit.float().mean().item() for name, hit in hits.items()}
    return {name: round(share, 3) for name, share in {"accuracy": learn.averages["accuracy"], **shares}.items()}


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many (default 5)")
    parser.add_argument("--pictures", type=int, default=4000, help="to learn from (default 4000)")
    parser.add_argument("--epochs", type=int, default=5, help="of training (default 5)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runs = [one_seed(seed, arguments.pictures, arguments.epochs) for seed in range(arguments.seeds)]
    shares = {name: [run[name] for run in runs] for name in runs[0]}
    for name, values in shares.items():
        print(f"{name:16} {statistics.median(values):.3f}, from {min(values):.3f} to {max(values):.3f}")
    result = frame(
        "shares of 500 held-out pictures, for each seed", seeds=[*range(arguments.seeds)],
        pictures=arguments.pictures, epochs=arguments.epochs, shares=shares)
    save(result, arguments.output)


if __name__ == "__main__":
    main()

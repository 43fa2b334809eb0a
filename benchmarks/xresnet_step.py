"""A training step of xresnet18, side by side with those of other libraries' nets of the same design.

Pictures of 64 x 64 in batches of 64, cross-entropy, SGD with momentum; random data, the same for all. The nets take
turns, one step each (A B C A B C ...), in an order that rotates:

  ours                  xresnet18 of this course, its activations in place, as the command vision.train builds it
  ours, channels last   the same, with all colours of a pixel side by side in memory
  fastai                fastai.vision.models.xresnet.xresnet18
  timm, channels last   timm's resnet18d, which has the same stem, shortcuts and number of parameters

fastai and timm are no part of the course's environment; where one cannot be imported, it is left out, and the reason is
printed and recorded. The figures are medians over turns of the time of a step and of its ratio within a turn to that of
ours, in the same order of memory; above 1, ours is faster. Ratios are of the time that the processor spent on this
process (of one thread), as other programs may be at work on the machine, and of the time on the clock.
"""
import statistics
import time
from functools import partial

import torch
from frame import frame, make_parser, save
from peers import peer
from torch import nn
from torch.nn import functional as F

from fastcourse.core import seed_everything
from fastcourse.vision.xresnet import xresnet18

SEED = 42
NUM_CLASSES = 10
PLAIN, TURNED = torch.contiguous_format, torch.channels_last


def fastai_net():
    return peer("fastai.vision.models.xresnet").xresnet18(n_out=NUM_CLASSES)


def timm_net(name="resnet18d"):
    return peer("timm").create_model(name, num_classes=NUM_CLASSES)


def our_net():
    return xresnet18(num_classes=NUM_CLASSES, activation=partial(nn.ReLU, inplace=True))


NETS = {"ours": (our_net, PLAIN), "ours, channels last": (our_net, TURNED), "fastai": (fastai_net, PLAIN),
        "timm, channels last": (timm_net, TURNED)}


def make_step(make_net, memory_format, num_pixels, batch_size):
    "A function that takes a training step, and the number of parameters."
    seed_everything(SEED)
    x = torch.randn(batch_size, 3, num_pixels, num_pixels).contiguous(memory_format=memory_format)
    y = torch.randint(0, NUM_CLASSES, (batch_size,))
    model = make_net().to(memory_format=memory_format)
    opt = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

    def step():
        F.cross_entropy(model(x), y).backward()
        opt.step()
        opt.zero_grad()

    return step, sum(p.numel() for p in model.parameters())


def measure(num_turns, num_pixels, batch_size):
    "Name -> row of results, or the reason why there is none."
    rows, steps, times, counts = {}, {}, {}, {}
    for name, (make_net, memory_format) in NETS.items():
        try:
            steps[name], counts[name] = make_step(make_net, memory_format, num_pixels, batch_size)
        except ImportError as error:
            rows[name] = f"left out: {error}"
            continue
        steps[name]()  # not counted
        times[name] = []
    names = list(steps)
    for turn in range(num_turns):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            start, cpu_start = time.perf_counter(), time.process_time()
            steps[name]()
            times[name].append((time.process_time() - cpu_start, time.perf_counter() - start))
    for name, seconds in times.items():
        own = times["ours, channels last" if NETS[name][1] is TURNED else "ours"]
        cpu, clock = ([other[i] / ours[i] for other, ours in zip(seconds, own, strict=True)] for i in range(2))
        rows[name] = dict(cpu_milliseconds=round(statistics.median(s for s, _ in seconds) * 1e3, 1),
                          clock_milliseconds=round(statistics.median(s for _, s in seconds) * 1e3, 1),
                          cpu_ratio_to_ours=round(statistics.median(cpu), 3),
                          cpu_quartiles=[round(q, 3) for q in statistics.quantiles(cpu, n=4)[::2]],
                          clock_ratio_to_ours=round(statistics.median(clock), 3), parameters=counts[name])
    return {name: rows[name] for name in NETS}


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--turns", type=int, default=20, help="turns that are measured, at least 2 (default 20)")
    parser.add_argument("--pixels", type=int, default=64, help="height and width of the pictures (default 64)")
    parser.add_argument("--batch-size", type=int, default=64, help="pictures of a step (default 64)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = measure(arguments.turns, arguments.pixels, arguments.batch_size)
    for name, row in rows.items():
        print(f"{name:20} {row}", flush=True)
    save(frame("milliseconds of a training step of xresnet18, and their ratio to ours within a turn", "fastai", "timm",
               seed=SEED, turns=arguments.turns, nets=rows), arguments.output)


if __name__ == "__main__":
    main()

"""The table for one NVIDIA card: a step of the AWD-LSTM at the paper's size, and pictures a second of an xresnet50.

  language   ours with all dropouts and the loss in chunks; fastai's model; what cuDNN needs for the LSTM layers alone
  pictures   ours and timm's resnet50d, with all colours of a pixel side by side in memory

Ours and timm's run in three ways: eager; compiled (torch.compile); and graphs (torch.compile with
mode="reduce-overhead", which replays CUDA graphs). All take turns; a turn is a few steps, and the time is that of the
clock when the card has done its work. The peak of the memory is that of a version's steps. Where a version cannot run,
the reason stands in its place. Where fastai and timm are not installed they are left out; the environment of
`make bench` has them, with a torch for the card in place of its own.

  python benchmarks/gpu.py --precision bf16 --output benchmarks/results/gpu.json
  python benchmarks/gpu.py --size tiny --ways eager     tries the script out, on a CPU too
"""
import statistics
import time
from functools import partial

import torch
from awdlstm_step import OURS, make_models
from frame import frame, make_parser, save
from peers import is_installed
from torch import nn
from torch.nn import functional as F
from turns import compare
from xresnet_step import timm_net

from fastcourse.core import default_device, seed_everything
from fastcourse.vision.xresnet import xresnet18, xresnet50

SEED, WARM_UP = 42, 2  # the first turn compiles, and graphs are recorded in the second
SIZES = {"paper": dict(vocab_size=33_278, embed_size=400, hidden_size=1152, num_layers=3, batch=80, time=70, pixels=128,
                       pictures=128, steps=10),
         "tiny": dict(vocab_size=50, embed_size=8, hidden_size=16, num_layers=2, batch=4, time=5, pixels=32, pictures=4,
                      steps=2)}
WAYS = {"eager": lambda model: model, "compiled": torch.compile,
        "graphs": partial(torch.compile, mode="reduce-overhead")}


def finish(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def train_steps(model, loss_func, x, y, settings, device):
    "A function that takes a few training steps."
    opt = torch.optim.AdamW(model.parameters(), 1e-4, fused=True)
    half = torch.bfloat16 if settings["precision"] == "bf16" else None

    def run():
        for _ in range(settings["steps"]):
            with torch.autocast(device.type, half, enabled=half is not None):
                preds = model(x)
                loss = loss_func(preds, y)
            loss.backward()
            opt.step()
            opt.zero_grad()
        finish(device)
    return run


class Layers(nn.Module):
    "LSTM layers of cuDNN and nothing else."
    def __init__(self, sizes):
        super().__init__()
        n, h = sizes["embed_size"], sizes["hidden_size"]
        widths = [n, *[h] * (sizes["num_layers"] - 1), n]
        self.layers = nn.ModuleList([nn.LSTM(a, b, batch_first=True) for a, b in zip(widths[:-1], widths[1:])])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)[0]
        return x


def language_versions(settings, ways, device):
    "Name -> a function that makes the work."
    numbers = [settings[name] for name in ("vocab_size", "embed_size", "hidden_size", "num_layers")]
    text = torch.randint(settings["vocab_size"], (settings["batch"], settings["time"] + 1), device=device)
    x, y = text[:, :-1], text[:, 1:]

    def work(name, way):
        seed_everything(SEED)
        model, loss_func = make_models(numbers)[name]()
        return train_steps(WAYS[way](model.to(device)), loss_func, x, y, settings, device)

    def bound():
        features = torch.randn(settings["batch"], settings["time"], settings["embed_size"], device=device)
        model = Layers(settings).to(device)
        return train_steps(model, lambda out, y: out.float().mean(), features, None, settings, device)

    theirs = {"fastai": partial(work, "fastai", "eager")} if is_installed("fastai") else {}
    return {f"ours, {way}": partial(work, OURS, way) for way in ways} | theirs | {"LSTM layers alone": bound}


def picture_versions(settings, ways, device):
    "The same for pictures."
    x = torch.randn(settings["pictures"], 3, settings["pixels"], settings["pixels"], device=device)
    x, y = x.to(memory_format=torch.channels_last), torch.randint(10, (settings["pictures"],), device=device)
    make_net = xresnet50 if settings["pixels"] > 32 else xresnet18
    nets = {"ours": partial(make_net, num_classes=10)}
    if is_installed("timm"):
        nets["timm"] = partial(timm_net, "resnet50d" if settings["pixels"] > 32 else "resnet18d")

    def work(make, way):
        seed_everything(SEED)
        model = make().to(device, memory_format=torch.channels_last)
        return train_steps(WAYS[way](model), F.cross_entropy, x, y, settings, device)
    return {f"{name}, {way}": partial(work, make, way) for name, make in nets.items() for way in ways}


def measure(versions, num_turns, device):
    "Name -> milliseconds of a turn and peak memory; or the reason why there is none."
    works, times, rows, peaks = {}, {}, {}, {}
    for name, make in versions.items():
        try:
            works[name] = make()
            for _ in range(WARM_UP):
                works[name]()
            times[name] = []
        except Exception as error:  # noqa: BLE001  a compiler, a driver, the memory: all that a card may lack
            works.pop(name, None)
            rows[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
    for _ in range(num_turns):
        for name, work in works.items():
            held = reset_peak(device)
            start = time.perf_counter()
            work()
            times[name].append((time.perf_counter() - start) * 1e3)
            peaks[name] = peak(device, held)
    return times, rows, peaks


def reset_peak(device):
    if device.type != "cuda":
        return 0
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


def peak(device, held):
    return round((torch.cuda.max_memory_allocated() - held) / 2 ** 20) if device.type == "cuda" else None


def summarize(times, rows, peaks, unit, amount):
    "Ratios to ours in its eager form, and how much of `unit` a second."
    for name, row in compare(times, "ours, eager").items() if times.get("ours, eager") else ():
        speed = amount / statistics.median(times[name]) * 1e3
        rows[name] = row | {f"{unit}_per_second": round(speed), "peak_mib": peaks[name]}
    return rows


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--size", choices=SIZES, default="paper", help="(default paper)")
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32", help="(default fp32)")
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=[*WAYS], help="(default: all; eager comes first)")
    parser.add_argument("--turns", type=int, default=10, help="turns that are measured, at least 2 (default 10)")
    parser.add_argument("--device", help="cuda, cpu ... (default: the card if there is one)")
    arguments = parser.parse_args()
    device = torch.device(arguments.device) if arguments.device else default_device()
    torch.set_float32_matmul_precision("highest" if arguments.precision == "fp32" else "high")
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = arguments.precision != "fp32", True
    settings = SIZES[arguments.size] | dict(precision=arguments.precision)
    works = {"language": (language_versions, "tokens", settings["batch"] * settings["time"] * settings["steps"]),
             "pictures": (picture_versions, "pictures", settings["pictures"] * settings["steps"])}
    tables = {}
    for name, (make, unit, amount) in works.items():
        ways = list(dict.fromkeys(["eager", *arguments.ways]))
        found = measure(make(settings, ways, device), arguments.turns, device)
        tables[name] = summarize(*found, unit, amount)
        for version, row in tables[name].items():
            print(f"{name:10} {version:20} {row}", flush=True)
    result = frame("milliseconds of a few training steps on one card; ratio to ours, eager, within a turn", "fastai",
                   "timm", device=device.type, seed=SEED, turns=arguments.turns, settings=settings, tables=tables)
    save(result, arguments.output)


if __name__ == "__main__":
    main()

"""What the last layer of a language model and its loss cost: time of a step forward and backward, and peak memory.

The versions take turns (A B C A B C ...): torch's two operations F.linear and F.cross_entropy; torch's own
F.linear_cross_entropy in chunks, where this torch has it; the course's linear_cross_entropy; and the three matrix
products alone, which nobody can do without.

The times are medians over turns of the processor time of this process, with one thread, and of the ratio to the first
version within a turn. The memory is measured in a process of its own for each version: by how much one step raises the
peak of what the process holds.
"""
import subprocess
import sys
from functools import partial
from pathlib import Path

import torch
from frame import frame, make_parser, save
from torch import nn
from torch.nn import functional as F
from turns import compare, take_turns

from fastcourse.core import seed_everything
from fastcourse.text.cross_entropy import linear_cross_entropy

SEED = 42
WARM_UP = 2  # turns that are not counted
SIZES = {"small": (64 * 70, 128, 5_000), "medium": (32 * 70, 400, 10_000), "WikiText-2": (32 * 70, 400, 33_278),
         "tiny": (64, 8, 50)}  # tokens, features, words
GOAL_MEMORY = 1 / 3  # of torch's two operations


def two_operations(x, weight, bias, target):
    F.cross_entropy(F.linear(x, weight, bias), target).backward()


def torch_chunks(x, weight, bias, target):
    options = nn.LinearCrossEntropyOptions()
    F.linear_cross_entropy(x, weight, target, linear_bias=bias, options=options).backward()


def ours(x, weight, bias, target):
    linear_cross_entropy(x, weight, target, bias=bias).backward()


@torch.no_grad()
def products(x, weight, bias, target, chunk_size=512):
    scores, grad_x, grad_weight = x.new_empty(chunk_size, len(weight)), torch.empty_like(x), torch.zeros_like(weight)
    for part, grad_part in zip(x.split(chunk_size), grad_x.split(chunk_size)):
        chunk = torch.mm(part, weight.T, out=scores[:len(part)])
        torch.mm(chunk, weight, out=grad_part)
        grad_weight.addmm_(chunk.T, part)


VERSIONS = {"two operations": two_operations, "ours": ours, "products alone": products}
if hasattr(nn, "LinearCrossEntropyOptions"):
    VERSIONS["torch in chunks"] = torch_chunks


def make_data(num_tokens, num_features, num_words):
    seed_everything(SEED)
    x, weight = torch.randn(num_tokens, num_features), torch.randn(num_words, num_features) / num_features ** 0.5
    leaves = [t.requires_grad_() for t in (x, weight, torch.zeros(num_words))]
    return *leaves, torch.randint(num_words, (num_tokens,))


def run(version, data):
    VERSIONS[version](*data)
    for t in data:
        t.grad = None


def peak_mib():
    "The most memory that this process has held so far (Linux only)."
    status = Path("/proc/self/status").read_text(encoding="utf8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 2 ** 10


def measure_memory(size, version):
    "MiB by which a step raises the peak, in a new process, after a tiny step as a warm-up; None but for Linux."
    if sys.platform != "linux":
        return None
    code = (f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import linear_cross_entropy as bench\n"
            f"bench.torch.set_num_threads(1); bench.run({version!r}, bench.make_data(*bench.SIZES['tiny']))\n"
            f"data = bench.make_data(*bench.SIZES[{size!r}]); before = bench.peak_mib()\n"
            f"bench.run({version!r}, data); print(bench.peak_mib() - before)")
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return round(float(done.stdout), 1)


def measure(size, num_turns):
    "Version -> medians of time and ratio, and memory."
    data = make_data(*SIZES[size])
    times = take_turns({version: partial(run, version, data) for version in VERSIONS}, num_turns, WARM_UP)
    rows = compare(times, "two operations")
    return {version: row | dict(peak_mib=measure_memory(size, version)) for version, row in rows.items()}


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=[name for name in SIZES if name != "tiny"],
                        help="tokens, features and words (default: all but tiny)")
    parser.add_argument("--turns", type=int, default=15, help="turns that are measured, at least 2 (default 15)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result = frame(
        "milliseconds of processor time of a step, ratio to two operations within a turn, MiB of memory it takes",
        seed=SEED, turns=arguments.turns,
        goal_memory=round(GOAL_MEMORY, 4), sizes={})
    for size in arguments.sizes:
        rows = measure(size, arguments.turns)
        result["sizes"][size] = dict(zip(("tokens", "features", "words"), SIZES[size])) | dict(rows=rows)
        for version, row in rows.items():
            print(f"{size:10} {version:16} {row}", flush=True)
    save(result, arguments.output)


if __name__ == "__main__":
    main()

"""What several processes gain: the time of a training step with one and with several, and of the all-reduce alone.

A net of three wide layers on random data, trained by a learner with DataParallel. The whole batch stays the same, each
process takes its part. Each number of processes is started anew (gloo on a CPU, nccl on NVIDIA cards); every process
computes with one thread. Beside the measured time stands what the formula of the lesson expects from the time of one
process and from the all-reduce that was measured alone.
"""
import json
import statistics
import time
from pathlib import Path

import torch
from frame import frame, make_parser, save
from torch import distributed, nn
from torch.nn import functional as F

from fastcourse.core import DataLoaders, TensorLoader, default_device, seed_everything
from fastcourse.training.callbacks import MoveToDevice
from fastcourse.training.learner import Learner
from fastcourse.training.scale import DataParallel, Workers, average_gradients, open_group

SEED = 42


def work(width, batch_size, num_steps, num_turns):
    "In a worker: milliseconds of a step and of an all-reduce, medians over the turns."
    rank, size = open_group()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    seed_everything(SEED)
    model = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))
    x, y = torch.randn(batch_size * num_steps, width), torch.randint(0, 10, (batch_size * num_steps,))
    dls = DataLoaders(TensorLoader(x, y, batch_size=batch_size), TensorLoader(x[:size], y[:size], batch_size=size))
    learn = Learner(model, dls, F.cross_entropy, torch.optim.SGD, 0.01, cbs=[MoveToDevice(device), DataParallel()])

    def seconds(func):
        distributed.barrier()
        start = time.perf_counter()
        func()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    def reduce_only():
        for _ in range(num_steps):
            average_gradients(model.parameters(), 1)

    learn.fit(1)  # not counted
    steps = [seconds(lambda: learn.fit(1)) * 1e3 / num_steps for _ in range(num_turns)]
    reduces = [seconds(reduce_only) * 1e3 / num_steps for _ in range(num_turns)]
    return statistics.median(steps), statistics.median(reduces), sum(p.numel() for p in model.parameters())


def measure(num_processes, *settings):
    "What process 0 measures among so many."
    workers = Workers(num_processes, timeout_seconds=550)
    try:
        code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        answers = workers.run(code + f"import json\nfrom data_parallel import work\nprint(json.dumps(work{settings}))")
    finally:
        workers.close()
    return json.loads(answers[0])


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2], help="numbers to try, 1 first (1 2)")
    parser.add_argument("--width", type=int, default=1024, help="of the layers (default 1024)")
    parser.add_argument("--batch-size", type=int, default=256, help="of the whole batch (default 256)")
    parser.add_argument("--steps", type=int, default=10, help="of a turn (default 10)")
    parser.add_argument("--turns", type=int, default=10, help="turns that are measured (default 10)")
    arguments = parser.parse_args()
    result = frame(
        "milliseconds of a step and of an all-reduce by number of processes; the batch is shared out",
        device=default_device().type, seed=SEED, threads=1, turns=arguments.turns, rows={})
    alone = None
    for n in arguments.processes:
        step, reduce, num_params = measure(n, arguments.width, arguments.batch_size, arguments.steps, arguments.turns)
        alone = alone or step
        row = result["rows"][n] = dict(
            step_ms=round(step, 3), all_reduce_ms=round(reduce, 3), speed_up=round(alone / step, 3),
            expected_ms=round(alone / n + (reduce if n > 1 else 0), 3), million_params=round(num_params / 1e6, 3))
        print(f"{n} processes: {row}", flush=True)
    save(result, arguments.output)


if __name__ == "__main__":
    main()

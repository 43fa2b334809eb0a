"Several processes train as one: any number of them, killed, stopped, resumed by another number, under any starter."
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest
import torch
from project import ROOT
from torch import nn
from torch.nn import functional as F

from fastcourse.core import TensorLoader, seed_everything
from fastcourse.data.datasets import Samples, Split, digits, split_loaders
from fastcourse.testing import check_close
from fastcourse.training.callbacks import AccumulateGradients, ClipGradients, EarlyStopping
from fastcourse.training.events import Callback
from fastcourse.training.learner import Learner, accuracy
from fastcourse.training.scale import (
    DataParallel,
    GatherAverages,
    MainCheckpoint,
    Shard,
    Workers,
    average_gradients,
    open_group,
)

TIMEOUT_SECONDS = 15  # how long a process waits for another
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="this system has no fork server")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def enter(func, rank, size, port, *args):
    "In a new process: join the group, and call `func`."
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    open_group("gloo", timeout_seconds=TIMEOUT_SECONDS)
    func(rank, size, *args)
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def context():
    "New processes that need not import torch each time."
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def start(context, size, func, *args):
    port = free_port()
    processes = [context.Process(target=enter, args=(func, rank, size, port, *args)) for rank in range(size)]
    for process in processes:
        process.start()
    return processes


def finish(processes, seconds=120):
    "Exit codes; a process that still runs after `seconds` is killed."
    deadline = time.monotonic() + seconds
    for process in processes:
        process.join(max(0, deadline - time.monotonic()))
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


class Slow(Callback):
    "Leaves time to be killed, and says that the training is under way."
    def __init__(self, flag):
        self.flag = flag

    def before_batch(self, learn):
        time.sleep(0.01)
        if learn.training and (learn.epoch, learn.batch_index) == (1, 3):
            self.flag.touch()


def new_learner(*cbs, batch_size=33):
    seed_everything(42)
    split = Split(*[Samples(part.x[:230].double(), part.y[:230]) for part in digits()])
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10)).double()
    parallel = [DataParallel(), GatherAverages()]
    return Learner(model, split_loaders(split, batch_size), F.cross_entropy, lr=1e-2, metrics=[accuracy],
                   cbs=[*parallel, EarlyStopping("accuracy", patience=9, larger_is_better=True), *cbs])


def save(learn, path):
    torch.save([dict(learn.model.state_dict()), learn.history], path)


def train(rank, size, folder, name, resume, slow):
    checkpoint = MainCheckpoint(folder / "training.safetensors", every=3)
    learn = new_learner(checkpoint, *([Slow(folder / f"{rank}.flag")] if slow else []))
    learn.fit(3, resume=folder / "training.safetensors" if resume else None)
    save(learn, folder / f"{name}-{rank}.pt")


@pytest.fixture(scope="module")
def single():
    "Weights and history of one process."
    learn = new_learner()
    learn.fit(3)
    return dict(learn.model.state_dict()), learn.history


def check_results(single, folder, name, size):
    for rank in range(size):
        weights, history = torch.load(folder / f"{name}-{rank}.pt")
        check_close(weights, single[0], rtol=0, atol=1e-9)
        check_close(history, single[1], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("size", [2, 3])
def test_any_number_gives_the_single_process_training(context, single, tmp_path, size):
    assert finish(start(context, size, train, tmp_path, "all", False, False)) == [0] * size
    check_results(single, tmp_path, "all", size)


@pytest.mark.parametrize("before, after", [(2, 1), (2, 3)])
def test_killed_and_resumed_by_another_number(context, single, tmp_path, before, after):
    processes = start(context, before, train, tmp_path, "killed", False, True)
    flag, deadline = tmp_path / "0.flag", time.monotonic() + 120
    while not flag.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    for process in processes:
        process.kill()
    assert set(finish(processes)) == {-signal.SIGKILL}
    assert finish(start(context, after, train, tmp_path, "resumed", True, False)) == [0] * after
    check_results(single, tmp_path, "resumed", after)


def twenty_steps(rank, size, path):
    seed_everything(42)
    model = nn.Linear(64, 10).double()
    x, y = digits().train.x.flatten(1).double(), digits().train.y
    opt = torch.optim.SGD(model.parameters(), 0.5, momentum=0.9)
    for n in range(20):
        part = slice(n * 32, (n + 1) * 32)
        xb, yb = x[part][rank::size], y[part][rank::size]
        F.cross_entropy(model(xb), yb).backward()
        average_gradients(model.parameters(), len(yb))
        opt.step()
        opt.zero_grad()
    torch.save(model.state_dict(), f"{path}-{size}-{rank}.pt")


@pytest.mark.parametrize("size", [2, 8])
def test_half_batches_give_the_weights_of_one_process(context, tmp_path, size):
    twenty_steps(0, 1, tmp_path / "steps")
    assert finish(start(context, size, twenty_steps, tmp_path / "steps")) == [0] * size
    expected = torch.load(tmp_path / "steps-1-0.pt")
    for rank in range(size):
        check_close(torch.load(tmp_path / f"steps-{size}-{rank}.pt"), expected, rtol=0, atol=1e-12)


def accumulate(rank, size, path):
    learn = new_learner(AccumulateGradients(4), ClipGradients(max_norm=0.2))
    learn.fit(2)
    save(learn, f"{path}-{size}-{rank}.pt")


def test_accumulation_and_clipping(context, tmp_path):
    accumulate(0, 1, tmp_path / "a")
    assert finish(start(context, 2, accumulate, tmp_path / "a")) == [0, 0]
    expected = torch.load(tmp_path / "a-1-0.pt")
    for rank in range(2):
        check_close(torch.load(tmp_path / f"a-2-{rank}.pt"), expected, rtol=1e-6, atol=1e-9)


def draw_masks(rank, size, folder):
    class Mask(Callback):
        def before_batch(self, learn):
            if learn.training and learn.batch_index == 0:
                masks.append(torch.rand(20))

    masks = []
    learn = new_learner(Mask())
    learn.fit(2)
    torch.save(masks, folder / f"{rank}.pt")


def test_random_numbers_differ_between_processes(context, tmp_path):
    assert finish(start(context, 2, draw_masks, tmp_path)) == [0, 0]
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert all((a != b).all() for a, b in zip(first, second, strict=True))


def lose_one(rank, size, flag, how):
    parameter = nn.Parameter(torch.ones(10))
    parameter.grad = torch.ones(10)
    average_gradients([parameter], 1)
    if rank == 1:
        flag.touch()
        os.kill(os.getpid(), how)
    average_gradients([parameter], 1)


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSTOP"])
def test_the_others_end_when_one_is_lost(context, tmp_path, how):
    "At once when it dies, after the time limit when it hangs; each with an error."
    flag = tmp_path / "flag"
    processes = start(context, 3, lose_one, flag, getattr(signal, how))
    others = [processes[0], processes[2]]
    codes = finish(others, seconds=TIMEOUT_SECONDS + 30)
    finish([processes[1]], seconds=0)
    assert flag.exists() and codes == [1, 1]


@pytest.mark.parametrize("num_samples, batch_size, size", [(101, 33, 2), (1800, 64, 8), (7, 7, 7), (10, 4, 2)])
def test_shards_take_each_sample_once(num_samples, batch_size, size):
    loader = TensorLoader(torch.arange(num_samples), batch_size=batch_size)
    shards = [[batch[0] for batch in Shard(loader, rank, size)] for rank in range(size)]
    for n, (whole,) in enumerate(loader):
        parts = [shard[n] for shard in shards]
        assert sorted(torch.cat(parts).tolist()) == whole.tolist()
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_batch_smaller_than_the_number_of_processes():
    loader = TensorLoader(torch.arange(65), batch_size=64)
    with pytest.raises(ValueError, match="a batch of 1 cannot be shared by 2 processes.*drop_last"):
        Shard(loader, 0, 2)
    loader.drop_last = True
    assert len(list(Shard(loader, 0, 2))) == 1
    with pytest.raises(ValueError, match="a batch of 3 cannot be shared by 4"):
        list(Shard([torch.arange(3)], 0, 4))


def test_workers_say_who_failed_and_how():
    workers = Workers(2)
    try:
        assert workers.run("import os; rank = os.environ['RANK']; print(rank)") == ["0\n", "1\n"]
        with pytest.raises(RuntimeError, match="process 1: Traceback[^§]*ZeroDivisionError") as error:
            workers.run("if rank == '1': 1 / 0")
        assert "process 0" not in str(error.value)
        workers.timeout_seconds = 1
        with pytest.raises(RuntimeError, match="no answer within 1 seconds"):
            workers.run("import time; time.sleep(60)")
        assert all(process.poll() is not None for process in workers.processes)
    finally:
        workers.close()
    with pytest.raises(ValueError, match="at least 1, got 0"):
        Workers(0)


SCRIPT = """
import sys, torch
from torch import nn
from torch.nn import functional as F
from fastcourse.core import fingerprint, seed_everything
from fastcourse.data.datasets import digit_loaders
from fastcourse.training.learner import Learner, accuracy
from fastcourse.training.scale import Accelerated, DataParallel, GatherAverages, open_group, place_in_group

torch.set_num_threads(1)
engine = Accelerated(cpu=True) if sys.argv[1] == "accelerate" else DataParallel()
if sys.argv[1] == "torchrun": open_group("gloo", timeout_seconds=60)
seed_everything(42)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 50), nn.ReLU(), nn.Linear(50, 10))
learn = Learner(model, digit_loaders(), F.cross_entropy, lr=1e-2, metrics=[accuracy], cbs=[engine, GatherAverages()])
learn.fit(1)
if place_in_group()[0] == 0: print(place_in_group()[1], fingerprint(model), learn.averages["accuracy"])
"""


def test_torchrun_and_accelerate_agree(tmp_path):
    if not find_spec("accelerate"):
        pytest.skip("ACCELERATE IS NOT TRIED: it is not installed (pip install '.[scale]')")
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    # On a CPU, without MPI, `accelerate launch` starts one process.
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes=1", "--num_machines=1",
              "--mixed_precision=no", "--num_cpu_threads_per_process=1", "--dynamo_backend=no"]
    said = []
    for command, how in [(torchrun, "torchrun"), (torchrun, "accelerate"), (launch, "accelerate")]:
        command = [*command, str(script), how]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0] == said[1] and said[0].startswith("2 ") and said[2].startswith("1 ")


def test_without_a_starter(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    environment = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
    done = subprocess.run([sys.executable, script, "torchrun"], capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and "start the script with `torchrun" in done.stderr


def test_benchmark_runs(tmp_path):
    output = tmp_path / "result.json"
    command = [sys.executable, ROOT / "benchmarks/data_parallel.py", "--width", "32", "--batch-size", "16", "--steps",
               "2", "--turns", "2", "--output", output]
    subprocess.run(command, check=True, cwd=ROOT)
    rows = json.loads(output.read_text(encoding="utf8"))["rows"]
    assert set(rows) == {"1", "2"} and all(row["step_ms"] > 0 for row in rows.values())


def test_readme_has_the_recorded_results():
    readme = (ROOT / "benchmarks/README.md").read_text(encoding="utf8")
    for name, batch_size in [("data_parallel", 2048), ("data_parallel_small", 256)]:
        rows = json.loads((ROOT / f"benchmarks/results/{name}.json").read_text(encoding="utf8"))["rows"]
        for n, row in rows.items():
            cells = " | ".join(str(row[part]) for part in ("step_ms", "all_reduce_ms", "expected_ms", "speed_up"))
            assert f"| {batch_size} | {n} | {cells} |" in readme

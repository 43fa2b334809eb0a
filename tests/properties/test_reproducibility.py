"One place sets all seeds, and what follows from a seed is the same in every run."
import ast
import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from project import NOTEBOOKS, ROOT, code_cells

from fastcourse.core import seed_everything

SEEDS = {"random.seed", "np.random.seed", "numpy.random.seed", "torch.manual_seed", "torch.seed",
         "torch.cuda.manual_seed", "torch.cuda.manual_seed_all", "torch.use_deterministic_algorithms"}


def seeding(source):
    "Calls that seed a generator of the whole process, outside of `seed_everything`."
    tree = ast.parse(source)
    inside = {id(node) for function in ast.walk(tree) if getattr(function, "name", "") == "seed_everything"
              for node in ast.walk(function)}
    return [ast.unparse(node) for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func) in SEEDS and id(node) not in inside]


def test_other_seeds_are_seen():
    assert seeding("import torch\ntorch.manual_seed(1)") and not seeding("torch.Generator().manual_seed(1)")


def test_the_library_seeds_in_one_place():
    "A function may start torch's generator alone, for a figure or for both sides of a comparison."
    for path in (ROOT / "fastcourse").rglob("*.py"):
        found = seeding(path.read_text(encoding="utf8"))
        assert not [call for call in found if not call.startswith("torch.manual_seed(")], path


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_lessons_seed_by_it(path):
    "A cell may repeat a draw of torch's generator alone; the first lesson shows what each generator does."
    for cell in code_cells(path):
        if path.stem != "00_core" and not cell["source"].lstrip().startswith(("%", "!")):
            assert not [call for call in seeding(cell["source"]) if not call.startswith("torch.manual_seed(")]


def draws():
    return [random.random(), np.random.rand(), torch.rand(()).item()]


def test_all_generators_begin_anew():
    seed_everything(3)
    first = draws()
    seed_everything(3)
    assert draws() == first and len(set(first)) == 3
    seed_everything(4)
    assert not set(draws()) & set(first)


class Rolls(torch.utils.data.Dataset):
    "Each item is drawn by all three generators of the process that makes it."
    def __len__(self):
        return 4

    def __getitem__(self, i):
        return torch.tensor(draws(), dtype=torch.float64)


def test_workers_follow_the_seed():
    def epoch(seed):
        seed_everything(seed)
        return torch.cat(list(torch.utils.data.DataLoader(Rolls(), num_workers=2)))

    first = epoch(5)
    assert torch.equal(epoch(5), first) and len(first.unique()) == first.numel()
    assert not torch.equal(epoch(6), first)


SCRIPT = """
import torch
from fastcourse.core import fingerprint, seed_everything
torch.set_num_threads(1)
seed_everything(7)
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(), torch.nn.Linear(8, 2))
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for name in {"a", "b", "c", "d"}:
    opt.zero_grad()
    model(torch.randn(16, 4)).square().mean().backward()
    opt.step()
print(fingerprint(model))
"""


def test_neither_hashes_nor_the_process_matter():
    said = set()
    for hash_seed in ("0", "1"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"}
        done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, cwd=ROOT)
        said.add(done.stdout)
    assert len(said) == 1 and said != {""}

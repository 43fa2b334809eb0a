"A corpus larger than the memory is written and read, and a writer that is killed leaves the store of before."
import multiprocessing
import subprocess
import sys
import time

import numpy as np
import pytest

from fastcourse.text.store import TokenStore, write_tokens

VOCAB = [str(i) for i in range(60_000)]
# The process may have little more memory of its own than it has when it begins; mapped files do not count.
LARGE = """
import resource, sys
import numpy as np
from fastcourse.text.batches import StreamBatches
from fastcourse.text.store import TokenStore, write_tokens

def own_bytes():
    text = open("/proc/self/status").read()
    return 1024 * int(text.split("VmData:")[1].split()[0])

folder, megabytes, vocab = sys.argv[1], 160, [str(i) for i in range(60_000)]
piece = (np.arange(100_000) * 7919) % 60_000
limit = own_bytes() + 64_000_000
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try: np.ones(megabytes * 1_000_000, dtype=np.uint8)
except MemoryError: pass
else: raise SystemExit("the limit does not hold here")
store = write_tokens(folder, (piece for _ in range(5 * megabytes)), vocab)
assert store.tokens.nbytes == megabytes * 1_000_000
store = TokenStore(folder)
loader = StreamBatches(store.tokens, batch_size=64, length=2000)
num_read = sum(y.numel() for x, y in loader)
assert num_read == (len(store.tokens) - 1) // 64 * 64
print("read", int(store[-1].sum()) == int(piece.sum()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_larger_than_memory(tmp_path):
    done = subprocess.run([sys.executable, "-c", LARGE, str(tmp_path / "store")], capture_output=True, text=True,
                          timeout=300)
    if "the limit does not hold" in done.stderr:
        pytest.skip("the limit does not hold here")
    assert done.stdout.strip() == "read True", done.stderr


def slowly(pause_seconds):
    for i in range(100_000):
        time.sleep(pause_seconds)
        yield [i % 60_000] * 100


def write_slowly(path):
    write_tokens(path, slowly(0.001), VOCAB)


def test_killed_writer(tmp_path):
    write_tokens(tmp_path, [[1, 2], [3]], VOCAB)
    process = multiprocessing.get_context("spawn").Process(target=write_slowly, args=(tmp_path,))
    process.start()
    for _ in range(1000):
        if len(list(tmp_path.glob("*.new"))) == 2:
            break
        time.sleep(0.05)
    time.sleep(0.2)
    process.kill()
    process.join()
    assert len(list(tmp_path.glob("*.new"))) == 2
    assert [ids.tolist() for ids in TokenStore(tmp_path)] == [[1, 2], [3]]
    store = write_tokens(tmp_path, [[4]], VOCAB)
    assert [ids.tolist() for ids in store] == [[4]]
    assert sorted(file.suffix for file in tmp_path.iterdir() if file.suffix != ".lock") == [".bin", ".bin", ".json"]


@pytest.mark.parametrize("size, kind", [(2**16, np.uint16), (2**16 + 1, np.uint32)])
def test_types(tmp_path, size, kind):
    store = write_tokens(tmp_path, [[0, size - 1]], range(size))
    assert store.tokens.dtype == kind and store[0].tolist() == [0, size - 1]

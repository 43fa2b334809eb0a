"Places that do not want to: full disks, read-only disks, clocks that jump, two processes on one file."
import os
import subprocess
import sys
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from itertools import chain
from pathlib import Path
from unittest.mock import patch

from kills import archive_of, entry_of, fetch, files_below, save_some, serving, train, unpack_own
from subjects import ITEM, NAIVE, SUBJECTS
from tries import RIGHT, NotTried, Row, Told, Worker, check, names_in, told

from fastcourse.data import catalog
from fastcourse.study.progress import Progress
from fastcourse.training.events import Callback
from fastcourse.vision.train import main as train_pictures

PAGE = 4096
FULL, CLOSED, CLOCK, TWO = "disk full (ENOSPC)", "read-only disk (EROFS)", "clock jumps", "two processes at once"


class Disk:
    "A small disk of its own, in memory: it really is full, and really cannot be written to, for root, too."
    def __init__(self, folder, size=4 * 2**20):
        self.folder, self.size = folder, size

    def mount(self, *words):
        as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        return subprocess.run([*as_root, *words], capture_output=True, timeout=30).returncode == 0

    def __enter__(self):
        self.folder.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={self.size},mode=1777", "tmpfs", self.folder]
        try:
            is_there = sys.platform == "linux" and self.mount(*words)
        except FileNotFoundError:
            is_there = False
        if not is_there:
            raise NotTried("a small disk needs Linux and the right to mount one")
        return self

    def __exit__(self, *error):
        self.mount("umount", self.folder)

    def close(self, is_closed):
        check(self.mount("mount", "-o", f"remount,{'ro' if is_closed else 'rw'}", self.folder), "no remount")

    def leave(self, room):
        "Fill the disk but for some pages."
        free = os.statvfs(self.folder).f_bavail - room
        with open(self.folder / "filler", "ab") as file:
            file.write(b"x" * (PAGE * max(0, free)))

    def empty(self):
        (self.folder / "filler").unlink(missing_ok=True)


def wiped(folder):
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def try_to(write, names):
    "Was it told? Otherwise it was done."
    try:
        write()
    except Exception as error:
        return told(error, names)


# Full and closed


def saving_on_full_disk(subject):
    @contextmanager
    def prepare(base):
        with Disk(base / "disk") as disk:
            def one_try(rng, folder):
                wiped(disk.folder)
                place = disk.folder / "kept"
                place.mkdir()
                subject.write(place, 1)
                needed = sum(-(-path.stat().st_size // PAGE) for path in place.rglob("*") if path.is_file())
                disk.leave(rng.randint(0, needed + 1))
                verdict = try_to(lambda: subject.write(place, subject.second), names_in(place))
                found = subject.read(place)
                expected = 1 if verdict else subject.second
                check(found == expected, f"version {found} is there, and not {expected}")
                disk.empty()
                subject.write(place, found + 1)
                check(subject.read(place) == found + 1, "the next one could not be written")
                return verdict or RIGHT
            yield one_try
    return prepare


def saving_on_closed_disk(subject):
    @contextmanager
    def prepare(base):
        with Disk(base / "disk") as disk:
            def one_try(rng, folder):
                wiped(disk.folder)
                place = disk.folder / "kept"
                place.mkdir()
                version = rng.randint(1, 9)
                for number in range(version):
                    subject.write(place, number + 1)
                disk.close(True)
                try:
                    verdict = try_to(lambda: subject.write(place, version + 1), names_in(place))
                    check(verdict, "nobody said that nothing was written")
                    check(subject.read(place) == version, "it cannot be read")
                finally:
                    disk.close(False)
                subject.write(place, version + 1)
                check(subject.read(place) == version + 1, "the next one could not be written")
                return verdict
            yield one_try
    return prepare


class Spoil(Callback):
    "After some batches, something happens to the disk."
    def __init__(self, num_batches, spoil):
        self.left, self.spoil = num_batches, spoil

    def before_batch(self, learn):
        self.left -= 1
        if self.left == 0:
            self.spoil()


def training_on(spoil, repair):
    @contextmanager
    def prepare(base):
        alone = train(None, base / "alone.safetensors")
        with Disk(base / "disk") as disk:
            def one_try(rng, folder):
                wiped(disk.folder)
                path = disk.folder / "training.safetensors"
                cb = Spoil(rng.randint(1, 39), lambda: spoil(disk, rng))
                verdict = try_to(lambda: check(train(None, path, [cb]) == alone, "another result"), [path.name])
                repair(disk)
                check(train(None, path) == alone, "another result after the repair")
                return verdict or RIGHT
            yield one_try
    return prepare


def fetching_on(spoil, repair, is_archive):
    @contextmanager
    def prepare(base):
        data, contents = archive_of(".tar.gz", 60) if is_archive else (os.urandom(150_000), {})
        name = "films.tar.gz" if is_archive else "body.bin"
        with serving(data) as server, Disk(base / "disk") as disk:
            earlier = entry_of("earlier", data, f"{server.url}/good/{name}", name)
            entry = entry_of("films", data, f"{server.url}/good/{name}", name)

            def one_try(rng, folder):
                wiped(disk.folder)
                fetch(None, disk.folder, earlier)
                spoil(disk, rng)
                verdict = try_to(lambda: fetch(None, disk.folder, entry), ["data"])
                here = disk.folder / "data"
                check(bool(verdict) == (catalog.find_copy(here / "films") is None), "half a data set")
                check(catalog.fetch(earlier, progress=False), "the earlier data set cannot be read")
                repair(disk)
                found = files_below(fetch(None, disk.folder, entry))
                check(found == (contents or {name: data}), "another result after the repair")
                check(catalog.find_copy(here / "earlier"), "the earlier data set is gone")
                return verdict or RIGHT
            yield one_try
    return prepare


def command_on(spoil, repair):
    "`python -m fastcourse.vision.train` says in one line that it cannot write."
    @contextmanager
    def prepare(base):
        from PIL import Image
        for number in range(8):
            path = base / "pictures" / "ab"[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), (30 * number, 100, 200)).save(path)
        with Disk(base / "disk") as disk:
            def run(resume=()):
                words = [str(base / "pictures"), "--size", "8", "--stored-size", "8", "--epochs", "1", "--batch-size",
                         "2", "--model", "xresnet18", "--width", "4", "--threads", "1", "--device", "cpu", "--quiet",
                         "--output", str(disk.folder / "r.json"), "--checkpoint", str(disk.folder / "c.safetensors")]
                err = StringIO()
                with redirect_stdout(StringIO()), redirect_stderr(err):
                    code = train_pictures([*words, *resume])
                return code, err.getvalue()

            def one_try(rng, folder):
                wiped(disk.folder)
                spoil(disk, rng)
                code, said = run()
                if code:
                    check(code == 2 and said.count("\n") == 1 and ("r.json" in said or "c.safetensors" in said), said)
                repair(disk)
                again = run(["--resume"])
                check(again == (0, ""), f"after the repair: {again}")
                return told(Told(said), ["r.json", "c.safetensors"]) if code else RIGHT
            yield one_try
    return prepare


def fill(disk, rng):
    disk.leave(rng.randint(0, 30))


def fill_all(disk, rng):
    disk.leave(rng.randint(0, 3))


def close(disk, rng):
    disk.close(True)


def reopen(disk):
    disk.close(False)


# Clocks


@contextmanager
def jumping_clock(rng, folder):
    "Every look at the clock gives another year; files have times from 1970 to 2106."
    def years():
        return rng.uniform(-40, 40) * 31_557_600

    now, now_ns = time.time, time.time_ns
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (rng.uniform(0, 2**32 - 1),) * 2)
    with patch("time.time", lambda: now() + years()), patch("time.time_ns", lambda: now_ns() + int(1e9 * years())):
        yield


def saving_while_clock_jumps(subject):
    @contextmanager
    def prepare(base):
        def one_try(rng, folder):
            subject.write(folder, 1)
            for version in range(2, 5):
                with jumping_clock(rng, folder):
                    subject.write(folder, version)
                    found = subject.read(folder)
                check(found == version, f"version {version} was written, {found} was read")
            return RIGHT
        yield one_try
    return prepare


@contextmanager
def training_while_clock_jumps(base):
    alone = train(None, base / "alone.safetensors")

    class Leave(Exception):
        pass

    def leave():
        raise Leave

    def one_try(rng, folder):
        path = folder / "training.safetensors"
        with jumping_clock(rng, folder):
            try:
                train(None, path, [Spoil(rng.randint(1, 39), leave)])
            except Leave:
                check(not path.exists() or path.stat().st_size, "an empty checkpoint")
        with jumping_clock(rng, folder):
            check(train(None, path) == alone, "another result")
        return RIGHT
    yield one_try


@contextmanager
def fetching_while_clock_jumps(base):
    data, contents = archive_of(".tar.gz", 30)
    with serving(data) as server:
        entry = entry_of("films", data, f"{server.url}/breaks/films.tar.gz", "films.tar.gz")

        def one_try(rng, folder):
            for _ in range(2):
                with jumping_clock(rng, folder):
                    check(files_below(fetch(None, folder, entry)) == contents, "another result")
            return RIGHT
        yield one_try


# Two at once


def saving_by_two(subject):
    "Two processes write versions in turn, and a third one reads: it finds a whole version, or is told."
    @contextmanager
    def prepare(base):
        def one_try(rng, folder):
            subject.write(folder, 1)
            first = rng.randint(2, 50)
            writers = [Worker(save_some, subject.write, folder, range(first + i, first + i + 8, 2)) for i in (0, 1)]
            while any(writer.process.is_alive() for writer in writers):
                try:
                    subject.read(folder)
                except Exception as error:
                    told(error, names_in(folder))
            for writer in writers:
                writer.end()
            found = subject.read(folder)
            check(first <= found < first + 8, f"version {found} is there in the end")
            return RIGHT
        yield one_try
    return prepare


def count_up(line, path, num):
    for _ in range(num):
        check(Progress(path, lock_seconds=60).record(ITEM, attempts=1) == "", "not recorded")


@contextmanager
def counting_by_two(base):
    def one_try(rng, folder):
        nums = [rng.randint(1, 20) for _ in range(2)]
        workers = [Worker(count_up, folder / "progress.json", num) for num in nums]
        for worker in workers:
            worker.end()
        check(Progress(folder / "progress.json").read() == {ITEM: {"attempts": sum(nums)}}, "counts are lost")
        return RIGHT
    yield one_try


@contextmanager
def fetching_by_two(base):
    data, contents = archive_of(".tar.gz", 60)
    with serving(data) as server:
        entry = entry_of("films", data, f"{server.url}/good/films.tar.gz", "films.tar.gz")

        def one_try(rng, folder):
            server.asked.clear()
            workers = [Worker(fetch, folder, entry) for _ in range(2)]
            check(all(files_below(worker.end()) == contents for worker in workers), "another result")
            check(len(server.asked) == 1, f"the server was asked {len(server.asked)} times")
            return RIGHT
        yield one_try


@contextmanager
def unpacking_by_two(base):
    data, contents = archive_of(".zip", 60, "pictures")
    (base / "pictures.zip").write_bytes(data)

    def one_try(rng, folder):
        workers = [Worker(unpack_own, folder, base / "pictures.zip") for _ in range(2)]
        check(all(files_below(worker.end()) == contents for worker in workers), "another result")
        return RIGHT
    yield one_try


SAVING = [subject for subject in SUBJECTS if subject.name != "progress"]
HERE = Path(__file__).stem
ROWS = [
    *(Row(FULL, f"saving: {subject.name}", saving_on_full_disk(subject), HERE) for subject in SUBJECTS),
    *chain.from_iterable((
        Row(fault, "training, and a checkpoint that cannot be written", training_on(spoil, repair), HERE),
        Row(fault, "downloading", fetching_on(spoil, repair, False), HERE),
        Row(fault, "downloading and unpacking", fetching_on(spoil, repair, True), HERE),
        Row(fault, "`python -m fastcourse.vision.train`", command_on(spoil_all, repair), HERE),
    ) for fault, spoil, spoil_all, repair in ((FULL, fill, fill_all, Disk.empty), (CLOSED, close, close, reopen))),
    *(Row(CLOSED, f"saving: {subject.name}", saving_on_closed_disk(subject), HERE) for subject in SUBJECTS),
    *(Row(CLOCK, f"saving: {subject.name}", saving_while_clock_jumps(subject), HERE) for subject in SUBJECTS),
    Row(CLOCK, "training, broken off and resumed", training_while_clock_jumps, HERE),
    Row(CLOCK, "downloading and unpacking", fetching_while_clock_jumps, HERE),
    *(Row(TWO, f"saving: {subject.name}", saving_by_two(subject)) for subject in SAVING),
    Row(TWO, "counting in one file of progress", counting_by_two),
    Row(TWO, "downloading into one cache", fetching_by_two),
    Row(TWO, "unpacking one's own pictures", unpacking_by_two),
]
NAIVE_ROW = Row(FULL, NAIVE.name, saving_on_full_disk(NAIVE), HERE)

"""Tries, and what became of them: processes that can be killed, errors that can be understood, rows of a table.

A *try* does something terrible and then looks. What it returns survived: the result was right (RIGHT), there was an
error that names the file and says what is wrong with it (TOLD), or the file is one without any checksum, such as a
table, and was read as it now stands (PLAIN). Everything else is lost.
"""
import multiprocessing
import os
import random
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import fastcourse
from fastcourse.data.archives import DataError

RIGHT, TOLD, PLAIN = "right", "told", "plain"
PACKAGE = str(Path(fastcourse.__file__).parent)
SECONDS = 120  # after which a process hangs


class Lost(Exception):
    "A wrong result, an error that nobody understands, or an earlier good file that is gone."


class Told(Exception):
    "A sentence that took the place of an error."


class NotTried(Exception):
    "This machine cannot do that to its files."


class Row(NamedTuple):
    "One line of the table."
    fault: str
    what: str
    prepare: Callable  # of a folder: a context that gives `one_try(rng, folder)`
    module: str = ""   # where all tries happen in one new process: the module that has the row in its ROWS


def check(holds, words):
    if not holds:
        raise Lost(words)


def is_clear(error, names):
    "Is it an error of the library's own, or the system's about a file, and does it say which file or folder?"
    if type(error) is Told:
        return any(name in str(error) for name in names)
    ours = traceback.extract_tb(error.__traceback__)[-1].filename.startswith(PACKAGE)
    system = isinstance(error, OSError) and type(error).__module__ == "builtins"
    kind = type(error) in (ValueError, DataError) and ours or system and (ours or error.filename)
    return bool(kind) and any(name in str(error) for name in names)


def told(error, names):
    "TOLD if the error is clear, Lost otherwise."
    if isinstance(error, Lost):
        raise error
    if is_clear(error, names):
        return TOLD
    raise Lost(f"unclear: {type(error).__name__}: {error}") from error


def names_in(folder):
    "What an error about a folder may name."
    return [folder.name, *(path.name for path in folder.rglob("*") if path.is_file())]


# Processes


def processes():
    "New processes that need not import everything each time: they begin as copies of one that has."
    here = str(Path(__file__).parent)
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if here not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, *paths]))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([
        "damage", "places", "fastcourse.text.few_labels", "safetensors.torch", "spacy", "torch._dynamo", "PIL.Image",
        "filelock", "requests", "tqdm.auto", "typer"])
    return context


def call(function, line, *args):
    "In a new process: say that it begins, do it, and say what came out."
    import torch
    torch.set_num_threads(1)
    line.send(("begins", None))
    try:
        line.send(("ends", function(line, *args)))
    except Exception as error:
        line.send(("raises", "".join(traceback.format_exception(error))))
        raise SystemExit(1) from None


class Worker:
    "A process that says how far it is."
    def __init__(self, function, *args):
        self.line, other = multiprocessing.Pipe(duplex=False)
        self.process = processes().Process(target=call, args=(function, other, *args), daemon=False)
        self.process.start()
        other.close()
        self.messages = []

    def listen(self, seconds=SECONDS):
        "The next message; None when there will be none."
        try:
            check(self.line.poll(seconds), "a process hangs")
            self.messages.append(self.line.recv())
            return self.messages[-1]
        except EOFError:
            return None

    def begin(self):
        check(self.listen() is not None, "a process died before it began")
        return self

    def end(self):
        "What came out of it."
        while self.listen():
            pass
        self.process.join(SECONDS)
        kind, result = self.messages[-1] if self.messages else ("nothing", None)
        check(kind == "ends", f"a process failed, with exit code {self.process.exitcode}: {result}")
        return result

    def kill(self, seconds):
        "SIGKILL after so many seconds. Was there still something to kill? The steps that were done are in `steps`."
        self.process.join(seconds)
        self.process.kill()
        self.process.join()
        while self.listen():
            pass
        check(not any(kind == "raises" for kind, _ in self.messages), f"a process failed: {self.messages[-1][1]}")
        return not any(kind == "ends" for kind, _ in self.messages)

    @property
    def steps(self):
        return [result for kind, result in self.messages if kind == "step"]


def run_alone(function, *args):
    "The result of a function in a new process that nobody kills."
    return Worker(function, *args).end()


def run_timed(function, *args):
    "The same, and the seconds from the moment when the process was there."
    worker = Worker(function, *args).begin()
    start = time.perf_counter()
    return worker.end(), time.perf_counter() - start


# Rows


def one_verdict(one_try, rng, folder):
    folder.mkdir()
    try:
        return one_try(rng, folder), ""
    except Exception as error:
        return "lost", f"{type(error).__name__}: {error}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def try_row(row, num_tries, seed, say):
    "All tries of a row; each verdict is told as it comes."
    with tempfile.TemporaryDirectory(prefix="faults-") as base:
        try:
            with row.prepare(Path(base)) as one_try:
                for number in range(num_tries):
                    rng = random.Random(f"{seed} {number}")
                    say(one_verdict(one_try, rng, Path(base) / f"try{number}"))
        except NotTried as error:
            say(("not tried", str(error)))


def try_isolated(line, module, what, num_tries, seed):
    "The same in a process of its own, which finds the row by itself."
    rows = import_module(module)
    row, = [row for row in [*rows.ROWS, rows.NAIVE_ROW] if f"{row.fault} {row.what}" == what]
    try_row(row, num_tries, seed, lambda verdict: line.send(("step", verdict)))


def run_row(row, num_tries, seed=0, progress=lambda: None):
    "A dictionary for the table: what was tried, and what became of it."
    verdicts = []

    def note(verdict):
        verdicts.append(verdict)
        progress()
    if row.module:
        worker = Worker(try_isolated, row.module, f"{row.fault} {row.what}", num_tries, seed)
        while message := worker.listen():
            if message[0] == "step":
                note(message[1])
        worker.process.join(SECONDS)
        if worker.messages[-1][0] != "ends":
            note(("lost", f"the process ended with exit code {worker.process.exitcode}: {worker.messages[-1][1]}"))
    else:
        try_row(row, num_tries, seed, note)
    counts = Counter(verdict for verdict, _ in verdicts)
    reasons = list(dict.fromkeys(reason for verdict, reason in verdicts if reason))
    survived = counts[RIGHT] + counts[TOLD] + counts[PLAIN]
    return dict(fault=row.fault, what=row.what, tries=survived + counts["lost"], survived=survived,
                right=counts[RIGHT], told=counts[TOLD], plain=counts[PLAIN], lost=counts["lost"],
                not_tried=counts["not tried"] > 0, reasons=reasons[:5])

"""How long all lessons take in fresh kernels, one after another on each of several processes, offline.

Each notebook is run as the tests run it, with one thread, and nothing of it is stored. What is recorded is the time on
the clock from the first kernel's start to the last one's end, and the seconds of each lesson.
"""
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from frame import ROOT, frame, make_parser, save

NOTEBOOKS = sorted(path for path in (ROOT / "nbs").glob("[0-9]*.ipynb"))


def seconds_of(name):
    "In a process of its own: run a lesson as the tests do, with a home and progress of its own."
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "scripts")]
    from runs import run
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "nbs").symlink_to(ROOT / "nbs")
        (project / "images").symlink_to(ROOT / "images")
        return round(run(ROOT / "nbs" / f"{name}.ipynb", project).seconds, 1)


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--lessons", nargs="*", default=[path.stem for path in NOTEBOOKS], help="(default: all)")
    parser.add_argument("--processes", type=int, default=2, help="at a time (default 2)")
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    start = time.perf_counter()
    with ProcessPoolExecutor(arguments.processes) as pool:
        found = dict(zip(arguments.lessons, pool.map(seconds_of, arguments.lessons)))
    minutes = round((time.perf_counter() - start) / 60, 1)
    print(f"{len(found)} lessons, {minutes} minutes; the longest:", *sorted(found.items(), key=lambda row: -row[1])[:5])
    save(frame("minutes for all lessons in fresh kernels", processes=arguments.processes, minutes=minutes,
               lessons=len(found), longest_seconds=max(found.values()), seconds=found), arguments.output)


if __name__ == "__main__":
    main()

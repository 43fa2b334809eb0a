"The frame of every recorded result: what was measured, by which command, on which machine, with which versions."
import argparse
import json
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def describe(device="cpu"):
    "Hardware, device, threads, commit and versions."
    import torch  # here, as a benchmark of processes must be able to start without it

    from fastcourse.vision.train import describe_machine
    return describe_machine(torch.device(device))


def hardware(device="cpu"):
    return describe(device)["hardware"]


def commit():
    "The commit that is checked out, marked where files differ from it."
    return describe()["commit"] or "unknown"


def command():
    "As it would be typed in the project's folder."
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])


def versions(*packages):
    "Those that are installed of the packages."
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def frame(what, *packages, device="cpu", **facts):
    "A result to be recorded, in this order: what it is, how it was made, and the facts."
    machine = describe(device)
    known = {name: machine["versions"][name] for name in ("python", "torch")}
    return dict(what=what, command=command(), commit=machine["commit"] or "unknown", hardware=machine["hardware"],
                device=machine["device"], threads=machine["threads"], versions=known | versions(*packages)) | facts


def make_parser(description):
    "A parser of arguments that knows --output; the description is the script's, of which the first line is shown."
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--output", type=Path, help="write the result as JSON to this file")
    return parser


def save(result, output):
    "Write a result to the file `output`, if there is one."
    if output:
        output.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf8")

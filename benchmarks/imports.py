"""What it costs to import the course, beside PyTorch and the other libraries: each in a fresh process, in turns.

The figure is the processor's time of the whole process, and the median of its ratio within a turn to that of a process
that imports torch and nothing else. The peers are imported where they are installed.
"""
import resource
import subprocess
import sys

from frame import ROOT, frame, make_parser, save
from peers import is_installed
from turns import compare, take_turns

WARM_UP = 1  # files come from the disk in the first turn
PEER = "import sys; sys.path.insert(0, 'benchmarks'); from peers import peer; peer({!r})"
IMPORTS = {"torch": "import torch",
           "the learner": "import fastcourse.training.learner, fastcourse.training.callbacks",
           "the text half": "import fastcourse.text.classifier, fastcourse.text.transfer, fastcourse.text.runs"}
PEERS = {"fastai.text.all": "fastai", "fastai.vision.all": "fastai", "lightning": "lightning", "timm": "timm"}


def run(code):
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=ROOT)


def children_seconds():
    "Processor time of all processes that were started and have ended."
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--turns", type=int, default=7, help="turns that are measured, at least 2 (default 7)")
    parser.add_argument("--names", nargs="*", choices=[*IMPORTS, *PEERS], default=[*IMPORTS, *PEERS], help="which")
    arguments = parser.parse_args()
    codes = {name: IMPORTS.get(name, PEER.format(name)) for name in dict.fromkeys(["torch", *arguments.names])
             if name in IMPORTS or is_installed(PEERS[name])}
    works = {name: lambda code=code: run(code) for name, code in codes.items()}
    rows = compare(take_turns(works, arguments.turns, WARM_UP, children_seconds), "torch")
    for name, row in rows.items():
        print(f"{name:20} {row}")
    save(frame("milliseconds of the processor for a process that imports; ratio to torch within a turn", "fastai",
               "lightning", "timm", turns=arguments.turns, imports=rows), arguments.output)


if __name__ == "__main__":
    main()

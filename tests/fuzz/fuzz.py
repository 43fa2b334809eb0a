"""Coverage-guided fuzzing of the readers, by atheris: `make fuzz`.

Each target has a process of its own, a copy of the one that has imported all of them. What was tried is
recorded in results.json and in the table of README.md.
"""
import argparse
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
START, END = "<!-- table -->", "<!-- end of table -->"
# How many of a million executions each target gets. Those that write folders are slow, those that parse are fast.
SHARES = {
    "zip": 40, "tar": 30, "picture": 60, "array": 40, "table": 100, "json_lines": 100, "compressed": 60, "index": 100,
    "vocabulary": 90, "store": 29, "manifest": 60, "state": 20, "tensors": 80, "model": 1, "progress": 60, "note": 30,
    "lesson_file": 100}


def load_targets():
    "The targets, all branches of the readers watched. (What is imported for the first time here is watched.)"
    import atheris
    sys.path[:0] = [str(HERE), str(HERE.parent.parent)]
    readers = ["fastcourse", "tarfile", "zipfile", "tomllib", "PIL.PngImagePlugin", "PIL.GifImagePlugin",
               "PIL.BmpImagePlugin", "PIL.JpegImagePlugin", "PIL.ImageFile"]
    with atheris.instrument_imports(include=readers, enable_loader_override=False):
        import targets
        from PIL import Image
        Image.preinit()
    return targets


def fuzz_one(targets, name, runs, seed, folder):
    "Fuzz a target in this process, which ends with it."
    import atheris
    import torch
    torch.set_num_threads(1)
    corpus = Path(folder, "corpus")
    corpus.mkdir()
    for number, seed_file in enumerate(targets.TARGETS[name].seeds()):
        (corpus / str(number)).write_bytes(seed_file)
    options = [f"-runs={runs}", f"-seed={seed}", "-max_len=4096", "-len_control=0", "-timeout=120",
               "-rss_limit_mb=6000", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: targets.check(name, data) and None)
    atheris.Fuzz()


def run_target(targets, name, runs, seed):
    "What a process of its own said about a target."
    begin, folder = time.monotonic(), tempfile.mkdtemp(prefix=f"fuzz-{name}-")
    log = Path(folder, "log")
    child = os.fork()
    if child == 0:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            try:
                fuzz_one(targets, name, runs, seed, folder)
            finally:
                os._exit(1)  # libFuzzer ends the process itself if all went well
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    text = log.read_text(encoding="utf8", errors="replace")
    said, covered = re.search(r"Done (\d+) runs", text), re.findall(r"cov: (\d+)", text)
    if code or not said:
        raise SystemExit(f"{name}: a fault, its bytes are in {folder}\n{text[-3000:]}")
    shutil.rmtree(folder)
    return dict(target=name, executions=int(said[1]), covered=int(covered[-1]), faults=0,
                seconds=round(time.monotonic() - begin))


def write_results(results):
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf8")
    total = sum(row["executions"] for row in results["targets"])
    rows = [f"| {row['target']} | {row['executions']:,} | {row['covered']:,} | {row['faults']} |"
            for row in results["targets"]]
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    table = "\n".join([START, f"`{results['command']}`, with {versions}:", "",
                       "| target | executions | branches reached | faults |", "|---|---|---|---|", *rows,
                       f"| **all** | **{total:,}** | | **{sum(row['faults'] for row in results['targets'])}** |", END])
    readme = (HERE / "README.md").read_text(encoding="utf8")
    before, after = readme.split(START)[0], readme.split(END)[1]
    (HERE / "README.md").write_text(before + table + after, encoding="utf8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1_000_000, help="executions, of all targets together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="names of targets with commas between; nothing is recorded")
    args = parser.parse_args()
    targets, rows = load_targets(), []
    assert SHARES.keys() == targets.TARGETS.keys()
    packages = ["atheris", "numpy", "pillow", "safetensors", "torch"]
    versions = {"Python": platform.python_version(), **{name: version(name) for name in packages}}
    for name in args.only.split(",") if args.only else SHARES:
        rows.append(run_target(targets, name, -(-args.runs * SHARES[name] // sum(SHARES.values())), args.seed))
        print(rows[-1], flush=True)
    if not args.only:
        write_results(dict(command=f'make fuzz FUZZ_ARGS="--runs {args.runs} --seed {args.seed}"', seed=args.seed,
                           versions=versions, targets=rows))


if __name__ == "__main__":
    main()

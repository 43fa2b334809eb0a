"""How many film reviews are tokenized in a second: the course's tokenizer, bare spaCy and fastai.

With one process and with two, in turns, each turn in a fresh process. fastai is measured where it can be imported, and
then its tokens are compared with ours, text for text. Bare spaCy cuts the texts as they are, without any rule, and with
one process; it is the yardstick. Processes are started within the measured time, on Linux by fork, as fastai
does; spaCy is imported before it.

The texts are those of IMDb, where the catalogue finds them (see the lesson "Catalogue"), else prose of docstrings.
Measured is wall time, and for one process the time of the processor as well.
"""
import multiprocessing
import statistics
import sys
import time

from frame import frame, make_parser, save
from peers import is_installed, peer

GOAL = 3.5  # times fastai's documents per second, one process
GOAL_TWO = 3.0  # the same with two processes
START = "fork" if sys.platform == "linux" else "spawn"  # as fastai does


def load_texts(count):
    "Texts, and where they are from."
    from fastcourse.data.catalog import fetch
    from fastcourse.data.docstrings import docstring_text
    from fastcourse.data.readers import imdb
    try:
        return [review.text for review in imdb(["train"], fetch("imdb"))][:count], "IMDb"
    except Exception as error:  # noqa: BLE001  no network, no mirror
        print(f"no IMDb ({type(error).__name__}): docstrings instead", file=sys.stderr)
        return list(docstring_text(("networkx", "numpy")).train)[:count], "docstrings"


def ours(texts, num_workers):
    from fastcourse.text.tokenizer import Tokenizer
    from fastcourse.text.vocabulary import tokenize_texts
    tokenizer = Tokenizer(fastai=True)
    return lambda: list(tokenize_texts(texts, tokenizer, num_workers if num_workers > 1 else 0, start=START))


def course(texts, num_workers):
    from fastcourse.text.tokenizer import Tokenizer
    from fastcourse.text.vocabulary import tokenize_texts
    tokenizer = Tokenizer()
    return lambda: list(tokenize_texts(texts, tokenizer, num_workers if num_workers > 1 else 0, start=START))


def bare_spacy(texts, num_workers):
    import spacy
    cut = spacy.blank("en").tokenizer
    return lambda: [" ".join(token.text for token in cut(text)) for text in texts]


def fastai(texts, num_workers):
    core = peer("fastai.text.core")
    tokenizer, num_workers = core.SpacyTokenizer(), num_workers if num_workers > 1 else 0

    def run():
        found = dict(core.parallel_tokenize(texts, tokenizer, n_workers=num_workers))
        return [" ".join(found[i]) for i in range(len(texts))]
    return run


METHODS = {"ours, fastai's rules": ours, "ours": course, "bare spaCy": bare_spacy, "fastai": fastai}


def measure(method, num_workers, count, connection):
    "Documents per second of wall time and of the processor; the tokens' checksum. Sent through the connection."
    import hashlib
    texts, _ = load_texts(count)
    run = METHODS[method](texts, num_workers)
    wall, cpu = time.perf_counter(), time.process_time()
    joined = run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    digests = [hashlib.sha256(text.encode()).hexdigest()[:12] for text in joined]
    connection.send(dict(wall=len(texts) / wall, cpu=len(texts) / cpu, digests=digests))


def fresh(*arguments):
    "The result of `measure` in a process of its own."
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(*arguments, sender))
    process.start()
    sender.close()
    result = receiver.recv()
    process.join()
    return result


def ratio_to(runs, others, key):
    "How many times as fast within a turn: median and range."
    ratios = [round(run[key] / other[key], 3) for run, other in zip(runs, others, strict=True)]
    return dict(median=round(statistics.median(ratios), 3), range=[min(ratios), max(ratios)])


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--texts", type=int, default=4000, help="how many (default 4000)")
    parser.add_argument("--turns", type=int, default=3, help="of all methods (default 3)")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2], help="default 1 2")
    arguments = parser.parse_args()
    methods = [name for name in METHODS if name != "fastai" or is_installed("fastai")]
    rows = [(name, n) for n in arguments.processes for name in methods if n == 1 or name != "bare spaCy"]
    found = {row: [] for row in rows}
    for _ in range(arguments.turns):
        for row in rows:
            found[row].append(fresh(*row, arguments.texts))
            print(*row, {key: round(found[row][-1][key]) for key in ("wall", "cpu")}, file=sys.stderr, flush=True)
    texts, source = load_texts(arguments.texts)
    result = frame(
        "documents per second, medians over the turns", "spacy", "fastai", texts=len(texts), source=source,
        letters_per_text=round(sum(map(len, texts)) / len(texts)), turns=arguments.turns,
        goal=GOAL, goal_two=GOAL_TWO, rows=[])
    for (name, n), runs in found.items():
        wall, cpu = (round(statistics.median(run[key] for run in runs)) for key in ("wall", "cpu"))
        row = dict(method=name, processes=n, wall=wall, cpu=cpu if n == 1 else None)
        others = {"fastai": ("fastai", n), "bare spaCy": ("bare spaCy", n), "fastai, one process": ("fastai", 1)}
        row["to"] = {other: ratio_to(runs, found[key], "cpu" if n == 1 else "wall")
                     for other, key in others.items() if key in found}
        if ("fastai", n) in found:
            ratios = [run["wall"] / other["wall"] for run, other in zip(runs, found["fastai", n])]
            row["to_fastai"] = round(statistics.median(ratios), 2)
            if n == 1:
                row["cpu_to_fastai"] = round(cpu / statistics.median(run["cpu"] for run in found["fastai", n]), 2)
            if name == "ours, fastai's rules":
                row["same_tokens"] = sum(map(str.__eq__, runs[0]["digests"], found["fastai", n][0]["digests"]))
        result["rows"].append(row)
        print(row, flush=True)
    save(result, arguments.output)


if __name__ == "__main__":
    main()

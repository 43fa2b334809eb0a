"""How much memory tokenizing takes, by the size of the file: a stream must not take more for a larger one.

Files with a text a line are written for each size, of IMDb where the catalogue finds it, else of docstrings,
again and again with another word in each text, so that new words never cease. Each is tokenized in a process of its own
that keeps no tokens, with two workers. Reported are the peak of that process and of its largest worker (Linux only).
"""
import multiprocessing
import os
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from frame import frame, make_parser, save
from tokenizing import load_texts

NUM_WORKERS = 2


def write_file(path, texts, megabytes):
    written = 0
    with open(path, "w", encoding="utf8") as file:
        for number in count():
            line = f"{texts[number % len(texts)].replace(chr(10), ' ')} number{number}\n"
            written += len(line.encode())
            if written > megabytes * 1e6:
                return
            file.write(line)


def peak_mib(process_id):
    "The most memory that a process has held so far."
    status = Path(f"/proc/{process_id}/status").read_text(encoding="utf8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 2 ** 10


def send_result(connection, function, arguments):
    connection.send(function(*arguments))


def in_fresh_process(function, *arguments):
    "What the function returns in a process of its own. Ends this one with a message if that process dies."
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=send_result, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        sys.exit(f"the process for {arguments} died: was the memory full?")
    finally:
        process.join()


def measure(path):
    "Tokens, seconds and peaks."
    from fastcourse.text.vocabulary import stream_texts, tokenize_texts
    start, num_tokens, workers, num_texts = time.perf_counter(), 0, {}, 0
    for joined in tokenize_texts(stream_texts(path), num_workers=NUM_WORKERS):
        num_tokens += joined.count(" ") + 1
        num_texts += 1
        if num_texts % 1000 == 0:
            for child in multiprocessing.active_children():
                workers[child.pid] = peak_mib(child.pid)
    return dict(tokens=num_tokens, seconds=round(time.perf_counter() - start, 1),
                own_mib=round(peak_mib(os.getpid())), worker_mib=round(max(workers.values(), default=0)))


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--megabytes", type=float, nargs="*", default=[10, 100, 1000], help="default 10 100 1000")
    arguments = parser.parse_args()
    if sys.platform != "linux":
        parser.error("peaks of memory are read from /proc, which only Linux has")
    texts, source = load_texts(25_000)
    result = frame(
        "peaks of memory in MiB by the size of the file in MB", "spacy", source=source, workers=NUM_WORKERS, rows={})
    for megabytes in arguments.megabytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "texts.txt"
            write_file(path, texts, megabytes)
            row = result["rows"][f"{megabytes:g}"] = in_fresh_process(measure, path)
        print(f"{megabytes:g} MB: {row}", flush=True)
        save(result, arguments.output)


if __name__ == "__main__":
    main()

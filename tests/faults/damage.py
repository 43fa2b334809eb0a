"Files that were cut short, changed in one bit, or put in the place of others, in every format that is read."
import gzip
import lzma
import os
import shutil
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
from kills import archive_of, be_at, entry_of, files_below
from subjects import NAIVE, SUBJECTS
from tries import PLAIN, RIGHT, NotTried, Row, Told, check, names_in, told

from fastcourse.cli import main
from fastcourse.data import catalog, readers
from fastcourse.data.archives import unpack
from fastcourse.text.files import made_up_reviews, read_examples, write_rows
from fastcourse.text.runs import ClassifySettings
from fastcourse.text.subwords import SubwordTokenizer, train_subwords
from fastcourse.text.verdicts import train_classifier
from fastcourse.vision.pictures import read_pictures_at

NOT_READ = ("README.md", "writer.lock")
KINDS = {"cut": "file cut short", "flip": "one bit changed", "swap": "file swapped for another"}


def harm(kind, path, rng, others):
    "Damage one file."
    content = path.read_bytes()
    if kind == "cut":
        content = content[:rng.randrange(len(content))] if content else b""
    elif kind == "flip":
        place = rng.randrange(len(content))
        content = content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1:]
    else:
        content = rng.choice([other for other in others if other != content])
    path.write_bytes(content)


def parts_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size
                  and path.name not in NOT_READ and path.suffix != ".lock")


def write_everything(base):
    "One of each subject, for files to swap; the contents by name of subject and file."
    found = {}
    for subject in SUBJECTS:
        folder = base / "others" / subject.name.replace("/", "")
        folder.mkdir(parents=True)
        subject.write(folder, 2)
        found |= {(subject.name, path.name): path.read_bytes() for path in parts_of(folder)}
    return found


def damaging(subject, kind):
    "Damage to what the library has written."
    @contextmanager
    def prepare(base):
        others = write_everything(base)

        def one_try(rng, folder):
            subject.write(folder, 1)
            path = rng.choice(parts_of(folder))
            same = {subject.name} if subject.is_plain else set()
            if subject.name == "state of a training":
                same |= {"weights", "encoder"}  # states, too, whole ones
            other = [content for (name, _), content in others.items() if name not in same]
            harm(kind, path, rng, other)
            names = names_in(folder)
            try:
                found = subject.read(folder, 1)
            except Exception as error:
                return told(error, names)
            check(found == 1 or not subject.is_checked, f"version {found} was read, and nobody said a word")
            return RIGHT if found == 1 else PLAIN
        yield one_try
    return prepare


# What the library only reads


def reading(make, read, kind, is_checked):
    "Damage to one of the files that `make` makes in a folder; `read` gives what can be compared."
    @contextmanager
    def prepare(base):
        (base / "good").mkdir()
        make(base / "good")
        expected, others = read(base / "good"), [*write_everything(base).values()]

        def one_try(rng, folder):
            shutil.copytree(base / "good", folder, dirs_exist_ok=True)
            harm(kind, rng.choice(parts_of(folder)), rng, others)
            try:
                found = read(folder)
            except Exception as error:
                return told(error, names_in(folder))
            check(found == expected or not is_checked, "something else was read, and nobody said a word")
            return RIGHT if found == expected else PLAIN
        yield one_try
    return prepare


def make_archive(ending):
    return lambda folder: (folder / f"films{ending}").write_bytes(archive_of(ending, 40)[0])


def read_archive(ending):
    def read(folder):
        out = folder / "out"
        out.mkdir()
        try:
            unpack(folder / f"films{ending}", out)
            return files_below(out)
        finally:
            shutil.rmtree(out)
    return read


REVIEWS = made_up_reviews(40)


def make_texts(name):
    def make(folder):
        path = folder / name
        plain = folder / name.removesuffix(".gz").removesuffix(".xz")
        if ".txt" in path.suffixes:
            plain.write_text("\n".join(review.text for review in REVIEWS), encoding="utf8")
        elif path.suffix == ".parquet":
            try:
                import pyarrow
                from pyarrow import parquet
            except ImportError as error:
                raise NotTried("Parquet needs pyarrow") from error
            parquet.write_table(pyarrow.table(dict(text=[review.text for review in REVIEWS],
                                                   label=[review.label for review in REVIEWS])), path)
        else:
            write_rows(str(plain), ["text", "label"], [dict(text=text, label=label) for text, label, _ in REVIEWS])
        opener = {".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix)
        if opener:
            path.write_bytes(opener(plain.read_bytes()))
            plain.unlink()
    return make


def read_texts(name):
    return lambda folder: read_examples(str(folder / name), label="" if ".txt" in name else "label")


def image_bytes(number, kind):
    from PIL import Image
    made = BytesIO()
    pixels = (np.arange(192).reshape(8, 8, 3) * (number + 3) % 256).astype(np.uint8)
    Image.fromarray(pixels).resize((24, 24)).save(made, kind)
    return made.getvalue()


def all_pictures(split):
    return [[(picture.tobytes(), label) for picture, label in part] + list(part.names) for part in split]


def make_pictures(kind):
    def make(folder):
        for number in range(8):
            path = folder / "pictures" / "ab"[number % 2] / f"{number}.{kind}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image_bytes(number, kind))
    return make


def read_picture_folder(folder):
    return all_pictures(read_pictures_at(folder / "pictures")[0])


def make_array(folder):
    files = [image_bytes(number, "png") for number in range(8)]
    np.savez(folder / "pictures.npz", data=np.frombuffer(b"".join(files), np.uint8),
             offsets=np.cumsum([0, *map(len, files)]), labels=np.arange(8) % 2, names=np.array([*"abcdefgh"]),
             classes=np.array(["x", "y"]))


def read_array(folder):
    return all_pictures(read_pictures_at(folder / "pictures.npz")[0])


def make_idx(folder):
    for part, num in (("train", 20), ("t10k", 10)):
        x, y = np.arange(num * 16, dtype=np.uint8), np.arange(num, dtype=np.uint8) % 10
        head = b"\0\0\x08"
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(
            head + b"\x03" + b"".join(n.to_bytes(4, "big") for n in (num, 4, 4)) + x.tobytes()))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(
            head + b"\x01" + num.to_bytes(4, "big") + y.tobytes()))


def read_idx_pair(folder):
    return [[t.tolist() for t in part] for part in readers.fashion_mnist(catalog.Copy(folder, "original"))]


def make_lines(folder):
    lines = "\n".join(f'{{"text": "film {i}", "label": {i % 2}}}' for i in range(30)) + "\n"
    for split in ("train", "test"):
        (folder / f"{split}.jsonl.xz").write_bytes(lzma.compress(lines.encode()))


def read_lines(folder):
    return readers.imdb(copy=catalog.Copy(folder, "lines"))


def make_corpus(folder):
    for part in ("train", "valid", "test"):
        (folder / f"wiki.{part}.tokens.xz").write_bytes(lzma.compress(f"one two {part} .\n three\n".encode() * 20))


def read_corpus(folder):
    return readers.wikitext2(catalog.Copy(folder, "original"))


def make_ratings(folder):
    (folder / "ml-100k").mkdir()
    lines = [f"{i % 7 + 1}\t{i % 5 + 1}\t{i % 5 + 1}\t{880000000 + i}" for i in range(60)]
    (folder / "ml-100k" / "u.data").write_text("\n".join(lines) + "\n")
    (folder / "ml-100k" / "u.item").write_text("\n".join(f"{i}|Film {i}|1995" for i in range(1, 6)) + "\n")


def read_ratings(folder):
    ratings = readers.movielens_100k(catalog.Copy(folder, "original"))
    return [t.tolist() for t in ratings[:4]], ratings.titles


def make_subwords(folder):
    try:
        (folder / "subwords.model").write_bytes(train_subwords([review.text for review in REVIEWS], 320))
    except ImportError as error:
        raise NotTried("subwords need sentencepiece") from error


def read_subwords(folder):
    try:
        tokenizer = SubwordTokenizer((folder / "subwords.model").read_bytes())
        return [tokenizer(review.text) for review in REVIEWS[:10]], tokenizer.vocab.tokens
    except ValueError as error:
        raise Told(f"subwords.model: {error}") from error  # it was given bytes, and knows no file


# name: (make, read, is there a checksum that the reader looks at?)
FORMATS = {
    **{f"archive (films{ending})": (make_archive(ending), read_archive(ending), ending != ".tar")
       for ending in (".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip")},
    **{f"texts ({name})": (make_texts(name), read_texts(name), name.endswith((".gz", ".xz")))
       for name in ("a.txt", "a.txt.gz", "a.csv", "a.tsv", "a.csv.gz", "a.jsonl", "a.jsonl.xz", "a.parquet")},
    **{f"folder of pictures (.{kind})": (make_pictures(kind), read_picture_folder, False) for kind in ("png", "jpeg")},
    "array of pictures (.npz)": (make_array, read_array, True),
    "Fashion-MNIST (idx, .gz)": (make_idx, read_idx_pair, True),
    "IMDb (.jsonl.xz)": (make_lines, read_lines, True),
    "WikiText-2 (.tokens.xz)": (make_corpus, read_corpus, True),
    "MovieLens (u.data, u.item)": (make_ratings, read_ratings, False),
    "model of subwords": (make_subwords, read_subwords, False),
}


# The cache of data sets: whatever happens to it, the right data set comes out


def caching(kind):
    @contextmanager
    def prepare(base):
        data, contents = archive_of(".tar.gz", 40)
        mirror = base / "mirror" / "films"
        mirror.mkdir(parents=True)
        (mirror / "films.tar.gz").write_bytes(data)
        others = [*write_everything(base).values()]
        entry = entry_of("films", data, "http://127.0.0.1:9/x", "films.tar.gz")
        be_at(base)
        os.environ["FASTCOURSE_MIRRORS"] = str(base / "mirror")

        def one_try(rng, folder):
            os.environ["FASTCOURSE_HOME"] = str(folder)
            copy = catalog.fetch(entry, progress=False)
            harm(kind, rng.choice(parts_of(copy.folder)), rng, others)
            again = catalog.fetch(entry, progress=False)
            check(files_below(again.folder) == contents and again.form == "original", "another data set")
            return RIGHT
        yield one_try
    return prepare


def first_seen(kind):
    "The notes about files that nobody has published a checksum of."
    @contextmanager
    def prepare(base):
        mirror = base / "mirror" / "films"
        mirror.mkdir(parents=True)
        (mirror / "body.bin").write_bytes(b"film" * 1000)
        others = [*write_everything(base).values()]
        file = catalog.File("body.bin", ("http://127.0.0.1:9/x",))
        entry = catalog.Entry("films", "films", (catalog.Form("original", (file,)),))
        be_at(base)
        os.environ["FASTCOURSE_MIRRORS"] = str(base / "mirror")

        def one_try(rng, folder):
            os.environ["FASTCOURSE_HOME"] = str(folder)
            warnings.simplefilter("ignore")
            copy = catalog.fetch(entry, progress=False)
            shutil.rmtree(copy.folder)
            harm(kind, folder / "data" / ".films.seen", rng, others)
            try:
                again = catalog.fetch(entry, progress=False)
            except Exception as error:
                return told(error, [".films.seen"])
            check((again.folder / "body.bin").read_bytes() == b"film" * 1000, "another data set")
            return RIGHT
        yield one_try
    return prepare


# The command line


TINY = dict(start="none", embed_size=8, hidden_size=8, num_layers=1, threads=1, device="cpu", epochs=1, keep_every=1)


def command(*words):
    "Exit code, output and errors of `fastcourse`."
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([*map(str, words)])
    return code, out.getvalue(), err.getvalue()


def one_line(result, names):
    "TOLD if a command has ended with one line that names a file."
    code, _, err = result
    check(code in (1, 2) and err.count("\n") == 1 and "Traceback" not in err, f"exit code {code}: {err}")
    return told(Told(err), names)


def asking(kind, harmed):
    "`fastcourse text predict` with a damaged model, or for damaged texts."
    @contextmanager
    def prepare(base):
        make_texts("a.csv")(base)
        train_classifier(ClassifySettings(str(base / "a.csv"), str(base / "model"), **TINY))
        (base / "model" / "result.json").unlink()  # nobody needs it to ask the model
        ask = ["--device", "cpu", "--threads", "1", "--quiet"]
        expected = command("text", "predict", base / "model", base / "a.csv", "-", *ask)
        others = [*write_everything(base).values()]

        def one_try(rng, folder):
            shutil.copytree(base / "model", folder / "model")
            shutil.copy(base / "a.csv", folder)
            harm(kind, rng.choice(parts_of(folder / harmed) if harmed == "model" else [folder / harmed]), rng, others)
            found = command("text", "predict", folder / "model", folder / "a.csv", "-", *ask)
            if found[0]:
                return one_line(found, names_in(folder))
            check(found == expected or harmed == "a.csv", "other answers, and nobody said a word")
            return RIGHT if found == expected else PLAIN
        yield one_try
    return prepare


def resuming(kind, is_finished):
    "`fastcourse text classify --resume` in the folder of a run, finished or broken off, one file of which is damaged."
    @contextmanager
    def prepare(base):
        make_texts("a.csv")(base)
        settings = ClassifySettings(str(base / "a.csv"), str(base / "run"), **TINY)
        expected = train_classifier(settings)
        others = [*write_everything(base).values()]
        if not is_finished:
            broken = replace(settings, output=str(base / "broken"))
            break_off(broken)

        def one_try(rng, folder):
            run = folder / "run"
            shutil.copytree(base / ("run" if is_finished else "broken"), run)
            harm(kind, run / ("result.json" if is_finished else "checkpoint.safetensors"), rng, others)
            words = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]
            found = command("text", "classify", base / "a.csv", run, "--resume", "--quiet", *words)
            if found[0]:
                return one_line(found, names_in(folder))
            said = f"{expected['metrics']['valid_loss']:.4g}"
            check(said in found[1], f"another result: {found[1]}")
            return RIGHT
        yield one_try
    return prepare


def break_off(settings):
    "A run that ends in the middle."
    from fastcourse.training.events import Callback

    class Stop(Callback):
        order = 200

        def after_batch(self, learn):
            if learn.training and learn.batch_index == 1:
                raise KeyboardInterrupt

    try:
        train_classifier(settings, cbs=[Stop()])
    except KeyboardInterrupt:
        return
    raise NotTried("the run was not broken off")


HERE = Path(__file__).stem
ROWS = [row for kind, words in KINDS.items() for row in [
    *(Row(words, subject.name, damaging(subject, kind), HERE) for subject in SUBJECTS),
    *(Row(words, name, reading(make, read, kind, known), HERE) for name, (make, read, known) in FORMATS.items()),
    Row(words, "cache of a data set", caching(kind), HERE),
    Row(words, "notes of files first seen", first_seen(kind), HERE),
    Row(words, "`fastcourse text predict`: folder of the model", asking(kind, "model"), HERE),
    Row(words, "`fastcourse text predict`: table of texts", asking(kind, "a.csv"), HERE),
    Row(words, "`fastcourse text classify --resume`: result", resuming(kind, True), HERE),
    Row(words, "`fastcourse text classify --resume`: checkpoint", resuming(kind, False), HERE),
]]
NAIVE_ROW = Row(KINDS["cut"], NAIVE.name, damaging(NAIVE, "cut"), HERE)

"Downloads, archives and caches that go wrong: the error says what is wrong, and nothing looks complete that is not."
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server import BREAK, serve

from fastcourse.data import catalog as c
from fastcourse.data.archives import DataError, File, unpack

BODY = random.Random(0).randbytes(200_000)
WORKER = """
import json, sys
from fastcourse.data import catalog as c
import filelock, requests, tqdm.auto  # before this process may lose its rights
entry = c.read_entry("films", json.loads(sys.argv[1]))
{before}
print(c.fetch(entry, progress=False).folder)
"""


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def entry_of(*files, contents=()):
    form = c.Form("original", files, contents=contents)
    return c.Entry("films", "Films", (form,), embedded="fastcourse.data.datasets.human_numbers")


def as_json(entry):
    form = entry.forms[0]
    return json.dumps({"title": entry.title, "forms": [
        {"name": form.name, "files": [file._asdict() for file in form.files], "contents": form.contents}]})


def worker(entry, home, before=""):
    command = [sys.executable, "-c", WORKER.format(before=before), as_json(entry)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "FASTCOURSE_HOME": str(home)})


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTCOURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FASTCOURSE_MIRRORS", "")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr(time, "sleep", lambda seconds, sleep=time.sleep: sleep(min(seconds, 0.05)))
    return tmp_path / "home"


@pytest.fixture
def server():
    server = serve(BODY)
    yield server
    server.shutdown()
    server.server_close()


def body_from(server, *manners, **known):
    known = {"size": len(BODY), "sha256": sha256(BODY)} | known
    return entry_of(File("body.bin", tuple(f"{server.url}/{manner}/body.bin" for manner in manners), **known))


def is_right(copy):
    return (copy.folder / "body.bin").read_bytes() == BODY and c.find_copy(copy.folder) == copy


def is_empty(home):
    "Is there nothing that looks like a data set?"
    return not (home / "data" / "films").exists()


@pytest.mark.parametrize("manner", [
    "good", "no_range", "no_length", "breaks", "breaks_no_length", "breaks_once", "slow", "chunked",
])
def test_it_arrives(home, server, manner):
    assert is_right(c.fetch(body_from(server, manner), progress=False))
    assert [path.name for path in (home / "data").iterdir() if path.suffix == ".work"] == []


def test_broken_line_is_taken_up(home, server):
    assert is_right(c.fetch(body_from(server, "breaks"), progress=False))
    assert server.asked == [("breaks", i) for i in range(0, len(BODY), BREAK)]


@pytest.mark.parametrize("manner, message", [
    ("wrong", "sha256 should be"), ("page", "offers 50 bytes .text/html. in place of the 200,000"),
    ("chunked_page", "size should be 200000, but is 50, and begins like a web page"),
    ("short", "offers 100,000 bytes"), ("long", "offers 200,004 bytes"), ("endless", "sends more than the 200,000"),
    ("missing", "answers 404"), ("breaks_no_range", "breaks after"), ("liar", "sha256 should be"),
])
def test_it_is_refused(home, server, manner, message):
    with pytest.raises(DataError, match=message) as caught:
        c.fetch(body_from(server, manner), progress=False)
    assert "FASTCOURSE_MIRRORS" in str(caught.value) and "datasets.human_numbers()" in str(caught.value)
    assert is_empty(home) and len(server.asked) < 20
    assert is_right(c.fetch(body_from(server, manner, "good"), progress=False)), "a second address must help"


MD5 = {"sha256": None, "md5": hashlib.md5(BODY).hexdigest()}


@pytest.mark.parametrize("known", [MD5, {"size": None}, {"size": None, **MD5}])
def test_less_is_known(home, server, known):
    assert is_right(c.fetch(body_from(server, "breaks", **known), progress=False))
    shutil.rmtree(home)
    with pytest.raises(DataError, match="should be"):
        c.fetch(body_from(server, "wrong", **known), progress=False)


def test_first_download_decides_where_nothing_is_published(home, server):
    nothing = {"size": None, "sha256": None}
    with pytest.warns(UserWarning, match=f"no published checksum.*{sha256(BODY)}"):
        assert is_right(c.fetch(body_from(server, "good", **nothing), progress=False))
    shutil.rmtree(home / "data" / "films")
    with pytest.raises(DataError, match="is not what it was when it was first fetched"):
        c.fetch(body_from(server, "wrong", **nothing), progress=False)
    assert is_empty(home)
    with pytest.warns(UserWarning):
        assert is_right(c.fetch(body_from(server, "good", **nothing), progress=False))


def test_without_a_checksum_halves_are_not_joined(home, server):
    with pytest.raises(DataError, match="breaks after"):
        c.fetch(body_from(server, "breaks", sha256=None), progress=False)
    assert {start for _, start in server.asked} == {0}


def test_page_in_place_of_a_file_that_nobody_knows(home, server):
    with pytest.raises(DataError, match="is a web page"):
        c.fetch(body_from(server, "page", size=None, sha256=None), progress=False)


def test_part_of_another_file_is_thrown_away(home, server):
    work = home / "data" / ".films.work"
    work.mkdir(parents=True)
    (work / "body.bin.part").write_bytes(b"x" * 50_000)
    assert is_right(c.fetch(body_from(server, "good"), progress=False))
    assert server.asked == [("good", 50_000), ("good", 0)]


@pytest.mark.parametrize("manner, message", [("missing", "answers 404"), ("page", "text/html")])
def test_part_survives_a_server_that_is_away_and_the_page_of_a_hotel(home, server, manner, message):
    work = home / "data" / ".films.work"
    work.mkdir(parents=True)
    (work / "body.bin.part").write_bytes(BODY[:50_000])
    with pytest.raises(DataError, match=message):
        c.fetch(body_from(server, manner), progress=False)
    assert is_right(c.fetch(body_from(server, "good"), progress=False))
    assert server.asked == [(manner, 50_000), (manner, 50_000), ("good", 50_000)]


def test_no_network(home):
    with pytest.raises(DataError, match="no connection") as caught:
        c.fetch(entry_of(File("body.bin", ("http://127.0.0.1:9/body.bin",))), progress=False)
    assert "human_numbers()" in str(caught.value) and is_empty(home)


# Mirrors and the cache


@pytest.mark.parametrize("place", ["body.bin", "films/body.bin"])
def test_mirror_before_network(home, server, tmp_path, monkeypatch, place):
    path = tmp_path / "stick" / place
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    monkeypatch.setenv("FASTCOURSE_MIRRORS", os.pathsep.join([str(tmp_path / "absent"), str(tmp_path / "stick")]))
    assert is_right(c.fetch(body_from(server, "good"), progress=False)) and not server.asked


@pytest.mark.parametrize("bad", [BODY[:-1], BODY[:-1] + b"x", b"", b"<html>no"])
def test_wrong_mirror_is_passed_over_and_named(home, server, tmp_path, monkeypatch, bad):
    (tmp_path / "body.bin").write_bytes(bad)
    monkeypatch.setenv("FASTCOURSE_MIRRORS", str(tmp_path))
    with pytest.raises(DataError, match="in the mirror .* is not the published file.*(?s:.*)answers 404"):
        c.fetch(body_from(server, "missing"), progress=False)
    assert is_empty(home)
    assert is_right(c.fetch(body_from(server, "good"), progress=False))


@pytest.mark.parametrize("damage", ["change", "cut", "delete", "add", "note", "no note"])
def test_damage_in_the_cache_is_noticed(home, server, damage):
    copy = c.fetch(body_from(server, "good"), progress=False)
    path, note = copy.folder / "body.bin", copy.folder / "fastcourse.json"
    {"change": lambda: path.write_bytes(BODY[:-1] + b"x"), "cut": lambda: path.write_bytes(BODY[:9]),
     "delete": path.unlink, "add": lambda: (copy.folder / "more.bin").write_bytes(b""),
     "note": lambda: note.write_text("[1]"), "no note": note.unlink}[damage]()
    assert c.find_copy(copy.folder) is None
    assert is_right(c.fetch(body_from(server, "good"), progress=False)) and len(server.asked) == 2


def test_folder_that_somebody_made_is_no_copy(home, server):
    (home / "data" / "films").mkdir(parents=True)
    assert is_right(c.fetch(body_from(server, "good"), progress=False))


def test_home_is_a_file(home, server):
    home.write_bytes(b"")
    with pytest.raises(DataError, match="is no folder.*FASTCOURSE_HOME"):
        c.fetch(body_from(server, "good"), progress=False)


# Archives


def tar_of(path, *members, mode="w:gz", **kwargs):
    with tarfile.open(path, mode, **kwargs) as archive:
        for name, content, attributes in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in attributes.items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content))
    return path


def zip_of(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, attributes in members:
            member = zipfile.ZipInfo(name)
            member.filename = name
            for key, value in attributes.items():
                setattr(member, key, value)
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return path


OUTSIDE = ["../x", "a/../../x", "/x", "//server/x", "..\\x", "C:x", "C:\\x", "a\\..\\..\\x", ".."]
LINKS = [{"type": tarfile.SYMTYPE, "linkname": ".."}, {"type": tarfile.LNKTYPE, "linkname": "../x"},
         {"type": tarfile.FIFOTYPE}, {"type": tarfile.CHRTYPE}, {"type": tarfile.BLKTYPE}]


@pytest.fixture
def deep(tmp_path):
    folder = tmp_path / "outer" / "deep"
    folder.mkdir(parents=True)
    return folder


def refused(path, folder, message, **limits):
    with pytest.raises(DataError, match=message):
        unpack(path, folder, **limits)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "something was written outside"
    return not [path for path in folder.rglob("*") if path.is_file() and path.name != "first"]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("make, ending", [(tar_of, ".tar.gz"), (zip_of, ".zip")])
def test_member_outside(deep, tmp_path, make, ending, name):
    path = make(tmp_path / f"bad{ending}", ("first", b"1", {}), (name, b"out", {}))
    assert refused(path, deep, "lies outside")


@pytest.mark.parametrize("attributes", LINKS)
def test_link_or_device_in_tar(deep, tmp_path, attributes):
    path = tar_of(tmp_path / "bad.tgz", ("door", b"", attributes), ("door/x", b"through", {}))
    assert refused(path, deep, "'door' is neither a file nor a folder")


def test_link_in_zip(deep, tmp_path):
    attributes = {"create_system": 3, "external_attr": (stat.S_IFLNK | 0o777) << 16}
    assert refused(zip_of(tmp_path / "bad.zip", ("door", b"..", attributes)), deep, "neither a file nor a folder")


@pytest.mark.parametrize("make, ending", [(tar_of, ".tar.gz"), (zip_of, ".zip")])
def test_bomb(deep, tmp_path, make, ending):
    path = make(tmp_path / f"bomb{ending}", ("zeros", b"\0" * 40_000_000, {}))
    assert path.stat().st_size < 50_000
    assert refused(path, deep, "above .* bytes")
    many = make(tmp_path / f"many{ending}", *((str(i), b"", {}) for i in range(101)))
    assert refused(many, deep, "is one of more than 100", max_members=100) is False


def test_zip_that_lies_about_its_size(deep, tmp_path):
    path = zip_of(tmp_path / "bomb.zip", ("zeros", b"\0" * 40_000_000, {}))
    data = path.read_bytes()
    assert data.count((40_000_000).to_bytes(4, "little")) == 2
    path.write_bytes(data.replace((40_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    with pytest.raises(DataError, match="is damaged"):
        unpack(path, deep)
    assert sum(path.stat().st_size for path in deep.iterdir()) <= 1000


def test_bomb_in_the_description_of_a_member(deep, tmp_path):
    huge = tar_of(tmp_path / "huge.tar.gz", ("x", b"", {"pax_headers": {"comment": "0" * 50_000_000}}),
                  format=tarfile.PAX_FORMAT)
    assert refused(huge, deep, "grows beyond 20,000,000 bytes", max_bytes=10_000_000)


@pytest.mark.parametrize("ending", [".tar.gz", ".zip", ".tar.xz", ".tar", ".tar.bz2"])
def test_damaged_archive(deep, tmp_path, ending):
    if ending == ".zip":
        good = zip_of(tmp_path / "good.zip", ("a", BODY, {}))
    else:
        good = tar_of(tmp_path / f"good{ending}", ("a", BODY, {}), mode=f"w:{ending[5:]}")
    unpack(good, deep)
    assert (deep / "a").read_bytes() == BODY
    data = good.read_bytes()
    for number, bad in enumerate([data[:len(data) // 2], b"", b"<html>no archive</html>", data[:100] + data[3000:]]):
        path = tmp_path / f"bad{number}{ending}"
        path.write_bytes(bad)
        with pytest.raises(DataError, match="is damaged"):
            unpack(path, deep)


def test_rights_are_tame(deep, tmp_path):
    unpack(tar_of(tmp_path / "a.tar.gz", ("tool", b"#!", {"mode": 0o6777, "uid": 1, "uname": "daemon"})), deep)
    found = (deep / "tool").stat()
    assert found.st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH) == 0
    if hasattr(os, "getuid"):
        assert found.st_uid == os.getuid()


@settings(max_examples=150, deadline=None)
@given(name=st.text(st.sampled_from("a./\\: C\0\u2024é"), min_size=1, max_size=12), in_zip=st.booleans())
def test_no_name_leads_outside(name, in_zip):
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "outer" / "deep"
        folder.mkdir(parents=True)
        make, path = (zip_of, "x.zip") if in_zip else (tar_of, "x.tar")
        path = make(Path(temporary) / path, (name, b"x", {}), **({} if in_zip else {"mode": "w"}))
        try:
            unpack(path, folder)
        except (DataError, OSError):
            pass
        assert {p.name for p in folder.parent.iterdir()} == {"deep"}
        assert {p.name for p in Path(temporary).iterdir()} == {"outer", path.name}


def films_archive(path, num_files=50):
    return tar_of(path, *((f"films/{i}.txt", b"film %d" % i, {}) for i in range(num_files)))


def films_entry(server, manner, data, contents=()):
    server.body = data
    return entry_of(File("films.tar.gz", (f"{server.url}/{manner}/films.tar.gz",), len(data), sha256(data)),
                    contents=contents)


def test_archive_arrives(home, server, tmp_path):
    data = films_archive(tmp_path / "films.tar.gz").read_bytes()
    copy = c.fetch(films_entry(server, "good", data, [("films/7.txt", sha256(b"film 7"))]), progress=False)
    assert sorted(path.name for path in copy.folder.iterdir()) == ["fastcourse.json", "films"]
    assert (copy.folder / "films" / "7.txt").read_bytes() == b"film 7"


@pytest.mark.parametrize("contents, message", [
    ([("films/7.txt", sha256(b"film 8"))], "films/7.txt is not the published file"),
    ([("films/99.txt", sha256(b""))], "should contain films/99.txt"),
])
def test_contents_are_checked(home, server, tmp_path, contents, message):
    data = films_archive(tmp_path / "films.tar.gz").read_bytes()
    with pytest.raises(DataError, match=message):
        c.fetch(films_entry(server, "good", data, contents), progress=False)
    assert is_empty(home)


def test_bad_archive_leaves_nothing(home, server, tmp_path):
    data = tar_of(tmp_path / "bad.tar.gz", ("first", b"1", {}), ("../x", b"", {})).read_bytes()
    with pytest.raises(DataError, match="lies outside"):
        c.fetch(films_entry(server, "good", data), progress=False)
    assert is_empty(home)


def test_compressed_file_stays_compressed(home, server):
    data = gzip.compress(BODY)
    server.body = data
    file = File("body.gz", (f"{server.url}/good/body.gz",), len(data), sha256(data))
    assert (c.fetch(entry_of(file), progress=False).folder / "body.gz").read_bytes() == data


# Killed, twice at once, full, closed


def wait_for(condition, process):
    for _ in range(1500):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    pytest.fail("the moment to kill never came")


def test_killed_while_downloading(home, server):
    entry = body_from(server, "slow")
    part = home / "data" / ".films.work" / "body.bin.part"
    process = worker(entry, home)
    wait_for(lambda: part.exists() and part.stat().st_size > 50_000, process)
    process.kill()
    process.communicate()
    assert is_empty(home) and c.find_copy(home / "data" / "films") is None
    kept = part.stat().st_size
    assert is_right(c.fetch(entry, progress=False))
    assert server.asked == [("slow", 0), ("slow", kept)]


def test_killed_while_unpacking(home, server, tmp_path):
    num_files = 4000
    entry = films_entry(server, "good", films_archive(tmp_path / "films.tar.gz", num_files).read_bytes())
    new = home / "data" / ".films.work" / "new" / "films"
    process = worker(entry, home)
    wait_for(lambda: new.exists() and len(os.listdir(new)) > 50, process)
    process.kill()
    process.communicate()
    assert process.returncode != 0 and len(os.listdir(new)) < num_files
    assert is_empty(home)
    copy = c.fetch(entry, progress=False)
    assert len(os.listdir(copy.folder / "films")) == num_files
    assert server.asked == [("good", 0)], "the archive was there already"


def test_two_at_once(home, server):
    entry = body_from(server, "slow")
    processes = [worker(entry, home) for _ in range(2)]
    results = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], results
    assert results[0][0] == results[1][0] and is_right(c.Copy(home / "data" / "films", "original"))
    assert server.asked == [("slow", 0)]


def failure(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode != 0, out
    return err.strip().splitlines()[-1]


@pytest.mark.skipif(os.name != "posix", reason="NOT TRIED: only Unix limits the size of files")
def test_file_too_large_for_the_disk(home, server):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    message = failure(worker(body_from(server, "good"), home, before=limit))
    assert "DataError" in message and "may not hold a file of this size" in message and "FASTCOURSE_HOME" in message
    assert is_empty(home)
    assert is_right(c.fetch(body_from(server, "good"), progress=False))
    assert server.asked[1][1] == 100_000, "what came is kept"


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    if not sys.platform.startswith("linux") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("NOT TRIED: a small disk needs Linux and the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk(home, server, small_disk, monkeypatch):
    monkeypatch.setenv("FASTCOURSE_HOME", str(small_disk))
    with pytest.raises(DataError, match="is full.*FASTCOURSE_HOME"):
        c.fetch(body_from(server, "good"), progress=False)
    assert is_empty(small_disk)
    monkeypatch.setenv("FASTCOURSE_HOME", str(home))
    assert is_right(c.fetch(body_from(server, "good"), progress=False))


def test_disk_full_while_unpacking(home, server, small_disk, monkeypatch, tmp_path):
    monkeypatch.setenv("FASTCOURSE_HOME", str(small_disk))
    data = tar_of(tmp_path / "films.tar.gz", ("films.txt", b"film " * 100_000, {})).read_bytes()
    assert len(data) < 10_000
    with pytest.raises(DataError, match="is full"):
        c.fetch(films_entry(server, "good", data), progress=False)
    assert is_empty(small_disk)


@pytest.mark.skipif(os.name != "posix", reason="NOT TRIED: rights of folders work otherwise on Windows")
def test_folder_that_is_closed(home, server):
    "Rights do not bind root, so as root the process becomes another user first."
    home = Path(tempfile.mkdtemp())
    try:
        os.environ["FASTCOURSE_HOME"] = str(home)  # set back by the fixture
        copy = c.fetch(body_from(server, "good"), progress=False)
        for path in [home, *home.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        become = "import os\nif os.getuid() == 0: os.setuid(65534)"
        process = worker(body_from(server, "good"), home, before=become)
        assert process.communicate(timeout=60)[0].strip() == str(copy.folder), "a complete copy can be read"
        (home / "data").chmod(0o755)
        shutil.rmtree(copy.folder)
        (home / "data" / ".films.lock").unlink()
        (home / "data").chmod(0o555)
        message = failure(worker(body_from(server, "good"), home, before=become))
        assert "DataError" in message and "cannot be written to" in message and "FASTCOURSE_HOME" in message
    finally:
        for path in [home, *home.rglob("*")]:
            path.chmod(0o755)
        shutil.rmtree(home)

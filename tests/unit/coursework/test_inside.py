"""The program in helper containers, run as it is on real folders with all that a hostile home can hold."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from firstbell.coursework import inside
from firstbell.coursework.transport import Bounds, Taken, packed, receive
from firstbell.errors import StartFailed
from firstbell.model.container import MIB
from tests.support.coursework import contents, fill

BOUNDS = Bounds()


def take(home: Path, into: Path, bounds: Bounds = BOUNDS, folder: str = "hw1") -> Taken:
    """What comes out of a home, by the program as a helper runs it."""
    words = [sys.executable, "-I", inside.__file__, "take", str(home), folder, json.dumps(asdict(bounds))]
    result = subprocess.run(words, capture_output=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    return receive(result.stdout.splitlines(), into, bounds)


def put(home: Path, source: Path, place: str = "work/hw1") -> dict[str, object]:
    """Put a folder into a home, by the program as a helper runs it."""
    parcel = packed(source)
    words = [sys.executable, "-I", inside.__file__, "put", str(home), place, parcel.digest, "hw1 (before)"]
    result = subprocess.run(words, input=parcel.lines, capture_output=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    answer: dict[str, object] = json.loads(result.stdout)
    return answer


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return fill(tmp_path / "home", {"hw1/a.py": "A", "hw1/sub/b.py": "B"})


def test_plain_files_are_taken_as_they_are(home: Path, tmp_path: Path):
    """Names, content and hashes, also of what is empty, large, or named in any language."""
    (home / "hw1" / "größe 漢字.txt").write_text("ü")
    (home / "hw1" / "empty").touch()
    (home / "hw1" / "large").write_bytes(os.urandom(3 * MIB + 7))
    taken = take(home, tmp_path / "out")
    assert not taken.refused
    assert [file.path for file in taken.files] == sorted(file.path for file in taken.files)
    for file in taken.files:
        assert (tmp_path / "out" / file.path).read_bytes() == (home / "hw1" / file.path).read_bytes()
        assert (tmp_path / "out" / file.path).stat().st_mode & 0o222 == 0


def refused(taken: Taken) -> dict[str, str]:
    return {one.path: one.why for one in taken.refused}


def test_all_that_is_no_plain_file_is_refused_by_name(home: Path, tmp_path: Path):
    """Links to anywhere, pipes, sockets and devices are named; nothing of what they lead to comes out."""
    work = home / "hw1"
    secret = fill(tmp_path / "outside", {"secret": "s3cret"})
    (work / "file-link").symlink_to(secret / "secret")
    (work / "folder-link").symlink_to(secret)
    (work / "up").symlink_to("../../outside")
    (work / "passwd").symlink_to("/etc/passwd")
    (work / "loop").symlink_to("loop")
    os.mkfifo(work / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(work / "socket"))
    expected = {"file-link", "folder-link", "up", "passwd", "loop", "pipe", "socket"}
    if os.getuid() == 0:
        os.mknod(work / "disk", 0o666 | stat.S_IFBLK, os.makedev(8, 0))
        os.mknod(work / "zero", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        expected |= {"disk", "zero"}
    taken = take(home, tmp_path / "out")
    assert set(refused(taken)) == expected
    assert contents(tmp_path / "out") == {"a.py": "A", "sub/b.py": "B"}
    assert refused(taken)["pipe"] == "a pipe" and refused(taken)["up"] == "a symbolic link"


def test_a_hard_link_is_the_file_it_is(home: Path, tmp_path: Path):
    """What is hard-linked comes as a file of its own: changing it later changes nothing that was taken."""
    os.link(home / "hw1" / "a.py", home / "hw1" / "again.py")
    taken = take(home, tmp_path / "out")
    (home / "hw1" / "a.py").write_text("changed")
    assert contents(tmp_path / "out")["again.py"] == "A"
    assert (tmp_path / "out" / "a.py").stat().st_nlink == 1
    assert len(taken.files) == 3


@pytest.mark.parametrize("name", [b"\xff\xfe", b"new\nline", b"esc\x1b[2J", "turn\u202etxt".encode(), b"back\\slash"])
def test_names_that_deceive_are_refused(home: Path, tmp_path: Path, name: bytes):
    """No name that is no text, or would show another one, gets into a manifest, and what is shown is printable."""
    Path(os.fsdecode(os.fsencode(home / "hw1") + b"/" + name)).touch()
    taken = take(home, tmp_path / "out")
    [one] = taken.refused
    assert one.path.isprintable()
    assert contents(tmp_path / "out") == {"a.py": "A", "sub/b.py": "B"}


def test_what_its_owner_forbade_to_read_is_read_or_named(home: Path, tmp_path: Path):
    """Mode 000 hides nothing from a helper with the right to read, and stops none without."""
    (home / "hw1" / "hidden.py").write_text("H")
    (home / "hw1" / "hidden.py").chmod(0)
    (home / "hw1" / "sub").chmod(0)
    try:
        taken = take(home, tmp_path / "out")
    finally:
        (home / "hw1" / "sub").chmod(0o755)
    paths = {file.path for file in taken.files} | set(refused(taken))
    assert "hidden.py" in paths and paths & {"sub", "sub/b.py"}


def test_too_many_files_are_counted_and_cut_off(home: Path, tmp_path: Path):
    """Of more than is taken the rest is named in one line; the walk ends."""
    for number in range(300):
        (home / "hw1" / f"f{number:04}").touch()
    taken = take(home, tmp_path / "out", replace(BOUNDS, files=100))
    assert len(taken.files) == 100
    assert refused(taken)["f0299"] == "more than 100 files"
    few = take(home, tmp_path / "few", replace(BOUNDS, entries=50))
    assert len(few.files) <= 50
    assert "more than 50 files" in refused(few)["."]


def test_refusals_are_bounded_too(home: Path, tmp_path: Path):
    """A hundred thousand links fill no manifest."""
    for number in range(300):
        (home / "hw1" / f"link{number:04}").symlink_to("/")
    taken = take(home, tmp_path / "out", replace(BOUNDS, refused=20))
    assert len(taken.refused) == 20
    assert taken.refused[-1].why == "and more, which are not listed"


def test_large_files_are_bounded_one_by_one_and_together(home: Path, tmp_path: Path):
    """A file of a terabyte without content, or many of them, is named and not read."""
    with (home / "hw1" / "hole").open("wb") as hole:
        hole.truncate(1 << 40)
    for name in ("x1", "x2", "x3"):
        (home / "hw1" / name).write_bytes(b"x" * MIB)
    taken = take(home, tmp_path / "out", replace(BOUNDS, bytes=2 * MIB + 10))
    assert refused(taken) == {"hole": "larger than 512 MiB", "x3": "more than 2 MiB in all"}


def test_folders_in_folders_end_somewhere(home: Path, tmp_path: Path):
    """A tower of folders is neither followed to its end nor overflows anything; nor does a path become too long."""
    at = home / "hw1"
    for _ in range(60):
        at = at / ("d" * 40)
        at.mkdir()
    (at / "deep.py").write_text("x")
    taken = take(home, tmp_path / "out")
    [one] = taken.refused
    assert "deeper than 32" in one.why or "too long" in one.why
    assert {file.path for file in taken.files} == {"a.py", "sub/b.py"}


def test_what_programs_leave_is_passed_over(home: Path, tmp_path: Path):
    """Checkpoints and caches are neither taken nor worth a word."""
    fill(home / "hw1", {".ipynb_checkpoints/a.py": "old", "__pycache__/a.pyc": "", inside.MARKER: "x"})
    taken = take(home, tmp_path / "out")
    assert {file.path for file in taken.files} == {"a.py", "sub/b.py"} and not taken.refused


@pytest.mark.parametrize("part", ["hw1", "work"])
def test_a_link_on_the_way_to_the_folder_is_refused(home: Path, tmp_path: Path, part: str):
    """Neither the folder nor one above it may be a link."""
    (home / "other").symlink_to(home / "hw1")
    fill(home, {"real/hw1/a.py": "A"})
    (home / "work").symlink_to(home / "real")
    folder = "other" if part == "hw1" else "work/hw1"
    words = [sys.executable, "-I", inside.__file__, "take", str(home), folder, json.dumps(asdict(BOUNDS))]
    result = subprocess.run(words, capture_output=True, check=False, timeout=60)
    assert result.returncode == inside.REFUSED and b"link" in result.stderr


def test_no_folder_is_told_from_an_empty_one(home: Path, tmp_path: Path):
    """Somebody who never had the folder is not somebody who handed in nothing."""
    (home / "empty").mkdir()
    assert take(home, tmp_path / "one", folder="missing") == Taken(found=False)
    assert take(home, tmp_path / "two", folder="empty") == Taken(found=True)


def test_a_file_that_is_written_meanwhile_is_whole_or_named(home: Path, tmp_path: Path):
    """While a program writes all the time, what is taken is what its hash says, or the file is named."""
    path, over = home / "hw1" / "log", threading.Event()
    path.write_bytes(b"0" * MIB)

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            with path.open("r+b") as file:
                file.write(str(number % 10).encode() * MIB)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            taken = take(home, tmp_path / f"out{number}")
            got = {file.path for file in taken.files}
            assert ("log" in got) != ("log" in refused(taken))
            assert (tmp_path / f"out{number}" / "log").exists() == ("log" in got)
    finally:
        over.set()
        writer.join()


def test_more_than_goes_at_once_is_said_by_its_exit_code(home: Path):
    """Little goes through the memory of who asked; for more there is a file."""
    (home / "hw1" / "large").write_bytes(b"x" * MIB)
    bounds = json.dumps(asdict(replace(BOUNDS, at_once=MIB)))
    words = [sys.executable, "-I", inside.__file__, "take", str(home), "hw1", bounds]
    assert subprocess.run(words, capture_output=True, check=False, timeout=60).returncode == inside.TOO_MUCH


LINE = (
    '{"file": "%s"}\n{"data": ""}\n{"end": "%s", "size": 0, "sha256": "%s"}\n{"done": true, "found": true, "files": 1}'
)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", ".", "a//b", "a\\u0000b", "a\\nb", ""])
def test_a_stream_cannot_lead_out_of_its_folder(tmp_path: Path, path: str):
    """Even a program in place of ours could write nowhere else."""
    with pytest.raises(StartFailed, match="broken"):
        receive((LINE % (path, path, EMPTY)).encode().splitlines(), tmp_path / "out", BOUNDS)
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == []


@pytest.mark.parametrize(
    "stream",
    [
        "",
        "rubbish",
        '{"data": "eA=="}',
        '{"file": "a"}\n{"data": "eA=="}',
        '{"file": "a"}\n{"data": "eA=="}\n{"end": "a", "size": 1, "sha256": "0"}\n{"done": true}',
        '{"done": true, "found": true, "files": 1}',
        '{"file": "a"}\n{"file": "a"}',
    ],
)
def test_a_stream_that_was_cut_off_or_broken_counts_for_nothing(tmp_path: Path, stream: str):
    """Only what ends with its last line, and is what the hashes say, is a hand-in."""
    with pytest.raises((StartFailed, OSError)):
        receive(stream.encode().splitlines(), tmp_path / "out", BOUNDS)


def test_putting_twice_is_putting_once(home: Path, tmp_path: Path):
    """The second time changes nothing, whatever was edited meanwhile."""
    source = fill(tmp_path / "source", {"t.py": "1", "d/e": "2"})
    assert put(home, source) == {"put": True, "kept": ""}
    (home / "work/hw1/t.py").write_text("edited")
    assert put(home, source) == {"put": False}
    assert contents(home / "work") == {"hw1/t.py": "edited", "hw1/d/e": "2"}


def test_what_is_there_is_never_overwritten(home: Path, tmp_path: Path):
    """A folder, a file or a link of the same name is kept under another one, and so is the one after it."""
    for number, text in enumerate(("1", "2", "3")):
        put(home, fill(tmp_path / text, {"t.py": text}))
        (home / "work/hw1/mine").write_text(str(number))
    found = contents(home / "work")
    assert found["hw1/t.py"] == "3"
    assert found["hw1 (before)/t.py"] == "1" and found["hw1 (before) 2/t.py"] == "2"
    (home / "work" / "hw2").symlink_to("/etc")
    put(home, tmp_path / "1", "work/hw2")
    assert not (home / "work/hw2").is_symlink()


def test_the_same_content_of_somebody_elses_making_is_left(home: Path, tmp_path: Path):
    """Who copied the assignment by hand already has it."""
    source = fill(tmp_path / "source", {"t.py": "1"})
    fill(home / "work/hw1", {"t.py": "1", ".ipynb_checkpoints/t.py": "1"})
    assert put(home, source) == {"put": False}


def test_a_put_that_is_cut_off_leaves_all_as_it_was(home: Path, tmp_path: Path):
    """Half of a stream changes nothing."""
    fill(home / "work/hw1", {"t.py": "mine"})
    lines = packed(fill(tmp_path / "source", {"t.py": "1", "u.py": "2"})).lines.splitlines(keepends=True)[:-1]
    words = [sys.executable, "-I", inside.__file__, "put", str(home), "work/hw1", "digest", "aside"]
    result = subprocess.run(words, input=b"".join(lines), capture_output=True, check=False, timeout=60)
    assert result.returncode == 1 and b"not all of it arrived" in result.stderr
    assert contents(home / "work") == {"hw1/t.py": "mine"}
    assert [path.name for path in (home / "work").iterdir()] == ["hw1"]

"""The programs that read and write a home that moves, as processes on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstbell.work import home_moving_inside

SCRIPT = Path(home_moving_inside.__file__).read_text(encoding="utf-8")


class Side:
    """One of the two containers: the program with a pipe of its own."""

    def __init__(self, folder: Path, verb: str, root: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "inside.py").write_text(SCRIPT.replace(home_moving_inside.PIPE, str(folder / "pipe")))
        self.process = subprocess.Popen([sys.executable, "-I", str(folder / "inside.py"), verb, str(root)])
        while not (folder / "pipe").exists():
            assert self.process.poll() is None

    def __call__(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        argv = [sys.executable, "-I", str(self.folder / "inside.py"), *words]
        return subprocess.run(argv, capture_output=True, check=False, timeout=60)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A home with everything that a home can have."""
    home = tmp_path / "home"
    (home / "deep" / "er").mkdir(parents=True)
    (home / "deep" / "er" / "big").write_bytes(os.urandom(3_000_000))
    os.link(home / "deep" / "er" / "big", home / "again")
    (home / "link").symlink_to("/nowhere")
    os.mkfifo(home / "pipe")
    (Path(os.fsdecode(os.fsencode(home) + b"/name-\xff\xfe\n"))).write_text("any name")
    with (home / "holes").open("wb") as file:
        file.truncate(200 << 20)
        file.seek(100 << 20)
        file.write(b"middle")
    (home / "secret").write_text("x")
    (home / "secret").chmod(0o4400)
    (home / "deep").chmod(0o2550)
    os.utime(home / "deep" / "er", ns=(1, 1_234_567_890_123_456_789))
    os.utime(home / "link", ns=(1, 987_654_321), follow_symlinks=False)
    if os.geteuid() == 0:
        os.chown(home / "again", 4711, 4712)
        os.chown(home / "link", 4711, 4712, follow_symlinks=False)
    return home


@pytest.fixture
def sides(tmp_path: Path, root: Path) -> Iterator[tuple[Side, Side, Path]]:
    """Reader and writer, and where the home is written."""
    target = tmp_path / "target"
    target.mkdir()
    made = Side(tmp_path / "a", "send", root), Side(tmp_path / "b", "receive", target)
    yield *made, target
    for side in made:
        side.process.kill()
        side.process.wait()
    (root / "deep").chmod(0o755)


def carry(reader: Side, writer: Side, most: int = 300_007) -> subprocess.CompletedProcess[bytes]:
    """The stream, in pieces that end anywhere; how the writer's last step ended."""
    while piece := reader("piece", str(most)).stdout:
        (writer.folder / "piece").write_bytes(piece)
        told = writer("feed", str(writer.folder / "piece"))
        if told.returncode:
            return told
    return writer("finish")


def test_everything_arrives(sides, root):
    """Content, names, owners, rights, times, links, pipes and holes are the same on both sides."""
    reader, writer, target = sides
    assert json.loads(carry(reader, writer).stdout)["count"] == 10
    one, other = json.loads(reader("digest", str(root)).stdout), json.loads(writer("digest", str(target)).stdout)
    assert one == other
    assert (one["files"], one["size"]) == (4, 3_000_000 + (200 << 20) + 8 + 1)
    assert (target / "again").stat().st_ino == (target / "deep" / "er" / "big").stat().st_ino
    assert (target / "holes").stat().st_blocks * 512 < 1 << 20
    (target / "deep").chmod(0o755)


@pytest.mark.parametrize("change", ["content", "mode", "time", "more", "less", "target"])
def test_a_difference_is_seen(sides, root, change):
    """One byte, a right, a time, a file too many or too few, where a link leads: each changes what is compared."""
    reader, _, _ = sides
    before = json.loads(reader("digest", str(root)).stdout)["parts"]
    secret = root / "secret"
    was = secret.stat()
    match change:
        case "content":
            secret.chmod(0o600)
            secret.write_text("y")
            secret.chmod(0o4400)
            os.utime(secret, ns=(was.st_atime_ns, was.st_mtime_ns))
        case "mode":
            secret.chmod(0o400)
        case "time":
            os.utime(secret, ns=(1, was.st_mtime_ns + 1))
        case "more":
            (root / "new").touch()
        case "less":
            secret.unlink()
        case "target":
            (root / "link").unlink()
            (root / "link").symlink_to("/nowherE")
    assert json.loads(reader("digest", str(root)).stdout)["parts"] != before


def test_a_failure_is_told_to_whoever_waits(sides):
    """What stops the writer is said by its next step, and nobody waits for ever."""
    reader, writer, target = sides
    (target / "again").write_text("in the way")
    told = carry(reader, writer)
    assert told.returncode != 0
    assert b"again: File exists" in told.stderr


def test_names_cannot_lead_out(tmp_path):
    """A stream that names something outside of the home is refused."""
    writer = home_moving_inside.Writer(os.fsencode(tmp_path / "home"))
    for name in ("../out", "/etc/out", "a/../../out"):
        with pytest.raises(OSError, match="leads out"):
            writer.take({"k": "file", "p": name, "s": 0}, b"")

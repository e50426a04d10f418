"""A course at the end of its term: everything in checked files, also when killed or on a full disk; then gone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.course import FIRSTBELL, RunningCourse, docker, running
from tests.support.visitor import Visitor

PEOPLE = 3


@pytest.fixture
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A seminar of its own, as it is deleted in the end."""
    folder = tmp_path_factory.mktemp("archive")
    with running(folder, "test-archive", access="capacity = 10", server='memory = "512M"\nidle = 0') as made:
        yield made


async def fill_homes(course: RunningCourse) -> dict[str, str]:
    """Three people with files that only they have: their digests by `sha256sum`, over all files, by user."""
    sums = {}
    for _ in range(PEOPLE):
        async with Visitor(course.url) as visitor:
            await visitor.ready()
            await visitor.sh(
                "head -c 3000000 /dev/urandom > data.bin; mkdir -p 'a b'; echo hi > 'a b/ünï'; ln -s nowhere gone; "
                "chmod 600 data.bin; echo x > .hidden; sync"
            )
            sums[visitor.user] = await visitor.sh("sha256sum data.bin 'a b/ünï' .hidden")
    return sums


def unpacked(archive: Path, target: Path) -> Path:
    """The home in an archive, as any tar opens it."""
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="tar")
    return target / "home"


def call(*words: str, folder: Path | None = None) -> str:
    """A command of this machine's; what it prints."""
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout


def begun(course: RunningCourse, *words: str) -> subprocess.Popen[str]:
    """The command at work."""
    return subprocess.Popen(
        [FIRSTBELL, *words], cwd=course.folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


async def test_the_end_of_a_term(course: RunningCourse, tmp_path: Path) -> None:
    """Killed twice it goes on; all homes are in it bit by bit; a flipped byte is found; only a sound one deletes."""
    sums = await fill_homes(course)
    folder = tmp_path / "kept"
    for number in (1, 2):
        process = begun(course, "archive", "--to", str(folder))
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(f"[{number + 1}/"):
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (folder / "archive.json").exists()
        assert course.cli("archive", "--check", str(folder), check=False).returncode == 1
    told = json.loads(course.cli("archive", "--to", str(folder), "--json").stdout)
    print("archive", told)
    assert told["people"] == PEOPLE and told["resumed"] >= 1
    assert not list(folder.rglob("*.part"))
    assert docker("ps", "-aq", "--filter", "name=firstbell-test-archive-helper") == ""

    index = json.loads((folder / "archive.json").read_text())
    for entry in index["entries"]:
        if not entry["user"]:
            continue
        home = unpacked(folder / f"{entry['name']}.tar.gz", tmp_path / entry["user"])
        found = call("sha256sum", "data.bin", "a b/ünï", ".hidden", folder=home)
        assert found.split() == sums[entry["user"]].rpartition("[exit")[0].split()
        assert (home / "gone").is_symlink() and (home / "data.bin").stat().st_mode & 0o777 == 0o600
    with tarfile.open(folder / "course.tar.gz") as tar:
        assert {"firstbell.toml", "acts.sqlite"} <= set(tar.getnames())

    assert "as written" in course.cli("archive", "--check", str(folder)).stdout
    assert "whole archive already" in course.cli("archive", "--to", str(folder), check=False).stderr
    victim = folder / f"{next(one['name'] for one in index['entries'] if one['user'])}.tar.gz"
    whole = victim.read_bytes()
    for at in (0, 20, len(whole) // 2, len(whole) - 1):
        victim.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        checked = course.cli("archive", "--check", str(folder), check=False)
        assert checked.returncode == 1 and victim.name in checked.stderr, at
    victim.write_bytes(whole)
    assert course.cli("archive", "--check", str(folder)).returncode == 0

    refused = course.cli("archive", "--to", str(tmp_path / "last"), "--then-delete", check=False)
    assert refused.returncode == 8 and len(homes()) == PEOPLE
    done = course.cli("archive", "--to", str(tmp_path / "last"), "--then-delete", "--confirm", "test-archive", "--json")
    assert json.loads(done.stdout)["homes_deleted"] == PEOPLE
    assert homes() == [] and docker("ps", "-aq", "--filter", "label=firstbell.course=test-archive") == ""
    assert "as written" in course.cli("archive", "--check", str(tmp_path / "last")).stdout


def homes() -> list[str]:
    return docker("volume", "ls", "-q", "--filter", "name=firstbell-test-archive-home-").split()


async def test_a_full_disk(course: RunningCourse, tmp_path: Path) -> None:
    """Where the archive does not fit it says so, leaves nothing half, and with room goes on."""
    await fill_homes(course)
    small = tmp_path / "small"
    small.mkdir()
    call("mount", "-t", "tmpfs", "-o", "size=4500k", "tmpfs", str(small))
    try:
        told = await asyncio.to_thread(course.cli, "archive", "--to", str(small / "a"), check=False)
        assert told.returncode == 1 and "no space left" in told.stderr, told.stderr
        assert not list(small.rglob("*.part")) and not (small / "a" / "archive.json").exists()
        written = sorted(path.name for path in (small / "a" / "people").glob("*.tar.gz"))
        assert len(written) == 1
        call("mount", "-o", "remount,size=40m", str(small))
        done = json.loads(course.cli("archive", "--to", str(small / "a"), "--json").stdout)
        assert done["resumed"] == 1 and done["people"] == PEOPLE
        assert course.cli("archive", "--check", str(small / "a")).returncode == 0
    finally:
        call("umount", str(small))


async def test_what_was_handed_in_is_in_it(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    """Hand-ins with the manifest that the receipt is the hash of, and receipts, are in their person's archive alone."""
    folder = tmp_path_factory.mktemp("handed-in")
    (folder / "assignments" / "hw1").mkdir(parents=True)
    (folder / "assignments" / "hw1" / "task.txt").write_text("What is it?\n")
    server = 'memory = "512M"\nidle = 0'
    with running(folder, "test-archive-work", access="capacity = 5", server=server, rest="[coursework]\n") as course:
        async with Visitor(course.url) as ada, Visitor(course.url) as ben:
            await ada.ready()
            await ben.ready()
            course.cli("release", "hw1")
            await ada.sh("echo 42 > ~/assignments/hw1/answer.txt")
            for answer in ("first", "second"):
                await ada.sh(f"echo {answer} > ~/assignments/hw1/more.txt")
                course.cli("collect", "hw1", "--to", ada.user)
        told = json.loads(course.cli("archive", "--to", str(tmp_path / "a"), "--json").stdout)
        assert told["people"] == 2
        index = json.loads((tmp_path / "a" / "archive.json").read_text())
        names = {entry["user"]: tmp_path / "a" / f"{entry['name']}.tar.gz" for entry in index["entries"]}
        with tarfile.open(names[ada.user]) as tar:
            tar.extractall(tmp_path / "ada", filter="tar")
        receipts = json.loads((tmp_path / "ada" / "receipts.json").read_text())
        assert len(receipts) == 2
        for receipt in receipts:
            handin = tmp_path / "ada" / "handins" / "hw1" / receipt["id"]
            assert hashlib.sha256((handin / "manifest.json").read_bytes()).hexdigest() == receipt["receipt"]
            assert (handin / "files" / "answer.txt").read_text() == "42\n"
        with tarfile.open(names[ben.user]) as tar:
            assert not [name for name in tar.getnames() if not name.startswith("home")]
        with tarfile.open(names[""]) as tar:
            assert {"book.sqlite", "source/hw1/task.txt"} <= set(tar.getnames())
        assert course.cli("archive", "--check", str(tmp_path / "a")).returncode == 0

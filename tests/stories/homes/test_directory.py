"""Homes as folders of this machine, whose people have accounts and ids here already."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.bad_input.conftest import refused
from tests.stories.homes.conftest import joined, stopped
from tests.support.course import RunningCourse, running
from tests.support.disk import MIB, filled, small_disk
from tests.support.visitor import Visitor

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")

NAME = "test-folders"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the homes are: a file system of its own, as a class's file server is."""
    folder = tmp_path_factory.mktemp("store")
    with small_disk(folder, 64 * MIB) as disk:
        yield disk


@pytest.fixture(scope="module")
def course(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A class of two, one with ids of her own."""
    folder = tmp_path_factory.mktemp("class")
    (folder / "roster.csv").write_text("username,name,uid,gid\nada,Ada,4711,4712\nben,Ben,,\n")
    with running(
        folder,
        NAME,
        access='login = "roster"',
        server='memory = "512M"\nidle = 0',
        rest=f'[homes]\nstore = "{store}"',
    ) as course:
        yield course


def folders(store: Path) -> dict[str, Path]:
    """The homes in the store, by the user in their name."""
    return {user: path for path in store.iterdir() for user in ("ada", "ben") if f"-{user}-" in path.name}


async def test_files_belong_to_their_people(course: RunningCourse, store: Path) -> None:
    """What a server writes belongs to the ids of the roster, else to the course's, and nobody else can look."""
    for user, uid, gid in (("ada", 4711, 4712), ("ben", 1000, 1000)):
        async with joined(course, user) as visitor:
            await visitor.server()
            said = await visitor.sh("id -u; id -g; echo $HOME; echo mine > mine.txt; mkdir sub; touch sub/file")
            assert said.split()[:3] == [str(uid), str(gid), "/home/jovyan"]
            home = folders(store)[user]
            assert home.stat().st_mode & 0o777 == 0o700
            for path in (home, home / "mine.txt", home / "sub" / "file", home / "start.ipynb"):
                assert (path.stat().st_uid, path.stat().st_gid) == (uid, gid), path
    listed = {home["user"] for home in json.loads(course.cli("homes", "list", "--json").stdout)}
    assert listed == {"ada", "ben"}


async def test_a_folder_that_is_gone(course: RunningCourse, store: Path) -> None:
    """A folder that was there and is not is told to its person and never made anew; back in place, all is well."""
    async with joined(course, "ada") as visitor:
        await visitor.server()
        await visitor.sh("echo kept > mine.txt")
        await stopped(course, visitor)
        home = folders(store)["ada"]
        home.rename(store / "moved")
        last = await _last_event(visitor)
        assert last.get("failed"), last
        assert "is gone" in " ".join(map(str, last.values()))
        assert not home.exists()
        (store / "moved").rename(home)
        await visitor.server()
        assert "kept" in await visitor.sh("cat mine.txt")


async def test_a_full_home(course: RunningCourse, store: Path) -> None:
    """On a full disk of homes a server starts all the same, so that its person can make room."""
    async with joined(course, "ada") as visitor:
        await visitor.server()
        await stopped(course, visitor)
        with filled(store):
            await visitor.server()
            assert "No space left" in await visitor.sh("dd if=/dev/zero of=big bs=1M count=1; rm -f big")
            assert (await visitor.execute("print('works')")).text == "works\n"
            await stopped(course, visitor)
        await visitor.server()


async def test_export_import_delete(course: RunningCourse, store: Path, tmp_path: Path) -> None:
    """A folder's home is exported and, imported for another, belongs to that one; deleting removes the folder."""
    async with joined(course, "ada") as visitor:
        await visitor.server()
        await visitor.sh("echo moved > moved.txt")
    out = tmp_path / "ada.tar"
    course.cli("homes", "export", "ada", "--out", str(out))
    course.cli("homes", "import", "ben", str(out))
    moved = folders(store)["ben"] / "moved.txt"
    assert moved.read_text() == "moved\n"
    assert (moved.stat().st_uid, moved.stat().st_gid) == (1000, 1000)
    with filled(store):
        big = tmp_path / "big.tar"
        _write_tar(big, tmp_path)
        refused(course.cli("homes", "import", "ben", str(big), check=False), 1, "No space left", "df -h")
    assert not [path for path in folders(store)["ben"].iterdir() if path.name.startswith(".firstbell-import")]
    course.cli("homes", "delete", "ben", "--confirm", "ben")
    assert "ben" not in folders(store)
    assert "ada" in folders(store)


def test_down_keeps_folders(course: RunningCourse, store: Path) -> None:
    """`down --delete-homes` is refused for folders, and a store that is not there is told before anything starts."""
    refused(course.cli("down", "--delete-homes", "--confirm", NAME, check=False), 2, str(store))
    text = (course.folder / "firstbell.toml").read_text()
    (course.folder / "firstbell.toml").write_text(text.replace(str(store), f"{store}/not-mounted"))
    try:
        refused(course.cli("up", "--yes", check=False), 5, f"{store}/not-mounted", "mkdir -p")
    finally:
        (course.folder / "firstbell.toml").write_text(text)
    assert "ada" in folders(store)


async def _last_event(visitor: Visitor) -> dict[str, object]:
    page = await visitor.open("hub/spawn")
    return [event async for event in visitor.progress(page)][-1]


def _write_tar(path: Path, folder: Path) -> None:
    (folder / "content").write_bytes(os.urandom(2 * MIB))
    with tarfile.open(path, "w") as tar:
        tar.add(folder / "content", "content")

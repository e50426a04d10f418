"""Looking into a home's snapshot with the real restic, in the very container but for the engine."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from firstbell.backup.containers import LIST, ROOM, SHOW, Helpers
from firstbell.backup.earlier import Folder, NotThere, Room, Shown, folder_of, room_of, shown_of
from firstbell.backup.failure import BackupFailed, Trouble
from firstbell.backup.keeper import Keeper
from firstbell.model.backup import Kind, Storage, Subject
from firstbell.model.course import Course
from firstbell.model.secret import Secret
from firstbell.plan.home import home_volume
from tests.support.jail import Jail, needs_jail
from tests.support.restic import PASSWORD

pytestmark = needs_jail
COURSE = Course(name="demo", server={"image": "x"})
ADA, BOB = Subject(Kind.HOME, "ada"), Subject(Kind.HOME, "bob")
STRANGE = "ä *[x]?\\ \n$(id) '\".txt"


class Library:
    """Two homes with a snapshot each."""

    def __init__(self, folder: Path) -> None:
        self.jail = Jail(folder)
        (folder / "store").mkdir()
        storage = Storage(str(folder / "store"), Secret("env:P", PASSWORD))
        self.helpers = Helpers(COURSE, "vault:1", storage, "hub-of-demo", mark="-earlier")
        self.keeper = Keeper(self.helpers, self.jail.engine)
        self.snapshots: dict[Subject, str] = {}

    async def fill(self) -> None:
        for subject in (ADA, BOB):
            home = self.jail.volumes / home_volume(COURSE, subject.user).name
            (home / "week1" / "deep").mkdir(parents=True)
            (home / "week1" / STRANGE).write_text(f"of {subject.user}")
            (home / "week1" / "B.txt").write_bytes(b"\0" * 300_000)
            (home / "week1" / "a.txt").write_text("")
            (home / "week1" / "link").symlink_to("/etc/passwd")
            os.mkfifo(home / "week1" / "pipe")
            Path(os.fsdecode(os.fsencode(home) + b"/bad\xff")).write_text("no text's name")
        await self.keeper.prepare()
        await self.keeper.run("1", [ADA, BOB], lambda _: None)
        self.snapshots = {one.subject: one.id for one in await self.keeper.snapshots()}

    async def list(self, subject: Subject, path: str, begin: int = 0, count: int = 10, of: Subject = ADA) -> Folder:
        spec = self.helpers.look(LIST, self.snapshots[of], subject, path, str(begin), str(count))
        return folder_of(await self.jail.run(spec), self.helpers.storage)

    async def show(self, path: str, longest: int = 1000) -> Shown:
        spec = self.helpers.look(SHOW, self.snapshots[ADA], ADA, path, str(longest))
        return shown_of(await self.jail.run(spec), self.helpers.storage)

    async def room(self, path: str) -> Room:
        spec = self.helpers.look(ROOM, self.snapshots[ADA], ADA, path)
        return room_of(await self.jail.run(spec), self.helpers.storage)


@pytest.fixture
async def library(tmp_path: Path) -> Library:
    """With a backup of both."""
    made = Library(tmp_path)
    await made.fill()
    return made


async def test_folders_come_first_and_in_pages(library: Library) -> None:
    """By name, whatever the name is; what is deeper is not there; a page begins where it is told to."""
    found = await library.list(ADA, "week1")
    assert [one.name for one in found.pieces] == ["deep", "a.txt", "B.txt", "link", "pipe", STRANGE]
    assert [one.type for one in found.pieces] == ["dir", "file", "file", "symlink", "fifo", "file"]
    assert found.total == 6 and found.is_all and found.pieces[2].size == 300_000
    assert [one.name for one in (await library.list(ADA, "week1", 1, 2)).pieces] == ["a.txt", "B.txt"]
    top = await library.list(ADA, "")
    assert {one.name: one.can_be_named for one in top.pieces} == {"week1": True, "bad\ufffd": False}
    assert (await library.list(ADA, "week1/deep")).total == 0


async def test_only_the_beginning_of_a_file_is_read(library: Library) -> None:
    """Any name; a link is shown as one, not followed; a folder has no content."""
    assert (await library.show(f"week1/{STRANGE}")).data == b"of ada"
    assert (await library.show("week1/B.txt")).data == b"\0" * 1000
    assert (await library.show("week1/a.txt")).data == b""
    for path in ("week1/link", "week1/pipe", "week1"):
        assert (await library.show(path)).data is None


async def test_there_is_no_way_out_of_ones_own_home(library: Library) -> None:
    """Neither upwards, nor by another's snapshot, nor by what is no folder; and no home is seen at all."""
    bobs = home_volume(COURSE, "bob").name
    for path in ("..", f"../{bobs}", f"../{bobs}/week1", "week1/../..", "nowhere", "week1/a.txt", "week1/link"):
        with pytest.raises(NotThere):
            await library.list(ADA, path)
    with pytest.raises(NotThere):
        await library.list(ADA, "", of=BOB)
    with pytest.raises(NotThere):
        await library.show(f"../{bobs}/week1/a.txt")
    looks = [spec for spec in library.jail.ran if spec.name.endswith("-earlier-backup") and "-list-" in spec.name]
    assert looks and all([mount.read_only for mount in spec.mounts] == [True] for spec in looks)


async def test_how_much_it_is_is_known_before(library: Library) -> None:
    """Of a file, of a folder with all that is in it, and of everything."""
    assert (await library.room("week1/B.txt")).size == 300_000
    assert (await library.room("week1")).size == 300_000 + 6
    everything = await library.room("")
    assert everything.size == 300_000 + 6 + 14 and everything.free > 0
    assert not Room(10 * 1024**3, 20 * 1024**3).is_enough and Room(1, 2 * 1024**3).is_enough


async def test_what_restic_complains_of_is_said(library: Library) -> None:
    """A snapshot that is gone, and a wrong password."""
    library.snapshots[ADA] = "0" * 64
    with pytest.raises(BackupFailed) as caught:
        await library.list(ADA, "")
    assert caught.value.trouble is Trouble.NO_SNAPSHOT
    storage = replace(library.helpers.storage, password=Secret("env:P", "wrong"))
    library.helpers = replace(library.helpers, storage=storage)
    with pytest.raises(BackupFailed) as caught:
        await library.list(ADA, "")
    assert caught.value.trouble is Trouble.WRONG_PASSWORD

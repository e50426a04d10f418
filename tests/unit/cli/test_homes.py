"""`firstbell homes` as commands; what they do is tested with `work/homes.py`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.errors import FirstbellError, HomeAway, HomeMissing
from firstbell.model import names
from firstbell.model.container import ContainerSpec, frozen
from firstbell.model.home import Home, Transfer
from firstbell.model.names import Role
from firstbell.model.observed import ImageState
from firstbell.plan.place import Place
from firstbell.plan.run import home_volume
from firstbell.work import homes, people

from .conftest import Command


class Work:
    """Stands in for `work.homes`: remembers what was asked."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.error: Exception | None = None

    async def list_homes(self, engine: Any, course: Any, users: Any) -> tuple[Home, ...]:
        self.calls.append(("list", tuple(users)))
        return (Home("ada", "v-ada", 1024, in_use=True), Home("", "v-x", 2048))

    async def export_home(self, engine: Any, place: Place, target: Path) -> Transfer:
        self.calls.append(("export", place.user, str(target)))
        return self._done()

    async def import_home(self, engine: Any, place: Place, archive: Path) -> Transfer:
        self.calls.append(("import", place.user, *place.owner))
        return self._done()

    async def copy_home(self, engine: Any, source: Place, target: Place) -> Transfer:
        self.calls.append(("copy", source.name, target.name))
        return self._done()

    async def delete_home(self, engine: Any, place: Place) -> None:
        self.calls.append(("delete", place.user))
        self._done()

    def _done(self) -> Transfer:
        if self.error:
            raise self.error
        return Transfer(3, 4096)


@pytest.fixture
def work(command: Command, monkeypatch: pytest.MonkeyPatch) -> Work:
    command("init", "stats", "--class")
    stand_in = Work()
    for verb in ("list_homes", "export_home", "import_home", "copy_home", "delete_home"):
        monkeypatch.setattr(homes, verb, getattr(stand_in, verb))
    return stand_in


def test_list(command: Command, work: Work):
    """Homes are shown with size and owner; whose is unknown is called so. The roster's names are looked for."""
    shown = command("homes", "list", "stats")
    assert [line.split()[0] for line in shown.out.splitlines()] == ["user", "ada", "(unknown)", "2"]
    assert json.loads(command("homes", "list", "stats", "--json").out)[0]["user"] == "ada"
    assert work.calls[0] == ("list", ("ada", "blaise"))


def test_export_does_not_overwrite(command: Command, work: Work):
    """A file that is there is only replaced when asked for; a user's name cannot lead out of the folder."""
    Path("ada.tar").write_text("mine")
    assert command("homes", "export", "ada", "stats").code == 2
    assert work.calls == []
    assert command("homes", "export", "ada", "stats", "--force").code == 0
    assert "3 files, 4.0 KB, to x.tar" in command("homes", "export", "../x", "stats").out
    assert work.calls == [("export", "ada", "ada.tar"), ("export", "../x", "x.tar")]


def test_disk_full_is_told(command: Command, work: Work):
    """An export that cannot be written is an error in words."""
    work.error = OSError(28, "No space left on device")
    shown = command("homes", "export", "ada", "stats")
    assert shown.code == 2
    assert "no space left on device" in shown.err


def test_import_for_people_with_ids(command: Command, work: Work):
    """The roster's uid and gid are handed on."""
    Path("stats/roster.csv").write_text("username,uid,gid\nada,1234,99\n")
    Path("a.tar").write_text("tar")
    assert command("homes", "import", "ada", "a.tar", "stats").code == 0
    assert command("homes", "import", "ada", "nowhere.tar", "stats").code == 2
    assert work.calls == [("import", "ada", 1234, 99)]


def test_running_server_names_the_option(command: Command, work: Work):
    """Where a running server hinders, --stop is named."""
    work.error = FirstbellError("the server of ada is running on this home", next_step="docker stop x")
    shown = command("homes", "delete", "ada", "stats", "--confirm", "ada")
    assert "Add --stop" in shown.err


@pytest.mark.parametrize("words", [(), ("--confirm", "ben")])
def test_delete_needs_the_name(command: Command, work: Work, words: tuple[str, ...]):
    """Without the user's name typed, or given, nothing is deleted."""
    shown = command("homes", "delete", "ada", "stats", *words)
    assert shown.code == 8
    assert "--confirm ada" in shown.err
    assert work.calls == []


def test_delete_tells_the_hub(command: Command, work: Work, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch):
    """A running hub learns that the home is gone, also by its node's end; it stays where its node is only away."""
    told: list[str] = []

    async def forget(engine: Any, course: Any, user: str) -> bool:
        told.append(user)
        return True

    monkeypatch.setattr(people, "forget_home", forget)
    assert command("homes", "delete", "ada", "stats", "--confirm", "ada").code == 0
    assert told == []
    add_hub(engine)
    assert command("homes", "delete", "ada", "stats", "--confirm", "ada").code == 0
    assert told == ["ada"]
    work.error = HomeAway("the files of ada are on node3, which does not answer now")
    assert command("homes", "delete", "ada", "stats", "--confirm", "ada").code == 5
    assert told == ["ada"]
    work.error = HomeMissing("the files of ada are on node3, which is no node of this cluster any more")
    assert "begins anew" in command("homes", "delete", "ada", "stats", "--confirm", "ada").out
    assert told == ["ada", "ada"]


def add_hub(engine: FakeEngine) -> None:
    engine.images["i"] = ImageState("i", "sha256:1")
    name = names.container("stats", Role.HUB)
    spec = ContainerSpec(name, "i", ("sleep", "infinity"), frozen(names.labels("stats", Role.HUB)))
    asyncio.run(engine.start(spec))


def test_copy(command: Command, work: Work, engine: FakeEngine):
    """A home of a course and one of a run are copied into each other; one that is there is only changed when asked."""
    asyncio.run(engine.ensure_volume(home_volume("mine")))
    assert command("homes", "copy", "run:mi", "ada", "stats").code == 0
    refused = command("homes", "copy", "ada", "run:mine", "stats")
    assert refused.code == 8
    assert "--yes" in refused.err
    assert command("homes", "copy", "ada", "run:mine", "stats", "--yes").code == 0
    assert command("homes", "copy", "ada", "run:new", "stats").code == 0
    assert command("homes", "copy", "ada", "ada", "stats").code == 2
    ada = names.home("stats", "ada")
    assert work.calls == [
        ("copy", "firstbell_home_mine", ada),
        ("copy", ada, "firstbell_home_mine"),
        ("copy", ada, "firstbell_home_new"),
    ]


def test_homes_of_runs(command: Command, work: Work, engine: FakeEngine):
    """A run's home needs no course; it is found by the beginning of its name, but deleted by its whole name only."""
    asyncio.run(engine.ensure_volume(home_volume("mine-1a2b3c")))
    assert command("homes", "export", "run:mine").code == 0
    assert command("homes", "delete", "run:mine", "--confirm", "run:mine").code == 5
    assert command("homes", "delete", "run:mine-1a2b3c").code == 8
    assert command("homes", "delete", "run:mine-1a2b3c", "--confirm", "run:mine-1a2b3c").code == 0
    assert command("homes", "export", "run:other").code == 5
    assert work.calls == [("export", "mine-1a2b3c", "mine.tar"), ("delete", "mine-1a2b3c")]

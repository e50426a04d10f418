"""A class at a hub with coursework: the hub in a process of its own, the desk in the test, homes that are folders."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from firstbell.hub.records.acts import FILE, Act, ActsBook
from firstbell.model.coursework import Kind
from tests.support.class_hub import ClassHub, class_hub
from tests.support.coursework import Room
from tests.support.local_hub import wait_for

STUDENTS = ("ada", "amy", "bob")
PEOPLE = """\
grace,Grace Hopper,,instructor,
alan,Alan Turing,,assistant,A
ada,Ada Lovelace,,student,A
amy,Amy <b>Noether</b>,,student,A
bob,Bob Kahn,,student,B
"""


class _RoomOfNow(Room):
    """Whose clock is the machine's, as the hub's is."""

    def now(self) -> float:
        return time.time()


class ClassWork:
    """The hub and its coursework."""

    def __init__(self, hub: ClassHub) -> None:
        self.hub = hub
        self.room = _RoomOfNow(hub.hub.folder, hub.hub.course)

    def acts(self) -> tuple[Act, ...]:
        """What staff did, newest first."""
        book = ActsBook(self.hub.hub.folder / "state" / FILE)
        try:
            return book.acts()
        finally:
            book.close()

    async def work(self) -> None:
        """Somebody is at the desk, until nothing more is due."""
        await self.room.all_done(self.room.desk())

    async def released(self, name: str, *users: str) -> None:
        """An assignment that these people have in their files."""
        self.room.source(name, {"task.py": f"# {name}\n"})
        await self.room.done(Kind.RELEASE, name, *(users or STUDENTS))

    def solve(self, user: str, name: str, text: str) -> None:
        """Somebody has written that into their folder."""
        self.room.home(user, {f"assignments/{name}/task.py": text})

    def tasks(self, kind: Kind) -> list[tuple[str, str, str]]:
        """Assignment, user and who asked, of all tasks of that kind."""
        return [(task.assignment, task.user, task.by) for task in self.room.book.tasks() if task.kind is kind]

    def server(self, username: str) -> httpx.Client:
        """Requests as that person's server makes them; it is started first."""
        staff = self.hub.browser("grace")
        assert self.hub.post(staff, "/hub/people/do", do=f"start:{username}").status_code == 303
        token = self.hub.hub.folder / "tokens" / username
        wait_for(lambda: token.exists() and f'"{username}" data-state="in"' in staff.get("/hub/people").text)
        return self.script(token.read_text())

    def script(self, token: str) -> httpx.Client:
        """Requests with that token, if it is one."""
        headers = {"Authorization": f"token {token}"} if token else {}
        return httpx.Client(base_url=self.hub.url, headers=headers, timeout=30)


@asynccontextmanager
async def class_work(folder: Path, net: int, people: str = PEOPLE, **wishes: Any) -> AsyncIterator[ClassWork]:
    """A hub on loopback network 127.NET.0.0/24, with `owner` as its owner."""
    wishes = {"coursework": {}, "seconds": 0.05} | wishes
    async with class_hub(folder, net, people, ("owner",), **wishes) as hub:
        yield ClassWork(hub)

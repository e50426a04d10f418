"""A class at a hub whose servers cost nothing: people of a roster, in sections, each with a login of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from firstbell.hub.people.book import open_store
from firstbell.model.container import GIB
from firstbell.model.course import Course
from tests.support.engineless_hub import IMAGE, EnginelessHub, engineless_hub
from tests.support.local_hub import Browser

HEADER = "username,name,email,role,section\n"
PASSWORD = "three unrelated words"


@dataclass
class ClassHub:
    """The hub, and how to be one of the class."""

    hub: EnginelessHub

    @property
    def url(self) -> str:
        """Without a slash at its end, as browsers of tests take it."""
        return self.hub.url.rstrip("/")

    def browser(self, username: str) -> Browser:
        """One in which that person is logged in."""
        code = open_store(self.hub.folder / "state").invite(username)
        browser = Browser(self.url)
        answer = browser.form(f"/hub/invite/{code}", password=PASSWORD, again=PASSWORD)
        assert answer.status_code == 302, answer.text
        assert browser.name() == username
        return browser

    def post(self, browser: Browser, path: str, **fields: str) -> httpx.Response:
        """Send a form as a page of the hub does; its token is the browser's own cookie."""
        token = next(c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/")
        return browser.post(path, data={"_xsrf": token or "", **fields}, headers={"Origin": self.url})

    def has_memory(self, gib: int = 64) -> None:
        """The machine has that much, and all of it free."""
        self.hub.has_memory(gib * GIB, gib * GIB)


@asynccontextmanager
async def class_hub(
    folder: Path, net: int, people: str, staff: tuple[str, ...] = (), **wishes: Any
) -> AsyncIterator[ClassHub]:
    """A hub with that roster (lines below HEADER) on loopback network 127.NET.0.0/24; gone at the end.

    `coursework`, `backup`, `server` and `idle` among the wishes are tables of the course; the rest is `wishes.json`.
    """
    access = {"login": "roster", "capacity": 1000, "staff": staff}
    server = {"image": IMAGE, "timeout": 60} | wishes.pop("server", {})
    backup = wishes.pop("backup", None)
    coursework, idle = wishes.pop("coursework", None), wishes.pop("idle", ())
    course = Course(
        name="class",
        title="Numbers",
        url="http://127.0.0.1:1",
        access=access,
        server=server,
        coursework=coursework,
        idle=idle,
        backup=backup,
    )
    (folder / "state").mkdir(parents=True, exist_ok=True)
    (folder / "state" / "roster.csv").write_text(HEADER + people)
    async with engineless_hub(folder, net, course=course, **wishes) as hub:
        made = ClassHub(hub)
        made.has_memory()
        yield made

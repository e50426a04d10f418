"""The record on the real engine: who came, what ran and why it ended; across kills, an older file and a full disk."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from firstbell.engine.waiting import until
from tests.stories.conftest import stop_server
from tests.stories.faults.test_hub import hub_answers, kill_hub
from tests.support.course import RunningCourse, docker, remove, write_course
from tests.support.disk import MIB, filled, small_disk
from tests.support.visitor import Visitor

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")

NAME = "test-records"
PASSWORD = "three-unrelated-words-7"
CELL = "nobody_may_read_this_cell"
ROSTER = "username,name,email,role,section\n" + "".join(
    f"{name},{name.title()},,student,{section}\n"
    for name, section in (("ada", "A"), ("bob", "A"), ("cyd", "B"), ("dan", "A"), ("eve", "A"), ("fay", "A"))
)
IDLE_OF_B = """[[idle]]
who = "section:B"
idle = 15
"""
LOGINS = 10
"""At least, while the disk is full."""
OLD = """
CREATE TABLE acts (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, whom TEXT NOT NULL,
  words TEXT NOT NULL
);
CREATE INDEX acts_by_whom ON acts (whom);
CREATE TABLE results (
  act INTEGER PRIMARY KEY REFERENCES acts (id), at REAL NOT NULL, result TEXT NOT NULL
);
CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, who TEXT NOT NULL, whom TEXT NOT NULL, words TEXT NOT NULL
);
CREATE INDEX messages_by_whom ON messages (whom);
CREATE TABLE readings (message INTEGER PRIMARY KEY REFERENCES messages (id), at REAL NOT NULL);
"""
"""The file as hubs wrote it before its entries were chained."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the hub's state alone."""
    with small_disk(tmp_path, 128 * MIB) as disk:
        yield disk


@pytest.fixture
def course(tmp_path: Path, disk: Path) -> Iterator[RunningCourse]:
    folder, state = tmp_path / "course", disk / "state"
    folder.mkdir()
    state.mkdir(mode=0o700)
    os.chown(state, 64200, 64200)
    (folder / "roster.csv").write_text(ROSTER)
    remove(NAME)
    labels = [f"--label=firstbell.course={NAME}", "--label=firstbell.role=state"]
    options = [f"--opt={option}" for option in ("type=none", "o=bind", f"device={state}")]
    docker("volume", "create", *labels, *options, f"firstbell-{NAME}-state")
    with brought_up(folder) as course:
        yield course


@contextmanager
def brought_up(folder: Path) -> Iterator[RunningCourse]:
    """As `running`, which would begin by removing the volume that was made beforehand."""
    url = write_course(
        folder,
        NAME,
        access='login = "roster"\nroster = "roster.csv"\nstaff = ["grace"]',
        server='memory = "512M"\npids = 200\nidle = 0\nidle_notice = 0',
        rest=IDLE_OF_B,
    )
    course = RunningCourse(folder, NAME, url)
    try:
        course.up()
        yield course
    finally:
        course.cli("down", "--delete-homes", "--confirm", NAME, check=False)
        remove(NAME)


class People:
    """Everybody of the class in a browser of their own."""

    def __init__(self, course: RunningCourse, stack: AsyncExitStack) -> None:
        self._course, self._stack = course, stack
        self._links = {i["username"]: i["link"] for i in json.loads(course.cli("people", "invite", "--json").stdout)}

    async def join(self, name: str) -> Visitor:
        """Follow one's invitation."""
        visitor = await self._stack.enter_async_context(Visitor(self._course.url))
        page = await visitor.open(self._links[name])
        await visitor.submit(page, password=PASSWORD, again=PASSWORD)
        visitor.user = name
        return visitor

    async def work(self, name: str) -> Visitor:
        """With a server that runs."""
        visitor = await self.join(name)
        await visitor.server()
        return visitor


@pytest.fixture
async def people(course: RunningCourse) -> AsyncIterator[People]:
    async with AsyncExitStack() as stack:
        yield People(course, stack)


def activity(course: RunningCourse, *words: str) -> list[dict[str, Any]]:
    """Oldest first."""
    told = json.loads(course.cli("activity", "--json", "--since", "all", *words).stdout)
    return list(reversed(told["entries"]))


async def comes(course: RunningCourse, kind: str, whom: str, what: str) -> dict[str, Any]:
    """The entry, once it is there."""
    found: list[dict[str, Any]] = []

    async def there() -> bool:
        rows = await asyncio.to_thread(activity, course, "--user", whom)
        found[:] = [e for e in rows if (e["kind"], e["whom"], e["what"]) == (kind, whom, what)]
        return bool(found)

    try:
        await until(there, deadline=90, first=0.2, longest=1.0)
    except TimeoutError:
        raise AssertionError(f"{kind} {what} of {whom} is not in {activity(course)}") from None
    return found[-1]


def check(course: RunningCourse, *words: str, code: int = 0) -> dict[str, Any]:
    """`firstbell activity --check`."""
    result = course.cli("activity", "--check", "--json", *words, check=False)
    assert result.returncode == code, result.stdout + result.stderr
    return dict(json.loads(result.stdout))


async def test_every_login_start_and_end_with_its_cause(course: RunningCourse, people: People, disk: Path) -> None:
    """By owner, staff, idleness, a killed container, with no hub there; nothing private; an older file; a full disk."""
    ada, _, _, _, _, fay = [await people.work(name) for name in ("ada", "bob", "cyd", "dan", "eve", "fay")]
    assert (await fay.execute(f"{CELL} = 6 * 7\nprint({CELL})")).text.strip() == "42"
    grace = await people.join("grace")
    await stop_server(ada)
    await stops(grace, "bob")
    docker("kill", course.server_of("dan")["Name"].lstrip("/"))
    await comes(course, "end", "cyd", "idle")
    await kill_hub(course, signal.SIGKILL)
    await eve_ends_without_a_hub(course)
    await ada.open("hub/logout")
    await says_it_all(course)
    mark = says_it_in_each_form(course)
    says_nothing_private(course, disk, fay)
    await takes_over_an_older_file(course, disk, fay)
    assert check(course, "--head", mark, code=1)["findings"] == 1  # it is another record now
    await lives_with_a_full_disk(course, disk)
    assert course.server_of("fay")["State"]["Running"]


async def stops(grace: Visitor, name: str) -> None:
    """Staff stop somebody's server on the wall."""
    await grace.open("hub/people")
    token = grace.cookie("_xsrf", "hub/")
    form = {"_xsrf": token, "do": f"stop:{name}", "sure": "1"}
    async with grace.session.post(
        f"{grace.url}hub/people/do", data=form, headers={"Origin": grace.url.rstrip("/"), "Referer": grace.url}
    ) as answer:
        assert answer.status == 200, await answer.text()


async def eve_ends_without_a_hub(course: RunningCourse) -> None:
    """While no hub is there to see it."""
    docker("stop", course.container("hub"))
    docker("kill", course.server_of("eve")["Name"].lstrip("/"))
    docker("start", course.container("hub"))
    await hub_answers(course)


async def says_it_all(course: RunningCourse) -> None:
    """Who came and what ran, each end with who or what ended it."""
    stopped = await comes(course, "end", "ada", "stopped")
    assert stopped["who"] == "ada"
    assert (await comes(course, "end", "bob", "stopped"))["who"] == "grace"
    assert (await comes(course, "staff", "bob", "stop"))["result"] == "done"
    assert (await comes(course, "end", "cyd", "idle"))["who"] == "idle rule"
    killed = await comes(course, "end", "dan", "killed")
    assert killed["who"] == "" and "No hub was there" not in killed["words"]
    assert "No hub was there" in (await comes(course, "end", "eve", "killed"))["words"]
    for name in ("ada", "bob", "cyd", "dan", "eve", "fay"):
        assert (await comes(course, "login", name, "roster"))["who"] == name
        started = await comes(course, "start", name, "ready")
        assert started["who"] == name and started["words"].endswith(" s")
    await comes(course, "logout", "ada", "")
    assert not [e for e in activity(course, "--user", "fay") if e["kind"] == "end"]


def says_it_in_each_form(course: RunningCourse) -> str:
    """As text, as CSV, of one person, since a moment; whole, and as a picture. The head."""
    text = course.cli("activity").stdout
    assert "idle rule" in text and "grace" in text
    rows = list(csv.DictReader(io.StringIO(course.cli("activity", "--csv").stdout)))
    assert [int(row["id"]) for row in rows] == sorted(int(row["id"]) for row in rows) and len(rows) > 15
    assert {e["whom"] for e in activity(course, "--user", "bob")} == {"bob"}
    nobody = json.loads(course.cli("activity", "--json", "--since", "0m").stdout)["entries"]
    assert nobody == []
    course.cli("activity", "--plot", "use.svg")
    assert 'class="bar"' in (course.folder / "use.svg").read_text()
    found = check(course)
    assert found["whole"] and found["entries"] > 15
    check(course, "--head", found["mark"])
    return str(found["mark"])


def says_nothing_private(course: RunningCourse, disk: Path, fay: Visitor) -> None:
    """No cell, password, token or address is in any byte of the file, nor in what is told."""
    state = disk / "state"
    everything = b"".join(path.read_bytes() for path in state.glob("acts.sqlite*"))
    everything += json.dumps(activity(course)).encode()
    address = course.server_of("fay")["NetworkSettings"]["Networks"]
    private = [
        CELL,
        PASSWORD,
        course.proxy_token(),
        *(net["IPAddress"] for net in address.values() if net["IPAddress"]),
    ]
    private += [cookie.value for cookie in fay.session.cookie_jar if len(cookie.value) > 12]
    assert len(private) > 5
    for one in private:
        assert one.encode() not in everything, one


async def takes_over_an_older_file(course: RunningCourse, disk: Path, fay: Visitor) -> None:
    """`up` with this version over what the one before it wrote, while a server runs: every act is an entry."""
    file = disk / "state" / "acts.sqlite"
    docker("stop", course.container("hub"))
    for path in file.parent.glob("acts.sqlite*"):
        path.unlink()
    with closing(sqlite3.connect(file)) as db:
        db.executescript(OLD)
        row = (time.time() - 3600, "grace", "restart", "ada", "as it stood still")
        db.executemany("INSERT INTO acts (at, who, what, whom, words) VALUES (?, ?, ?, ?, ?)", [row] * 3)
        db.execute("INSERT INTO results VALUES (2, ?, 'done')", (time.time() - 3590,))
        db.commit()
    os.chown(file, 64200, 64200)
    course.up()
    await hub_answers(course)
    taken = [e for e in activity(course, "--user", "ada") if e["kind"] == "staff"]
    assert [(e["who"], e["what"], e["words"], e["result"]) for e in taken] == [
        ("grace", "restart", "as it stood still", result) for result in ("", "done", "")
    ]
    assert check(course)["whole"]
    assert (await fay.execute("print(6 * 7)")).text.strip() == "42"


async def lives_with_a_full_disk(course: RunningCourse, disk: Path) -> None:
    """Who comes while nothing can be written gets in; with room again hub and record go on by themselves."""
    before, came = logins(course, "ada"), 0
    with filled(disk):
        while came < LOGINS or "The record could not be written" not in log_of_hub(course):
            assert came < 50, "the disk was never full"
            async with Visitor(course.url) as ada:
                page = await ada.log_in("ada", PASSWORD)
                home = await ada.open("hub/home")
                assert home.path.endswith("hub/home"), f"{page.url} {page.status}\n{log_of_hub(course)[-3000:]}"
            came += 1

    async def written() -> bool:
        return await asyncio.to_thread(logins, course, "ada") == before + came

    await until(written, deadline=60, first=0.5, longest=2.0)
    async with Visitor(course.url) as ada:
        await ada.log_in("ada", PASSWORD)
        assert (await ada.open("hub/home")).path.endswith("hub/home")
    assert check(course)["whole"]


def logins(course: RunningCourse, user: str) -> int:
    """How often that person has logged in, as far as the record knows."""
    return sum(e["kind"] == "login" for e in activity(course, "--user", user))


def log_of_hub(course: RunningCourse) -> str:
    """All that it has said."""
    name = course.container("hub")
    return subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=True).stderr

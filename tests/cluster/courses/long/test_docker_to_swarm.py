"""`docs/how-to/from-docker-to-swarm.md`, word for word: a course of one machine goes on on a Swarm, and back."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest

from firstbell.model import names
from tests.cluster.courses.pages import HowTo
from tests.support.cluster import Node
from tests.support.cluster import cluster as new_cluster
from tests.support.cluster_course import ClusterCourse
from tests.support.cluster_images import give_images
from tests.support.course import PROJECT
from tests.support.visitor import Visitor

NAME = "test-to-swarm"
PEOPLE = ("ada", "ben", "zoë")
PASSWORD = "four unrelated plain words"
OWN = "own work"
"""The folder in each home that nobody but its person changes."""
WRITE = f"""
import os, pathlib
here = pathlib.Path.home() / {OWN!r}
(here / "deep").mkdir(parents=True)
(here / "deep" / "big").write_bytes(os.urandom(7 << 20))
(here / "ünïcode 'quoted'.txt").write_text("{{user}} " * 1000)
(here / "secret").write_text("x"); (here / "secret").chmod(0o600)
(here / "run.sh").write_text("#!/bin/sh\\n"); (here / "run.sh").chmod(0o755)
(here / "deep").chmod(0o2750)
os.symlink("deep/big", here / "link"); os.symlink("/nowhere", here / "dangling")
os.link(here / "deep" / "big", here / "again")
os.utime(here / "run.sh", ns=(1, 1234567890123456789))
"""


class Entry(NamedTuple):
    """What a file, directory or link is."""

    mode: int
    owner: tuple[int, int]
    size: int
    modified: int
    links: int
    content: str


class Machines(NamedTuple):
    """Two machines with Docker that are no Swarm yet, and the course on the first."""

    course: ClusterCourse
    page: HowTo

    def home(self, user: str, node: Node | None = None) -> Path:
        """Where a person's files are on a machine, as this one sees them."""
        engine = node or self.course.cluster.manager
        volume = names.home(NAME, user)
        return Path(engine.docker("volume", "inspect", "--format", "{{.Mountpoint}}", volume))

    def homes(self) -> dict[str, dict[str, Entry]]:
        """Everything in everybody's home on the first machine."""
        return {user: entries(self.home(user)) for user in PEOPLE}

    def listed(self) -> list[tuple[str, int]]:
        """Whose homes there are, and how large."""
        told = json.loads(self.course.cli("homes", "list", "--json").stdout)
        return sorted((home["user"], home["size"]) for home in told)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    """A class of three with plain Docker on the first of two machines."""
    with new_cluster("moving", nodes=2, swarm=False) as made:
        first = made.manager
        url = f"http://{first.address}:8000"
        lines = [f'name = "{NAME}"', f'url = "{url}"', "[access]", 'login = "roster"',
                 "[server]", f'project = "{PROJECT}"', 'memory = "512M"', "idle = 0"]  # fmt: skip
        (tmp_path / "firstbell.toml").write_text("\n".join(lines) + "\n")
        (tmp_path / "roster.csv").write_text("username,name\n" + "".join(f"{user},\n" for user in PEOPLE))
        give_images(tmp_path, first)
        course = ClusterCourse(tmp_path, NAME, url, made)
        course.cli("up", "--yes")
        yield Machines(course, HowTo("from-docker-to-swarm.md", first, tmp_path, {"NODE1": first.address}))


@pytest.mark.timeout(1800)
async def test_a_course_moves_to_a_swarm_and_back_with_all_homes(machines: Machines) -> None:
    """Everybody keeps every byte, owner, mode and time, their name and password: on the Swarm, on node2, and back."""
    course, page = machines.course, machines.page
    first, second = course.cluster.nodes
    for user in PEOPLE:
        async with invited(course, user) as visitor:
            assert (await visitor.execute(WRITE.replace("{user}", user))).error == ""
    # Whatever came into a home by other ways has owners of its own.
    stray = machines.home("ben") / OWN / "of somebody else"
    stray.write_text("stray")
    os.chown(stray, 4711, 4712)
    stray.chmod(0o4640)

    assert "ada" in page.follow("look")
    assert course.where() == {user: [first] for user in PEOPLE}
    assert (course.folder / "ada.tar").stat().st_size > 7 << 20
    page.follow("end")
    assert course.servers() == []
    before, listed = machines.homes(), machines.listed()
    assert [user for user, _ in listed] == sorted(PEOPLE)
    page.follow("begin")
    page.add("firstbell.toml")
    assert "Ready after" in page.follow("up")
    assert machines.listed() == listed
    assert machines.homes() == before
    await everybody_has_theirs(machines, before, dict.fromkeys(PEOPLE, first))

    course.cli("nodes", "prepare", "--host", second.host)
    page.follow("spread")
    assert own(entries(machines.home("ada", second))) == own(before["ada"])
    assert not first.docker("volume", "ls", "-q", "--filter", f"name=^{names.home(NAME, 'ada')}$")
    await everybody_has_theirs(machines, before, {"ada": second, "ben": first, "zoë": first})

    page.follow("home")
    page.take_out("firstbell.toml")
    page.follow("back")
    assert {user: own(found) for user, found in machines.homes().items()} == {
        user: own(found) for user, found in before.items()
    }
    await everybody_has_theirs(machines, before, dict.fromkeys(PEOPLE, first))


async def everybody_has_theirs(machines: Machines, before: dict[str, dict[str, Entry]], where: dict[str, Node]) -> None:
    """Each logs in with the password of before, is on that machine, and reads there what they have written."""
    for user, node in where.items():
        async with Visitor(machines.course.url) as visitor:
            await visitor.log_in(user, PASSWORD)
            await visitor.server()
            assert unquote(visitor.user) == user
            assert machines.course.node_of(user) == node
            told = await visitor.sh(f"cd ~/'{OWN}' && sha256sum deep/big again && cat un* 2>&1; ls -1A")
            big = before[user][f"{OWN}/deep/big"].content
            assert told.count(big) == 2, told
            assert own(entries(machines.home(user, node))) == own(before[user])


@asynccontextmanager
async def invited(course: ClusterCourse, user: str) -> AsyncIterator[Visitor]:
    """Somebody who follows their personal link, sets a password, and starts."""
    told = await asyncio.to_thread(course.cli, "people", "invite", user, "--json")
    async with Visitor(course.url) as visitor:
        page = await visitor.open(json.loads(told.stdout)[0]["link"])
        await visitor.submit(page, password=PASSWORD, again=PASSWORD)
        await visitor.server()
        yield visitor


def entries(folder: Path) -> dict[str, Entry]:
    """Everything below a folder, by its path there."""
    return {str(path.relative_to(folder)): entry(path) for path in (folder, *folder.rglob("*"))}


def entry(path: Path) -> Entry:
    """What is at a path; the size of a directory says nothing."""
    found = path.lstat()
    kind = stat.S_IFMT(found.st_mode)
    content = ""
    if kind == stat.S_IFREG:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    elif kind == stat.S_IFLNK:
        content = str(path.readlink())
    size = 0 if kind == stat.S_IFDIR else found.st_size
    return Entry(found.st_mode, (found.st_uid, found.st_gid), size, found.st_mtime_ns, found.st_nlink, content)


def own(found: dict[str, Entry]) -> dict[str, Entry]:
    """What a server leaves alone of a home when it starts."""
    return {path: each for path, each in found.items() if path.split("/")[0] == OWN}

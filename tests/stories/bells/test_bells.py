"""Bells on a real engine: a walk-in finds a running server; a killed hub loses and doubles nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from tests.support.course import FIRSTBELL, RunningCourse, docker, running
from tests.support.visitor import Visitor

SMALL = 'memory = "512M"\npids = 200\nidle = 0\nwarm_kernels = false'
FINAL = re.compile(r"(\d+) of (\d+) ready after \d+ s")


def wait_until(condition: Callable[[], object], seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.3)


def users(course: RunningCourse) -> list[str]:
    """Whose servers run: one entry for each container."""
    return sorted(s["Config"]["Labels"]["firstbell.user"] for s in course.servers() if s["State"]["Running"])


def report(course: RunningCourse) -> Any:
    return json.loads(course.cli("bell", "list", "--json").stdout)


class TestSeminar:
    """Seats that nobody has, for whoever comes."""

    taken: ClassVar[set[str]] = set()

    @pytest.fixture(scope="class")
    def course(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
        folder = tmp_path_factory.mktemp("bells")
        with running(folder, "test-bells", access='capacity = 9\nstaff = ["ada"]', server=SMALL) as course:
            yield course

    async def test_walk_ins_find_servers_that_run(self, course: RunningCourse):
        """Two at once get two seats whose servers ran before they came; what they took is replaced."""
        said = course.cli("bell", "now", "--people", "3", "--yes", "--grace", "30s").stdout
        assert FINAL.search(said), said
        before = {s["Config"]["Labels"]["firstbell.user"]: s["Id"] for s in course.servers()}
        assert len(before) == 3
        async with Visitor(course.url) as one, Visitor(course.url) as two:
            pages = await asyncio.gather(one.enter(), two.enter())
            assert all("/user/seat-" in page.path for page in pages), [page.path for page in pages]
            taken = {page.path.split("/")[2] for page in pages}
            assert len(taken) == 2 and taken <= set(before)
            self.taken.update(taken)
            assert {course.server_of(user)["Id"] for user in taken} <= set(before.values())
            one.user = pages[0].path.split("/")[2]
            assert (await one.execute("print(6 * 7)")).text.strip() == "42"
            wait_until(lambda: len(users(course)) == 5)
            assert (await two.open("hub/bells")).status == 403
        assert report(course)["ringing"][0]["taken"] == 2

    async def test_staff_look_at_the_page(self, course: RunningCourse):
        """It tells what rings and what has become of it, to them alone."""
        hub = course.container("hub")
        [made] = json.loads(docker("exec", hub, "python3", "-m", "firstbell.hub.control", "invite", "--", "ada"))
        async with Visitor(course.url) as ada:
            await ada.submit(await ada.open(made["link"]), password="correct horse", again="correct horse")
            page = await ada.open("hub/bells")
        self.taken.add("ada")  # who logs in is given a server, staff like everybody
        assert page.status == 200
        assert "2 taken" in page.text and "3 seats" in page.text

    def test_a_hub_killed_in_the_middle_loses_and_doubles_nothing(self, course: RunningCourse):
        """The command that waits goes on waiting; in the end everybody has one server, and those before keep theirs."""
        taken = {s["Id"] for s in course.servers() if s["Config"]["Labels"]["firstbell.user"] in self.taken}
        before = len(course.servers())
        command = [str(FIRSTBELL), "bell", "now", "--people", "6", "--yes", "--grace", "60s"]
        waiting = subprocess.Popen(
            command, cwd=course.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait_until(lambda: len(course.servers()) > before)
        os.kill(course.pid("hub", "firstbell.hub"), signal.SIGKILL)
        said, why = waiting.communicate(timeout=150)
        assert waiting.returncode == 0, said + why
        assert FINAL.search(said), said
        names = users(course)
        assert len(names) == len(set(names)) == len(self.taken) + 6
        assert taken <= {s["Id"] for s in course.servers()}

    def test_seats_that_nobody_took_stop_and_the_others_go_on(self, course: RunningCourse):
        """After the grace only those run that were taken; the stopped ones are nobody's and can be given out."""
        wait_until(lambda: users(course) == sorted(self.taken))


class TestRoster:
    """A bell of the course file, for a section."""

    def test_a_bell_of_the_file_rings_for_its_section(self, tmp_path_factory: pytest.TempPathFactory):
        """It rings as soon as its lead has begun: the section's servers run, no other does, and status says so."""
        folder = tmp_path_factory.mktemp("bells-roster")
        (folder / "roster.csv").write_text("username,section\nada,A\nben,A\ncleo,B\n")
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=4)
        bell = (
            f'[[bell]]\nname = "lab"\ndates = ["{soon:%Y-%m-%d}"]\nat = "{soon:%H:%M}"\nlead = "10m"\nwho = "section:A"'
        )
        with running(folder, "test-bells-roster", access='login = "roster"', server=SMALL, rest=bell) as course:
            wait_until(lambda: users(course) == ["ada", "ben"])
            wait_until(lambda: report(course)["ringing"][0]["ready"] == 2)
            [line] = json.loads(course.cli("status", "--json").stdout)["bells"]
            assert (line["bell"], line["whom"], line["ready"], line["wanted"]) == ("lab", "section A", 2, 2)
            assert users(course) == ["ada", "ben"]

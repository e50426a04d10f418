"""A course that is up, with coursework: its commands' answers, its people, and what is in their files."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from firstbell.config.reader import read_course
from firstbell.model import names
from firstbell.model.names import Role
from firstbell.model.runtime import HUB_UID
from firstbell.plan.grader_image import PYTHON, grader_build
from firstbell.work.project import read_ca_bundle
from tests.support.course import RunningCourse, docker
from tests.support.local_hub import Browser
from tests.support.visitor import Visitor

PASSWORD = "three unrelated words"
FOLDER = "assignments"
_READ = """
import json, os, sys
found = {}
for user in os.listdir("/homes"):
    for parent, _, names in os.walk("/homes/" + user):
        for name in names:
            path = os.path.join(parent, name)
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, errors="replace") as file:
                    found.setdefault(user, {})[os.path.relpath(path, "/homes/" + user)] = file.read()
print(json.dumps(found))
"""
_WRITE = """
import json, os, sys
for user, files in json.load(sys.stdin).items():
    for path, content in files.items():
        with open("/homes/" + user + "/" + path, "w") as file:
            file.write(content)
"""
_VERIFY = """
import json, sys
from pathlib import Path
from firstbell.coursework.book import Book
from firstbell.coursework.layout import Layout
from firstbell.coursework.store import verify
layout = Layout(Path("/srv/firstbell/coursework"))
handins = Book(layout.book).handins(sys.argv[1])
stored = {path.name for path in (layout.root / "handins" / sys.argv[1]).glob("*/*")}
print(json.dumps({
    "handins": [[one.user, one.kind, one.receipt] for one in handins],
    "wrong": [words for one in handins for words in verify(layout, one)],
    "unknown": sorted(stored - {one.id for one in handins}),
    "incoming": [str(path) for path in layout.incoming.glob("*")],
}))
"""


@dataclass(frozen=True)
class School:
    """The course, and how one looks at it from outside."""

    course: RunningCourse

    def ask(self, *words: str, check: bool = True) -> Any:
        """What a command says to programs."""
        return json.loads(self.course.cli(*words, "--json", check=check).stdout)

    async def order(self, *words: str, check: bool = True) -> Any:
        """The same, beside what else goes on."""
        return await asyncio.to_thread(lambda: self.ask(*words, check=check))

    def people(self, assignment: str) -> dict[str, dict[str, Any]]:
        """How far everybody is with it, by name."""
        return {one["user"]: one for one in self.ask("assignments", "show", assignment)["people"]}

    def browsers(self, users: Iterable[str]) -> dict[str, Browser]:
        """For each a browser in which they have just joined; no server is started."""
        joined = {}
        for told in self.ask("people", "invite", *users):
            browser = joined[told["username"]] = Browser(self.course.url)
            answer = browser.form(urlsplit(told["link"]).path, password=PASSWORD, again=PASSWORD)
            assert answer.status_code == 302, answer.text
        return joined

    def hand_in(self, browser: Browser, assignment: str) -> int:
        """By the form of one's own page; the answer's status."""
        page = browser.get("/hub/coursework/mine")
        token = next(c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/")
        assert page.status_code == 200, page.text
        return browser.post(
            "/hub/coursework/mine/hand-in",
            data={"_xsrf": token or "", "assignment": assignment},
            headers={"Origin": self.course.url},
        ).status_code

    @asynccontextmanager
    async def at_work(self, user: str) -> AsyncIterator[Visitor]:
        """Somebody whose server runs."""
        async with Visitor(self.course.url) as visitor:
            await visitor.log_in(user, PASSWORD)
            await visitor.server()
            yield visitor

    # what is in volumes

    def homes(self, users: Iterable[str]) -> dict[str, dict[str, str]]:
        """By user and path, what the files hold."""
        found: dict[str, dict[str, str]] = json.loads(self._in_homes(users, "root", _READ))
        return found

    def write(self, files: Mapping[str, Mapping[str, str]]) -> None:
        """Files into homes whose servers do not run, as their owners."""
        self._in_homes(files, "1000:1000", _WRITE, json.dumps(files))

    def in_home(self, user: str, script: str) -> None:
        """A command of a home's owner, in it."""
        self._in_homes([user], "1000:1000", f"import subprocess; subprocess.run({script!r}, shell=True, check=True,"
                       f" cwd='/homes/{user}')")  # fmt: skip

    def _in_homes(self, users: Iterable[str], uid: str, program: str, stdin: str = "") -> str:
        volumes = [f"-v={names.home(self.course.name, user)}:/homes/{user}" for user in users]
        image = docker("inspect", "-f", "{{.Config.Image}}", self.course.container("hub"))
        words = ["docker", "run", "-i", "--rm", "--network=none", f"--user={uid}", "--entrypoint=python3"]
        words += [f"--label=firstbell.course={self.course.name}", *volumes, image, "-I", "-c", program]
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def in_hub(self, program: str, *words: str) -> str:
        """What a program of a few lines prints that runs in the hub's container."""
        return docker("exec", self.course.container("hub"), "python3", "-c", program, *words)

    def in_grader(self, program: str) -> str:
        """The same, beside nbgrader in the coursework's folder, as whoever looks after grades does."""
        course = read_course(self.course.folder, {})
        image = grader_build(course, read_ca_bundle(course.network)).tag
        volume = names.volume(self.course.name, Role.COURSEWORK)
        words = ["run", "--rm", "--network=none", f"--label=firstbell.course={self.course.name}", "-v"]
        words += [f"{volume}:/course", "--workdir=/course", f"--user={HUB_UID}", "--env=HOME=/tmp", image]
        return docker(*words, PYTHON, "-c", program)

    def stored(self, assignment: str) -> dict[str, Any]:
        """The hand-ins that there are, whose they are, and what of them is not as their receipts say."""
        found: dict[str, Any] = json.loads(self.in_hub(_VERIFY, assignment))
        return found

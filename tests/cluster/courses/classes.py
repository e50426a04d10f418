"""A class with coursework on a cluster: what its people do there, and how staff see it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from firstbell.engine.waiting import until
from tests.cluster.courses.parts import container_of
from tests.cluster.courses.people import go_home
from tests.support.assignment import answered, as_text, source
from tests.support.cluster import Cluster, Node
from tests.support.cluster_course import ClusterCourse, evidence, running_on
from tests.support.school import FOLDER, PASSWORD, School
from tests.support.visitor import Visitor

COMPANION = "firstbell/companion"
GOOD = "def square(x):\n    return x * x"
ANSWERS = {
    "ada": GOOD,
    "amy": "def square(x):\n    return 4",
    "abe": f"while True:\n    pass\n{GOOD}",
    "bob": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "bea": GOOD,
    "ben": GOOD,
}
"""What those write who come: abe's hangs, bob's ends whoever executes it."""
GRADED = ("ada", "amy", "abe", "bob", "ben")
NEVER_IN = ("ann", "bud", "zoe")
STUDENTS = (*ANSWERS, *NEVER_IN)
ROSTER = "username,name,email,role,section\ngrace,Grace,,instructor,\n" + "".join(
    f"{user},{user},,student,{'B' if user.startswith('b') else 'A'}\n" for user in STUDENTS
)
SERVER = 'memory = "512M"\npids = 200\nidle = "15m"'
"""With an idle time they tell once a minute which notebook is open."""


@dataclass(frozen=True)
class ClusterSchool(School):
    """The same on a cluster."""

    course: ClusterCourse

    def in_hub(self, program: str, *words: str) -> str:
        """On its node."""
        manager = self.course.cluster.manager
        hub = container_of(manager, self.course.service("hub"))
        return manager.docker("exec", hub, "python3", "-c", program, *words)

    def homes_on(self) -> dict[str, str]:
        """User → the node of their home."""
        return {home["user"]: home["node"] for home in self.ask("homes", "list")}

    def told(self, order: dict[str, Any]) -> dict[str, str]:
        """What an order's end says of people, by name."""
        return {task["user"]: task["words"] for task in order["progress"]["tasks"]}


@contextmanager
def class_on(cluster: Cluster, folder: Path, name: str, rest: str = "") -> Iterator[ClusterSchool]:
    """A class of two sections with three assignments, up on all nodes."""
    (folder / "roster.csv").write_text(ROSTER)
    for assignment, files in {
        "ps1": {"ps1.ipynb": as_text(source()), "data.txt": "ours"},
        "hw2": {"task.py": "# two\n"},
        "hw3": {"task.py": "# three\n"},
    }.items():
        (folder / FOLDER / assignment).mkdir(parents=True)
        for path, content in files.items():
            (folder / FOLDER / assignment / path).write_text(content)
    access, rest = 'login = "roster"', f"[coursework]\n{rest}"
    with running_on(cluster, folder, name, access=access, server=SERVER, rest=rest) as course:
        made = ClusterSchool(course)
        made.browsers((*STUDENTS, "grace"))
        yield made


def to(*users: str) -> list[str]:
    """For these alone."""
    return [word for user in users for word in ("--to", user)]


async def enter(school: ClusterSchool, stack: AsyncExitStack, *users: str) -> dict[str, Visitor]:
    """They log in, and their servers run; all go home at the end."""
    people = {user: await stack.enter_async_context(Visitor(school.course.url)) for user in users}

    async def come(user: str, person: Visitor) -> None:
        await person.log_in(user, PASSWORD)
        await person.server()
        stack.push_async_callback(go_home, person)

    await asyncio.gather(*(come(*each) for each in people.items()))
    return people


async def solve(person: Visitor, body: str) -> None:
    """Write that into the notebook, as Lab saves it."""
    path = f"contents/{FOLDER}/ps1/ps1.ipynb"
    status, model = await person.api("GET", f"{path}?content=1")
    assert status == 200, model
    made = {"type": "notebook", "format": "json", "content": answered(model["content"], body)}
    status, said = await person.api("PUT", path, made)
    assert status == 200, said


async def hand_in(person: Visitor) -> str:
    """As the companion in Lab does, by the person's own server; the receipt."""
    base = f"{person.url}user/{person.user}/{COMPANION}/hand-in"
    headers = {
        "X-XSRFToken": person.cookie("_xsrf", f"user/{person.user}/"),
        "Referer": f"{person.url}user/{person.user}/lab",
    }
    async with person.session.post(base, json={"assignment": "ps1"}, headers=headers) as answer:
        task = (await answer.json())["task"]
    said: dict[str, Any] = {}

    async def is_over() -> bool:
        async with person.session.get(base, params={"task": task}) as answer:
            said.update(await answer.json())
        return said["state"] in {"done", "failed"}

    await until(is_over, deadline=120)
    assert said["state"] == "done", said
    return str(said["receipt"])


async def work_on(person: Visitor) -> None:
    """Open the notebook, with its kernel, as Lab does."""
    about = {"path": f"{FOLDER}/ps1/ps1.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    status, said = await person.api("POST", "sessions", about)
    assert status == 201, said
    assert (await person.execute("print(1)", said["kernel"]["id"])).text == "1\n"


async def grade_by_hand(school: ClusterSchool, user: str, points: float) -> None:
    """The one answer that waits for it, in the formgrader beside the hub."""
    async with Visitor(school.course.url) as grace, Visitor(school.course.url) as student:
        await student.log_in(user, PASSWORD)
        await grace.log_in("grace", PASSWORD)
        board = await grace.open("hub/coursework/on/ps1")
        [form] = [form for form in board.forms() if form.action.endswith("/by-hand")]
        address = urljoin(board.url, form.action)
        async with grace.session.post(address, data=form.fields, headers={"Referer": board.url}) as answer:
            assert answer.status == 200 and answer.url.path.endswith("/formgrader/gradebook/ps1"), evidence(
                school.course
            )
        base = urljoin(grace.url, "services/formgrader/formgrader/api/")
        assert (await student.open(base + "submitted_notebooks/ps1/ps1")).status == 403
        submitted = json.loads((await grace.open(base + "submitted_notebooks/ps1/ps1")).text)
        [notebook] = [one for one in submitted if one["student"] == user]
        grades = json.loads((await grace.open(f"{base}grades?submission_id={notebook['id']}")).text)
        [waiting] = [one for one in grades if one["needs_manual_grade"]]
        headers = {"X-XSRFToken": grace.cookie("_xsrf", "services/formgrader/"), "Referer": base}
        given = {"manual_score": points}
        async with grace.session.put(f"{base}grade/{waiting['id']}", json=given, headers=headers) as answer:
            assert answer.status == 200, await answer.text()


async def see_them_on_the_wall(school: ClusterSchool, users: list[str]) -> None:
    """The wall has them on whichever node, with memory and the notebook that is open; who was never in is absent."""
    async with Visitor(school.course.url) as grace:
        await grace.log_in("grace", PASSWORD)

        seen: dict[str, str] = {}

        async def are_all_there() -> bool:
            wall = (await grace.open("hub/people")).text
            rows = [row.partition("</li>")[0] for row in wall.split('<li class="person ')[1:]]
            seen.update((row.partition('data-user="')[2].partition('"')[0], row) for row in rows)
            absent = {user for user, row in seen.items() if 'data-state="absent"' in row}
            told = [user for user in users if "of 512 MiB" in seen[user] and "ps1.ipynb" in seen[user]]
            return set(NEVER_IN) <= absent and told == users and not absent & set(users)

        try:
            await until(are_all_there, deadline=180)
        except Exception as error:
            raise AssertionError("\n".join(seen[user] for user in users)) from error


def bring_back(school: ClusterSchool, node: Node) -> None:
    """Switch it on, and wait until it is one of the course's again."""
    node.start()
    school.course.mend()

"""Coursework on three nodes: each home is on one of them, the hub with the grade book on the manager."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import pytest

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
DEADLINE = 25
"""Seconds until it: longer than it takes to cut a node's power."""


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


@pytest.fixture(scope="module")
def school(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSchool]:
    """A class of two sections; its homes are volumes, each on one node."""
    folder = tmp_path_factory.mktemp("coursework")
    (folder / "roster.csv").write_text(ROSTER)
    for name, files in {
        "ps1": {"ps1.ipynb": as_text(source()), "data.txt": "ours"},
        "hw2": {"task.py": "# two\n"},
        "hw3": {"task.py": "# three\n"},
    }.items():
        (folder / FOLDER / name).mkdir(parents=True)
        for path, content in files.items():
            (folder / FOLDER / name / path).write_text(content)
    access, rest = 'login = "roster"', "[coursework]\n"
    with running_on(cluster, folder, "test-cluster-work", access=access, server=SERVER, rest=rest) as course:
        made = ClusterSchool(course)
        made.browsers((*STUDENTS, "grace"))
        yield made


@pytest.mark.timeout(1800)
async def test_a_class_on_all_nodes_gets_works_hands_in_and_is_graded(school: ClusterSchool) -> None:
    """Wherever a home is: handed out, handed in with a receipt, collected, graded and given back, and staff see it."""
    async with AsyncExitStack() as stack:
        people = await enter(school, stack, *ANSWERS)
        released = await school.order("release", "ps1")
        assert released["progress"]["states"] == {"done": len(STUDENTS)}
        homes = school.homes_on()
        assert set(homes) == set(STUDENTS) and set(homes.values()) == {n.name for n in school.course.cluster.nodes}
        await asyncio.gather(*(solve(person, ANSWERS[user]) for user, person in people.items()))

        at_work = {school.course.node_of(user): person for user, person in people.items()}.values()
        await asyncio.gather(*map(work_on, at_work))
        receipts = dict(zip(people, await asyncio.gather(*map(hand_in, people.values())), strict=True))
        stored = school.stored("ps1")
        assert {user: receipt for user, _, receipt in stored["handins"]} == receipts and not stored["wrong"]
        await solve(people["ben"], "def square(x):\n    return 0")  # written after it was handed in, in vain
        await go_home(people["bea"])
        school.course.cli("extend", "ps1", "ada", "--until", "+2h")
        collected = await school.order("collect", "ps1")
        assert collected["progress"]["ended"] == len(STUDENTS) and "failed" not in collected["progress"]["states"]

        graded = await school.order("grade", "ps1", *to(*GRADED), check=False)
        told = school.told(graded)
        assert graded["progress"]["states"] == {"done": len(GRADED) - 1, "failed": 1}, told
        assert [told[user].partition(" of ")[0] for user in ("ada", "amy", "ben")] == ["4", "1", "4"]
        assert "more than 30 seconds" in told["abe"] and "could not be executed" in told["bob"]

        await grade_by_hand(school, "ada", 1.5)
        returned = await school.order("return", "ps1", *to("ada", "bob"))
        assert returned["progress"]["states"] == {"done": 1, "skipped": 1}, school.told(returned)
        page = await people["ada"].sh(f"grep -c test_square ~/{FOLDER}/feedback/ps1/ps1.html")
        assert page.endswith("[exit 0]\n"), page
        points = {row["user"]: row["score"] for row in school.ask("grades", "export")}
        assert (points["ada"], points["ben"]) == (5.5, 4) and "bob" not in points

        await see_them_on_the_wall(school, [person.user for person in at_work])
        late = (await enter(school, stack, NEVER_IN[0]))[NEVER_IN[0]]
        assert "ps1.ipynb" in await late.sh(f"ls ~/{FOLDER}/ps1")
        assert school.course.node_of(late.user).name == homes[late.user]


@pytest.mark.timeout(1800)
async def test_who_is_on_a_node_that_is_away_is_named_and_served_when_it_is_back(school: ClusterSchool) -> None:
    """Away over a deadline and a release: others are served, nobody waits for it, and nothing is lost."""
    ordered = await school.order("release", "hw2")
    assert ordered["progress"]["states"] == {"done": len(STUDENTS)}
    homes, victim = school.homes_on(), school.course.cluster.workers[0]
    away = {user for user in STUDENTS if homes[user] == victim.name}
    assert away
    await school.order("extend", "hw2", "A", "B", "--until", f"+{DEADLINE}s")
    victim.kill()
    try:
        released = await school.order("release", "hw3", check=False)
        assert released["progress"]["states"] == {"done": len(STUDENTS) - len(away), "due": len(away)}
        told = school.told(released)
        assert away == {user for user, words in told.items() if f"the files of {user} are on {victim.name}" in words}
        others = set(STUDENTS) - away
        await until(lambda: are_collected(school, others), deadline=180)
        problems = {user: row["problem"] for user, row in school.people("hw2").items() if row["problem"]}
        assert set(problems) == away and all(f"on {victim.name}" in words for words in problems.values())
    finally:
        await asyncio.to_thread(bring_back, school, victim)
    await until(lambda: are_collected(school, set(STUDENTS)), deadline=180)
    rows = school.people("hw2")
    assert {rows[user]["handed_in"] for user in STUDENTS} == {rows[user]["due"] for user in STUDENTS}
    await until(lambda: are_handed_out(school), deadline=180)
    again = await school.order("release", "hw3")
    assert again["progress"]["states"] == {"skipped": len(STUDENTS)}


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

        async def are_all_there() -> bool:
            wall = (await grace.open("hub/people")).text
            rows = [row.partition("</li>")[0] for row in wall.split('<li class="person ')[1:]]
            seen = {row.partition('data-user="')[2].partition('"')[0]: row for row in rows}
            absent = {user for user, row in seen.items() if 'data-state="absent"' in row}
            told = [user for user in users if "of 512 MiB" in seen[user] and "ps1.ipynb" in seen[user]]
            return set(NEVER_IN) <= absent and told == users and not absent & set(users)

        await until(are_all_there, deadline=180)


async def are_collected(school: ClusterSchool, users: set[str]) -> bool:
    """Whether the deadline's work is there of all these."""
    rows = await asyncio.to_thread(school.people, "hw2")
    return all(rows[user]["kind"] == "deadline" for user in users)


async def are_handed_out(school: ClusterSchool) -> bool:
    """Whether everybody has what was handed out while a node was away."""
    return all(
        row["released"] and not row["problem"] for row in (await asyncio.to_thread(school.people, "hw3")).values()
    )


def bring_back(school: ClusterSchool, node: Node) -> None:
    """Switch it on, and wait until it is one of the course's again."""
    node.start()
    school.course.mend()

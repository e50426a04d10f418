"""A whole course on the real engine: from handing out to grades, with forty students, some of whom mean harm."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from firstbell.coursework.inside import MARKER
from firstbell.coursework.transport import is_helper
from firstbell.engine.waiting import until
from tests.stories.conftest import stop_server
from tests.stories.faults.test_hub import kill_hub
from tests.support.assignment import SECRET, answered, as_text, source
from tests.support.course import docker, running
from tests.support.local_hub import Browser
from tests.support.school import FOLDER, School
from tests.support.visitor import Visitor, collect, send_cell

NAME = "test-coursework"
TABLES: Any = {
    "top": 'time_zone = "Europe/Berlin"',
    "access": 'login = "roster"\ncapacity = 60',
    "server": 'memory = "512M"\npids = 200\nidle = 0',
    "rest": "[coursework]\n",
}
PS1, NOTEBOOK = f"{FOLDER}/ps1", f"{FOLDER}/ps1/ps1.ipynb"
WITH_SERVERS = ("ada", "ben", "cem", "dan", "eve")
AT_HOME = ("fay", "hal", "ivo")
OTHERS = tuple(f"u{number:02}" for number in range(32))
GRADED = (*WITH_SERVERS, *AT_HOME, "u00")
STUDENTS = (*WITH_SERVERS, *AT_HOME, *OTHERS)
GOOD = "def square(x):\n    return x * x"
HANGS = f"while True:\n    pass\n{GOOD}"
HARMS = f"""\
import os, socket, subprocess
found = [name for folder, _, names in os.walk("/") if not folder.startswith(("/proc", "/sys")) for name in names]
print([name for name in found if name in ("gradebook.db", "book.sqlite") or name.startswith("ps1")])
for path in ("/srv/firstbell/coursework", "/home/jovyan/{FOLDER}", "theirs"):
    print(path, os.path.exists(path))
try:
    socket.create_connection(("1.1.1.1", 80), 2)
    print("out")
except OSError:
    print("no way out")
held = []
try:
    while len(held) < 1000:
        held.append(subprocess.Popen(["sleep", "600"]))
except OSError:
    print("no more processes")
for one in held:
    one.kill()
{GOOD}
"""
CELL = f"""
import os, time
for number in range(10**6):
    with open("{PS1}/log.txt", "a") as log:
        log.write(f"{{number:06}}\\n")
    time.sleep(0.05)
    if os.path.exists("enough"):
        break
print("the cell has ended")
"""
READ_RECEIPT = """
import sys
print(open(f"/srv/firstbell/coursework/handins/ps1/{sys.argv[1]}/{sys.argv[2][:16]}/manifest.json").read())
"""
GRADE_BY_HAND = """
from nbgrader.api import Gradebook
with Gradebook("sqlite:///gradebook.db") as book:
    book.find_grade("why", "ps1", "ps1", "ada").manual_score = 1.5
    book.find_comment("why", "ps1", "ps1", "ada").manual_comment = "Almost there"
    book.db.commit()
"""


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """Two sections of twenty, an instructor; two assignments in the course's folder."""
    folder = tmp_path_factory.mktemp("school")
    write(folder)
    with running(folder, NAME, **TABLES) as course:
        yield School(course)


def write(folder: Path) -> None:
    """What is in the course's folder beside the course file."""
    people = ["username,name,email,role,section", "ira,Ira Instructor,,instructor,"]
    people += [f"{user},{user.title()} Student,,student,{'AB'[number % 2]}" for number, user in enumerate(STUDENTS)]
    (folder / "roster.csv").write_text("\n".join(people) + "\n")
    for path, text in {"ps1/ps1.ipynb": as_text(source()), "ps1/data.txt": "ours", "ps2/task.py": "# ps2\n"}.items():
        (folder / FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / FOLDER / path).write_text(text)


@dataclass
class Term:
    """What the steps of the story share."""

    school: School
    browsers: dict[str, Browser]
    visitors: dict[str, Visitor]
    receipts: dict[str, str]


@pytest.fixture
async def term(school: School) -> AsyncIterator[Term]:
    """Everybody has joined; some have a server."""
    browsers = await asyncio.to_thread(school.browsers, STUDENTS)
    async with AsyncExitStack() as stack:
        visitors = {}
        for user in WITH_SERVERS:
            visitors[user] = await stack.enter_async_context(school.at_work(user))
            stack.push_async_callback(stop_server, visitors[user])
        yield Term(school, browsers, visitors, {})


@pytest.mark.timeout(1500)
async def test_a_course_from_handing_out_to_grades(term: Term) -> None:
    """Everybody's own work at their own deadline is graded and comes back, whatever dies or means harm meanwhile."""
    await handed_out_while_the_desk_is_killed(term)
    await worked_on(term)
    await handed_in_early(term)
    await all_others_hand_in_at_once(term)
    await collected_at_the_deadline_while_the_hub_is_killed(term)
    await late_and_extended(term)
    await graded(term)
    await returned(term)


async def handed_out_while_the_desk_is_killed(term: Term) -> None:
    """Releasing goes on where the desk was; every home has all of it."""
    ordered = asyncio.create_task(term.school.order("release", "ps1"))
    await killed_on_the_way(term, "released", 4, ordered)
    states = (await ordered)["progress"]["states"]
    # Whose folder was put in the very moment of the kill is found to have it already.
    assert set(states) <= {"done", "skipped"} and sum(states.values()) == len(STUDENTS)
    homes = term.school.homes(STUDENTS)
    assert set(homes) == set(STUDENTS) and SECRET not in str(homes)
    for user, files in homes.items():
        ours = {path for path in files if path.startswith(FOLDER) and not path.endswith(MARKER)}
        assert ours == {f"{PS1}/ps1.ipynb", f"{PS1}/data.txt"}, user


async def killed_on_the_way(term: Term, what: str, count: int, ordered: asyncio.Task[Any]) -> None:
    """SIGKILL to the desk after some and before all are done."""

    async def some() -> bool:
        known = (await term.school.order("assignments", "list"))["assignments"]
        return any(one[what] >= count for one in known if one["name"] == "ps1")

    await until(some, deadline=240, first=0.1, longest=0.3)
    assert not ordered.done()
    os.kill(term.school.course.pid("hub", "firstbell.hub.coursework.desk"), signal.SIGKILL)


async def worked_on(term: Term) -> None:
    """In running servers, in one that is stopped then, and in files of people whose server never ran."""
    school = term.school
    released = json.loads(school.homes(["ada"])["ada"][NOTEBOOK])
    for cell in released["cells"]:
        cell["source"] = "".join(cell["source"])
    term.receipts["released"] = json.dumps(released)
    for user in ("ada", "ben", "cem", "eve"):
        await save(term.visitors[user], answered(released, HARMS if user == "eve" else GOOD))
    await stop_server(term.visitors["cem"])
    await term.visitors["eve"].sh(
        f"cd {PS1} && ln -s ~/../../srv/firstbell/coursework theirs && ln -s /etc/passwd p && mkfifo pipe"
        " && ln -s . loop && echo x > closed && chmod 000 closed"
    )
    others = {user: {NOTEBOOK: as_text(answered(released, GOOD, f"I am {user}"))} for user in OTHERS}
    mine = {
        "hal": {NOTEBOOK: as_text(answered(released, HANGS))},
        "ivo": {NOTEBOOK: '{"cells": ['},
        "fay": {f"{PS1}/late.txt": "in time"},
    }
    await asyncio.to_thread(school.write, others | mine)


async def save(visitor: Visitor, made: dict[str, Any]) -> None:
    """As Lab saves a notebook."""
    status, said = await visitor.api(
        "PUT", f"contents/{NOTEBOOK}", {"type": "notebook", "format": "json", "content": made}
    )
    assert status == 200, said


async def handed_in_early(term: Term) -> None:
    """By Lab, with the token of one's own server: a receipt that holds, whatever is done with the files then."""
    ada = term.visitors["ada"]
    status, said = await ada.api("POST", "../firstbell/companion/hand-in", {"assignment": "ps1"})
    assert status == 202, said

    async def taken() -> Any:
        _, now = await ada.api("GET", f"../firstbell/companion/hand-in?task={said['task']}")
        return now if now["state"] not in {"due", "doing"} else None

    done = await until(taken, deadline=120, first=0.2, longest=0.5)
    assert done["state"] == "done" and sorted(done["files"]) == ["data.txt", "ps1.ipynb"]
    term.receipts["ada"] = done["receipt"]
    released = json.loads(term.receipts["released"])
    await save(ada, answered(released, "raise RuntimeError('spoilt afterwards')"))
    page = term.browsers["ada"].get("/hub/coursework/mine/on/ps1")
    assert done["receipt"][:12] in page.text


async def all_others_hand_in_at_once(term: Term) -> None:
    """As many receipts as people, each that of what is stored for its owner and shown to nobody else."""
    with ThreadPoolExecutor(len(OTHERS)) as pool:
        asked = [pool.submit(term.school.hand_in, term.browsers[user], "ps1") for user in OTHERS]
        assert {await asyncio.wrap_future(one) for one in asked} == {303}
    found = await stored(term, len(OTHERS) + 1)
    receipts = {user: receipt for user, _, receipt in found["handins"]}
    assert set(receipts) == {"ada", *OTHERS} and len(set(receipts.values())) == len(receipts)
    assert receipts["ada"] == term.receipts["ada"]
    for user in OTHERS:
        page = term.browsers[user].get("/hub/coursework/mine/on/ps1").text
        assert [one for one in receipts.values() if one in page] == [receipts[user]]
    term.receipts |= receipts


async def stored(term: Term, count: int, kind: str = "") -> dict[str, Any]:
    """What is kept, once there are so many (of that kind); all of it as its receipt says, with nothing half-done."""

    async def enough() -> dict[str, Any] | None:
        try:
            found = await asyncio.to_thread(term.school.stored, "ps1")
        except AssertionError:  # the hub is being killed
            return None
        assert found["wrong"] == [], found["wrong"]
        return found if sum(kind in {"", one[1]} for one in found["handins"]) >= count else None

    return await until(enough, deadline=300, first=0.3, longest=1)


async def collected_at_the_deadline_while_the_hub_is_killed(term: Term) -> None:
    """Everybody's folder as it is then, also beside a cell that runs, which does not notice."""
    school, ben = term.school, term.visitors["ben"]
    await school.order("extend", "ps1", "dan", "--until", "+1d")
    async with await ben.channels(await ben.kernel()) as channel:
        sent = await send_cell(channel, CELL)
        cell = asyncio.create_task(collect(channel, sent))
        again = await school.order("release", "ps1", "--due", "+10s")
        assert again["progress"]["states"] == {"skipped": len(STUDENTS)}
        await stored(term, 3, "deadline")
        await kill_hub(school.course, signal.SIGKILL)
        found = await stored(term, len(STUDENTS) - 1, "deadline")
        await ben.sh("touch ~/enough")
        assert "the cell has ended" in (await cell).text
    collected = [user for user, kind, _ in found["handins"] if kind == "deadline"]
    assert sorted(collected) == sorted(set(STUDENTS) - {"dan"})
    await until(lambda: is_tidy(term), deadline=90)
    lines = submitted(term, "ben", "log.txt").splitlines()
    assert lines == [f"{number:06}" for number in range(len(lines))] and lines
    [eve] = [one for user, kind, one in found["handins"] if user == "eve"]
    receipt = json.loads(school.in_hub(READ_RECEIPT, "eve", eve))
    assert {one["path"]: one["why"] for one in receipt["refused"]} == dict.fromkeys(
        ("loop", "p", "theirs"), "a symbolic link"
    ) | {"pipe": "a pipe"}
    assert sorted(file["path"] for file in receipt["files"]) == ["closed", "data.txt", "ps1.ipynb"]


async def is_tidy(term: Term) -> bool:
    """Whether nothing lies about that no receipt is of; a folder goes a moment after its receipt is written."""
    found = await stored(term, 1)
    return (found["unknown"], found["incoming"]) == ([], [])


def submitted(term: Term, user: str, path: str) -> str:
    """What the grader gets of somebody."""
    program = f"print(open('/srv/firstbell/coursework/submitted/{user}/ps1/{path}').read())"
    return term.school.in_hub(program)


async def late_and_extended(term: Term) -> None:
    """Late work is kept apart; who has more time is in time, with what they made meanwhile."""
    school, dan = term.school, term.visitors["dan"]
    school.write({"fay": {f"{PS1}/late.txt": "too late"}})
    await save(dan, answered(json.loads(term.receipts["released"]), GOOD))
    before = len((await stored(term, 1))["handins"])
    for user in ("fay", "dan"):
        assert school.hand_in(term.browsers[user], "ps1") == 303
    await stored(term, before + 2)
    people = school.people("ps1")
    shown = {user: (people[user]["kind"], people[user]["late"]) for user in ("ada", "ben", "cem", "dan", "fay", "u00")}
    assert shown == {
        "ada": ("early", 0), "ben": ("deadline", 0), "cem": ("deadline", 0), "dan": ("early", 0),
        "fay": ("deadline", 1), "u00": ("early", 0),
    }  # fmt: skip
    assert submitted(term, "fay", "late.txt").strip() == "in time"
    assert "spoilt" not in submitted(term, "ada", "ps1.ipynb")
    assert people["ada"]["receipt"] == term.receipts["ada"]


async def graded(term: Term) -> None:
    """Each has the points that are their own; who means harm, or handed in nonsense, harms nobody."""
    school = term.school
    school.in_hub("open('/srv/firstbell/coursework/nbgrader_config.py', 'a').write('\\nc.Execute.timeout = 10\\n')")
    order = await school.order("grade", "ps1", *to(GRADED), check=False)
    words = {task["user"]: task["words"] for task in order["progress"]["tasks"]}
    print(words)  # for whoever reads a failure
    assert order["progress"]["states"] == {"done": len(GRADED) - 1, "failed": 1}
    for user in ("ada", "ben", "cem", "dan", "u00"):
        assert words[user] == "4 of 6 points; the rest is graded by hand"
    assert words["fay"].startswith("1 of 6 points")
    assert words["hal"].startswith("1 of 6 points") and "more than 10 seconds" in words["hal"]
    assert "it is no notebook" in words["ivo"]
    assert words["eve"].startswith("4 of 6 points")
    harmed = school.in_hub("print(open('/srv/firstbell/coursework/autograded/eve/ps1/ps1.ipynb').read())")
    for line in ("[]", "/srv/firstbell/coursework False", "theirs False", "no way out", "no more processes"):
        assert f"{line}\\n" in harmed
    school.in_grader(GRADE_BY_HAND)


def to(users: tuple[str, ...]) -> list[str]:
    """As the command line has it."""
    return [word for user in users for word in ("--to", user)]


async def returned(term: Term) -> None:
    """Feedback and grade are in each one's home and on their page, as they are in the export."""
    school = term.school
    ordered = asyncio.create_task(school.order("return", "ps1", *to(GRADED)))
    await killed_on_the_way(term, "returned", 1, ordered)
    assert (await ordered)["progress"]["states"] == {"done": len(GRADED) - 1, "skipped": 1}
    points = dict.fromkeys(GRADED, "4") | {"ada": "5.5", "fay": "1", "hal": "1"}
    del points["ivo"]
    rows = list(csv.DictReader(io.StringIO(school.course.cli("grades", "export").stdout)))
    assert {row["user"]: row["score"] for row in rows} == points
    homes = school.homes(GRADED)
    for user in GRADED:
        page = term.browsers[user].get("/hub/coursework/mine/on/ps1").text
        feedback = term.browsers[user].get("/hub/coursework/mine/on/ps1/feedback/ps1.html")
        here = homes[user].get(f"{FOLDER}/feedback/ps1/ps1.html", "")
        assert (f"{points.get(user)} of 6 points" in page) == (user in points), user
        assert (feedback.status_code, feedback.text if here else "") == (200 if here else 404, here)
        assert (f"Score: {float(points.get(user, 0))} / 6.0" in here) == (user in points), user
    assert "Almost there" in homes["ada"][f"{FOLDER}/feedback/ps1/ps1.html"]
    helpers = docker("ps", "-a", "--format={{.Names}}", "--filter", f"label=firstbell.course={NAME}").split()
    assert not [name for name in helpers if is_helper(name)]

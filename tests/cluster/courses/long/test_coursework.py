"""Coursework on three nodes: each home is on one of them, the hub with the grade book on the manager."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from firstbell.engine.waiting import until
from tests.cluster.courses.classes import (
    ANSWERS,
    GRADED,
    NEVER_IN,
    STUDENTS,
    ClusterSchool,
    bring_back,
    class_on,
    enter,
    grade_by_hand,
    hand_in,
    see_them_on_the_wall,
    solve,
    to,
    work_on,
)
from tests.cluster.courses.people import go_home
from tests.support.cluster import Cluster
from tests.support.school import FOLDER

DEADLINE = 25
"""Seconds until it: longer than it takes to cut a node's power."""


@pytest.fixture(scope="module")
def school(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSchool]:
    """Its homes are volumes, each on one node."""
    with class_on(cluster, tmp_path_factory.mktemp("coursework"), "test-cluster-work") as made:
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
        rows = school.people("ps1")
        assert all(rows[person.user]["opened"] for person in at_work) and not rows[NEVER_IN[0]]["opened"]
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


async def are_collected(school: ClusterSchool, users: set[str]) -> bool:
    """Whether the deadline's work is there of all these."""
    rows = await asyncio.to_thread(school.people, "hw2")
    return all(rows[user]["kind"] == "deadline" for user in users)


async def are_handed_out(school: ClusterSchool) -> bool:
    """Whether everybody has what was handed out while a node was away."""
    return all(
        row["released"] and not row["problem"] for row in (await asyncio.to_thread(school.people, "hw3")).values()
    )

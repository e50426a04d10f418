"""The seminar of the examples, one table more in its file, on three nodes: people at real browsers on all of them."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.test_seminar import run_welcome
from tests.browser.window import PICTURES, Window, window
from tests.support.chromium import ARGUMENTS, CHROMIUM
from tests.support.cluster import Cluster, Node
from tests.support.cluster_course import ClusterCourse, evidence, prepare
from tests.support.cluster_images import give_images
from tests.support.course import EXAMPLES
from tests.support.listening import free_port

NAME = "test-cluster-browser"
AT_ONCE = 3
MOST = 9
"""So many come until every node has somebody."""


@pytest.fixture
def course(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterCourse]:
    """The seminar, from its own file, whose engine is a Swarm."""
    folder = tmp_path_factory.mktemp("browser")
    shutil.copytree(EXAMPLES / "seminar", folder, dirs_exist_ok=True)
    url = f"http://{cluster.manager.address}:{free_port()}"
    file = folder / "firstbell.toml"
    for key, value in {"name": NAME, "url": url}.items():
        text = re.sub(rf'^{key} = ".*?"', f'{key} = "{value}"', file.read_text(), count=1, flags=re.MULTILINE)
        file.write_text(text)
    file.write_text(f'{file.read_text()}\n[engine]\nkind = "swarm"\n')
    give_images(folder, cluster.manager)
    made = ClusterCourse(folder, NAME, url, cluster)
    try:
        made.cli("up", "--yes")
        prepare(made)
        yield made
    finally:
        made.cli("down", "--delete-homes", "--confirm", NAME, check=False)


@pytest.mark.timeout(1800)
async def test_people_on_all_nodes_work_in_real_browsers(course: ClusterCourse) -> None:
    """Whoever opens the URL lands in the welcome notebook of a server of their own, on every node, and runs it."""
    async with async_playwright() as playwright, AsyncExitStack() as stack:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        stack.push_async_callback(browser.close)
        people: dict[str, Window] = {}
        while len(people) < MOST and nodes_of(course, people) < set(course.cluster.nodes):
            people |= await come(course, browser, stack)
        assert nodes_of(course, people) == set(course.cluster.nodes), evidence(course)
        one_of_each = {course.node_of(user).name: person for user, person in people.items()}
        PICTURES.mkdir(exist_ok=True)
        for node, person in one_of_each.items():
            await run_welcome(await person.in_lab())
            await person.page.screenshot(path=PICTURES / f"swarm-{node}.png")
        assert {user: person.problems for user, person in people.items()} == {user: [] for user in people}


async def come(course: ClusterCourse, browser: Browser, stack: AsyncExitStack) -> dict[str, Window]:
    """New people at windows of their own, all at once, each in the welcome notebook; by their user."""
    persons = [await stack.enter_async_context(window(browser, course.url)) for _ in range(AT_ONCE)]
    await asyncio.gather(*(person.open() for person in persons))
    for person in persons:
        await person.in_lab()
        await expect(person.page).to_have_url(re.compile(r"/lab/tree/welcome\.ipynb"))
    found = {person.user: person for person in persons}
    assert len(found) == len(persons)
    return found


def nodes_of(course: ClusterCourse, people: dict[str, Window]) -> set[Node]:
    """Where their servers run: each has one."""
    return {course.node_of(user) for user in people}

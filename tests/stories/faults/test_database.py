"""The hub's database is lost or damaged while servers run (faults 8 and 9)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from firstbell.engine.waiting import until
from firstbell.model.runtime import STATE_DIR
from tests.stories.conftest import stop_server
from tests.stories.faults.test_hub import kill_hub
from tests.support.course import RunningCourse, docker, running
from tests.support.school import PASSWORD, School
from tests.support.visitor import Visitor

PEOPLE = tuple(f"p{number:02}" for number in range(6))
ROSTER = "username,name,email,role,section\n" + "".join(f"{user},,,student,\n" for user in PEOPLE)
DATABASE = f"{STATE_DIR}/jupyterhub.sqlite"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A class with passwords, which are not in the database that is lost."""
    folder = tmp_path_factory.mktemp("database")
    (folder / "roster.csv").write_text(ROSTER)
    with running(folder, "test-database", access='login = "roster"', server='memory = "512M"') as made:
        School(made).browsers(PEOPLE)
        yield made


async def enter(course: RunningCourse, stack: AsyncExitStack) -> dict[str, Visitor]:
    """Everybody's server runs."""
    people = {user: await stack.enter_async_context(Visitor(course.url)) for user in PEOPLE}

    async def come(user: str, person: Visitor) -> None:
        await person.log_in(user, PASSWORD)
        await person.server()

    await asyncio.gather(*(come(*each) for each in people.items()))
    return people


@pytest.mark.parametrize(
    "harm", [f"rm {DATABASE}*", f"dd if=/dev/urandom of={DATABASE} bs=4k count=8 conv=notrunc; rm -f {DATABASE}-wal"]
)
async def test_servers_outlive_their_hubs_database(course: RunningCourse, harm: str) -> None:
    """Deleted or overwritten, they are their people's still, of nobody else, and a login of before is none."""
    async with AsyncExitStack() as stack:
        before = await enter(course, stack)
        ids = {user: course.server_of(user)["Id"] for user in PEOPLE}
        kernels = {user: await person.kernel() for user, person in before.items()}
        for user, person in before.items():
            await person.execute(f"mine = {user!r}", kernels[user])
        docker("exec", course.container("hub"), "sh", "-c", harm)
        await kill_hub(course, signal.SIGKILL)
        for person in before.values():
            page = await person.open("hub/home")
            assert page.path.startswith("/hub/login"), page.path

        async def again(user: str) -> None:
            async with Visitor(course.url) as person:
                await person.log_in(user, PASSWORD)
                assert (await person.server()).path.startswith(f"/user/{user}/")
                assert (await person.execute("print(mine)", kernels[user])).text == f"{user}\n"
                other = next(one for one in PEOPLE if one != user)
                assert (await person.open(f"user/{other}/api/status")).status in {403, 404}

        await asyncio.gather(*map(again, PEOPLE))
        assert {user: course.server_of(user)["Id"] for user in PEOPLE} == ids
        async with Visitor(course.url) as person:
            await person.log_in(PEOPLE[0], PASSWORD)
            await person.server()
            await stop_server(person)
            await until(lambda: _is_gone(ids[PEOPLE[0]]), deadline=60)


async def _is_gone(container: str) -> bool:
    return not docker("ps", "--quiet", "--no-trunc", f"--filter=id={container}")

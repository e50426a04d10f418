"""A class with a roster on the real engine: names, bad logins, somebody who has to leave (attacks 40, 45, 46, 48)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator

import aiohttp
import pytest

from firstbell.engine.waiting import until
from tests.stories.conftest import stop_server
from tests.support.class_visit import PASSWORD, invited
from tests.support.course import RunningCourse, docker, running, write_course
from tests.support.visitor import Visitor

NAMES = ("a-b", "a--b", "a_b", "a.b", "zoë", "zoe", "anna@example.org", "x" * 100)
"""Names that a careless mapping to container and volume names would throw together."""
HANDED = "ångström@example.org"
ROSTER = "username,name,email,role,section\n" + "".join(
    f"{name},,,student,\n" for name in (*NAMES, "victim", "leaver", HANDED)
)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A class whose people have awkward names."""
    folder = tmp_path_factory.mktemp("class")
    (folder / "roster.csv").write_text(ROSTER)
    with running(folder, "test-class", access='login = "roster"', server='memory = "512M"\nidle = 0') as up:
        yield up


async def test_awkward_names_never_share_anything(course):
    """Names that look alike have containers, homes and files of their own, each its owner's."""
    for name in NAMES:
        async with invited(course, name) as visitor:
            await visitor.server()
            assert "[exit 2]" in await visitor.sh("ls ~/owner.txt")
            await visitor.execute(f"open('owner.txt', 'w').write({name!r})")
            assert course.server_of(name)["State"]["Running"]
            await stop_server(visitor)
    homes = docker("volume", "ls", "-q", "--filter", f"label=firstbell.course={course.name}", "--filter",
                   "label=firstbell.role=home").split()  # fmt: skip
    owners = [json.loads(docker("volume", "inspect", home))[0]["Labels"]["firstbell.user"] for home in homes]
    assert sorted(owners) == sorted(NAMES)


async def test_a_thousand_bad_logins_are_bounded(course):
    """While an address hammers a name, its owner still logs in, and a name of a megabyte is refused at once."""
    async with invited(course, "victim") as victim:
        async with Visitor(course.url) as attacker:
            page = await attacker.open("hub/login")
            form = page.forms()[0].fields
            target = f"{course.url}/hub/login"
            headers = {"Origin": course.url, "Referer": target}
            giant = form | {"username": "v" * 2**20, "password": "x"}
            async with attacker.session.post(target, data=giant, headers=headers) as answer:
                assert answer.status in {400, 403, 413}

            async def guess(number: int) -> int:
                fields = form | {"username": "victim", "password": f"guess-{number}"}
                async with attacker.session.post(target, data=fields, headers=headers) as answer:
                    return answer.status

            started = time.monotonic()
            hammering = [asyncio.ensure_future(guess(n)) for n in range(300)]
            await asyncio.wait(hammering, return_when=asyncio.FIRST_COMPLETED)
            await victim.open("hub/logout")
            page = await victim.log_in("victim", PASSWORD)
            assert "/hub/login" not in page.url, page.text[-400:]
            assert time.monotonic() - started < 120
            statuses = await asyncio.gather(*hammering)
    assert set(statuses) <= {401, 403, 429}
    memory = docker("stats", "--no-stream", "--format", "{{.MemUsage}}", course.container("hub"))
    assert "GiB /" not in memory


async def test_removed_user_is_out_within_a_minute(course):
    """Somebody taken off the roster loses session and server within a minute; their files stay."""
    async with invited(course, "leaver") as leaver:
        await leaver.server()
        await leaver.execute("open('mine.txt', 'w').write('kept')")
        course.cli("people", "remove", "leaver", "--yes")

        async def out() -> bool:
            async with leaver.session.get(f"{course.url}/user/leaver/api/status") as answer:
                served = answer.status == 200 and answer.url.path.startswith("/user/leaver/")
            return not served and all(s["Config"]["Labels"]["firstbell.user"] != "leaver" for s in course.servers())

        await until(out, deadline=60, first=0.2, longest=1.0)
        page = await leaver.open("hub/home")
        assert "/hub/login" in page.url
        page = await leaver.log_in("leaver", PASSWORD)
        assert "/hub/login" in page.url
    volumes = docker("volume", "ls", "-q", "--filter", "label=firstbell.user=leaver", "--filter",
                     f"label=firstbell.course={course.name}")  # fmt: skip
    assert len(volumes.split()) == 1


@pytest.mark.parametrize(
    ("access", "word"),
    [
        ('login = "github"\noptions = {client_id = "x"}', "nobody"),
        ('login = "github"\nallow = []\noptions = {client_id = "x"}', "nobody"),
        ('login = "github"\noptions = {client_id = "x", allow_all = true}', "everybody"),
        ('login = "roster"\nroster = "empty.csv"', "empty"),
    ],
)
def test_lists_that_let_in_nobody_or_everybody(tmp_path, access, word):
    """An allow-list that would let in nobody, or everybody, by accident is refused with the reason (attack 46)."""
    write_course(tmp_path, "test-lists", access=access)
    (tmp_path / "empty.csv").write_text("username,name,email,role,section\n")
    result = RunningCourse(tmp_path, "test-lists", "").cli("up", "--dry-run", check=False)
    assert result.returncode == 2, result.stderr
    assert word in result.stderr


async def test_stranger_stays_outside(course):
    """Nobody who is not on the roster gets in, by whatever name and password."""
    async with Visitor(course.url) as stranger:
        for name in ("stranger", "root", "", "A-B ", "*"):
            page = await stranger.log_in(name, PASSWORD + "!")
            assert "/hub/login" in page.url
        async with stranger.session.get(f"{course.url}/hub/api/users") as answer:
            assert answer.status == 403


async def test_whoever_waits_for_a_start_is_logged_in_there(course: RunningCourse) -> None:
    """A cold start ends in the server's page by the hub's word and without OAuth, whatever the name."""
    async with invited(course, HANDED) as person:
        led = []

        async def note(_: object, __: object, ended: aiohttp.TraceRequestEndParams) -> None:
            led.append(ended.url.path)

        async def turn(_: object, __: object, turned: aiohttp.TraceRequestRedirectParams) -> None:
            led.append(turned.url.path)

        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(note)
        trace.on_request_redirect.append(turn)
        trace.freeze()
        person.session.trace_configs.append(trace)
        await person.server()
        assert any(path.startswith("/user/") for path in led)
        assert not any("oauth" in path for path in led), led
        handed = [cookie.key for cookie in person.session.cookie_jar if cookie["path"].startswith("/user/")]
        assert any(name.endswith("-known") for name in handed)
        await stop_server(person)

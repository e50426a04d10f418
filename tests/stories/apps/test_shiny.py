"""A web application of an image's own command: who gets in, what it is, and what its end looks like."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import pytest

from firstbell.engine.waiting import until
from tests.stories.conftest import stop_server
from tests.support.course import RunningCourse, docker
from tests.support.visitor import Visitor

PORT = 3838
PROBE = (
    "python3 -c \"import socket; socket.create_connection(('{address}', {port}), 3); print('reached')\""
    " 2>&1 | tail -n 1"
)


@pytest.fixture
async def visitor(shiny: RunningCourse) -> AsyncIterator[Visitor]:
    """Somebody whose application runs; it is stopped afterwards."""
    async with await Visitor(shiny.url).ready() as entered:
        yield entered
        await stop_server(entered)


def application(course: RunningCourse, user: str) -> str:
    """The container of a user's application."""
    return str(course.server_of(user)["Name"]).lstrip("/").replace("-server-", "-app-", 1)


def address(course: RunningCourse, user: str) -> str:
    """Where a user's server is on the course's bridge."""
    networks = course.server_of(user)["NetworkSettings"]["Networks"]
    return str(networks[f"firstbell-{course.name}-servers"]["IPAddress"])


def containers(course: RunningCourse, role: str) -> list[str]:
    """The names of the course's containers of a role."""
    return docker(
        "ps", "-a", "--filter", f"label=firstbell.course={course.name}", "--filter", f"label=firstbell.role={role}",
        "--format", "{{.Names}}",
    ).split()  # fmt: skip


async def connected(visitor: Visitor, user: str = "") -> aiohttp.ClientWebSocketResponse:
    """The websocket of the Shiny of `user`, of the visitor's own by itself."""
    url = urljoin(visitor.url, f"user/{user or visitor.user}/websocket/").replace("http", "ws", 1)
    return await visitor.session.ws_connect(url, headers={"Origin": visitor.url.rstrip("/")})


async def typed(visitor: Visitor, command: str) -> str:
    """What the application prints for a command typed into it."""
    async with await connected(visitor) as socket:
        await socket.send_json(
            {"method": "init", "data": {"command": command, ".clientdata_output_printed_hidden": False}}
        )
        async for message in socket:
            values = json.loads(message.data).get("values") or {}
            if "printed" in values:
                return str(values["printed"])
    raise ConnectionError("the application closed the websocket")


async def test_an_application_is_served_at_its_users_url(visitor, shiny):
    """The page comes through the login, its websocket works, and it runs as the user with the user's home."""
    page = await visitor.open(f"user/{visitor.user}/")
    assert page.status == 200
    assert "A shell in Shiny" in page.text
    said = await typed(visitor, 'echo $(id -u):$(id -g) "$HOME" "$PORT" "$JUPYTERHUB_SERVICE_PREFIX"; touch ~/mine')
    assert f"1000:1000 /home/jovyan {PORT} /user/{visitor.user}/\n[exit 0]" in said
    assert "CapEff:\t0000000000000000" in await typed(visitor, "grep CapEff /proc/self/status")


async def test_without_a_slash_the_page_is_found(visitor):
    """The address without the slash at its end leads to the same page, hyphens in the name or not."""
    assert "-" in visitor.user
    assert "A shell in Shiny" in (await visitor.open(f"user/{visitor.user}")).text


async def test_nobody_else_gets_in(visitor, shiny):
    """Neither page nor websocket of an application is open to a stranger or to another person of the course."""
    async with Visitor(shiny.url) as stranger, await Visitor(shiny.url).ready() as other:
        page = await stranger.open(f"user/{visitor.user}/")
        assert "A shell in Shiny" not in page.text
        refused = await other.open(f"user/{visitor.user}/")
        assert (refused.status, "A shell in Shiny" in refused.text) == (403, False)
        for somebody in (stranger, other):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await connected(somebody, visitor.user)
            assert caught.value.status == 403
        await stop_server(other)


async def test_another_page_cannot_speak_to_the_websocket(visitor):
    """A page of another origin gets no websocket, though the browser sends the visitor's cookies."""
    url = urljoin(visitor.url, f"user/{visitor.user}/websocket/").replace("http", "ws", 1)
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await visitor.session.ws_connect(url, headers={"Origin": "https://elsewhere.example"})
    assert caught.value.status == 403


async def test_the_port_without_login_is_out_of_reach(visitor, shiny):
    """From another's application, and from this machine, nothing but the side-car's port is reached."""
    where = address(shiny, visitor.user)
    async with await Visitor(shiny.url).ready() as other:
        for port in (PORT, 8888):
            said = await typed(other, PROBE.format(address=where, port=port))
            assert "reached" not in said, port
            assert "imed out" in said or "refused" in said, said
        assert "reached" in await typed(other, PROBE.format(address="127.0.0.1", port=PORT))
        await stop_server(other)
    probe = ["run", "--rm", "--network", "host", "--label", f"firstbell.course={shiny.name}", "--entrypoint", "python3"]
    image = shiny.server_of(visitor.user)["Config"]["Image"]
    assert "reached" in docker(*probe, image, "-c", connect(where, 8888))
    assert "timed out" in docker(*probe, image, "-c", connect(where, PORT))


def connect(where: str, port: int) -> str:
    """A program that says whether it reaches a port."""
    return (
        f"import socket\ntry: socket.create_connection(('{where}', {port}), 3); print('reached')\n"
        "except OSError as error: print(error)"
    )


async def test_no_secret_is_shown_by_an_inspection(visitor, shiny):
    """The tokens are in no environment and no label, and the hub's cookies do not reach the application."""
    shown = docker("inspect", application(shiny, visitor.user)) + json.dumps(shiny.server_of(visitor.user))
    assert "JUPYTERHUB_API_TOKEN" not in shown
    assert "JUPYTERHUB_API_TOKEN" not in await typed(visitor, "env")


async def test_a_dead_application_ends_the_server(visitor, shiny):
    """When the application ends its owner reads why, both containers are gone, and a new start works, files and all."""
    await typed(visitor, "echo kept > ~/file")
    docker("kill", "--signal", "KILL", application(shiny, visitor.user))

    async def said() -> bool:
        return "killed from outside" in (await visitor.open(f"user/{visitor.user}/")).text

    await until(said, deadline=60, first=0.1, longest=0.3)
    assert not containers(shiny, "app")
    assert not containers(shiny, "server")
    await visitor.server()
    assert "kept" in await typed(visitor, "cat ~/file")


async def test_a_dead_side_car_ends_the_server(visitor, shiny):
    """An application that nobody can reach any more does not stay behind."""
    docker("kill", "--signal", "KILL", str(shiny.server_of(visitor.user)["Name"]).lstrip("/"))

    async def gone() -> bool:
        return not containers(shiny, "app") and not containers(shiny, "server")

    await until(gone, deadline=60)


async def test_a_restarted_hub_finds_the_application(visitor, shiny):
    """The hub is killed and comes back: application and websocket go on, and its end is still noticed."""
    async with await connected(visitor) as socket:
        before = docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", application(shiny, visitor.user))
        docker("restart", "-t", "0", shiny.container("hub"))
        await until(lambda: answers(visitor), deadline=60, first=0.2, longest=0.5)
        await socket.send_json({"method": "init", "data": {"command": "echo still here"}})
        assert "sessionId" in (await socket.receive()).data
    assert docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", application(shiny, visitor.user)) == before
    assert "A shell in Shiny" in (await visitor.open(f"user/{visitor.user}/")).text
    await stop_server(visitor)
    assert not containers(shiny, "app")


async def answers(visitor: Visitor) -> bool:
    """Whether the hub answers."""
    try:
        return (await visitor.open("hub/health")).status == 200
    except aiohttp.ClientError:
        return False


async def test_the_commands_know_the_application(visitor, shiny):
    """Status shows the person and the application's memory; logs shows what the application printed."""
    status = json.loads(shiny.cli("status", "--json").stdout)
    [server] = [s for s in status["servers"] if s["user"] == visitor.user]
    assert server["phase"] == "running"
    assert 20 * 2**20 < server["memory"] <= server["memory_limit"]
    assert "Uvicorn running" in shiny.cli("logs", visitor.user).stdout


async def test_an_application_that_never_listens_says_so(shiny: RunningCourse):
    """A start whose application opens no port fails by naming the port, with its last lines; nothing stays."""
    file = Path(shiny.folder) / "firstbell.toml"
    good = file.read_text()
    try:
        never = 'timeout = "5s"\ncommand = ["sh", "-c", "echo warming up for ever; exec sleep 600"]\n'
        file.write_text(good.replace("port = 3838\n", f"port = 3838\n{never}"))
        shiny.up()
        async with Visitor(shiny.url) as visitor:
            await visitor.enter()
            last = [event async for event in visitor.progress(await visitor.open("hub/spawn"))][-1]
            assert last["failed"], last
            assert f"did not open port {PORT} within 5 seconds" in last["message"], last
            assert "warming up for ever" in last["html_message"], last
        assert not containers(shiny, "app")
        assert not containers(shiny, "server")
    finally:
        file.write_text(good)
        shiny.up()

"""From a click to a running Jupyter, and what a dying hub, proxy or server changes about it: nothing, or it is said."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import aiohttp
import httpx

from firstbell.engine.waiting import until
from firstbell.model import names
from firstbell.model.names import Role
from tests.stories.conftest import stop_server
from tests.stories.hub.host import HostHub, containers
from tests.support.course import docker
from tests.support.visitor import Visitor, collect, send_cell


def server_of(hub: HostHub, user: str) -> str:
    return names.container(hub.course.name, Role.SERVER, user)


async def page_saying(visitor: Visitor, words: str) -> None:
    """Wait until the address of the visitor's server shows these words."""

    async def said() -> bool:
        return words in (await visitor.open(f"user/{visitor.user}/lab")).text

    await until(said, deadline=60, first=0.05, longest=0.2)


MORE = 10.0
"""Seconds that JupyterHub itself would wait for servers that do not answer (`init_spawners_timeout`)."""


async def begun_anew(hub: HostHub) -> float:
    """Kill the hub and start the next; seconds until that one answers."""
    hub.kill("hub")
    hub.start("hub")
    return await hub.answers()


def rows(hub: HostHub, query: str) -> int:
    with closing(sqlite3.connect(hub.folder / "state" / "jupyterhub.sqlite")) as db:
        return int(db.execute(query).fetchone()[0])


async def test_one_click_leads_to_lab(hub):
    """A click shows the progress in words and ends in the visitor's own JupyterLab, whose cells run."""
    async with Visitor(hub.url) as visitor:
        await visitor.enter()
        page = await visitor.open("hub/spawn")
        events = [event async for event in visitor.progress(page)] if "/spawn-pending/" in page.path else []
        lab = await visitor.server()
        assert lab.status == 200
        assert "jupyter-config-data" in lab.text
        assert (await visitor.execute("6 * 7")).text == "42"
    said = [event["message"] for event in events]
    assert any("Jupyter is starting" in message for message in said), said
    shown = json.loads(docker("inspect", server_of(hub, visitor.user)))[0]
    assert "JUPYTERHUB" not in json.dumps(shown["Config"]), "a token where everybody can read it"


async def test_homes_can_be_folders_of_the_machine(hub_with_folders):
    """A folder per person is made with the right owner and outlives the server; one that is lost is never replaced."""
    hub = hub_with_folders
    async with await Visitor(hub.url).ready() as visitor:
        assert "4711 4712\n[exit 0]" in await visitor.sh('echo mine > ~/file; echo "$(id -u) $(id -g)"')
        folder = hub.folder / "homes" / names.home(hub.course.name, visitor.user)
        assert (folder / "file").read_text() == "mine\n"
        assert (folder.stat().st_uid, folder.stat().st_gid, folder.stat().st_mode & 0o777) == (4711, 4712, 0o700)
        await stop_server(visitor)
        folder.rename(folder.with_name("elsewhere"))
        page = await visitor.open("hub/spawn")
        last = [event async for event in visitor.progress(page)][-1]
        assert "Your files could not be had" in last["message"], last
        assert not folder.exists()
        folder.with_name("elsewhere").rename(folder)
        await visitor.server()
        assert "mine" in await visitor.sh("cat ~/file")


async def test_a_running_cell_outlives_the_hub(hub):
    """The hub is killed while a cell runs: its output arrives, and the next hub serves the same server."""
    async with await Visitor(hub.url).ready() as visitor:
        async with await visitor.channels(await visitor.kernel()) as channel:
            cell = await send_cell(channel, "import time\nfor i in range(20): print(i, flush=True); time.sleep(0.2)")
            before = docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", server_of(hub, visitor.user))
            hub.kill("hub")
            hub.start("hub")
            await hub.answers()
            assert (await collect(channel, cell)).text.split() == [str(i) for i in range(20)]
        page = await visitor.server()
        assert page.path.startswith(f"/user/{visitor.user}/")
        assert docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", server_of(hub, visitor.user)) == before


async def test_a_frozen_server_outlives_the_hubs_restart(hub):
    """A server that does not answer while a new hub starts is not stopped (fault 5)."""
    async with await Visitor(hub.url).ready() as visitor:
        docker("pause", server_of(hub, visitor.user))
        try:
            took = await begun_anew(hub)
        finally:
            docker("unpause", server_of(hub, visitor.user))
        assert (await visitor.execute("1 + 1")).text == "2"
    assert took < await begun_anew(hub) + MORE


async def test_a_start_cut_by_the_hubs_death_leaves_nothing(hub):
    """The hub is killed during a start: the next one removes container and tokens, and the visitor can start anew."""
    async with Visitor(hub.url) as visitor:
        await visitor.enter()
        page = await visitor.open("hub/spawn")
        user = page.path.rstrip("/").rpartition("/")[2]
        await until(lambda: _exists(server_of(hub, user)), deadline=60)
        hub.kill("hub")
        hub.start("hub")
        await hub.answers()
        await until(lambda: _removed(hub, server_of(hub, user)), deadline=60)
        assert rows(hub, "select count(*) from api_tokens where note like 'Server at %'") == 0
        assert rows(hub, "select count(*) from servers") == 0
        await visitor.server()


async def _exists(container: str) -> bool:
    return bool(docker("ps", "-aq", "--filter", f"name={container}"))


async def _removed(hub: HostHub, container: str) -> bool:
    return container not in containers(hub.course.name)


async def test_a_dead_server_is_noticed_and_explained(hub):
    """A killed server is gone from the proxy within seconds; its owner reads why and can start again."""
    async with await Visitor(hub.url).ready() as visitor:
        container = server_of(hub, visitor.user)
        docker("kill", "--signal", "KILL", container)
        await page_saying(visitor, "killed from outside")
        assert container not in containers(hub.course.name)
        await visitor.server()


async def test_a_failing_image_says_why(hub):
    """A start from an image without Python fails with that reason on the page and in the log; no container stays."""
    hub.kill("hub")
    hub.runtime = hub.with_image("debian:trixie-slim")
    hub.write()
    hub.start("hub")
    await hub.answers()
    async with Visitor(hub.url) as visitor:
        await visitor.enter()
        page = await visitor.open("hub/spawn")
        last = [event async for event in visitor.progress(page)][-1]
        assert last["failed"], last
        assert "python3" in last["message"], last
        assert "python3" in (await visitor.open(page.path)).text
    assert "python3" in hub.log()
    assert not [name for name in containers(hub.course.name) if "-server-" in name]


async def test_a_daemon_that_is_away_ends_nobody(hub):
    """A hub that starts while the engine is away keeps all servers, and says why it can start none (faults 3, 4)."""
    async with await Visitor(hub.url).ready() as visitor, Visitor(hub.url) as other:
        hub.kill("hub")
        runtime, hub.runtime = hub.runtime, replace(hub.runtime, engine_host=f"unix://{hub.folder}/nobody.sock")
        hub.write()
        hub.start("hub")
        took = await hub.answers()
        assert (await visitor.execute("1 + 1")).text == "2"
        assert (await visitor.server()).path.startswith(f"/user/{visitor.user}/")
        await other.enter()
        last = [event async for event in other.progress(await other.open("hub/spawn"))][-1]
        assert "Docker Engine does not answer" in last["message"], last
        hub.kill("hub")
        hub.runtime = runtime
        hub.write()
        hub.start("hub")
        assert took < await hub.answers() + MORE
        assert (await visitor.execute("2 + 2")).text == "4"
        await other.server()


async def test_options_cannot_change_a_server(hub):
    """Image or mounts sent with the request to start are refused (fault 41)."""
    async with Visitor(hub.url) as visitor:
        page = await visitor.enter()
        await visitor.server()
        token = visitor.cookie("_xsrf", "hub/")
        async with visitor.session.post(
            f"{visitor.url}hub/api/users/{visitor.user}/server",
            json={"image": "debian:trixie-slim", "mounts": ["/:/host"]},
            headers={"X-XSRFToken": token, "Referer": page.url},
        ) as answer:
            assert answer.status == 400
            assert "no options" in await answer.text()


async def test_routes_come_back_and_strangers_go(hub):
    """After the proxy was killed all routes are back within five seconds; a planted or bent route is corrected."""
    async with await Visitor(hub.url).ready() as visitor:
        hub.kill("proxy")
        hub.start("proxy")
        began = time.monotonic()
        await until(lambda: _serves(hub, visitor), deadline=60, first=0.05, longest=0.1)
        assert time.monotonic() - began < 5
        token = (hub.folder / "shared" / "proxy.token").read_text()
        async with httpx.AsyncClient(
            base_url=f"{hub.runtime.proxy_api_url}/api/routes", headers={"Authorization": f"token {token}"}
        ) as api:
            own = f"/user/{visitor.user}"
            await api.post(f"{own}/lab", json={"target": "http://127.0.0.1:9"})
            await api.post(own, json={"target": "http://127.0.0.1:9", "user": visitor.user, "jupyterhub": True})
            await api.post("/elsewhere", json={"target": "http://127.0.0.1:9"})

            async def right() -> bool:
                routes = (await api.get("/")).json()
                return {own, "/", "/hub"} == set(routes) and ":8888" in routes[own]["target"]

            await until(right, deadline=60)


async def _serves(hub: HostHub, visitor: Visitor) -> bool:
    try:
        async with visitor.session.get(f"{hub.url}user/{visitor.user}/api/status") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False

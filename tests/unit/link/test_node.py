"""The link of a node: who reaches what through it, over real connections."""

from __future__ import annotations

import asyncio
import json
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firstbell.engine.swarm_link import Pinger, node_engine, ping
from firstbell.errors import EngineUnavailable
from firstbell.link import authority, door, tls
from firstbell.link.links import Links
from firstbell.link.node import pulse
from firstbell.model.cluster import REGISTRY_PORT, KeyRole, Purpose
from firstbell.model.pulse import NodeList
from firstbell.model.runtime import HUB_PORT
from tests.unit.link.world import DEADLINE, GATEWAY, SERVER, SERVER_PORT, ask, becomes, eventually, keys, server, world


async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")
    writer.close()


async def test_a_node_tells_how_it_is() -> None:
    """A ping brings the node's memory, cores and whether its engine answers, again and again over one connection."""
    async with world() as w:
        pinger = Pinger(keys().of(KeyRole.HUB), port=w.port)
        for _ in range(5):
            said = await pinger.ping("127.0.0.1")
            assert said.memory_total > said.memory_available > 0
            assert said.cores > 0
            assert said.engine
        await eventually(lambda: w.door.links == 2)  # the tunnel's and this
        w.daemon.end()

        async def without() -> bool:
            return not (await pinger.ping("127.0.0.1")).engine

        await becomes(without)
        await pinger.close()


async def test_a_handshake_slower_than_the_deadline_serves_the_next_ping() -> None:
    """On a bad line the connection is made in spite of a ping's deadline, once, and the next ping finds it."""
    async with world() as w:
        slow = asyncio.Event()
        made = 0

        async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal made
            made += 1
            await slow.wait()
            to, out = await asyncio.open_connection("127.0.0.1", w.port)

            async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                while data := await source.read(65536):
                    sink.write(data)

            await asyncio.gather(copy(reader, out), copy(to, writer))

        way = await asyncio.start_server(late, "127.0.0.1", 0)
        pinger = Pinger(keys().of(KeyRole.HUB), port=way.sockets[0].getsockname()[1])
        for _ in range(3):
            with pytest.raises(EngineUnavailable, match="in time"):
                await pinger.ping("127.0.0.1", 0.05)
        assert made == 1
        slow.set()
        assert (await pinger.ping("127.0.0.1", DEADLINE)).cores
        await pinger.close()
        way.close()


async def test_no_link_is_said_in_words() -> None:
    """A node whose link is away, or silent, is told as an engine that is not available, within the deadline."""
    with pytest.raises(EngineUnavailable, match="does not answer"):
        await ping("127.0.0.1", keys().of(KeyRole.HUB), port=1)
    silent = await asyncio.start_server(lambda _r, _w: asyncio.sleep(60), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    with pytest.raises(EngineUnavailable, match="in time"):
        await ping("127.0.0.1", keys().of(KeyRole.HUB), deadline=0.2, port=port)
    silent.close()
    async with node_engine("127.0.0.1", keys().of(KeyRole.HUB), port=1) as engine:
        with pytest.raises(EngineUnavailable, match=r"no connection to 127\.0\.0\.1:1"):
            await engine.facts()


@pytest.mark.parametrize(
    ("role", "purpose"),
    [(KeyRole.NODE, Purpose.DOCKER), (KeyRole.NODE, Purpose.SERVER), (KeyRole.TUNNEL, Purpose.DOCKER)],
)
async def test_a_role_gets_what_is_its_own(role: KeyRole, purpose: Purpose) -> None:
    """A node's or tunnel's keys do not open a daemon, nor a node's a server; the log says who tried what."""
    async with world() as w:
        with pytest.raises(OSError):
            await ask(w.links(role), purpose, f"{SERVER} {SERVER_PORT}")
        await eventually(lambda: any(f"{role.value} may not ask for {purpose.value}" in line for line in w.said))


async def test_strangers_stay_outside() -> None:
    """Keys of another cluster, no keys and plain text are refused, and the link goes on."""
    strange = authority.make(datetime.now(UTC)).of(KeyRole.HUB)
    async with world() as w:
        with pytest.raises(OSError):
            await ask(Links(strange, port=w.port), Purpose.DOCKER)
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        nobody.load_verify_locations(cadata=keys().authority.certificate.decode())
        nobody.set_alpn_protocols([Purpose.DOCKER.value])
        with pytest.raises(OSError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", w.port, ssl=nobody, server_hostname=tls.LINK_NAME
            )
            writer.write(b"GET /info HTTP/1.0\r\n\r\n")
            if not await reader.read(1):
                raise ConnectionResetError
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        writer.write(b"GET /info HTTP/1.0\r\n\r\n")
        async with asyncio.timeout(DEADLINE):
            assert b"HTTP" not in await reader.read()
        writer.close()
        assert (await ask(w.links(), Purpose.PING)).startswith(b"{")
        assert not any("PRIVATE" in line or "GET" in line for line in w.said)


async def test_whoever_says_nothing_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that opens connections and never shakes hands is limited; with all its places taken others enter."""
    monkeypatch.setattr(door, "MOST_HANDSHAKES_OF_ONE", 5)
    async with world() as w:
        silent = [await asyncio.open_connection("127.0.0.1", w.port, local_addr=("127.0.0.66", 0)) for _ in range(9)]
        async with asyncio.timeout(DEADLINE):
            refused = {(await reader.read(1)) for reader, _ in silent[5:]}
        assert refused == {b""}
        assert (await ask(w.links(), Purpose.PING)).startswith(b"{")
        for _, writer in silent:
            writer.close()


async def test_only_what_is_on_the_node_is_reached() -> None:
    """A link brings nobody to addresses that are no server's: loopback, gateway, the metadata address, nonsense."""
    async with world() as w, server(hello):
        links = w.links()
        assert await ask(links, Purpose.SERVER, f"{SERVER} {SERVER_PORT}") == b"hello"
        for target in (
            f"127.0.0.1 {w.port}", "169.254.169.254 80", f"{GATEWAY} {SERVER_PORT}", f"{SERVER} 0", f"{SERVER} 70000",
            SERVER, "", "example.org 80", f"{SERVER} {SERVER_PORT} x",
        ):  # fmt: skip
            with pytest.raises(ConnectionRefusedError, match="not on this node"):
                await ask(links, Purpose.SERVER, target)
        with pytest.raises(ConnectionRefusedError):
            await ask(w.links(KeyRole.NODE), Purpose.HUB, f"{GATEWAY} {HUB_PORT}")  # the hub is elsewhere
        assert await ask(links, Purpose.SERVER, f"{SERVER} {SERVER_PORT}") == b"hello"


async def test_a_hub_that_does_not_listen_is_said_to_be_away() -> None:
    """Servers are told so by its node: that is more than silence, and no reason to end."""
    async with world(hub_node="127.0.0.1") as w:
        answer = await ask(w.links(KeyRole.NODE), Purpose.HUB, f"{GATEWAY} {HUB_PORT}")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"X-Firstbell-Hub: away" in answer


async def test_hub_and_registry_are_reached_where_they_are() -> None:
    """From other nodes a course's hub and the cluster's registry are reached on the node that has them."""
    async with world(hub_node="127.0.0.1") as w:
        links = w.links(KeyRole.NODE)
        async with server(hello, GATEWAY, HUB_PORT), server(hello, "127.0.0.1", REGISTRY_PORT):
            assert await ask(links, Purpose.HUB, f"{GATEWAY} {HUB_PORT}") == b"hello"
            assert await ask(links, Purpose.REGISTRY) == b"hello"
            with pytest.raises(ConnectionRefusedError):
                await ask(links, Purpose.HUB, f"{GATEWAY} 22")


async def test_servers_reach_the_hub_of_another_node_at_their_gateway() -> None:
    """A node listens at a course's gateway for the hub elsewhere, and stops when the hub comes to it."""
    async with world(hub_node="127.0.0.1") as hub, server(hello, GATEWAY, HUB_PORT) as real:
        node = hub.node
        # The same process plays the other node: its gateway would be the hub's own, were both on one machine.
        real.close()
        hub.daemon.hub_node = "127.0.0.99"
        hub.daemon.happened()

        async def listens() -> bool:
            try:
                _, writer = await asyncio.open_connection(GATEWAY, HUB_PORT)
            except OSError:
                return False
            writer.close()
            return True

        async def silent() -> bool:
            return not await listens()

        await becomes(listens)
        hub.daemon.hub_node = "127.0.0.1"
        hub.daemon.happened()
        await becomes(silent)
        assert node.own == "127.0.0.1"


async def test_a_daemon_that_is_away_stops_nothing() -> None:
    """While the daemon or the managers are away, servers are reached and the list of nodes is what it was."""
    async with world() as w, server(hello):
        before = NodeList.read(await ask(w.links(KeyRole.TUNNEL), Purpose.NODES))
        assert before.addresses == {2: "127.0.0.1"}
        assert before.own == 2
        w.daemon.end()
        assert await ask(w.links(), Purpose.SERVER, f"{SERVER} {SERVER_PORT}") == b"hello"
        assert NodeList.read(await ask(w.links(KeyRole.TUNNEL), Purpose.NODES)) == before


def test_a_pulse_of_a_machine(tmp_path: Path) -> None:
    """Memory and pressure are the kernel's own; a kernel that does not tell is 0, not an error."""
    (tmp_path / "pressure").mkdir()
    (tmp_path / "meminfo").write_text("MemTotal: 2048 kB\nMemAvailable: 1024 kB\n")
    (tmp_path / "pressure/cpu").write_text("some avg10=12.50 avg60=1.0 avg300=0.1 total=9\n")
    said = pulse(engine=True, proc=tmp_path)
    assert (said.memory_total, said.memory_available, said.pressure_cpu, said.pressure_memory) == (
        2048 * 1024, 1024 * 1024, 12.5, 0.0,
    )  # fmt: skip
    assert type(said).read(said.line()) == said
    assert type(said).read(json.dumps({**json.loads(said.line()), "later": 1}).encode()) == said
    with pytest.raises(ValueError):
        type(said).read(b"[]")


async def test_a_node_without_its_daemon_is_said_in_words() -> None:
    """A link whose daemon has gone says so; the engine of that node is not available, and nothing is guessed."""
    async with world() as w:
        Path(w.daemon.path).unlink()
        async with node_engine("127.0.0.1", keys().of(KeyRole.HUB), port=w.port) as engine:
            with pytest.raises(EngineUnavailable) as caught:
                await engine.facts()
        assert "No such file" in str(caught.value) or "closed the connection" in str(caught.value)

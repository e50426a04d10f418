"""Through the tunnel and a node's link a server is reached as if it were here."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from typing import Any

import pytest

from firstbell.link import forward
from firstbell.link.carrier import Carrier
from firstbell.link.forward import Forwarder
from firstbell.link.links import Links
from firstbell.link.reach import Reach
from firstbell.model.cluster import KeyRole, Purpose
from tests.unit.link.world import DEADLINE, SERVER, eventually, keys, server, world

MIB = 1024**2


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_the_end_of_one_direction_is_not_the_end_of_both() -> None:
    """A server that answers once its caller has said everything is heard to the end, and so the other way round."""

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(str(len(await reader.read())).encode())
        writer.close()

    async with world() as w, server(count):
        reader, writer = await w.knock()
        writer.write(b"x" * 3 * MIB)
        writer.write_eof()
        async with asyncio.timeout(DEADLINE):
            assert await reader.read() == str(3 * MIB).encode()
        writer.close()


async def test_many_megabytes_arrive_as_they_were() -> None:
    """What is sent both ways at once arrives whole and in order."""
    sent = os.urandom(20 * MIB)
    async with world() as w, server(echo):
        reader, writer = await w.knock()
        writer.write(sent)
        writer.write_eof()
        async with asyncio.timeout(60):
            heard = await reader.read()
        assert hashlib.sha256(heard).digest() == hashlib.sha256(sent).digest()
        writer.close()


@pytest.mark.parametrize("slow", ["server", "browser"])
async def test_nobody_reads_what_fills_no_memory(slow: str) -> None:
    """Whoever sends to somebody who does not read is held back, before much is kept on the way."""
    held = asyncio.Event()

    async def pour(writer: asyncio.StreamWriter) -> int:
        poured = 0
        try:
            async with asyncio.timeout(1.0) as patience:
                while poured < 200 * MIB:
                    writer.write(b"x" * 65536)
                    await writer.drain()
                    poured += 65536
                    patience.reschedule(asyncio.get_running_loop().time() + 1.0)
        except TimeoutError:
            return poured
        return poured

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if slow == "browser":
            poured.set_result(await pour(writer))
        await held.wait()
        writer.transport.abort()

    poured: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with world() as w, server(talk):
        _, writer = await w.knock()
        if slow == "server":
            poured.set_result(await pour(writer))
        # The kernel's own buffers of six sockets, and a few of ours.
        assert await poured < 64 * MIB
        held.set()
        writer.transport.abort()


async def test_a_server_that_dies_is_not_a_server_that_has_finished() -> None:
    """A page that is cut off half-way is a reset, so that nobody takes the half for all."""

    async def die(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"half")
        await writer.drain()
        await seen.wait()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER of no seconds: a reset
        writer.transport.abort()

    seen = asyncio.Event()
    async with world() as w, server(die):
        reader, _ = await w.knock()
        async with asyncio.timeout(DEADLINE):
            assert await reader.readexactly(4) == b"half"
            seen.set()
            with pytest.raises(ConnectionResetError):
                await reader.read()


async def test_a_link_that_is_cut_resets_what_it_carried() -> None:
    """A node that goes takes its connections with it; the next one goes over a new link."""
    async with world() as w, server(echo):
        reader, writer = await w.knock()
        writer.write(b"ping")
        async with asyncio.timeout(DEADLINE):
            assert await reader.readexactly(4) == b"ping"
            for carrier in tuple(w.door._carriers):
                carrier.abort()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            reader, writer = await w.knock()
            writer.write(b"again")
            assert await reader.readexactly(5) == b"again"
        writer.close()


async def test_one_connection_carries_one_request_after_another() -> None:
    """A hundred requests, a refused one among them, need a single handshake."""
    shaken: list[Carrier] = []
    async with world() as w, server(echo):
        enter = w.door.enter

        def counting(carrier: Carrier, source: str, transport: Any) -> Purpose | None:
            shaken.append(carrier)
            return enter(carrier, source, transport)

        w.door.enter = counting  # type: ignore[method-assign]
        for number in range(100):
            reader, writer = await w.knock(server="127.9.0.8" if number == 50 else SERVER)
            async with asyncio.timeout(DEADLINE):
                if number == 50:
                    with pytest.raises(ConnectionResetError):
                        await reader.read()
                else:
                    writer.write(b"x")
                    writer.write_eof()
                    assert await reader.read() == b"x"
            writer.close()
        assert len(shaken) == 1


async def test_five_hundred_at_once() -> None:
    """Five hundred connections that stay open are all served, and leave nothing behind."""
    servers = [f"127.9.0.{number}" for number in range(20, 25)]
    async with contextlib.AsyncExitStack() as stack:
        w = await stack.enter_async_context(world())
        for address in servers:
            await stack.enter_async_context(server(echo, address))
        async with asyncio.timeout(60):
            open_ones = await asyncio.gather(*(w.knock(server=address) for address in servers * 100))
            for number, (_, writer) in enumerate(open_ones):
                writer.write(b"%03d" % number)
            for number, (reader, _) in enumerate(open_ones):
                assert await reader.readexactly(3) == b"%03d" % number
        for _, writer in open_ones:
            writer.close()
        await eventually(lambda: not w.tunnel.forwarder._open)
        await eventually(lambda: w.door.links <= 66)


async def test_an_unknown_node_is_a_reset_and_is_asked_for() -> None:
    """A number that is no node's ends in a reset; once the managers know it, it is reached."""
    async with world() as w, server(echo):
        async with asyncio.timeout(DEADLINE):
            reader, _ = await w.knock(node=7)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            w.daemon.nodes["7"] = "127.0.0.1"
            answer = b""
            while answer != b"x":
                reader, writer = await w.knock(node=7)
                writer.write(b"x")
                try:
                    answer = await reader.read(1)
                except ConnectionResetError:
                    await asyncio.sleep(0.05)
                writer.close()


async def test_servers_of_the_own_node_are_reached_straight() -> None:
    """On the hub's own node no link is between, so one machine's worth of a cluster costs what one machine costs."""
    async with world() as w, server(echo):
        w.tunnel.own_is(2)
        before = w.door.links
        reader, writer = await w.knock()
        writer.write(b"near")
        async with asyncio.timeout(DEADLINE):
            assert await reader.readexactly(4) == b"near"
        assert w.door.links == before
        writer.close()


async def test_whoever_waits_for_a_silent_node_is_told_soon() -> None:
    """A request to a node that has stopped answering is reset, a new one at once; who only listens goes on later."""
    frozen = asyncio.Event()
    frozen.set()
    carried: list[asyncio.Task[None]] = []

    async with world() as w, server(echo):

        async def way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            """To the link, as long as the cable is in."""
            there, out = await asyncio.open_connection("127.0.0.1", w.port)

            async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                while data := await source.read(65536):
                    await frozen.wait()
                    sink.write(data)
                sink.close()

            carried.extend(asyncio.ensure_future(copy(*ends)) for ends in ((reader, out), (there, writer)))

        cable = await asyncio.start_server(way, "127.0.0.1", 0)
        links = Links(keys().of(KeyRole.TUNNEL), port=cable.sockets[0].getsockname()[1])
        reach = Reach(links, w.said.append, every=0.02, away_after=0.2)
        forwarder = Forwarder(links, w.tunnel.way, w.tunnel.learn, w.said.append, reach=reach)
        door = await asyncio.get_running_loop().create_server(forwarder.protocol, "127.0.32.7", 0)
        near = door.sockets[0].getsockname()
        looking = asyncio.ensure_future(reach.run())
        listening, listener = await asyncio.open_connection(*near)
        listener.write(b"hello")
        async with asyncio.timeout(DEADLINE):
            assert await listening.readexactly(5) == b"hello"
            waiting, waiter = await asyncio.open_connection(*near)
            waiter.write(b"x")
            assert await waiting.readexactly(1) == b"x"
            frozen.clear()
            waiter.write(b"are you there?")
            with pytest.raises(ConnectionResetError):
                await waiting.read(1)
            late, _ = await asyncio.open_connection(*near)
            with pytest.raises(ConnectionResetError):
                await late.read(1)
            frozen.set()
            await eventually(lambda: not reach.is_silent("127.0.0.1"))
            listener.write(b"still")
            assert await listening.readexactly(5) == b"still"
        for task in (looking, *carried):
            task.cancel()
        listener.close()
        door.close()
        cable.close()
        await links.close()


async def test_one_server_cannot_take_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its share a server gets no more connections, while another's are served."""
    monkeypatch.setattr(forward, "MOST_OF_ONE", 5)
    async with world() as w, server(echo), server(echo, "127.9.0.8"), asyncio.timeout(DEADLINE):
        mine = [await w.knock() for _ in range(5)]
        for reader, writer in mine:
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
        more, _ = await w.knock()
        with pytest.raises(ConnectionResetError):
            await more.read(1)
        reader, writer = await w.knock(server="127.9.0.8")
        writer.write(b"y")
        assert await reader.readexactly(1) == b"y"
        for _, writer in mine:
            writer.close()

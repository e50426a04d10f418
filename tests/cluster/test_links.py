"""The links between nodes on a real Swarm: each node's daemon, its servers and hubs, seen from another node."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from firstbell.engine.docker import DockerEngine
from firstbell.engine.swarm_link import Pinger, node_engine
from firstbell.engine.waiting import until
from firstbell.errors import EngineUnavailable
from firstbell.link import authority
from firstbell.link.keys import ClusterKeys, RoleKeys
from firstbell.model.cluster import LINK_PORT, REGISTRY_PORT, KeyRole, tunnel_address, tunnel_port
from firstbell.model.container import MIB, ContainerSpec, File, Limits, frozen
from firstbell.model.names import LABEL_COURSE, LABEL_HUB_NODE, NODE_NUMBER, NODE_READY, Role, labels
from firstbell.model.runtime import HUB_PORT, SERVER_PORT
from tests.support.cluster import Cluster, Node
from tests.support.cluster.inside import connected, inside
from tests.support.cluster.node import healed, wait

ROOT = Path(__file__).resolve().parents[2]
COURSE = "links"
SUBNET = "172.28.16.0/20"
GATEWAY = "172.28.16.1"
SERVER = "172.28.16.7"
SECRETS = (b"page-of-nobody-else", b"cookie-of-nobody-else", b"token-of-nobody-else")
PATIENCE = 60.0


@dataclass(frozen=True)
class Linked:
    """A cluster with a link on each node, and on the first a course's tunnel."""

    cluster: Cluster
    keys: ClusterKeys
    folder: Path

    @property
    def hub(self) -> RoleKeys:
        return self.keys.of(KeyRole.HUB)

    def engine(self, node: Node) -> DockerEngine:
        return node_engine(node.address, self.hub)

    def way(self, node: Node) -> tuple[str, int]:
        """Where the first node reaches the server of that node."""
        return tunnel_address(node.number, SERVER, SUBNET), tunnel_port(SUBNET)

    def page(self, node: Node, path: str = "/", **headers: str) -> bytes:
        """The page of the server on that node."""
        connection = http.client.HTTPConnection("server", timeout=PATIENCE)
        connection.sock = connected(self.cluster.manager, *self.way(node), timeout=PATIENCE)
        connection.request("GET", path, headers=headers)
        body = connection.getresponse().read()
        connection.close()
        return body

    @contextlib.asynccontextmanager
    async def websocket(self, node: Node) -> AsyncIterator[WebSocketClientConnection]:
        """A web socket to the server on that node, through a port of this machine's loopback."""
        async with _carried(self.cluster.manager, *self.way(node)) as port:
            made = await websocket_connect(HTTPRequest(f"ws://127.0.0.1:{port}/echo"))
            try:
                yield made
            finally:
                made.close()


@contextlib.asynccontextmanager
async def _carried(node: Node, address: str, port: int) -> AsyncIterator[int]:
    """A port here for one of a node's loopback device."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection(sock=await asyncio.to_thread(connected, node, address, port))

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(copy(reader, out), copy(there, writer))

    made = await asyncio.start_server(carry, "127.0.0.1", 0)
    try:
        yield made.sockets[0].getsockname()[1]
    finally:
        made.close()


@contextlib.contextmanager
def program(node: Node, log: Path, ready: str, *words: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program on that node while the block runs; begins once its log says `ready`."""
    with log.open("wb") as out:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
        started = subprocess.Popen(node.inside(sys.executable, *words), stdout=out, stderr=out, env=environment)
    try:
        wait(lambda: ready in log.read_text() or started.poll() is not None, f"{words}: {ready}")
        assert started.poll() is None, log.read_text()
        yield started
    finally:
        # nsenter waits for its child; it is the child that must end.
        children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                os.kill(int(child), 15)
        started.terminate()
        started.wait(20)


@pytest.fixture(scope="module")
def linked(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Linked]:
    """Links, a tunnel on the first node, a server on each."""
    made = Linked(cluster, authority.make(datetime.now(UTC)), tmp_path_factory.mktemp("links"))
    for role in KeyRole:
        (made.folder / f"{role.value}.pem").write_bytes(made.keys.of(role).bundle)
    manager = cluster.manager
    with contextlib.ExitStack() as stack:
        for node in cluster.nodes:
            marks = (f"{NODE_READY}=true", f"{NODE_NUMBER}={node.number}")
            manager.docker("node", "update", *(f"--label-add={mark}" for mark in marks), node.name)
            _network(node, manager.address)
            stack.callback(node.docker, "network", "rm", COURSE, check=False)
            words = ("--keys", made.folder / "node.pem", "--registry", manager.address)
            log = made.folder / f"link-{node.number}.log"
            stack.enter_context(program(node, log, "courses: ", "-m", "firstbell.link.node", *words))
            server = (Path(__file__).with_name("page_server.py"), SERVER, str(SERVER_PORT))
            stack.enter_context(program(node, made.folder / f"server-{node.number}.log", "ready", *server))
        keys = made.folder / "tunnel.pem"
        tunnel = ("-m", "firstbell.link.tunnel", "--subnet", SUBNET, "--keys", keys)
        stack.enter_context(program(manager, made.folder / "tunnel.log", "nodes: 1", *tunnel))
        yield made
    cluster.mend()


def _network(node: Node, hub_node: str) -> None:
    """The course's network, with an address for a server that is no container."""
    node.docker("network", "rm", COURSE, check=False)
    words = ("--subnet", SUBNET, "--gateway", GATEWAY, "--label", f"{LABEL_COURSE}={COURSE}")
    bridge = "com.docker.network.bridge.name=fb-links"
    node.docker("network", "create", *words, "--label", f"{LABEL_HUB_NODE}={hub_node}", "--opt", bridge, COURSE)
    node.run("ip", "address", "add", f"{SERVER}/20", "dev", "fb-links")


async def test_each_daemon_is_an_ordinary_engine(linked: Linked, busybox: str) -> None:
    """Through its link a node's daemon runs, feeds, watches and fills containers as the one of this machine does."""
    for node in linked.cluster.workers:
        async with linked.engine(node) as engine:
            assert (await engine.facts()).address == node.address
            marks = frozen(labels(COURSE, Role.APP))
            spec = ContainerSpec("links-count", busybox, ("wc", "-c"), labels=marks, limits=Limits(memory=64 * MIB))
            counted = await engine.run(spec, stdin=b"x" * 3_000_000, deadline=PATIENCE)
            assert (counted.exit_code, counted.stdout.strip()) == (0, b"3000000")
            events = engine.events(COURSE)
            first = asyncio.ensure_future(anext(events))
            talker = ContainerSpec(
                "links-talk", busybox, ("sh", "-c", "while :; do echo tick; sleep 0.2; done"), labels=marks,
                limits=Limits(memory=256 * MIB),
            )  # fmt: skip
            await engine.start(talker)
            try:
                assert (await asyncio.wait_for(first, PATIENCE)).name
                assert (await engine.exec(talker.name, ["cat"], b"said")).stdout == b"said"
                lines = engine.logs(talker.name, follow=True)
                assert [await asyncio.wait_for(anext(lines), PATIENCE) for _ in range(3)] == ["tick"] * 3
                await lines.aclose()
                big = os.urandom((100 if node.number == 2 else 1) * MIB)
                await engine.put(talker.name, [File("/tmp/big", big, 0o644)])
                assert big in b"".join([piece async for piece in engine.get(talker.name, "/tmp/big")])
            finally:
                await events.aclose()
                await engine.stop(talker.name, 0)


async def test_pages_and_web_sockets_of_every_node(linked: Linked) -> None:
    """From the hub's node a server is reached on whatever node it is, by page and by web socket."""
    for node in linked.cluster.nodes:
        page = await asyncio.to_thread(linked.page, node, Cookie="me")
        assert page.startswith(f"page of {SERVER} for me".encode()) and len(page) > 200_000
        async with linked.websocket(node) as talk:
            for number in range(20):
                await talk.write_message(f"{number}")
                assert await asyncio.wait_for(_heard(talk), PATIENCE) == f"{number}"


async def _heard(talk: WebSocketClientConnection) -> str | bytes | None:
    return await talk.read_message()


def _serve_once(node: Node, address: str, port: int, answer: bytes) -> threading.Thread:
    listener = inside(node)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen()

    def serve() -> None:
        with listener:
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize(("address", "port"), [(GATEWAY, HUB_PORT), ("127.0.0.1", REGISTRY_PORT)])
def test_hub_and_registry_of_the_first_node_are_on_all(linked: Linked, address: str, port: int) -> None:
    """A worker reaches the hub at its own gateway and the registry at its own loopback; on the first node they are."""
    for node in linked.cluster.workers:
        serving = _serve_once(linked.cluster.manager, address, port, b"here I am")
        with connected(node, address, port) as sock:
            sock.sendall(b"hello")
            assert sock.recv(100) == b"here I am"
        serving.join()


async def test_a_manager_that_hangs_stops_no_server(linked: Linked) -> None:
    """While the only manager's daemon does not answer, servers on all nodes are reached, new connections among them."""
    manager = linked.cluster.manager
    async with linked.websocket(linked.cluster.workers[0]) as talk:
        manager.run("sh", "-c", "kill -STOP $(cat /run/docker.pid)")
        try:
            await talk.write_message("still")
            assert await asyncio.wait_for(_heard(talk), PATIENCE) == "still"
            for node in linked.cluster.nodes:
                assert b"page of" in await asyncio.to_thread(linked.page, node)
        finally:
            manager.run("sh", "-c", "kill -CONT $(cat /run/docker.pid)")


async def test_loss_and_delay_end_no_connection(linked: Linked) -> None:
    """With every tenth packet lost and all 200 ms late a web socket stays, pages come, and the node is not taken for
    gone: of ten pings most are answered."""
    node = linked.cluster.workers[0]
    with healed(node):
        pinger = Pinger(linked.hub)
        async with linked.websocket(node) as talk:
            node.slow(200, 10)
            answered = 0
            for number in range(10):
                await talk.write_message(f"{number}")
                assert await asyncio.wait_for(_heard(talk), PATIENCE) == f"{number}"
                with contextlib.suppress(EngineUnavailable):
                    answered += (await pinger.ping(node.address)).cores > 0
            assert answered >= 6
            assert b"page of" in await asyncio.to_thread(linked.page, node)
            async with linked.engine(node) as engine:
                assert (await engine.facts()).address == node.address
        await pinger.close()


async def test_whoever_asks_a_node_that_is_gone_is_told_within_ten_seconds(linked: Linked) -> None:
    """A page of a node whose cable is out ends in a reset, which the proxy answers with the hub's page; a new one at
    once; after the cable is in again it comes."""
    node = linked.cluster.workers[1]
    with healed(node):
        assert b"page of" in await asyncio.to_thread(linked.page, node)
        node.cut()
        for most in (12.0, 1.0):
            began = asyncio.get_running_loop().time()
            with pytest.raises(OSError):
                await asyncio.to_thread(linked.page, node)
            assert asyncio.get_running_loop().time() - began < most
        node.heal()

        async def comes() -> bool:
            with contextlib.suppress(OSError):
                return b"page of" in await asyncio.to_thread(linked.page, node)
            return False

        assert await until(comes, deadline=PATIENCE)


async def test_a_cut_of_some_seconds_is_only_a_pause(linked: Linked) -> None:
    """What was said to a server while its node was cut off arrives once the cable is in again."""
    node = linked.cluster.workers[1]
    with healed(node):
        async with linked.websocket(node) as talk:
            node.cut()
            await talk.write_message("into the dark")
            with pytest.raises(EngineUnavailable):
                pinger = Pinger(linked.hub)
                await pinger.ping(node.address)
            await pinger.close()
            node.heal()
            assert await asyncio.wait_for(_heard(talk), PATIENCE) == "into the dark"


class Wire:
    """All bytes that pass at a node's cable."""

    def __init__(self, node: Node) -> None:
        self._sock = inside(node, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._sock.bind(("eth0", 0))
        self._sock.setsockopt(socket.SOL_SOCKET, 33, 64 * MIB)  # SO_RCVBUFFORCE: no packet may be missed
        self._sock.settimeout(0.2)
        self._seen = bytearray()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                self._seen += self._sock.recv(65536)
            except TimeoutError:
                if self._over.is_set():
                    return

    def all(self) -> bytes:
        """What passed until now."""
        self._over.set()
        self._thread.join()
        self._sock.close()
        return bytes(self._seen)


async def test_nothing_is_readable_on_the_wire(linked: Linked, busybox: str) -> None:
    """A page, a cookie, a token and what is fed to a command pass a node's cable, and none can be read there."""
    node = linked.cluster.workers[0]
    page, cookie, token = (secret.decode() for secret in SECRETS)
    wire = Wire(node)
    assert cookie.encode() in await asyncio.to_thread(linked.page, node, f"/?token={token}", Cookie=cookie)
    async with linked.websocket(node) as talk:
        await talk.write_message(page)
        assert await asyncio.wait_for(_heard(talk), PATIENCE) == page
    async with linked.engine(node) as engine:
        spec = ContainerSpec("links-secret", busybox, ("cat",), labels=frozen(labels(COURSE, Role.APP)))
        assert (await engine.run(spec, stdin=token.encode(), deadline=PATIENCE)).stdout == token.encode()
    serving = _serve_once(linked.cluster.manager, GATEWAY, HUB_PORT, cookie.encode())
    with connected(node, GATEWAY, HUB_PORT) as sock:
        sock.sendall(f"Authorization: token {token}".encode())
        assert sock.recv(100) == cookie.encode()
    serving.join()
    with socket.create_connection((node.address, LINK_PORT)) as plain:
        plain.sendall(b"this can be read")
        plain.settimeout(20)
        with contextlib.suppress(OSError):
            plain.recv(100)
    seen = wire.all()
    assert b"this can be read" in seen, "the capture has missed what passed"
    assert len(seen) > 200_000
    assert not [secret for secret in SECRETS if secret in seen]


def test_the_tunnel_is_open_to_the_loopback_device_alone(linked: Linked) -> None:
    """From outside nobody reaches a server through the tunnel's port."""
    with (
        pytest.raises(OSError),
        socket.create_connection((linked.cluster.manager.address, tunnel_port(SUBNET)), timeout=2),
    ):
        pass


def test_a_request_through_the_tunnel_costs_little(linked: Linked) -> None:
    """A new connection with one request costs tunnel and link together less than six milliseconds of CPU."""
    node = linked.cluster.workers[0]

    def spent() -> float:
        return sum(_cpu(pid) for pid in _pids(str(linked.folder)))

    for _ in range(20):
        linked.page(node)
    before, count = spent(), 200
    for _ in range(count):
        linked.page(node)
    each = (spent() - before) / count
    print(f"CPU per connection and request of 200 kB: {each * 1000:.2f} ms")
    assert each < 0.006


def _pids(folder: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = entry.read_bytes().decode().replace("\0", " ")
            if folder in words and "firstbell.link" in words and not words.startswith("nsenter"):
                found.append(int(entry.parent.name))
    return found


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

"""What a user's terminal can reach (attacks 38, 39)."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp

from firstbell.model.runtime import HUB_PORT, PROXY_API_PORT, PROXY_PORT
from tests.support.course import docker

NAMESPACE = "fbtest-out"
METADATA, PRIVATE, PUBLIC = "169.254.169.254", "10.234.5.6", "203.0.113.7"
"""The clouds' metadata address; a private one; one of TEST-NET-3 that stands for the internet."""

SCAN = """
import asyncio, json
async def one(host, port):
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1.5)
        writer.close()
        return [host, port]
    except (OSError, asyncio.TimeoutError):
        return None
print(json.dumps([r for r in await asyncio.gather(*(one(h, p) for h, p in {targets})) if r]))
"""


@contextmanager
def outside_world() -> Iterator[None]:
    """A namespace behind this machine that owns the outside addresses, so that no packet leaves."""

    def ip(*words: str, check: bool = True) -> None:
        subprocess.run(["ip", *words], check=check, capture_output=True)

    ip("netns", "del", NAMESPACE, check=False)
    ip("netns", "add", NAMESPACE)
    server = None
    try:
        ip("link", "add", "fbtest0", "type", "veth", "peer", "name", "fbtest1", "netns", NAMESPACE)
        ip("addr", "add", "192.0.2.201/30", "dev", "fbtest0")
        ip("link", "set", "fbtest0", "up")
        ip("-n", NAMESPACE, "link", "set", "lo", "up")
        ip("-n", NAMESPACE, "link", "set", "fbtest1", "up")
        ip("-n", NAMESPACE, "addr", "add", "192.0.2.202/30", "dev", "fbtest1")
        ip("-n", NAMESPACE, "route", "add", "default", "via", "192.0.2.201")
        for address in (METADATA, PRIVATE, PUBLIC):
            ip("-n", NAMESPACE, "addr", "add", f"{address}/32", "dev", "lo")
            ip("route", "add", f"{address}/32", "via", "192.0.2.202")
        server = subprocess.Popen(
            ["ip", "netns", "exec", NAMESPACE, "python3", "-u", "-m", "http.server", "80"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert server.stdout is not None
        server.stdout.readline()  # it says so when it listens
        yield
    finally:
        if server:
            server.kill()
            server.wait()
        ip("link", "del", "fbtest0", check=False)
        ip("netns", "del", NAMESPACE, check=False)


@contextmanager
def host_service() -> Iterator[int]:
    """Something else that this machine runs and that listens on every address; its port."""
    server = ThreadingHTTPServer(("0.0.0.0", 0), BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def host_addresses() -> list[str]:
    """This machine's addresses beside loopback."""
    rows = json.loads(subprocess.run(["ip", "-j", "-4", "addr"], capture_output=True, text=True).stdout)
    return [a["local"] for row in rows for a in row["addr_info"] if not a["local"].startswith("127.")]


async def test_only_the_allowed_pairs_answer(seminar, visit):
    """From a server's terminal the hub's API and the internet answer; no other server, host port or special address."""
    ada, ben = await visit(), await visit()
    gateway = docker(
        "network", "inspect", f"firstbell-{seminar.name}-servers", "-f", "{{(index .IPAM.Config 0).Gateway}}"
    )
    peer = next(iter(seminar.server_of(ben.user)["NetworkSettings"]["Networks"].values()))["IPAddress"]
    edge_port = int(seminar.url.rsplit(":", 1)[1])
    with outside_world(), host_service() as other:
        here = [gateway, "127." + gateway.split(".", 1)[1], *host_addresses()]
        ports = [22, 80, 2375, 2376, HUB_PORT, PROXY_PORT, PROXY_API_PORT, edge_port, other]
        targets = [
            (peer, 8888),
            *[(h, p) for h in here for p in ports],
            *[(h, 80) for h in (METADATA, PRIVATE, PUBLIC)],
        ]
        outcome = await ada.execute(SCAN.replace("{targets}", repr(targets)))
    answered = {tuple(pair) for pair in json.loads(outcome.text)}
    assert answered == {(gateway, HUB_PORT), (PUBLIC, 80)}


async def test_no_daemon_in_the_container(visit):
    """No engine socket is to be found in a server."""
    ada = await visit()
    assert await ada.sh("find / -xdev -type s 2>/dev/null | grep -v /home/ | grep .") == "[exit 1]\n"


ENDPOINTS = """
GET hub/api/users
GET hub/api/users/{other}
PATCH hub/api/users/{other}
DELETE hub/api/users/{other}
POST hub/api/users/{other}/server
DELETE hub/api/users/{other}/server
POST hub/api/users/{other}/tokens
GET hub/api/users/{other}/tokens
POST hub/api/users/{other}/activity
GET hub/api/users/{other}/server/progress
GET hub/api/groups
GET hub/api/proxy
POST hub/api/proxy
GET hub/api/services
POST hub/api/shutdown
GET user/{other}/api/contents
GET user/{other}/api/kernels
POST user/{other}/api/terminals
PUT user/{other}/api/contents/x.txt
"""


async def test_own_token_opens_nothing_of_others(seminar, visit):
    """The token in a user's own server is refused at every endpoint of somebody else, and at the hub's own."""
    ada, ben = await visit(), await visit()
    token = (await ada.execute("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])")).text.strip()
    answers: dict[str, int] = {}
    async with aiohttp.ClientSession(headers={"Authorization": f"token {token}"}) as thief:
        async with thief.get(f"{seminar.url}/hub/api/user") as answer:
            assert (await answer.json())["name"] == ada.user
        for line in ENDPOINTS.split("\n")[1:-1]:
            method, path = line.format(other=ben.user).split()
            async with thief.request(method, f"{seminar.url}/{path}", json={}, allow_redirects=False) as answer:
                answers[line] = answer.status
    assert not {line: status for line, status in answers.items() if status not in {403, 404}}

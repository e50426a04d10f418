"""The Caddyfile of a course, checked by Caddy itself."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from tornado import httpserver, netutil, web

from firstbell.model.course import Course
from firstbell.plan.edge import DATA_DIR, caddyfile

CADDY = Path(sys.executable).parent / "caddy"


def adapted(**keys: object) -> dict[str, Any]:
    course = Course.model_validate({"name": "c", "server": {"image": "x"}, **keys})
    text = caddyfile(course, "http://127.18.0.1:18000", "http://172.18.0.1:18081")
    result = subprocess.run(
        [CADDY, "adapt", "--adapter", "caddyfile", "--config", "-"], input=text, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


def listeners(config: dict[str, Any]) -> list[str]:
    return [address for server in config["apps"]["http"]["servers"].values() for address in server["listen"]]


def test_plain_http_stays_on_loopback():
    """Without a word about it a course listens on this machine alone."""
    assert listeners(adapted()) == ["127.0.0.1:8000"]


def test_https_gets_certificates():
    """An https URL is served on 443 with automatic certificates."""
    config = adapted(url="https://jupyter.example.org")
    assert listeners(config) == [":443"]


def test_internal_authority():
    """tls = "internal" signs with an authority of its own."""
    config = adapted(url="https://localhost:8443", tls="internal")
    policies = config["apps"]["tls"]["automation"]["policies"]
    assert policies[0]["issuers"] == [{"module": "internal"}]


def test_own_certificate():
    """Given files are used."""
    config = adapted(url="https://x.example.org", tls={"cert": "/a.pem", "key": "/b.pem"})
    assert config["apps"]["tls"]["certificates"]["load_files"][0]["key"] == "/srv/firstbell/tls/key.pem"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://jupyter.example.org"])
def test_no_admin_interface(url):
    """The edge has no admin interface for anybody to reach."""
    assert adapted(url=url)["admin"]["disabled"] is True


def test_events_are_not_compressed():
    """Server-sent events pass uncompressed, so that no progress message waits in a buffer."""
    assert "text/event-stream" in json.dumps(adapted()["apps"]["http"]["servers"])


@pytest.mark.parametrize(("url", "path"), [("http://127.0.0.1:8000", "/_static/*"), ("http://h:1/b", "/b/_static/*")])
def test_page_files_come_from_the_disk(url, path):
    """Below the course's own path the edge serves compressed files itself; all else is the proxy's."""
    [server] = adapted(url=url)["apps"]["http"]["servers"].values()
    text = json.dumps(server)
    assert path in text
    assert '"handler": "file_server"' in text
    assert '"precompressed_order": ["br", "gzip"]' in text
    assert '"root": "/srv/firstbell/static/www"' in text
    assert text.count('"handler": "reverse_proxy"') == 2


async def _answered(tmp_path: Path, *paths: str, **keys: object) -> list[tuple[int, str]]:
    """What a running edge answers: status, and the redirect or who answered."""

    class Named(web.RequestHandler):
        def get(self) -> None:
            self.finish(f"{self.settings['name']} {self.request.headers['X-Forwarded-For']}")

    sockets = [netutil.bind_sockets(0, "127.0.0.1")[0] for _ in range(3)]
    ports = [bound.getsockname()[1] for bound in sockets]
    servers = []
    for bound, name in zip(sockets[:2], ("hub", "proxy"), strict=True):
        servers.append(httpserver.HTTPServer(web.Application([(".*", Named)], name=name)))
        servers[-1].add_sockets([bound])
    sockets[2].close()
    course = Course.model_validate({"name": "c", "server": {"image": "x"}, **keys})
    course = course.model_copy(update={"url": course.url.replace("8000", str(ports[2]))})
    config = tmp_path / "Caddyfile"
    text = caddyfile(course, f"http://127.0.0.1:{ports[1]}", f"http://127.0.0.1:{ports[0]}")
    config.write_text(text.replace(DATA_DIR, str(tmp_path)))
    command = [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports[2]}", trust_env=False) as client:
            async with asyncio.timeout(20):
                while True:
                    try:
                        answers = [await client.get(path) for path in paths]
                        break
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
        return [(answer.status_code, answer.headers.get("location", "") or answer.text) for answer in answers]
    finally:
        process.terminate()
        await process.wait()
        for server in servers:
            server.stop()


async def test_the_hubs_pages_come_straight_from_the_hub(tmp_path: Path) -> None:
    """The hub's paths and nothing else take no way through the proxy; the visitor's address goes along."""
    paths = ("/hub/login", "/hub", "/hub/api/users/a/server/progress?x=1", "/user/a/hub/", "/hubble", "/?next=/x")
    answers = await _answered(tmp_path, *paths)
    assert answers == [(200, f"{who} 127.0.0.1") for who in ("hub", "hub", "hub", "proxy", "proxy", "proxy")]


async def test_the_courses_address_leads_to_the_login_at_once(tmp_path: Path) -> None:
    """One redirect instead of two, also where the course has a path of its own."""
    assert await _answered(tmp_path, "/") == [(302, "/hub/login")]
    answers = await _answered(tmp_path, "/ml/", "/ml/hub/x", "/", url="http://127.0.0.1:8000/ml/")
    assert answers == [(302, "/ml/hub/login"), (200, "hub 127.0.0.1"), (200, "proxy 127.0.0.1")]

"""The Caddyfile of a course, checked by Caddy itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from firstbell.model.course import Course
from firstbell.plan.edge import caddyfile

CADDY = Path(sys.executable).parent / "caddy"


def adapted(**keys: object) -> dict[str, Any]:
    course = Course.model_validate({"name": "c", "server": {"image": "x"}, **keys})
    text = caddyfile(course, "http://127.18.0.1:18000")
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
    assert text.count('"handler": "reverse_proxy"') == 1

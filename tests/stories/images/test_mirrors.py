"""Builds behind mirrors."""

from __future__ import annotations

import shutil
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pip._internal.models.index import PyPI

from firstbell.engine.base import Engine
from firstbell.engine.docker import DockerEngine
from firstbell.work.base_image import Distribution, host_mirror
from tests.stories.images.conftest import MakeCourse, built, run


class Mirror(ThreadingHTTPServer):
    """Passes on what it is asked, to the Debian mirror of this machine and to pip's own index, and notes the paths."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.paths: list[str] = []
        self.debian = host_mirror(Distribution("debian", "trixie")).removesuffix("/debian")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Mirror

    def do_GET(self) -> None:
        """Fetch it upstream."""
        self.server.paths.append(self.path)
        index = f"{PyPI.simple_url}/{self.path.removeprefix('/simple/')}"
        upstream = index if self.path.startswith("/simple/") else self.server.debian + self.path
        wanted = {"Accept": self.headers["Accept"]} if "Accept" in self.headers else {}
        try:
            with urllib.request.urlopen(urllib.request.Request(upstream, headers=wanted), timeout=60) as answer:
                self.send_response(answer.status)
                for name in ("Content-Type", "Content-Length", "Last-Modified"):
                    if answer.headers[name]:
                        self.send_header(name, answer.headers[name])
                self.end_headers()
                shutil.copyfileobj(answer, self.wfile)
        except urllib.error.HTTPError as error:
            self.send_error(error.code)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    """A mirror on loopback."""
    with Mirror() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_all_comes_from_the_mirrors(engine: Engine, course: MakeCourse, project: Path, mirror: Mirror) -> None:
    """With [network] apt and pypi set, packages come from there, and nothing of them stays in the image."""
    (project / "apt.txt").write_text("tree\n")
    (project / "requirements.txt").write_text("tomli-w\n")
    async with DockerEngine(classic=True) as classic:  # which has nothing kept from earlier builds
        spec = await built(classic, course(apt=f"{mirror.url}/debian", pypi=f"{mirror.url}/simple"))
    assert [path for path in mirror.paths if path.startswith("/debian/pool/main/t/tree/")]
    assert {"/simple/uv/", "/simple/jupyterlab/", "/simple/tomli-w/"} <= set(mirror.paths)
    look = f"env; grep -r {mirror.server_port} /etc/apt /etc/pip* /home 2>/dev/null; python3 -c 'import tomli_w'"
    result = await run(engine, spec.tag, "sh", "-c", look)
    assert result.exit_code == 0, result.lines
    assert str(mirror.server_port) not in result.stdout.decode()

"""A real image registry on this machine: Debian's docker-registry in a container, trusted since it is on loopback."""

from __future__ import annotations

import asyncio
import http.client
import io
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import bcrypt

from firstbell.engine.docker import DockerEngine
from firstbell.model.image import BuildSpec
from firstbell.model.network import Network
from firstbell.work.build import get_base
from tests.support.course import docker

BASE = "debian:trixie-slim"
IMAGE = "firstbell-test/registry:1"
DOCKERFILE = f"""\
FROM {BASE}
RUN apt-get update && apt-get install -y --no-install-recommends docker-registry && rm -rf /var/lib/apt/lists/*
CMD ["docker-registry", "serve", "/etc/registry.yml"]
"""
_SETTINGS = """\
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: /registry}, delete: {enabled: true}}
http: {addr: ":5000", secret: not-a-secret}
"""
_LOGIN = "auth: {htpasswd: {realm: test, path: /etc/htpasswd}}\n"


@dataclass(frozen=True)
class Registry:
    """A registry that answers."""

    container: str
    address: str
    """As it stands in an image's name."""

    @property
    def port(self) -> int:
        """On loopback."""
        return int(self.address.rpartition(":")[2])


async def _build() -> None:
    async with DockerEngine() as engine:
        if await engine.image(IMAGE) is None:
            await get_base(engine, BASE, Network())
            await engine.build(BuildSpec(IMAGE, DOCKERFILE))


@contextmanager
def registry(name: str, *, login: tuple[str, str] | None = None) -> Iterator[Registry]:
    """An empty registry; with `login`, only for that user and password."""
    asyncio.run(_build())
    container = f"firstbell-test-registry-{name}"
    docker("rm", "-fv", container, check=False)
    docker("create", "--name", container, "--label", "firstbell.course=test-registry",
           "--publish", "127.0.0.1::5000", IMAGE)  # fmt: skip
    try:
        _put(container, "etc/registry.yml", _SETTINGS + (_LOGIN if login else ""))
        if login:
            user, password = login
            _put(container, "etc/htpasswd", f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n")
        docker("start", container)
        address = docker("port", container, "5000/tcp").split()[0]
        _answers(container, address)
        yield Registry(container, address)
    finally:
        docker("rm", "-fv", container)


def _put(container: str, path: str, text: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo(path)
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text.encode()))
    subprocess.run(["docker", "cp", "-", f"{container}:/"], input=buffer.getvalue(), check=True, capture_output=True)


def _answers(container: str, address: str) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            connection = http.client.HTTPConnection(address, timeout=5)
            connection.request("GET", "/v2/")
            assert connection.getresponse().status in {200, 401}
            return
        except (OSError, http.client.HTTPException):
            assert time.monotonic() < until, docker("logs", container)
            time.sleep(0.05)

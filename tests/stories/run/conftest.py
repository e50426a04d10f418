"""What stories of `firstbell run` share: one folder, so one image, and an end to whatever a story starts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from tests.support.course import FIRSTBELL, PROJECT, docker
from tests.support.visitor import run_cell

PREFIX = "test-run-"


@dataclass(frozen=True)
class Server:
    """A run, with the right to ask it."""

    name: str
    url: str
    token: str = field(repr=False)

    def get(self, path: str, token: str | None = None, **more: Any) -> httpx.Response:
        """Ask with the server's token, another, or (empty) none."""
        used = self.token if token is None else token
        headers = {"Authorization": f"token {used}"} if used else {}
        return httpx.get(f"{self.url}{path}", headers=headers, timeout=60, trust_env=False, **more)

    def write(self, name: str, text: str) -> None:
        """Write a file as the page does."""
        body = {"type": "file", "format": "text", "content": text}
        answer = httpx.put(
            f"{self.url}api/contents/{name}", json=body, headers={"Authorization": f"token {self.token}"}, timeout=60,
            trust_env=False,
        )  # fmt: skip
        assert answer.status_code in {200, 201}, answer.text

    def read(self, name: str) -> str:
        """A file's text."""
        answer = self.get(f"api/contents/{name}")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["content"])

    async def execute(self, code: str) -> str:
        """What a new kernel prints for a cell; an error fails the test."""
        async with aiohttp.ClientSession(headers={"Authorization": f"token {self.token}"}) as session:
            async with session.post(f"{self.url}api/kernels", json={"name": "python3"}) as answer:
                assert answer.status == 201, await answer.text()
                kernel = (await answer.json())["id"]
            address = f"{self.url}api/kernels/{kernel}/channels".replace("http", "ws", 1)
            async with session.ws_connect(address, max_msg_size=0) as channel:
                outcome = await run_cell(channel, code)
        assert not outcome.error, outcome.error
        return outcome.text.strip()

    def sh(self, line: str, *, check: bool = True) -> str:
        """A line of shell, as the server's user in its home."""
        return docker("exec", self.container, "sh", "-c", line, check=check)

    @property
    def container(self) -> str:
        """The container's name."""
        return f"firstbell_run_{self.name}"

    def inspect(self) -> dict[str, Any]:
        """What Docker shows of it."""
        found: dict[str, Any] = json.loads(docker("inspect", self.container))[0]
        return found


@dataclass(frozen=True)
class Runner:
    """Runs `firstbell` for the stories."""

    folder: Path

    def cli(
        self, *words: str, check: bool = True, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `firstbell WORDS`."""
        result = subprocess.run(
            [FIRSTBELL, *words], cwd=self.folder, capture_output=True, text=True, timeout=900, check=False,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        assert not check or result.returncode == 0, f"firstbell {' '.join(words)}\n{result.stdout}\n{result.stderr}"
        return result

    def run(self, name: str, *words: str, source: str = "", environment: Mapping[str, str] | None = None) -> Server:
        """`firstbell run` of the folder (or `source`) under a name of the tests'."""
        shown = self.cli(
            "run", source or str(self.folder), "--name", PREFIX + name, *words, "--json", environment=environment
        )
        told = json.loads(shown.stdout)
        url, _, token = told["url"].partition("?token=")
        return Server(told["name"], url, token)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plain project in a folder of its own."""
    made = tmp_path_factory.mktemp("run") / "plain"
    shutil.copytree(PROJECT, made)
    return made


@pytest.fixture(scope="session")
def image(folder: Path) -> Iterator[str]:
    """The image of the folder, by its reference; what a killed test left is removed first."""
    clean()
    runner = Runner(folder)
    server = runner.run("image", "--ephemeral")
    ref = str(server.inspect()["Config"]["Image"])
    runner.cli("stop", server.name, "--yes")
    yield ref
    clean()


@pytest.fixture
def runner(folder: Path, image: str) -> Iterator[Runner]:
    """The command in the folder, whose image is there; runs and homes of the test are removed at the end."""
    yield Runner(folder)
    clean()


def clean() -> None:
    """Remove containers and homes of the tests."""
    runs = docker("ps", "-aq", "--filter", f"name=firstbell_run_{PREFIX}").split()
    if runs:
        docker("rm", "-f", *runs)
    volumes = docker("volume", "ls", "-q", "--filter", "label=firstbell.course=_run").split()
    ours = [name for name in volumes if re.match(rf"firstbell_home_({PREFIX}|plain-)", name)]
    if ours:
        docker("volume", "rm", *ours)

"""The sides of the builds: `firstbell build`, and the Dockerfile that people write, with the same packages."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.engine import Engine, wait_until
from firstbell.engine.docker_buildkit import Client, find_client

HERE = Path(__file__).parent / "build"
BASE = "debian:trixie-slim"
_KEPT = "/var/cache/firstbell"
"""Where our builds have their cache mounted."""


class BuildSide(Protocol):
    """One way from a folder to an image."""

    @property
    def name(self) -> str:
        """As it stands in the CSV file."""
        ...

    def build(self, folder: Path, *, cold: bool = False) -> str:
        """Build the folder; the image's reference. With `cold` as on a machine that has the base image alone."""
        ...

    def clean(self) -> None:
        """Remove the images that were made."""
        ...


@dataclass(frozen=True)
class Ours:
    """The whole command, from the process's start to its end."""

    engine: Engine
    name: str = "firstbell"

    def build(self, folder: Path, *, cold: bool = False) -> str:
        if cold:
            empty_cache(self.engine)
        command = [str(Path(sys.executable).parent / "firstbell"), "build", str(folder), "--json"]
        return str(json.loads(run([*command, *(["--no-cache"] if cold else [])]))["tag"])

    def clean(self) -> None:
        for image in self.engine.call("GET", "/images/json", filters={"reference": ["firstbell/bench-build"]}):
            self.engine.call("DELETE", f"/images/{image['Id']}", force=True)


@dataclass(frozen=True)
class Plain:
    """`docker build` of a Dockerfile, by the same builder on the same base."""

    engine: Engine
    name: str
    client: Client

    def build(self, folder: Path, *, cold: bool = False) -> str:
        text = (HERE / f"{self.name}.Dockerfile").read_text()
        ref = f"firstbell-bench/{self.name}:latest"
        if bundle := os.environ.get("SSL_CERT_FILE"):  # where TLS is intercepted neither side gets far without
            shutil.copy(bundle, folder / "ca.crt")
            text = text.replace("WORKDIR", "COPY ca.crt /etc/\nENV PIP_CERT=/etc/ca.crt\nWORKDIR")
        (folder / "Dockerfile").write_text(text)
        program = [self.client.program, *(["buildx"] if self.client.has_buildx else []), "build", "--quiet"]
        options = ["--network", "host", "--tag", ref, *(["--no-cache"] if cold else [])]
        run([*program, *options, str(folder)], DOCKER_BUILDKIT="1")
        return ref

    def clean(self) -> None:
        for image in self.engine.call("GET", "/images/json", filters={"reference": [f"firstbell-bench/{self.name}"]}):
            self.engine.call("DELETE", f"/images/{image['Id']}", force=True)


def sides(engine: Engine) -> list[BuildSide]:
    """Ours, what people write, and the same written with care. Raises SystemExit where nothing speaks BuildKit."""
    client = asyncio.run(find_client())
    if client is None:
        raise SystemExit("No docker client here can build by BuildKit: install docker-buildx-plugin or docker.io 20.10")
    return [Ours(engine), Plain(engine, "plain", client), Plain(engine, "careful", client)]


def run(command: list[str], **env: str) -> str:
    """The command's output. Raises SystemExit with its words where it fails."""
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def empty_cache(engine: Engine) -> None:
    """Remove what Firstbell's builds have kept in the builder on this machine; it is fetched anew when needed."""

    def is_empty() -> bool:
        for record in engine.call("GET", "/system/df")["BuildCache"] or ():
            if record["Type"] == "exec.cachemount" and f"cached mount {_KEPT} " in record["Description"]:
                engine.call("POST", "/build/prune", all=True, filters={"id": [record["ID"]]})
                return False
        return True

    wait_until(is_empty, "the builder's cache to be free; is another build at work?", 600)

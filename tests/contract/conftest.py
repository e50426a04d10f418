"""Every engine under the same suite: a lab with an image, and whatever a test leaves is removed."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from firstbell.engine import docker_config
from firstbell.engine.base import Engine
from firstbell.engine.docker import DockerEngine
from firstbell.engine.fake import FakeEngine
from firstbell.engine.swarm import SwarmEngine
from firstbell.engine.swarm_nodes import NodesByName
from firstbell.engine.waiting import until
from firstbell.errors import EngineUnavailable
from firstbell.model import names
from firstbell.model.container import MIB, ContainerSpec, Limits, NetworkSpec, VolumeSpec, frozen
from firstbell.model.image import BuildSpec
from firstbell.model.names import Role
from firstbell.model.observed import ContainerState, ImageState, Phase
from tests.support.cluster import Cluster, attached
from tests.support.cluster import cluster as new_cluster

ROOT = "firstbell-test/busybox-root:1"
IMAGE = "firstbell-test/busybox:1"
COMMANDS = (
    "sh",
    "sleep",
    "echo",
    "cat",
    "true",
    "false",
    "id",
    "ls",
    "wc",
    "nc",
    "seq",
    "mkdir",
    "printf",
    "yes",
    "head",
)
EXHAUST_MEMORY = "#!/bin/sh\nx=0123456789\nwhile :; do x=$x$x; done\n"


@dataclass
class Lab:
    """An engine, and the names and labels of this test's things on it."""

    engine: Engine
    course: str = field(default_factory=lambda: f"contract-{uuid.uuid4().hex[:8]}")
    image: str = IMAGE
    cluster: Cluster | None = None

    @property
    def is_docker(self) -> bool:
        return isinstance(self.engine, DockerEngine)

    @property
    def is_swarm(self) -> bool:
        return isinstance(self.engine, SwarmEngine)

    @property
    def is_real(self) -> bool:
        return not isinstance(self.engine, FakeEngine)

    def spec(self, *command: str, name: str = "a", **more: Any) -> ContainerSpec:
        spec = ContainerSpec(
            name=f"firstbell-{self.course}-{name}",
            image=self.image,
            command=command or ("sleep", "infinity"),
            labels=frozen(names.labels(self.course, Role.SERVER, name)),
            limits=Limits(memory=32 * MIB, pids=64),
        )
        return replace(spec, **more)

    def volume(self, name: str = "home") -> VolumeSpec:
        return VolumeSpec(f"firstbell-{self.course}-{name}", frozen(names.labels(self.course, Role.HOME, name)))

    def network(self, **more: Any) -> NetworkSpec:
        return NetworkSpec(
            names.network(self.course),
            names.bridge(self.course),
            frozen(names.labels(self.course, Role.SERVERS)),
            **more,
        )

    async def orphan(self, spec: ContainerSpec) -> None:
        """What a start leaves that was killed after its create."""
        if isinstance(self.engine, FakeEngine):
            self.engine.orphan(spec)
        elif isinstance(self.engine, SwarmEngine):
            # Given to the Swarm by somebody who wanted it on a node that is not there.
            labels = [f"--label={key}={value}" for key, value in docker_config.labels(spec).items()]
            nowhere = ["--detach", "--constraint=node.hostname==nowhere"]
            self.docker("service", "create", "--name", spec.name, *nowhere, *labels, spec.image, *spec.command)
        else:
            labels = [f"--label={key}={value}" for key, value in docker_config.labels(spec).items()]
            await docker("create", "--name", spec.name, *labels, spec.image, *spec.command)

    async def plant(self, spec: ContainerSpec) -> None:
        """A container that somebody else made."""
        if isinstance(self.engine, FakeEngine):
            self.engine.plant(spec)
        elif isinstance(self.engine, SwarmEngine):
            self.docker("service", "create", "--detach", "--name", spec.name, spec.image, *spec.command)
        else:
            await docker("create", "--name", spec.name, spec.image, *spec.command)

    def docker(self, *words: str) -> str:
        """The docker client's output, of the daemon of the lab."""
        assert self.cluster
        return self.cluster.manager.docker(*words)

    @property
    def socket(self) -> str:
        """That of the daemon which the engine speaks to."""
        return str(self.cluster.manager.socket) if self.cluster else "/var/run/docker.sock"

    def again(self, host: str, deadline: float) -> DockerEngine | SwarmEngine:
        """Another engine for the same daemons, but the one it speaks to is at `host`."""
        daemon = DockerEngine(host, deadline=deadline)
        if not self.cluster:
            return daemon
        return SwarmEngine(daemon, NodesByName({node.name: node.host for node in self.cluster.nodes}))

    async def clean(self) -> None:
        seen = await self.engine.observe(self.course)
        await asyncio.gather(*(self.engine.stop(c.name, 0) for c in seen.containers))
        await asyncio.gather(*(self.engine.remove_volume(v.name) for v in seen.volumes))
        await asyncio.gather(*(self.engine.remove_network(n.name) for n in seen.networks))
        await self.engine.remove_image(f"firstbell-test/{self.course}:1")
        if isinstance(self.engine, SwarmEngine):
            await self.engine.sweep(self.course)


async def docker(*words: str) -> str:
    """The docker client's output, for what the engine is not asked to do."""
    process = await asyncio.create_subprocess_exec("docker", *words, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0, words
    return out.decode().strip()


async def inspect(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await docker("inspect", name))[0]
    return found


async def logged(engine: Engine, name: str) -> list[str]:
    return [line async for line in engine.logs(name)]


async def ended(engine: Engine, name: str) -> ContainerState:
    """The state of a container once it no longer runs."""

    async def look() -> ContainerState | None:
        state = await engine.state(name)
        return None if state.phase in {Phase.RUNNING, Phase.CREATED, Phase.PENDING} else state

    return await until(look, deadline=60)


def _busybox_root() -> bytes:
    """A root file system of busybox alone, as a tar; from Debian's static build."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "download", "-q", "busybox-static"], cwd=folder, check=True, capture_output=True)
        package = next(Path(folder).glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, f"{folder}/root"], check=True)
        binary = next((path for path in Path(folder, "root").rglob("bin/busybox") if path.is_file()), None)
        assert binary
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name in ("bin", "etc", "tmp", "home", "opt", "proc", "sys", "dev"):
                member = tarfile.TarInfo(name)
                member.type, member.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
                tar.addfile(member)
            tar.add(binary, "bin/busybox")
            for command in COMMANDS:
                member = tarfile.TarInfo(f"bin/{command}")
                member.type, member.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(member)
            files = {
                "etc/passwd": ("root:x:0:0:root:/:/bin/sh\n", 0o644),
                "bin/exhaust-memory": (EXHAUST_MEMORY, 0o755),
            }
            for name, (text, mode) in files.items():
                member = tarfile.TarInfo(name)
                member.mode, member.size = mode, len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        return buffer.getvalue()


async def _test_image(engine: DockerEngine) -> None:
    if await engine.image(IMAGE):
        return
    if not shutil.which("apt-get"):
        pytest.skip("the test image is made with Debian's busybox-static, and there is no apt-get")
    root = await asyncio.to_thread(_busybox_root)

    async def chunks() -> AsyncIterator[bytes]:
        yield root

    await engine.import_image(ROOT, chunks())
    await engine.build(
        BuildSpec(IMAGE, f"FROM {ROOT}\nENV GREETING=hello\n", labels={names.LABEL_COURSE: "test"}, network="none")
    )


def _fake() -> FakeEngine:
    engine = FakeEngine()
    engine.images[IMAGE] = ImageState(
        IMAGE, "sha256:0", env=frozen({"GREETING": "hello"}), labels=frozen({names.LABEL_COURSE: "test"}), size=1
    )
    engine.image_files[IMAGE] = {"/etc/passwd": b"root:x:0:0:root:/:/bin/sh\n"}
    return engine


@pytest.fixture(scope="session")
def contract_cluster() -> Iterator[Cluster]:
    """A Swarm of three nodes that all have the test image. FIRSTBELL_CLUSTER=dev: one that `swarm up` has made."""
    if name := os.environ.get("FIRSTBELL_CLUSTER"):
        yield attached(name)
    elif os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("a Swarm of several daemons on one machine needs root")
    else:
        with new_cluster("engine") as made:
            yield made


@pytest.fixture(params=["fake", pytest.param("docker", marks=pytest.mark.docker), "swarm"])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    if request.param == "swarm":
        labs = swarm_labs(request.getfixturevalue("contract_cluster"), tmp_path)
    else:
        labs = fake_lab() if request.param == "fake" else docker_labs(tmp_path)
    async for made in labs:
        yield made


@pytest.fixture(params=["docker", "swarm"])
async def real_lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    """For what only real daemons show."""
    if request.param == "swarm":
        labs = swarm_labs(request.getfixturevalue("contract_cluster"), tmp_path)
    else:
        labs = docker_labs(tmp_path)
    async for made in labs:
        yield made


@pytest.fixture
async def swarm_lab(contract_cluster: Cluster, tmp_path: Path) -> AsyncIterator[Lab]:
    """For what only a Swarm shows."""
    async for made in swarm_labs(contract_cluster, tmp_path):
        yield made


@pytest.fixture
async def docker_lab(tmp_path: Path) -> AsyncIterator[Lab]:
    """For what only a real daemon shows."""
    async for made in docker_labs(tmp_path):
        yield made


async def fake_lab() -> AsyncIterator[Lab]:
    """One lab in memory."""
    engine = _fake()
    yield Lab(engine)
    await engine.close()


async def swarm_labs(cluster: Cluster, log_folder: Path) -> AsyncIterator[Lab]:
    """One lab on a Swarm, its nodes reached by their sockets; cleaned up after its test."""
    async with DockerEngine() as here:
        await _test_image(here)
    if not all(node.docker("images", "-q", IMAGE) for node in cluster.nodes):
        cluster.load(IMAGE)
    hosts = {node.name: node.host for node in cluster.nodes}
    engine = SwarmEngine(DockerEngine(cluster.manager.host, log_folder=log_folder), NodesByName(hosts))
    for node in await engine.nodes():
        if not node.prepared:
            number = node.name.removeprefix("node")
            await engine.label_node(node.name, {names.NODE_READY: "true", names.NODE_NUMBER: number})
    made = Lab(engine, cluster=cluster)
    try:
        yield made
    finally:
        await made.clean()
        await engine.close()


async def docker_labs(log_folder: Path, *, classic: bool = False) -> AsyncIterator[Lab]:
    """One lab on the Docker Engine, cleaned up after its test."""
    engine = DockerEngine(log_folder=log_folder, classic=classic)
    try:
        await engine.facts()
    except EngineUnavailable:
        await engine.close()
        if os.environ.get("CI"):
            raise
        pytest.skip("no Docker Engine answers")
    await _test_image(engine)
    made = Lab(engine)
    try:
        yield made
    finally:
        await made.clean()
        # Probes whose removal a broken daemon prevented.
        probes = await docker("ps", "-aq", "--filter", f"ancestor={IMAGE}", "--filter", "name=firstbell-read-")
        if probes:
            await docker("rm", "-f", *probes.split())
        await engine.close()

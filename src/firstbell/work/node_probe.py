"""Looks at a node from inside: disk, memory, and which ports of other nodes it reaches."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firstbell.engine.base import Engine
from firstbell.errors import FirstbellError
from firstbell.model import names
from firstbell.model.container import HOST_NETWORK, MIB, ContainerSpec, Limits, frozen
from firstbell.model.names import CLUSTER, Role
from firstbell.model.observed import Phase, RunResult
from firstbell.plan.doctor_facts import Disk
from firstbell.plan.node_facts import PortAnswer, PortLook

_DEADLINE = 30.0


@dataclass(frozen=True, slots=True)
class Target:
    """A port of another node."""

    node: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Probed:
    """What a node says of itself."""

    disk: Disk
    memory_available: int
    ports: tuple[PortLook, ...]
    address: str = ""
    """From which it speaks to the first target."""


async def probe(machine: Engine, name: str, targets: Sequence[Target], image: str = "") -> Probed | None:
    """Look from the node's link, or else from a helper of `image` (any of ours that is there); None without either.

    Raises EngineUnavailable, and FirstbellError where the look itself failed.
    """
    program = Path(__file__).with_name("node_probe_inside.py").read_text()
    command = ("python3", "-I", "-c", program, *(f"{t.address}:{t.port}" for t in targets))
    observed = await machine.observe("")
    link = next((c for c in observed.containers if c.role == Role.LINK and c.phase is Phase.RUNNING), None)
    if link is not None and not image:
        return read(await machine.exec(link.name, command, deadline=_DEADLINE), name, targets)
    image = image or observed.newest_image(Role.HUB_IMAGE)
    if not image:
        return None
    return read(await machine.run(_helper(image, command), deadline=2 * _DEADLINE), name, targets)


def _helper(image: str, command: tuple[str, ...]) -> ContainerSpec:
    return ContainerSpec(
        name=f"{names.PREFIX}_probe_{uuid.uuid4().hex[:6]}",
        image=image,
        command=command,
        labels=frozen(names.labels(CLUSTER, Role.HELPER)),
        network=HOST_NETWORK,
        user="65534:65534",
        limits=Limits(memory=128 * MIB, pids=64),
        stop_grace=1,
    )


def read(result: RunResult, name: str, targets: Sequence[Target]) -> Probed:
    """What `node_probe_inside.py` printed. Raises FirstbellError if it failed."""
    try:
        if result.exit_code != 0:
            raise ValueError(f"exit code {result.exit_code}")
        said = json.loads(result.stdout)
        answers = {target: (PortAnswer(answer), why) for target, answer, why in said["ports"]}
        free, total, inodes_free, inodes = said["disk"]
        available = int(said["memory"][1])
        ports = tuple(_port(name, target, *answers[f"{target.address}:{target.port}"]) for target in targets)
    except (ValueError, KeyError, TypeError) as error:
        raise FirstbellError(
            f"the node {name} could not be looked at ({error})", where=name, evidence=result.lines,
            next_step=f"See its containers: docker ps -a, on {name}.",
        ) from error  # fmt: skip
    return Probed(Disk(name, free, total, inodes_free, inodes), available, ports, str(said.get("source", "")))


def _port(source: str, target: Target, answer: PortAnswer, why: str) -> PortLook:
    return PortLook(source, target.node, target.address, target.port, answer, why)

"""What the daemon's sentences about a failed request mean for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firstbell.engine.docker_api import Answer
from firstbell.errors import FirstbellError, HomeMissing, PortTaken, StartFailed
from firstbell.model.container import ContainerSpec


@dataclass(frozen=True, slots=True)
class _Cause:
    """If the daemon's sentence has one of `words` (lower case), this happened and this helps."""

    words: tuple[str, ...]
    what: str
    next_step: str
    kind: type[FirstbellError] = StartFailed


# The sentences are those of Engine 20.10 to 29 with containerd and runc 1.1 to 1.3. The first that fits counts.
_CAUSES = (
    _Cause(
        ("no such image",),
        "the image {image} is not on this machine",
        "Run `firstbell up` again: it pulls or builds what is missing.",
    ),
    _Cause(
        ("port is already allocated", "address already in use", "ports are not available"),
        "a port of {name} is taken by another program",
        "Find out which with `ss -ltnp`, stop it, or choose another port in the course's url.",
        PortTaken,
    ),
    _Cause(
        ("could not select device driver",),
        "the Docker Engine here knows no graphics card",
        "Leave out --gpus; or, where there is an NVIDIA card, install its driver and the NVIDIA Container Toolkit.",
    ),
    _Cause(
        ("no space left on device", "disk quota exceeded"),
        "the disk of the Docker Engine is full",
        "Make room: `docker system df` shows what takes it; then try again.",
    ),
    _Cause(
        ("bind source path does not exist", "error while mounting volume", "failed to mount local volume"),
        "a directory or volume that {name} needs cannot be had",
        "See that the directory exists and its file system is mounted; then try again.",
        HomeMissing,
    ),
    _Cause(
        ("executable file not found", "exec: ", "exec format error"),
        "the image {image} cannot run {command}",
        "Check that the image has it (an image for servers needs python3) and is for this machine's architecture.",
    ),
    _Cause(
        ("minimum memory limit", "memory limit should", "container init was oom-killed"),
        "the memory limit of {name} is too small",
        "Give it more: memory in the course file.",
    ),
    _Cause(
        ("no available ipv4", "no available ip", "pools: ip exhaustion"),
        "no address is left on the network {network}",
        "Choose a larger subnet in [network] of the course file, then `firstbell down` and `firstbell up`.",
    ),
    _Cause(
        ("could not find an available", "all predefined address pools", "no available network", "pool overlaps"),
        "no free range of addresses is left for the network {network}",
        "Remove networks that nobody uses with `docker network prune`, or set subnet in [network] of the course file.",
    ),
    _Cause(
        ("same bridge name", "conflicts with network"),
        "the network {network} is in the way of another one of the same bridge",
        "See `docker network ls`; remove the one that is not used with `docker network rm`.",
    ),
    _Cause(
        ("cannot join network",),
        "the container whose network {name} shares does not run",
        "Try again; if it happens again, its log says why: `docker logs` with the name above.",
    ),
    _Cause(
        ("network", "not found"),
        "the network {network} is missing",
        "Run `firstbell up`: it makes the network again.",
    ),
    _Cause(
        ("unable to find user", "no matching entries in passwd"),
        "the image {image} does not know the user {user}",
        "Use numbers for user and group.",
    ),
)
_ALL_WORDS_NEEDED = ("network", "not found")

_REFUSALS_OF_START = (
    "oci runtime", "failed to create shim", "failed to create task", "driver failed", "cannot start container",
    "failed to start", "invalid mount", "cgroup", "mount", "sandbox", "iptables", "failed programming",
)  # fmt: skip
"""With status 500 these are the daemon's verdict on this one container, not trouble of its own."""


def of_start(answer: Answer, spec: ContainerSpec) -> FirstbellError:
    """The error that says why a container did not come to be; EngineUnavailable for trouble of the daemon's own."""
    return _explain(
        answer,
        where=spec.name,
        otherwise=f"the container {spec.name} could not be started",
        words={
            "name": spec.name, "image": spec.image, "network": spec.network, "user": spec.user,
            "command": spec.command[0] if spec.command else "its command",
        },
    )  # fmt: skip


def of_network(answer: Answer, name: str) -> FirstbellError:
    """The error that says why a network could not be made."""
    words = {"name": name, "image": "", "network": name, "user": "", "command": ""}
    return _explain(answer, where=name, otherwise=f"the network {name} could not be made", words=words)


def _explain(answer: Answer, *, where: str, otherwise: str, words: dict[str, str]) -> FirstbellError:
    cause = next((c for c in _CAUSES if _fits(answer, c)), None)
    if cause is not None:
        return cause.kind(
            cause.what.format(**words), where=where, next_step=cause.next_step, evidence=(answer.message,)
        )
    if answer.status < 500 or answer.says(*_REFUSALS_OF_START):
        return StartFailed(
            otherwise, where=where, next_step="The Docker Engine's own words are above.", evidence=(answer.message,)
        )
    return answer


def _fits(answer: Answer, cause: _Cause) -> bool:
    match: Callable[..., bool] = all if cause.words == _ALL_WORDS_NEEDED else any
    return match(answer.says(word) for word in cause.words)

"""What a Swarm's words about a task or service mean for people."""

from __future__ import annotations

import re

from firstbell.engine import docker_failure
from firstbell.engine.docker_api import Answer
from firstbell.errors import EngineUnavailable, FirstbellError, HomeMissing, StartFailed
from firstbell.model.container import ContainerSpec
from firstbell.model.observed import NodeState

_NO_SUCH_IMAGE = ("no such image", "manifest unknown", "not found: manifest", "repository does not exist")
_NO_MEMBER = "swarm is not active"
"""Said by a node's daemon when its own part of the Swarm has failed, for example while it was demoted."""
_NO_MEMORY = "insufficient resources"
_NO_NODE = "no suitable node"
_GIB = 1024**3


def of_task(words: str, spec: ContainerSpec, node: str) -> FirstbellError:
    """The error that says why a task has no container: refused by a node, or wanted by none."""
    where = f"{spec.name} on {node}" if node else spec.name
    said = words.lower()
    if _NO_NODE in said:
        return _unplaced(words, spec, where, node)
    if any(word in said for word in _NO_SUCH_IMAGE):
        return image_missing(spec, node, words)
    if _NO_MEMBER in said:
        return StartFailed(
            f"the Docker Engine of {node or 'a node'} takes no part in its Swarm now",
            where=where,
            next_step=f"Restart it: `systemctl restart docker` on {node or 'that node'}.",
            evidence=(words,),
        )
    if "config-only" in said or "configuration network" in said or ("network" in said and "could not" in said):
        return StartFailed(
            f"the network {spec.network} is missing on {node}",
            where=where,
            next_step="Run `firstbell up`: it makes the network again.",
            evidence=(words,),
        )
    # 400: that a node refused it is a verdict on the container, not trouble of the Swarm.
    error = docker_failure.of_start(Answer(400, words), spec)
    error.where = where
    return error


def _unplaced(words: str, spec: ContainerSpec, where: str, node: str) -> FirstbellError:
    if _NO_MEMORY in words.lower():
        return StartFailed(
            f"no node has {_size(spec.limits.memory)} free" if not node else f"{node} has no memory left for it",
            where=where,
            next_step="Stop servers that nobody needs, or add a node: `firstbell nodes prepare`.",
            evidence=(words,),
        )
    return StartFailed(
        f"the Swarm finds no node for {spec.name}" if not node else f"{node} takes no containers now",
        where=where,
        next_step="`firstbell nodes list` shows which nodes are there, and which are drained.",
        evidence=(words,),
    )


def _size(count: int) -> str:
    return f"{count / _GIB:.3g} GB" if count >= _GIB // 2 else f"{count / 1024**2:.0f} MB"


def image_missing(spec: ContainerSpec, node: str, words: str = "") -> StartFailed:
    """An image that a node has not, and did not get."""
    return StartFailed(
        f"the image {spec.image} is not on {node}" if node else f"the image {spec.image} is not there",
        where=f"{spec.name} on {node}" if node else spec.name,
        next_step="Run `firstbell up` again: it brings every node what is missing.",
        evidence=(words,) if words else (),
    )


def of_service(answer: Answer, spec: ContainerSpec) -> FirstbellError:
    """The error that says why the manager did not take a service."""
    if answer.says("invalid memory value"):
        return StartFailed(
            f"the memory limit of {spec.name} is too small",
            where=spec.name,
            next_step="Give it more: memory in the course file.",
            evidence=(answer.message,),
        )
    return docker_failure.of_start(answer, spec)


def of_network(answer: Answer, name: str) -> FirstbellError:
    """The error that says why a network could not be made on a node."""
    return docker_failure.of_network(answer, name)


def of_join(words: str, managers: tuple[str, ...]) -> FirstbellError:
    """The error that says why a machine could not join the Swarm of these managers."""
    where = ", ".join(managers)
    if "already part of a swarm" in words:
        return FirstbellError(
            "the machine belongs to a Swarm already",
            where=where,
            evidence=(words,),
            next_step="If that Swarm is over: docker swarm leave --force there, then run the command again.",
        )
    if "join token" in words or "does not match fingerprint" in words:
        return FirstbellError(
            "the Swarm's join token was changed in this moment, or another Swarm answers at its manager's address",
            where=where,
            evidence=(words,),
            next_step="Run the command again: it asks for the token anew. Nodes that have joined need none.",
        )
    if "timeout" in words.lower() or "connection refused" in words or "unavailable" in words.lower():
        return EngineUnavailable(
            "the machine does not reach the Swarm's manager",
            where=where,
            evidence=(words,),
            next_step=f"Open TCP 2377 on the manager for it; try there: nc -vz {managers[0].replace(':', ' ')}",
        )
    return FirstbellError(
        "the machine could not join the Swarm", where=where, evidence=(words,), next_step="See docker info there."
    )


def unfit(node: NodeState, spec: ContainerSpec) -> FirstbellError | None:
    """Why a server cannot be started on a node now; None where it can."""
    if not node.ready:
        kind = HomeMissing if spec.mounts else StartFailed
        return kind(
            f"the node {node.name} is away: the Swarm does not hear from it",
            where=spec.name,
            next_step=f"Bring {node.name} back; `firstbell nodes list` shows when it is.",
        )
    if node.availability != "active":
        word = "drained" if node.availability == "drain" else "paused"
        return StartFailed(
            f"the node {node.name} is {word}: it takes no servers now",
            where=spec.name,
            next_step=f"Let it take them again: `docker node update --availability active {node.name}`.",
        )
    return None


def refused(spec: ContainerSpec) -> FirstbellError | None:
    """Why no service can be like that; None where one can."""
    if spec.gpus:
        return _impossible(
            spec, "wants a graphics card, which Firstbell cannot give on a Swarm yet", "Leave out the graphics card"
        )
    if spec.ports:
        return _impossible(
            spec, "wants a port of one address, which a Swarm's service cannot have", "Leave out the port"
        )
    return None


def _impossible(spec: ContainerSpec, what: str, otherwise: str) -> StartFailed:
    return StartFailed(
        f"{spec.name} {what}", where=spec.name, next_step=f'{otherwise}, or use [engine] kind = "docker".'
    )


def foreign(name: str, kind: str = "service") -> StartFailed:
    """Something of our name that we did not make."""
    remove = {"service": "docker service rm", "network": "docker network rm"}.get(kind, "docker rm -f")
    return StartFailed(
        f"a {kind} named {name} exists that Firstbell did not make, or made for another course",
        where=name,
        next_step=f"If nobody needs it: `{remove} {name}`.",
    )


_SECRETS = re.compile(r"(config|secret)s? .*not found", re.IGNORECASE)


def lacks_file(answer: Answer) -> bool:
    """Whether a service was refused as one of its configs or secrets is gone."""
    return bool(_SECRETS.search(answer.message))

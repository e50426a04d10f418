"""What a node's link tells about its node, each time it is asked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class NodePulse:
    """A node at one moment; 0 is unknown."""

    memory_total: int = 0
    """Bytes."""
    memory_available: int = 0
    """Bytes; MemAvailable."""
    cores: int = 0
    pressure_cpu: float = 0.0
    """Percent of the last ten seconds in which something waited for it (PSI `some avg10`)."""
    pressure_memory: float = 0.0
    engine: bool = True
    """Whether the node's Docker Engine answers."""

    def line(self) -> bytes:
        """As it is sent."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> NodePulse:
        """The reverse of `line`; what a newer link says beside is passed over. Raises ValueError for no such line."""
        said = _object(line)
        try:
            return cls(
                int(said["memory_total"]), int(said["memory_available"]), int(said["cores"]),
                float(said["pressure_cpu"]), float(said["pressure_memory"]), bool(said["engine"]),
            )  # fmt: skip
        except (KeyError, TypeError) as error:
            raise ValueError("not what a link says of its node") from error


@dataclass(frozen=True, slots=True)
class NodeList:
    """The nodes of a cluster, for the tunnel."""

    own: int
    """The number of the node whose link was asked; 0 if it has none."""
    addresses: dict[int, str]
    """By number."""

    def line(self) -> bytes:
        """As it is sent."""
        return (
            json.dumps({"own": self.own, "addresses": {str(n): a for n, a in self.addresses.items()}}).encode() + b"\n"
        )

    @classmethod
    def read(cls, line: bytes) -> NodeList:
        """The reverse of `line`. Raises ValueError for no such line."""
        said = _object(line)
        try:
            return cls(int(said["own"]), {int(number): str(at) for number, at in said["addresses"].items()})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not what a link says of the nodes") from error


def _object(line: bytes) -> dict[str, Any]:
    said = json.loads(line)
    if not isinstance(said, dict):
        raise ValueError("no object")  # noqa: TRY004 - of what was sent, not of what was passed
    return said

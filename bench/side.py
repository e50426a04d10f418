"""What measuring needs of either side."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).parent.parent


class Visited(Protocol):
    """A system that people can visit."""

    @property
    def name(self) -> str:
        """As it stands in the CSV file."""
        ...

    @property
    def url(self) -> str:
        """Where visitors go."""
        ...

    def fields(self, visitor: int) -> Mapping[str, str]:
        """What a visitor types into the login form."""
        ...

    def service_cpu(self) -> float:
        """CPU seconds that hub and proxies have used since they started."""
        ...


class Side(Visited, Protocol):
    """One of the two whose servers are containers, running."""

    @property
    def course(self) -> str:
        """The label that its containers carry."""
        ...

    def before_click(self) -> None:
        """Bring about what a click is to find."""
        ...

    def server(self) -> str:
        """The container of the one server that runs now."""
        ...

    def forget(self, server: str, user: str) -> None:
        """Remove what a visitor left; their server has stopped."""
        ...


def prefix() -> str:
    """The course's name, and part of every other name and label.

    FIRSTBELL_BENCH_PREFIX sets it, so that two checkouts can run beside each other.
    """
    return os.environ.get("FIRSTBELL_BENCH_PREFIX", "bench")


def cache() -> Path:
    """Where set-up is kept between runs, outside the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "firstbell-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def only(servers: list[str]) -> str:
    """The single server; RuntimeError where there is none or more."""
    if len(servers) != 1:
        raise RuntimeError(f"one server was expected to run, there are {len(servers)}: {servers}")
    return servers[0]

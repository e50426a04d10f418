"""What a failed build's last lines mean: whether another attempt may help, and what the person can do. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from firstbell.plan.fetch_failure import fetch_advice, is_network_failure

__all__ = ["advice", "is_network_failure"]


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.IGNORECASE)


_FIRST = (
    (
        _any(r"no space left"),
        "The engine's disk is full; `docker system df` says of what, `docker builder prune` empties the builds' cache.",
    ),
    (
        _any(r"/docker/dockerfile/manifests/"),
        "The line `# syntax=…` has the builder fetch a part of itself from Docker Hub: take it out of the Dockerfile.",
    ),
)
_ADVICE = (
    (
        _any(r"environment\.yml cannot be solved"),
        "Change environment.yml: its packages are in none of its channels, or contradict each other or Jupyter's.",
    ),
    (
        _any(r"channels of environment\.yml cannot be read", r'environment\.yml: ".*" names no package'),
        "Change environment.yml: one of its channels or packages is no such thing.",
    ),
    (
        _any(
            r"no solution found", r"not found in the package registry", r"no matching distribution", r"ResolutionImpos"
        ),
        "Change requirements.txt: its versions do not exist, or contradict each other or Jupyter's.",
    ),
    (
        _any(r"unable to locate package", r"has no installation candidate", r"E: Version '.*' for '.*' was not found"),
        "Change apt.txt: the distribution has no such package.",
    ),
    (
        _any(
            r"error: command '.*(gcc|g\+\+|clang|cc)'",
            r"(gcc|g\+\+|cc|cargo|rustc|cmake)\W.*not found",
            r"Python\.h: No such",
        ),
        "A package must be compiled: add gcc, g++ and python3-dev to apt.txt, or choose a version that has a wheel.",
    ),
    (
        _any(r"requires BuildKit", r"unknown flag: mount"),
        "This Dockerfile needs BuildKit: install buildx for `docker` (package docker-buildx-plugin or docker-buildx).",
    ),
    (
        _any(r"unknown flag: \w+", r"unknown instruction: EOF"),
        "This Docker Engine's BuildKit is too old for it: write it in another way, or install a newer engine.",
    ),
)


def advice(lines: Sequence[str], args: Mapping[str, str] | None = None) -> str:
    """What helps, in a sentence; empty where the lines tell nothing that is known. `args` are the build's arguments."""
    text = "\n".join(lines)
    # Fetches before packages: without an index pip calls every package unknown.
    return _found(_FIRST, text) or fetch_advice(lines, args or {}) or _found(_ADVICE, text)


def _found(table: Iterable[tuple[re.Pattern[str], str]], text: str) -> str:
    return next((words for pattern, words in table if pattern.search(text)), "")

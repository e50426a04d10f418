"""What a failed build's last lines mean: whether another attempt may help, and what the person can do. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.IGNORECASE)


_CERTIFICATE = _any(
    r"certificate verify failed",
    r"invalid peer certificate",
    r"unknownissuer",
    r"unable to get local issuer",
    r"certificate verification failed",
    r"SELF_SIGNED_CERT",
)
_NETWORK = _any(
    # apt
    r"temporary failure resolving",
    r"failed to fetch\b.*(archive|http)",
    r"hash sum mismatch",
    r"unable to connect",
    # pip and uv
    r"dns error",
    r"name or service not known",
    r"temporary failure in name resolution",
    r"error sending request",
    r"request failed after",
    r"operation timed out",
    r"read timed out",
    r"newconnectionerror",
    r"max retries exceeded",
    # npm, curl, Go
    r"EAI_AGAIN|ENOTFOUND|ETIMEDOUT|ECONNRESET|ECONNREFUSED",
    r"could not resolve host",
    r"no such host",
    r"i/o timeout",
    # anywhere
    r"connection (timed out|reset|refused|aborted|failed)",
    r"network is unreachable",
    r"tls handshake timeout",
    r"\b50[0234] (bad gateway|service unavailable|gateway time|internal server error)",
)
_ADVICE = (
    (
        _CERTIFICATE,
        "This network signs certificates itself: name its authorities in [network] ca_bundle of the course file.",
    ),
    (
        _any(r"no space left"),
        "The engine's disk is full; `docker system df` says of what, `docker builder prune` empties the builds' cache.",
    ),
    (
        _any(r"/docker/dockerfile/manifests/"),
        "The line `# syntax=…` has the builder fetch a part of itself from Docker Hub: take it out of the Dockerfile.",
    ),
    # Before those on packages: without an index pip calls every package unknown.
    (
        _NETWORK,
        "Try again; where a mirror or proxy is needed, name it under [network] in the course file.",
    ),
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


def is_network_failure(lines: Iterable[str]) -> bool:
    """Whether the lines tell of a failure that may be gone at the next attempt."""
    text = "\n".join(lines)
    return bool(_NETWORK.search(text)) and not _CERTIFICATE.search(text)


def advice(lines: Iterable[str]) -> str:
    """What helps, in a sentence; empty where the lines tell nothing that is known."""
    text = "\n".join(lines)
    return next((words for pattern, words in _ADVICE if pattern.search(text)), "")


_SETTINGS = {
    "APT_MIRROR": "apt",
    "PIP_INDEX_URL": "pypi",
    "UV_PYTHON_INSTALL_MIRROR": "python",
    "NPM_CONFIG_REGISTRY": "npm",
    "CRAN_MIRROR": "cran",
    "CONDA_CHANNEL_ALIAS": "conda",
    "http_proxy": "proxy",
}


def ways_out(args: Mapping[str, str]) -> str:
    """Which mirrors and proxy a build with these arguments was to use, in a sentence; empty if none was set."""
    used = [f"[network] {key} = {_without_password(args[name])}" for name, key in _SETTINGS.items() if args.get(name)]
    return f"It was to use {', '.join(used)}." if used else ""


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

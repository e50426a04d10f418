"""The machine's facts beside every figure, and what it is busy with."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import peer_side
from bench.engine import Engine
from bench.side import ROOT
from firstbell import __version__


def facts(engine: Engine) -> dict[str, Any]:
    """The machine and what runs on it, as far as they matter to the figures and name nobody."""
    info = engine.call("GET", "/info")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(info["MemTotal"] / 1e9, 1),
        "system": info["OperatingSystem"],
        "kernel": platform.release(),
        "docker": info["ServerVersion"],
        "storage": info["Driver"],
        "cgroup": info.get("CgroupVersion", ""),
        "python": platform.python_version(),
        "firstbell": __version__,
        "commit": commit(),
        "peer": peer_side.versions(),
    }


def describe(found: Mapping[str, Any]) -> str:
    """The machine in a sentence."""
    return (
        f"Measured {found['date'][:10]} on {found['cores']} cores ({found['cpu']}), {found['memory_gb']:.0f} GB, "
        f"{found['system']}, Linux {found['kernel']}, Docker Engine {found['docker']} ({found['storage']}, "
        f"cgroup v{found['cgroup']})."
    )


def programs(found: Mapping[str, Any]) -> str:
    """Both sides with their versions."""
    peer = found["peer"]
    return (
        f"Firstbell {found['firstbell']} ({found['commit']}) next to JupyterHub {peer['jupyterhub']}, DockerSpawner "
        f"{peer['dockerspawner']} and configurable-http-proxy {peer['configurable-http-proxy']}"
    )


def commit() -> str:
    """The checkout's commit, `-dirty` where something in it was changed."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "no checkout"


def cpu() -> float:
    """CPU seconds that this machine has spent busy since it started (/proc/stat, all but idle and iowait)."""
    numbers = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(numbers) - numbers[3] - numbers[4]) / os.sysconf("SC_CLK_TCK")


def allow_many_files() -> None:
    """Let this process and its children open as many files as they may: a crowd has a socket for each of its people."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.split(":", 1)[1].split())
    return platform.machine()

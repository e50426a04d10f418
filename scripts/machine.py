"""What the tests need beside Python: engine, debootstrap, browser; what clusters, storages and wrong clocks need."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys

from firstbell.errors import FirstbellError
from firstbell.model.image import Progress
from firstbell.work.machine import ensure_engine

PACKAGES = {
    "cc": "gcc libc6-dev",
    "chromium": "chromium",
    "debootstrap": "debootstrap",
    "fc-list": "fontconfig fonts-dejavu-core",
    "glusterfs": "glusterfs-client",
    "glusterfsd": "glusterfs-server",
    "ip": "iproute2",
    "iptables": "iptables",
    "mkfs.xfs": "xfsprogs",
    "rclone": "rclone",
    "restic": "restic",
}
"""Command → Debian packages that bring it."""
_WHERE_THERE_IS = {"linux.uml": "user-mode-linux"}
"""Not every distribution has it; what needs it is left out then."""


def prepare() -> None:
    """Install and start what is missing; does nothing on a machine that has it all."""
    try:
        asyncio.run(ensure_engine("", ask=_agree, report=_say))
    except FirstbellError as error:
        sys.exit(str(error))
    wanted = PACKAGES | {command: name for command, name in _WHERE_THERE_IS.items() if _is_known(name)}
    missing = [name for command, names in wanted.items() if not _there(command) for name in names.split()]
    if missing:
        _install(missing)


def _there(command: str) -> bool:
    return shutil.which(command, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is not None


def _is_known(package: str) -> bool:
    known = (
        subprocess.run(["apt-cache", "show", package], capture_output=True, check=False)
        if _there("apt-cache")
        else None
    )
    return known is not None and known.returncode == 0


def _install(packages: list[str]) -> None:
    print(f"Installing {', '.join(packages)} for the tests …", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    retries = ["-o", "Acquire::Retries=3", "-q"]
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *retries, *command], env=environment, check=True, stdout=subprocess.DEVNULL)


def _agree(question: str, otherwise: str) -> None:
    """The tests may install what they need."""


def _say(progress: Progress) -> None:
    if not progress.is_output:
        print(progress.text, flush=True)

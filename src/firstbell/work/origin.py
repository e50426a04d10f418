"""Where a folder comes from, as git tells: for labels, so that anybody can find the files an image was made from."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from firstbell.plan.image import Origin

_DEADLINE = 10.0
"""Seconds; a repository on a slow disk is no reason to wait longer for a label."""


def read_origin(folder: Path) -> Origin:
    """The repository and commit of the folder; empty where it is in none, or git is not there or does not trust it."""
    if not shutil.which("git"):
        return Origin()
    revision, _, created = _git(folder, "log", "-1", "--format=%H %cI", "--", ".").partition(" ")
    if not revision:
        return Origin()
    is_dirty = bool(_git(folder, "status", "--porcelain", "--", "."))
    source = without_password(_git(folder, "config", "--get", "remote.origin.url"))
    return Origin(source=source, revision=f"{revision}-dirty" if is_dirty else revision, created=created)


def without_password(address: str) -> str:
    """An address without who may read it: `https://name:token@host/x` is `https://host/x`; a path is nobody's business.

    Empty for what is no address that others could use.
    """
    if "://" not in address:
        # git@host:path, the short form of ssh
        return address if "@" in address.partition(":")[0] and ":" in address else ""
    parts = urlsplit(address)
    if parts.scheme == "file":
        return ""
    is_ssh = parts.scheme.endswith("ssh")
    host = parts.netloc if is_ssh and ":" not in parts.netloc.rpartition("@")[0] else parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host).geturl()


def _git(folder: Path, *arguments: str) -> str:
    """What git prints; empty where it fails."""
    command = ("git", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments)
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE, check=False, env=environment)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

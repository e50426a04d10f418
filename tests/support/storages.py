"""Real servers for backups on loopback: REST and S3 by rclone, in a folder, with a login."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.listening import free_port, wait_for_port

USER, WORD = "backup-user", "storage-word"


@contextmanager
def storage_server(kind: str, folder: Path) -> Iterator[str]:
    """`rest` or `s3`, serving that folder to USER with WORD; its URL. Skips where this rclone knows no such server."""
    verb, login = {
        "rest": ("restic", ("--user", USER, "--pass", WORD)),
        "s3": ("s3", ("--auth-key", f"{USER},{WORD}")),
    }[kind]
    known = subprocess.run(["rclone", "serve", verb, "--help"], capture_output=True, text=True, check=False)
    if known.returncode or f"rclone serve {verb} remote:path" not in known.stdout:
        pytest.skip(f"this rclone has no server for {kind}: it came with 1.65")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    at = ("--addr", f"127.0.0.1:{port}", "--config", "/dev/null")
    process = subprocess.Popen(["rclone", "serve", verb, *at, *login, str(folder)])
    try:
        wait_for_port("127.0.0.1", port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()

"""Random secrets that live in files: made once, read ever after."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from firstbell.errors import FirstbellError

LENGTH = 32
"""Bytes: what JupyterHub asks of a cookie secret."""


def read_or_create(path: Path, make: Callable[[int], bytes] = secrets.token_bytes, length: int = LENGTH) -> bytes:
    """The secret in `path`, readable by its owner alone; if there is none, `make` makes one of `length` random bytes.

    Whoever comes second reads what the first one wrote: two processes never hold different secrets. Raises
    FirstbellError where the file is too short to be one of ours.
    """
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        found = _create(path, make(length))
    if len(found) < length:
        raise FirstbellError(
            f"the secret is damaged: {len(found)} bytes instead of {length}",
            where=str(path),
            next_step="Delete the file (everybody has to log in again), then run: firstbell up",
        )
    return found


def token(path: Path) -> str:
    """A secret that is text in the file as well, for HTTP headers and environments."""
    return read_or_create(path, lambda length: secrets.token_hex(length).encode(), LENGTH).decode()


def write_new(path: Path, value: bytes) -> None:
    """Write a file for its owner alone, all of it or nothing; one that is there stays."""
    _create(path, value)


def _create(path: Path, value: bytes) -> bytes:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(descriptor)
        # A link, unlike a rename, never replaces the secret another process made meanwhile.
        os.link(draft, path)
    except FileExistsError:
        return path.read_bytes()
    finally:
        draft.unlink(missing_ok=True)
    return value

"""The files that a submission is executed with, as one bounded archive in memory. Pure but for reading the files."""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

MOST_FILES = 5000
"""Files besides the notebooks that a submission is executed with."""
MOST_BYTES = 200 * 1024**2
"""Bytes of them; nbgrader's own bound of a folder is 100 MB."""
MOST_PACKED = 32 * 1024**2
"""Bytes of their archive, which goes through the hub's memory."""


class TooMuch(Exception):
    """More than is taken; says what and how much may be."""


def files_below(folder: Path) -> dict[str, Path]:
    """The regular files in a folder, but for notebooks, by their paths below it; links are not followed."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file() or path.suffix == ".ipynb" or ".ipynb_checkpoints" in path.parts:
            continue
        found[name] = path
    return found


def packed(files: Mapping[str, Path]) -> str:
    """As base64 of a compressed tar. Raises TooMuch."""
    if len(files) > MOST_FILES:
        raise TooMuch(f"it has {len(files)} files, and {MOST_FILES} are the most that are graded with a notebook")
    total = sum(path.stat().st_size for path in files.values())
    if total > MOST_BYTES:
        raise TooMuch(
            f"its files have {total // 1024**2} MiB, and {MOST_BYTES // 1024**2} MiB are the most that are graded"
        )
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as archive:
        for name, path in files.items():
            entry = tarfile.TarInfo(name)
            content = path.read_bytes()
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
            _check_packed(target)
    _check_packed(target)
    return base64.b64encode(target.getvalue()).decode()


def _check_packed(target: io.BytesIO) -> None:
    if target.tell() > MOST_PACKED:
        raise TooMuch(f"its files, packed, are more than {MOST_PACKED // 1024**2} MiB")

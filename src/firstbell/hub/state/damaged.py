"""Damaged SQLite files of the hub's: kept beside, so that a new one can begin."""

from __future__ import annotations

from pathlib import Path

from firstbell.backup.databases import COMPANIONS


def put_aside(path: Path, aside: Path) -> None:
    """Move a file that nobody has open, and what belongs to it, in place of what was put there before. Raises OSError.

    Its log would be read into the file that comes in its place; with its log it may be read again itself. The file
    is the last to go: after a kill no log lies beside a file that is not its own.
    """
    for end in COMPANIONS:
        kept = Path(f"{aside}{end}")
        try:
            Path(f"{path}{end}").replace(kept)
        except FileNotFoundError:
            kept.unlink(missing_ok=True)
    path.replace(aside)

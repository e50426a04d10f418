"""How JupyterHub's own SQLite file is opened."""

from __future__ import annotations

import sqlite3
from typing import Any


class HubConnection(sqlite3.Connection):
    """A connection in WAL mode: readers beside the hub do not block it, and a commit costs no fsync.

    A login makes many small commits, none of which may wait for the disk.

    After a crash of the machine the last commits may be missing, never half there (sqlite.org/wal.html, section 3);
    after a crash of the hub alone nothing is.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.execute("PRAGMA journal_mode = WAL")
        self.execute("PRAGMA synchronous = NORMAL")
        self.execute("PRAGMA secure_delete = ON")  # whoever is erased is in no free page either

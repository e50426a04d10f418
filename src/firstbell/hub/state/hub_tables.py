"""JupyterHub's own tables, wherever they are, for those who look beside the hub."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from firstbell.errors import EngineUnavailable
from firstbell.hub.state.damaged import put_aside

if TYPE_CHECKING:
    from firstbell.model.course import Course

FILE = "jupyterhub.sqlite"
LOG = logging.getLogger("firstbell.database")

_DEADLINE = 5
"""Seconds to connect, or to wait for a lock."""


def database_of(course: Course, state: Path) -> str:
    """The address of PostgreSQL where the course names one, else the path of the file in the hub's state."""
    return course.database.reveal() if course.database else str(state / FILE)


def is_postgresql(database: str) -> bool:
    """Whether it is an address rather than a file."""
    return database.startswith("postgresql://")


def sqlalchemy_url(database: str) -> str:
    """The same for JupyterHub."""
    if is_postgresql(database):
        return database.replace("postgresql://", "postgresql+psycopg://", 1)
    return f"sqlite:///{database}"


def rows(database: str, query: str) -> list[tuple[Any, ...]]:
    """What a query that changes nothing finds; nothing while there is no file.

    Raises sqlite3.Error for whatever is wrong with either kind of database: it passes, or the hub itself tells.
    """
    if is_postgresql(database):
        import psycopg  # what most courses have no use for, and who asks beside the hub would wait for

        try:
            with psycopg.connect(database, connect_timeout=_DEADLINE) as db:
                return db.execute(query.encode()).fetchall()
        except psycopg.Error as error:
            raise sqlite3.OperationalError(str(error)) from error
    if not Path(database).exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=_DEADLINE)) as file:
        return file.execute(query).fetchall()


def put_aside_damaged(database: str, now: float) -> str:
    """Move a damaged file out of the way; its new path, empty for one that is whole, or that is not there.

    The hub then begins a new one and takes in the servers that run: people, passwords and seats are elsewhere. A
    full disk, a lock or an error of the disk does not say that anything is damaged: then the file stays.
    """
    file = Path(database)
    if is_postgresql(database) or not file.exists():
        return ""
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=_DEADLINE)) as db:
            [(verdict,)] = db.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.OperationalError as error:
        LOG.warning("Whether the hub's database is whole cannot be said now: %s", error)
        return ""
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict == "ok":
        return ""
    aside = file.with_name(f"{file.name}.damaged-{int(now)}")
    LOG.error("The hub's database is damaged (%s); it is kept as %s, and a new one begins", verdict, aside)
    put_aside(file, aside)
    return str(aside)


def refuse_unreachable(database: str) -> None:
    """Raises EngineUnavailable, with what PostgreSQL said, where the course's database cannot be used."""
    if not is_postgresql(database):
        return
    import psycopg

    try:
        with psycopg.connect(database, connect_timeout=_DEADLINE) as db:
            db.execute("SELECT 1")
    except psycopg.Error as error:
        raise EngineUnavailable(
            f"the course's database cannot be used: {' '.join(str(error).split())}",
            where=place_of(database),
            next_step="Start PostgreSQL, let this machine in (pg_hba.conf, firewall), or correct database in the "
            "course file; the hub tries again by itself.",
        ) from error


def place_of(database: str) -> str:
    """Host and name of the database, without user and password."""
    parts = urlsplit(database)
    port = f":{parts.port}" if parts.port else ""
    return f"postgresql://{parts.hostname}{port}{parts.path}"

"""`python3 -m firstbell.hub.saved VERB …`: the hub's files as they were before an upgrade, kept beside them by date.

| verb | arguments | what it does |
|---|---|---|
| `save` | ID, facts (JSON) | copies the files of state and coursework, databases as they are at one moment, to `ID/` |
| `fill` | ID, folder | copies the state of `ID` into an empty folder, for a hub on trial |
| `compare` | ID | of each database: whether an older hub could still read it, and how many rows it has more or fewer |
| `put-back` | ID | brings back those databases, and only those, that an older hub could no longer read |
| `list` | | what is saved, the oldest first |
| `prune` | how many | keeps the newest of each kind |
| `note` | what, words | writes into the hub's record that the command line did it; in the hub's own container |

A program of a helper container, with the volumes where a hub has them. Prints JSON; a refusal as `control.py` does.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstbell.backup.databases import COMPANIONS, COPIES, copy_one, is_database, remove_companions
from firstbell.errors import FirstbellError
from firstbell.hub.control_io import print_answer
from firstbell.hub.state.hub_tables import FILE as JUPYTERHUB
from firstbell.model import runtime

FACTS = "saved.json"
_PARTS = ("state", "coursework")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the volumes are; one without coursework has no such folder."""

    saved: Path = Path(runtime.SAVED_DIR)
    state: Path = Path(runtime.STATE_DIR)
    coursework: Path = Path(runtime.COURSEWORK_DIR)

    def parts(self, identity: str) -> Iterator[tuple[Path, Path]]:
        """Each folder that is there, with where it is saved."""
        for name in _PARTS:
            live: Path = getattr(self, name)
            if live.is_dir():
                yield live, self.saved / identity / name


def save(folders: Folders, identity: str, facts: str) -> dict[str, Any]:
    """Save everything under a new name, or in place of what a run before had saved under it: whole or not at all.

    Raises FirstbellError for a database that is damaged, or where there is no room.
    """
    part = folders.saved / f".{identity}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    try:
        files = [copy for live, kept in folders.parts(part.name) for copy in _copied(live, kept)]
        told = {**json.loads(facts), "id": identity, "size": sum(file.stat().st_size for file in files)}
        (part / FACTS).write_text(json.dumps(told))
        _settle(part)
    except sqlite3.DatabaseError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise FirstbellError(
            f"the hub's databases cannot be saved: {error}",
            next_step="Bring the damaged one back from its backup first; nothing was changed.",
        ) from error
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise FirstbellError(
            f"the hub's databases cannot be saved: {(error.strerror or str(error)).lower()}",
            next_step="Make room where Docker keeps its volumes; nothing was changed.",
        ) from error
    whole = folders.saved / identity
    if whole.exists():
        shutil.rmtree(folders.saved / f".{identity}.old", ignore_errors=True)
        whole.rename(folders.saved / f".{identity}.old")
    part.rename(whole)
    shutil.rmtree(folders.saved / f".{identity}.old", ignore_errors=True)
    return told


def _copied(live: Path, kept: Path) -> Iterator[Path]:
    """Copy the files of the folder itself; what is deeper, hand-ins among it, never changes and stays where it is."""
    kept.mkdir(mode=0o700)
    found = [path for path in sorted(live.iterdir()) if path.is_file() and not path.is_symlink()]
    databases = [path for path in found if is_database(path)]
    beside = {f"{path}{end}" for path in databases for end in COMPANIONS}
    for path in found:
        copy = kept / path.name
        if path in databases:
            copy_one(path, copy)
        elif str(path) not in beside and COPIES not in path.name:
            shutil.copy2(path, copy)
            owner = path.stat()
            os.chown(copy, owner.st_uid, owner.st_gid)
        else:
            continue
        yield copy


def _settle(folder: Path) -> None:
    """Have all of it on the disk before it is called saved."""
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def fill(folders: Folders, identity: str, target: Path) -> dict[str, Any]:
    """Copy a saved state into an empty folder of a hub's."""
    for path in (folders.saved / identity / "state").iterdir():
        copy = target / path.name
        shutil.copy2(path, copy)
        os.chown(copy, path.stat().st_uid, path.stat().st_gid)
    _without_servers(target / JUPYTERHUB)
    return {"filled": str(target)}


def _without_servers(database: Path) -> None:
    """To a hub on trial nobody's server runs: it is not to look for any, and least of all to end one."""
    if not database.exists():
        return
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("UPDATE spawners SET server_id = NULL, state = '{}'")
        db.execute("DELETE FROM servers")


def compare(folders: Folders, identity: str) -> list[dict[str, Any]]:
    """Each saved database beside what it is now; those that are gone now count as unreadable."""
    return [
        {
            "file": kept.name,
            "is_readable": live.exists() and is_readable(kept, live),
            "rows": _rows_since(kept, live) if live.exists() else {},
        }
        for kept, live in _pairs(folders, identity)
    ]


def is_readable(kept: Path, live: Path) -> bool:
    """Whether who wrote the one can read the other: all tables as they were; only whole tables may have come.

    Versions that are written down in a database, JupyterHub's among them, must be the same, too.
    """
    (before, mark), (now, mark_now) = _shape(kept), _shape(live)
    tables = {name for (_, name, _) in before}
    come = [key for key in now.keys() - before.keys() if key[0] == "trigger" or key[2] in tables]
    return mark == mark_now and not come and all(now.get(key) == sql for key, sql in before.items())


def put_back(folders: Folders, identity: str) -> list[str]:
    """Bring back what an older hub could no longer read; the files' names. Again after a kill, it goes on."""
    moved = []
    for kept, live in _pairs(folders, identity):
        if live.exists() and is_readable(kept, live):
            continue
        beside = live.with_name(f".{live.name}.put-back")
        shutil.copy2(kept, beside)
        os.chown(beside, kept.stat().st_uid, kept.stat().st_gid)
        remove_companions(live)
        beside.replace(live)
        moved.append(live.name)
    return moved


def listed(folders: Folders) -> list[dict[str, Any]]:
    """The facts of all that is saved, by name, which begins with the time."""
    found = sorted(folders.saved.glob(f"[0-9]*/{FACTS}"))
    return [json.loads(path.read_text()) for path in found]


def prune(folders: Folders, most: int) -> list[str]:
    """Remove all but the newest of each kind, and what kills have left; what went."""
    gone = [path for path in folders.saved.iterdir() if path.name.startswith(".")]
    kinds: dict[str, list[Path]] = {}
    for facts in listed(folders):
        kinds.setdefault(str(facts.get("kind", "")), []).append(folders.saved / facts["id"])
    gone += [path for paths in kinds.values() for path in paths[: max(0, len(paths) - most)]]
    for path in gone:
        shutil.rmtree(path)
    return [path.name for path in gone]


def note(folders: Folders, what: str, words: str) -> dict[str, str]:
    """An entry of the record: whose schema only a hub of this version knows, so by its own program."""
    from firstbell.hub.records import acts

    book = acts.ActsBook(folders.state / acts.FILE)
    with book.noted(acts.COMMAND_LINE, what, [""], words):
        pass
    book.close()
    return {"noted": what}


def _pairs(folders: Folders, identity: str) -> Iterator[tuple[Path, Path]]:
    for live, kept in folders.parts(identity):
        for path in sorted(kept.iterdir()) if kept.is_dir() else ():
            if is_database(path):
                yield path, live / path.name


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)


Shape = dict[tuple[str, str, str], str]
"""The text by which each table, index, view and trigger was made, by kind, name and table."""


def _shape(path: Path) -> tuple[Shape, tuple[Any, ...]]:
    """What a database is made of, and the versions written down in it."""
    with closing(_opened(path)) as db:
        rows = db.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master").fetchall()
        made = {(kind, name, table): text for kind, name, table, text in rows if not name.startswith("sqlite_")}
        own = db.execute("PRAGMA user_version").fetchone()[0]
        has_alembic = any(name == "alembic_version" for _, name, _ in made)
        heads = sorted(db.execute("SELECT version_num FROM alembic_version").fetchall()) if has_alembic else []
    return made, (own, *heads)


def _rows_since(kept: Path, live: Path) -> dict[str, int]:
    """How many rows more, or fewer, each table has now; those alone in which that is so."""
    before, now = _counts(kept), _counts(live)
    return {name: now[name] - before[name] for name in before.keys() & now.keys() if now[name] != before[name]}


def _counts(path: Path) -> dict[str, int]:
    with closing(_opened(path)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        quoted = {name: name.replace('"', '""') for name in tables}
        return {name: db.execute(f'SELECT count(*) FROM "{quoted[name]}"').fetchone()[0] for name in tables}  # noqa: S608


def answer(folders: Folders, verb: str, words: Sequence[str]) -> Any:
    """What the verb answers. Raises FirstbellError."""
    match verb, *words:
        case "save", identity, facts:
            return save(folders, identity, facts)
        case "fill", identity, target:
            return fill(folders, identity, Path(target))
        case "compare", identity:
            return compare(folders, identity)
        case "put-back", identity:
            return put_back(folders, identity)
        case "list", *_:
            return listed(folders)
        case "note", what, said:
            return note(folders, what, said)
        case "prune", most:
            return prune(folders, int(most))
    raise FirstbellError(f"{verb} takes other words than {' '.join(words)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or that of the error."""
    parser = argparse.ArgumentParser(prog="firstbell.hub.saved")
    parser.add_argument("verb", choices=("save", "fill", "compare", "put-back", "list", "prune", "note"))
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args(argv)
    return print_answer(lambda: answer(Folders(), arguments.verb, arguments.words))


if __name__ == "__main__":
    sys.exit(main())

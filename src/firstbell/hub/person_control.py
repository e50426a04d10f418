"""`python3 -m firstbell.hub.person_control VERB USER …`: all that a hub keeps of one person, told or taken out.

| verb | words | answer |
|---|---|---|
| `count` | USER | how much there is of them, and what they are in the course |
| `kept` | USER | all of it, with `entry`: the export's number in the record, and `folders` of the coursework's volume |
| `export-ended` | ENTRY WORDS | that export's result |
| `remove` | USER | the hub has let go of them: sessions, server, user |
| `erase` | USER, other names of theirs | what was taken out; who is still on the roster or of the staff is refused |
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from firstbell.coursework.layout import Layout
from firstbell.coursework.person import erase_work, work_of
from firstbell.errors import CourseFileError, StartFailed
from firstbell.hub.control_io import HubFiles, control_arguments, print_answer
from firstbell.hub.homes.uses import FILE as HOME_USES
from firstbell.hub.homes.uses import forget_home_use
from firstbell.hub.people import control as people_control
from firstbell.hub.records.acts import COMMAND_LINE
from firstbell.hub.records.chain import EXPORT, RESULT
from firstbell.hub.records.file import FILE
from firstbell.hub.records.keep import erase
from firstbell.hub.records.record import Record
from firstbell.hub.records.write import New
from firstbell.model.runtime import COURSEWORK_DIR

VERBS = ("count", "kept", "export-ended", "remove", "erase")
_SETTLES = 1.5
"""Seconds after which the hub has written the end of a server into the record, by its name."""


class PersonControl:
    """The files of a hub, for these verbs."""

    def __init__(self, hub: HubFiles, folder: Path) -> None:
        self._hub = hub
        self._layout = Layout(folder) if hub.course.coursework is not None else None

    def answer(self, verb: str, words: Sequence[str]) -> Any:
        """What the verb answers. Raises FirstbellError."""
        match verb, *words:
            case "count", user:
                return self.count(user)
            case "kept", user:
                return self.kept(user)
            case "export-ended", entry, result:
                with self._record() as record:
                    record.add(New(RESULT, words=result, of=int(entry)))
                return {}
            case "remove", user:
                people_control.have_done(self._hub, "remove", [user])
                return {}
            case "erase", user, *also:
                return self.erase(user, also)
        raise CourseFileError(f"{verb} was given {len(words)} words")

    def count(self, user: str) -> dict[str, Any]:
        """How much is kept."""
        hub, access = self._hub, self._hub.course.access
        row = next((row for row in people_control.list_people(hub) if row["username"] == user), None)
        with self._record() as record:
            entries = len(record.lines(of=user))
            messages = len(_messages(record, user))
        work = work_of(self._layout, user).counts if self._layout else {}
        listed = access.login == "roster" and any(p.username == user for p in people_control.people_of(hub))
        is_named = user in access.staff or (not isinstance(access.allow, str) and user in access.allow)
        found = {
            "account": row,
            "is_named": is_named,
            "is_listed": listed and not is_named,
            "has_home": hub.store.has_home(user),
            "entries": entries,
            "messages": messages,
            "coursework": work,
        }
        return found | {"is_known": bool(row or found["has_home"] or entries or messages or any(work.values()))}

    def kept(self, user: str) -> dict[str, Any]:
        """All of it; the record says before it is given that it was."""
        with self._record() as record:
            [entry] = record.add(New(EXPORT, "", COMMAND_LINE, user))
            lines = [asdict(line) for line in reversed(record.lines(of=user))]
            messages = _messages(record, user)
        work = work_of(self._layout, user) if self._layout else None
        seat = self._hub.store.seat(user)
        return {
            "entry": entry,
            "account": {
                **(self.count(user)["account"] or {"username": user}),
                "seat": {"number": seat.number, "created": seat.created, "last_seen": seat.last_seen} if seat else None,
                "has_password": user in self._hub.store.with_password(),
                "node_of_home": self._hub.store.home_node(user),
            },
            "record": lines,
            "messages": messages,
            "coursework": asdict(work) if work else None,
            "folders": work.folders if work else (),
        }

    def erase(self, user: str, also: Sequence[str]) -> dict[str, Any]:
        """Coursework, password, seat, home's entry, and last the name in the record."""
        before = self.count(user)
        if before["is_named"] or before["is_listed"]:
            where = "named in the course file" if before["is_named"] else "on the roster"
            raise CourseFileError(f"{user} is {where}", next_step=f"firstbell people erase {user}")
        if (before["account"] or {}).get("running"):
            raise StartFailed(f"the server of {user} runs", next_step=f"firstbell people erase {user}")
        if self._layout:
            erase_work(self._layout, user)
        store = self._hub.store
        store.forget(user)
        store.remove_seats([user], before=store.last_seat())
        store.forget_home(user)
        store.forget_kept(user)
        forget_home_use(self._hub.state / HOME_USES, user)
        time.sleep(_SETTLES)
        with self._record() as record:
            erased = erase(record, user, COMMAND_LINE, also)
        for path in self._hub.state.glob("*.sqlite"):
            _empty_log(path)
        return {"before": before, "record": asdict(erased)}

    @contextmanager
    def _record(self) -> Iterator[Record]:
        with closing(Record(self._hub.state / FILE)) as record:
            yield record


def _empty_log(path: Path) -> None:
    """Write what stands in a database's write-ahead log into the database: the log has what was deleted since."""
    with closing(sqlite3.connect(path, timeout=5)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _messages(record: Record, user: str) -> list[dict[str, Any]]:
    """What they were told, and what they told others."""
    query = (
        "SELECT messages.at, who, whom, words, readings.at FROM messages LEFT JOIN readings ON message = id"
        " WHERE ?1 IN (who, whom) ORDER BY id"
    )
    names = ("at", "who", "whom", "words", "read")
    return [dict(zip(names, row, strict=True)) for row in record.db.execute(query, (user,))]


def _answer(hub: HubFiles, folder: Path, verb: str, words: Sequence[str]) -> Any:
    try:
        return PersonControl(hub, folder).answer(verb, words)
    except (sqlite3.Error, OSError) as error:
        raise StartFailed(
            f"the hub's files could not be read or written: {error}", next_step="Run the command again."
        ) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or that of the error."""
    parser = control_arguments("firstbell.hub.person_control", VERBS)
    parser.add_argument("--folder", type=Path, default=Path(COURSEWORK_DIR))
    arguments = parser.parse_args(argv)
    hub = HubFiles.named(arguments)
    return print_answer(lambda: _answer(hub, arguments.folder, arguments.verb, arguments.names))


if __name__ == "__main__":
    sys.exit(main())

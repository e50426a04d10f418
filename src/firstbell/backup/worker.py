"""Does an order of the book; the same for the hub's service and for a command where no hub runs."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from firstbell.backup.backups import Backups, Made, RestoreWish, Tell
from firstbell.backup.earlier import NoRoom
from firstbell.backup.failure import BackupFailed, Trouble
from firstbell.backup.orders import Order, Orders, State, What
from firstbell.backup.schedule import drill_choice
from firstbell.errors import EngineUnavailable, FirstbellError
from firstbell.model.backup import Kind, Snapshot

_NAMED = 5
"""People whose homes are not there are named, of however many."""
_TRIES = 5
"""Homes that a drill chooses from anew where one is too large for the disk."""


async def do(backups: Backups, kind: What, wish: Mapping[str, Any], tell: Tell) -> tuple[str, dict[str, Any]]:
    """What came of it, in words and as plain values. Raises FirstbellError, also where a run has left somebody out."""
    match kind:
        case What.BACKUP:
            made = await backups.back_up(tell, str(wish.get("run", "")))
            if made.bad or made.vanished:
                raise NotAll(made)
            return words_of_run(made), made.plain()
        case What.CHECK:
            tell(0, 1, "reading every byte in the storage")
            count = await backups.check()
            return f"every byte was read and is right; {count} snapshots", {"snapshots": count}
        case What.DRILL:
            return await _drill(backups, tell)
        case What.RESTORE:
            asked = RestoreWish(**wish)
            tell(0, 1, f"bringing back files of {asked.user}")
            done = await backups.restore(asked)
            return f"{done.place}: {_files(done.files)}", asdict(done)


async def work_one(backups: Backups, orders: Orders) -> bool:
    """Do the next order of the book, if there is one; whether there was. Its failure is its outcome.

    Raises EngineUnavailable: then it is due again once `again` was called.
    """
    order = orders.take()
    if order is None:
        return False
    await finish(backups, orders, order)
    return True


async def finish(backups: Backups, orders: Orders, order: Order) -> None:
    """Do an order that was taken, and write down what came of it."""

    def tell(done: int, all_: int, words: str) -> None:
        orders.tell(order.id, done, all_, words)

    try:
        words, result = await do(backups, order.kind, order.wish, tell)
    except NotAll as error:
        orders.end(order.id, State.FAILED, error.what, {**error.made.plain(), **_told(error)})
    except EngineUnavailable:
        raise
    except FirstbellError as error:
        orders.end(order.id, State.FAILED, error.what, _told(error))
    else:
        orders.end(order.id, State.DONE, words, result)


def _told(error: FirstbellError) -> dict[str, Any]:
    """What a command that follows the order says of it."""
    return {"where": error.where, "next_step": error.next_step, "evidence": list(error.evidence)}


class NotAll(FirstbellError):
    """A run that went through but has left something out."""

    def __init__(self, made: Made) -> None:
        homes = [one.subject.user for one in made.bad if one.subject.kind is Kind.HOME]
        others = [one.subject.kind.value for one in made.bad if one.subject.kind is not Kind.HOME]
        said, help_ = [], ["The rest is backed up. The next run tries these first."]
        if made.vanished:
            first, more = ", ".join(made.vanished[:_NAMED]), len(made.vanished) - _NAMED
            said.append(f"homes that were backed up before are not there: {first}{f' and {more} more' * (more > 0)}")
            help_.insert(0, "Is the disk of the homes mounted? What earlier backups have of them stays.")
        if made.bad:
            said.append(f"not everything is backed up: {', '.join([*homes, *others])}")
        super().__init__(
            "; ".join(said),
            next_step=" ".join(help_),
            evidence=[line for one in made.bad for line in _why(one.error, one.unreadable, one.subject.user)],
        )
        self.made = made


def words_of_run(made: Made) -> str:
    """What a run that was good came to, for people."""
    plain = made.plain()
    if not made.outcomes:
        return f"everything of the run {made.run} was there already"
    return f"{made.homes} homes; {_files(int(str(plain['files'])))}, {plain['added']} bytes new"


async def _drill(backups: Backups, tell: Tell) -> tuple[str, dict[str, Any]]:
    for left in reversed(range(_TRIES)):
        chosen = drill_choice(await backups.snapshots(), backups.course.name, random.SystemRandom().randrange)
        if chosen is None:
            raise BackupFailed(Trouble.NO_SNAPSHOT, "a home")
        tell(0, 1, f"restoring the home of {chosen.subject.user} where it is nobody's")
        try:
            return _drilled(chosen, await backups.drill(chosen))
        except NoRoom:
            if not left:
                raise
    raise AssertionError("the last try has raised or returned")


def _drilled(chosen: Snapshot, count: int) -> tuple[str, dict[str, Any]]:
    told = {"user": chosen.subject.user, "snapshot": chosen.id, "time": chosen.time, "files": count}
    return f"the home of {chosen.subject.user}: {_files(count)} compared, every byte right", told


def _why(error: str, unreadable: tuple[str, ...], user: str) -> list[str]:
    whose = user or "the hub"
    if error:
        first, *more = error.splitlines()
        return [f"{whose}: {first}", *(f"  {line}" for line in more)]
    return [f"{whose}: {path} could not be read" for path in unreadable[:3]]


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"

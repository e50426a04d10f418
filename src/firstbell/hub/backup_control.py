"""`python3 -m firstbell.hub.backup_control VERB …`: what the backup commands ask of a hub, in its container.

| verb | words | answer |
|---|---|---|
| `order` | KIND WISH | the order that was made, or the open one that is the same; see `backup/orders.py` |
| `progress` | ID SEEN | that order, once its state is not SEEN's (`state/done/words`); after some seconds as it is |
| `orders` | | what is open, and the last of each kind that ended, by kind |
| `known` | | who has a home, on which node, and with which uid and gid |
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Any

from firstbell.backup.backups import table_of
from firstbell.backup.homes import Known
from firstbell.backup.orders import FILE, Order, Orders, State, What
from firstbell.errors import CourseFileError
from firstbell.hub.control_io import HubFiles, control_arguments, print_answer
from firstbell.hub.coursework.people import Roll
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.records import acts
from firstbell.hub.records.acts import ActsBook
from firstbell.model.course import Course

_VERBS = ("order", "progress", "orders", "known")
_SOONEST, _WAITS, _LOOK_EVERY = 10.0, 30.0, 0.25
"""Seconds until a step is told, as to ask again costs as much CPU as the backup of a small home; until it is told that
there was none; between two looks."""


def known(course: Course, store: PeopleStore) -> Known:
    """What the hub knows of homes that an engine does not show."""
    roll, nodes = Roll(course, store), store.home_nodes()
    users = tuple(sorted({*roll.people(), *course.access.staff, *nodes}))
    own = {user: roll.ids(user) for user, person in roll.people().items() if person.uid is not None}
    return Known(users, dict(nodes), own)


def answer(hub: HubFiles, verb: str, words: Sequence[str]) -> Any:
    """What the verb answers. Raises CourseFileError."""
    table_of(hub.course)
    orders = Orders(hub.state / FILE)
    match verb, *words:
        case "order", kind, wish:
            return plain(_order(hub, orders, What(kind), json.loads(wish)))
        case "progress", order, seen:
            return plain(_progress(orders, int(order), seen))
        case ("orders",):
            ended = {kind.value: orders.last(kind, State.DONE, State.FAILED) for kind in What}
            good = orders.last(What.BACKUP, State.DONE)
            return {
                "open": [plain(one) for one in orders.open_ones()],
                "last": {kind: plain(one) for kind, one in ended.items() if one},
                "last_good": plain(good) if good else None,
            }
        case ("known",):
            return asdict(known(hub.course, hub.store))
    raise CourseFileError(f"{verb} was given {len(words)} words")


def plain(order: Order) -> dict[str, Any]:
    """As JSON has it."""
    return asdict(order)


def seen_of(order: Order) -> str:
    """What somebody who follows an order has seen of it."""
    return f"{order.state}/{order.done}/{order.words}"


def _order(hub: HubFiles, orders: Orders, kind: What, wish: dict[str, Any]) -> Order:
    if kind is not What.RESTORE:
        return orders.add(kind, wish, acts.COMMAND_LINE)
    # Whoever's files they are, it was not their owner who asked.
    with closing(ActsBook(hub.state / acts.FILE)) as book:
        what = wish.get("path") or "all files"
        with book.noted(acts.COMMAND_LINE, "restore", [wish["user"]], f"{what} of {wish.get('label', '')}".strip()):
            wish.pop("label", None)
            return orders.add(kind, wish, acts.COMMAND_LINE)


def _progress(orders: Orders, number: int, seen: str) -> Order:
    begun = time.monotonic()
    while True:
        order = orders.find(number)
        if order is None:
            raise CourseFileError(f"there is no order {number}", next_step="Run the command again.")
        if not order.is_open or order.state != seen.partition("/")[0]:
            return order
        if time.monotonic() - begun > (_WAITS if seen_of(order) == seen else _SOONEST):
            return order
        time.sleep(_LOOK_EVERY)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or that of the error."""
    arguments = control_arguments("firstbell.hub.backup_control", _VERBS).parse_args(argv)
    return print_answer(lambda: answer(HubFiles.named(arguments), arguments.verb, arguments.names))


if __name__ == "__main__":
    sys.exit(main())

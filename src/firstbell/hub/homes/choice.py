"""On which node somebody's first home is made: starts and the desk are two processes, and must make one home."""

from __future__ import annotations

import json
import time

from firstbell.errors import HomeMissing
from firstbell.hub.people.book import PeopleStore

_CHOSEN = "home-chosen:"
_HOLDS = 90.0
"""Seconds for which a choice binds: making a volume takes one at most, and whoever chose may have been killed."""


def choose(store: PeopleStore, user: str, node: str) -> str:
    """The node on which the home of somebody who has none is made: this one, unless it was chosen otherwise before."""
    kept = store.keep_unless(_CHOSEN + user, json.dumps({"node": node, "until": time.time() + _HOLDS}), _holds)
    # Whoever makes a home records it before the choice ends.
    return store.home_node(user) if store.has_home(user) else str(json.loads(kept)["node"])


def must_be(store: PeopleStore, user: str, node: str) -> None:
    """The home is made on this node and no other. Raises HomeMissing where the desk is making it elsewhere."""
    if (chosen := choose(store, user, node)) != node:
        raise HomeMissing(
            f"the place for the files of {user} is being made on {chosen} in this moment",
            where=chosen,
            next_step="Try again: it takes a second.",
        )


def made(store: PeopleStore, user: str, node: str) -> None:
    """The home is there; `node` is empty where no node had to be chosen."""
    store.record_home(user, node)
    if node:
        store.keep(_CHOSEN + user, "")


def _holds(kept: str) -> bool:
    # A clock that was set back must not hold somebody out for long.
    return bool(kept) and 0 < json.loads(kept)["until"] - time.time() <= _HOLDS

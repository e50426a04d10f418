"""What `firstbell homes` asks of a hub on a cluster: where homes are, and that nobody starts one that is being moved.

| verb | words | answer |
|---|---|---|
| `home-nodes` | | the node of each home, by user |
| `home-hold` | USER TOKEN NODE | USER's server does not start for a while; again with the same TOKEN: longer |
| `home-switch` | USER TOKEN NODE | the home is on NODE now |
| `home-release` | USER TOKEN | the server may start again |

A hold ends by itself when whoever asked for it is no more.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from time import time
from typing import Any

from firstbell.errors import CourseFileError, HomeMissing
from firstbell.hub.people.book import PeopleStore

HOLD_SECONDS = 90.0
"""How long a hold lasts; it is renewed every twenty seconds."""
_KEPT = "moving-home:"


def answer(store: PeopleStore, verb: str, words: Sequence[str]) -> Any:
    """What the verb answers. Raises CourseFileError, HomeMissing."""
    if verb == "home-nodes":
        return store.home_nodes()
    user, token, *rest = words
    match verb:
        case "home-hold":
            _hold(store, user, token, rest[0])
        case "home-switch":
            _held_by(store, user, token)
            store.record_home(user, rest[0])
        case _:
            if _hold_of(store, user).get("token") == token:
                store.keep(_KEPT + user, "")
    return {"user": user, "node": store.home_node(user)}


def refuse_while_moving(store: PeopleStore, user: str) -> None:
    """Raises HomeMissing while the user's home is being copied to another node."""
    if hold := _hold_of(store, user):
        raise HomeMissing(
            f"the files of {user} are being moved to {hold['to']}",
            where=hold["to"],
            next_step="This takes some minutes. Try again then; nothing is lost.",
        )


def _hold(store: PeopleStore, user: str, token: str, target: str) -> None:
    held = _hold_of(store, user)
    if held and held["token"] != token:
        raise CourseFileError(
            f"another command is moving the home of {user} to {held['to']}",
            where=user,
            next_step=f"Wait for it; a command that was killed is forgotten after {HOLD_SECONDS:.0f} seconds.",
        )
    store.keep(_KEPT + user, json.dumps({"token": token, "to": target, "until": time() + HOLD_SECONDS}))


def _held_by(store: PeopleStore, user: str, token: str) -> None:
    if _hold_of(store, user).get("token") != token:
        raise CourseFileError(
            f"the hub has not heard for too long that the home of {user} is being moved",
            where=user,
            next_step="The home stays where it was. Run the command again.",
        )


def _hold_of(store: PeopleStore, user: str) -> dict[str, Any]:
    """The hold that is in force; empty for none."""
    held: dict[str, Any] = json.loads(store.kept(_KEPT + user) or "{}")
    # A clock that was set back must not hold somebody out for long.
    return held if held and 0 < held["until"] - time() <= HOLD_SECONDS else {}

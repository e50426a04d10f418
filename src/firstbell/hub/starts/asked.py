"""Who asked for a start, and so: in which lane it waits, and whether a page waits with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jupyterhub import orm
from jupyterhub.handlers.pages import SpawnHandler

from firstbell.hub.records.endings import A_BELL
from firstbell.hub.starts.queue import Lane

BELLS_SERVICE = "keeper"
"""The hub's service (`bells/keeper.py`) that rings the bells: nobody waits for its starts yet."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A start's origin. `who` it was by name; a bell is no person, and the hub itself nobody."""

    who: str = ""
    lane: Lane = Lane.PERSON
    clicked: bool = False
    """The server's own user opened the page: whoever leaves it gives the start up."""


def asked(handler: Any, user: Any) -> Asked:
    """By whom: JupyterHub's handler (None for the hub itself) and the server's user."""
    by = handler.current_user if handler is not None else None
    if isinstance(by, orm.Service) and by.name == BELLS_SERVICE:
        return Asked(A_BELL, Lane.BELL)
    return Asked(getattr(by, "name", ""), clicked=isinstance(handler, SpawnHandler) and by is user)

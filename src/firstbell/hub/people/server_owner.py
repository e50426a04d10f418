"""Whose server asks: a server is known by its own token, which speaks for its owner alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jupyterhub import orm

from firstbell.hub.context import HubContext
from firstbell.hub.logins.codes import same

_TOKEN = re.compile(r"(?:token|Bearer)\s+([\x21-\x7e]{8,200})", re.IGNORECASE)
_MOST_REMEMBERED = 20_000


def token_in(authorization: str) -> str:
    """The token of an `Authorization` header; empty for none."""
    found = _TOKEN.fullmatch(authorization)
    return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class _Owner:
    """The owner of a server's token; user and token by their numbers in the database."""

    name: str
    user: int
    token: int


class ServerOwners:
    """Says whose present server a token is. `users` is JupyterHub's `UserDict`.

    Asked every few seconds by everybody's server: after the first time it costs no query, and nobody seems active.
    """

    def __init__(self, users: Callable[[], Any], db: Callable[[], Any]) -> None:
        self._users = users
        self._db = db
        self._owners: dict[bytes, _Owner] = {}

    def name(self, context: HubContext, token: str) -> str:
        """The user whose server has this token and is the one that the hub has for them; empty for any other token.

        Any other: one of an earlier server, one that people made for themselves, and those of staff who have opened
        somebody's server, where that somebody could read them.
        """
        owner = self._owner(token) if token else None
        return owner.name if owner and self._is_present(context, owner, token) else ""

    def _owner(self, token: str) -> _Owner | None:
        """Whose token it is; None where the database has none such."""
        key = hashlib.sha256(token.encode()).digest()
        known = self._owners.get(key)
        if known is None:
            found = orm.APIToken.find(self._db(), token)
            if found is None or found.user is None:
                return None
            if len(self._owners) >= _MOST_REMEMBERED:
                self._owners.clear()
            known = self._owners[key] = _Owner(str(found.user.name), int(found.user.id), int(found.id))
        return known

    def _is_present(self, context: HubContext, owner: _Owner, token: str) -> bool:
        if context.starts.holds(owner.name, token):
            return True
        user = dict.get(self._users(), owner.user)
        spawner = dict.get(user.spawners, "") if user is not None else None
        if not (spawner and spawner.active and not spawner.is_given_up and spawner.token_id == owner.token):
            return False
        # SQLite gives the number of a token that was deleted to the next one. A hub that has started the server knows
        # its token; one that has found it again has started none since, so what it remembers is of this one.
        return not spawner.api_token or same(spawner.api_token, token)

"""Where a server asks whether it still is the one that may write its user's home."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jupyterhub import orm
from tornado import web

from firstbell.hub.codes import same
from firstbell.hub.context import SETTING, HubContext
from firstbell.plan.lease import LEASE_PATH

_TOKEN = re.compile(r"(?:token|Bearer)\s+([\x21-\x7e]{8,200})", re.IGNORECASE)
_YES, _NO = 204, 403
_MOST_REMEMBERED = 20_000


class LeaseHandler(web.RequestHandler):
    """`GET` with the server's own token: 204 to the server that the hub has for that user, 403 to any other.

    Asked by every server every few seconds: it makes no login, no cookie, and after the first time no query.
    """

    def initialize(self, answer: Callable[[HubContext, str], bool]) -> None:
        self._answer = answer

    def get(self) -> None:
        found = _TOKEN.fullmatch(self.request.headers.get("Authorization", ""))
        context: HubContext = self.settings[SETTING]
        self.set_status(_YES if found and self._answer(context, found[1]) else _NO)

    def check_xsrf_cookie(self) -> None:
        """Nothing is changed that a browser could be made to ask for: it has no such token."""

    def log_exception(self, *args: Any) -> None:
        """As usual, but without the token that tornado would quote from the headers."""
        self.request.headers.pop("Authorization", None)
        super().log_exception(*args)


@dataclass(frozen=True, slots=True)
class _Owner:
    """The owner of a server's token; user and token by their numbers in the database."""

    name: str
    user: int
    token: int


class LeaseDesk:
    """Says to whom a token belongs and whether that server is the present one. `users` is JupyterHub's `UserDict`."""

    def __init__(self, users: Callable[[], Any], db: Callable[[], Any]) -> None:
        self._users = users
        self._db = db
        self._owners: dict[bytes, _Owner] = {}

    def renew(self, context: HubContext, token: str) -> bool:
        """Whether the server that has this token goes on for another while."""
        leases = context.cluster.leases if context.cluster else None
        owner = self._owner(token)
        if leases is None or owner is None or not self._is_present(context, owner, token):
            return False
        leases.grant(owner.name)
        return True

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


def lease_handlers(users: Callable[[], Any], db: Callable[[], Any]) -> list[Any]:
    """The route under the hub's prefix."""
    return [(f"/{LEASE_PATH}", LeaseHandler, {"answer": LeaseDesk(users, db).renew})]

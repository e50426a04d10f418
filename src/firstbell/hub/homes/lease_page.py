"""Where a server asks whether it still is the one that may write its user's home."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tornado import web

from firstbell.hub.context import SETTING, HubContext
from firstbell.hub.people.server_owner import ServerOwners, token_in
from firstbell.plan.lease import LEASE_PATH

_YES, _NO = 204, 403


class LeaseHandler(web.RequestHandler):
    """`GET` with the server's own token: 204 to the server that the hub has for that user, 403 to any other.

    Asked by every server every few seconds: it makes no login, no cookie, and after the first time no query.
    """

    def initialize(self, answer: Callable[[HubContext, str], bool]) -> None:
        self._answer = answer

    def get(self) -> None:
        token = token_in(self.request.headers.get("Authorization", ""))
        context: HubContext = self.settings[SETTING]
        self.set_status(_YES if token and self._answer(context, token) else _NO)

    def check_xsrf_cookie(self) -> None:
        """Nothing is changed that a browser could be made to ask for: it has no such token."""

    def log_exception(self, *args: Any) -> None:
        """As usual, but without the token that tornado would quote from the headers."""
        self.request.headers.pop("Authorization", None)
        super().log_exception(*args)


class LeaseDesk:
    """Gives leases to the servers that are the present ones. `users` is JupyterHub's `UserDict`."""

    def __init__(self, users: Callable[[], Any], db: Callable[[], Any]) -> None:
        self._owners = ServerOwners(users, db)

    def renew(self, context: HubContext, token: str) -> bool:
        """Whether the server that has this token goes on for another while."""
        leases = context.cluster.leases if context.cluster else None
        owner = self._owners.name(context, token) if leases else ""
        if leases is None or not owner:
            return False
        leases.grant(owner)
        return True


def lease_handlers(users: Callable[[], Any], db: Callable[[], Any]) -> list[Any]:
    """The route under the hub's prefix."""
    return [(f"/{LEASE_PATH}", LeaseHandler, {"answer": LeaseDesk(users, db).renew})]

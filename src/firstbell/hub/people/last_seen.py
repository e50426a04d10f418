"""When somebody was last seen is noted with almost every request: not worth a login where it cannot be written.

JupyterHub takes whoever it cannot note for somebody who is not logged in: on a full disk everybody would be out within
half a minute, their servers' requests to the hub among them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from jupyterhub.handlers import BaseHandler
from sqlalchemy.exc import OperationalError

LOG = logging.getLogger("firstbell.people")


def lenient(routes: Iterable[Any]) -> list[Any]:
    """These routes, whose handlers let in whom they know, also where nothing can be written."""
    return [_lenient(route) for route in routes]


def _lenient(route: Any) -> Any:
    path, handler, *rest = route
    if not issubclass(handler, BaseHandler):
        return route
    return (path, type(handler.__name__, (_Lenient, handler), {}), *rest)


class _Lenient(BaseHandler):
    """Before a handler of JupyterHub's or of ours."""

    def _record_activity(self, obj: Any, timestamp: Any = None) -> bool:
        """Written here, if it can be: there is then nothing for the caller to write."""
        if super()._record_activity(obj, timestamp):
            try:
                self.db.commit()
            except OperationalError as error:
                LOG.debug("That %s was seen could not be noted: %s", getattr(obj, "name", "a token"), error.orig)
                self.db.rollback()
        return False

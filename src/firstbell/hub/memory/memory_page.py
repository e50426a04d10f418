"""Where a server tells that its memory was full and what was ended for it.

`POST /hub/api/companion/memory` `{"what": "notebook", "name": "a.ipynb", "used": 1, "limit": 2}`, with the server's own
token, answers 204. Its person reads the words in Lab and on their pages; the record has the sizes.
"""

from __future__ import annotations

import time
from typing import Any

from tornado import web

from firstbell.hub.companion import COMPANION, CompanionHandler
from firstbell.hub.idle.notebooks import cleaned
from firstbell.hub.people.notes import tell_of_hub
from firstbell.hub.people.server_owner import ServerOwners
from firstbell.hub.records.write import New

LIMIT = "limit"
"""The kind of the record's entry."""
PAUSE = 5.0
"""Seconds in which somebody's server is heard once: it ends no more than that."""
_MIB = 1024**2
_MOST = 2**60
_MISSING = "what, used and limit are missing."
_ENDED = {
    "notebook": "your notebook{name} was ended and began anew",
    "terminal": "a program in your terminal was ended",
    "": "the system ended a program of yours",
}
"""What happened and to what comes first: Lab's notices show the first 140 characters."""


class MemoryHandler(CompanionHandler):
    """What a server tells when memory was full."""

    def initialize(self, owners: ServerOwners, heard: dict[str, float] | None = None) -> None:
        super().initialize(owners)
        self._heard = heard if heard is not None else {}

    def post(self) -> None:
        """Of the owner's own server. More than one in a few seconds is one."""
        words, sizes = memory_words(self.told())
        now = time.monotonic()
        if now - self._heard.get(self.user, float("-inf")) >= PAUSE:
            self._heard[self.user] = now
            self.firstbell.fulls.note(self.user)
            tell_of_hub(self.firstbell, self.user, words)
            self.firstbell.usage.note(New(LIMIT, "memory", whom=self.user, words=sizes))
        self.set_status(204)
        self.clear_header("Content-Type")


def memory_words(told: dict[str, Any]) -> tuple[str, str]:
    """For its person, and for the record. Raises HTTPError 400."""
    what, used, limit = told.get("what"), size_of(told.get("used")), size_of(told.get("limit"))
    if not isinstance(what, str) or what not in _ENDED:
        raise web.HTTPError(400, _MISSING)
    name = cleaned(told["name"]) if isinstance(told.get("name"), str) else ""
    sizes = f"{round(used / _MIB)} MB of {round(limit / _MIB)} MB"
    ended = _ENDED[what].format(name=f" {name}" if name else "")
    return (
        f"Memory was full ({sizes}): {ended}. What it held is gone, files are kept. Use less at once, shut down "
        "notebooks that you do not need, or ask the staff for more memory."
    ), sizes


def size_of(value: object) -> int:
    """Bytes. Raises HTTPError 400."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        raise web.HTTPError(400, _MISSING)
    return value


def memory_handlers(owners: ServerOwners) -> list[Any]:
    """The route under the hub's prefix."""
    return [(f"{COMPANION}/memory", MemoryHandler, {"owners": owners, "heard": {}})]

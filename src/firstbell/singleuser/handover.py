"""The hub's word that comes with the browser: whose login cookie that is, so that the hub need not be asked at once.

The hub sets it beside the login cookie when it leads its person to this server (``firstbell/hub/logins/handover.py``),
signed with this server's key. It is what ``GET /hub/api/user`` would have answered at that moment, it speaks of one
login in one browser session only, and it is believed for as long as any answer of the hub's: it makes no login last
longer.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from .hub import KNOWN_SECONDS

if TYPE_CHECKING:
    from tornado import web

    from .login import Login

SUFFIX = "-known"
_CLOCKS_DIFFER = 5.0  #: seconds that the hub's clock may be ahead, where it is another machine's


def take(login: Login, handler: web.RequestHandler, token: str, session: str) -> None:
    """Lets the hub's client know what the hub said in this request's cookie; does nothing without one that counts."""
    name = login.cookie + SUFFIX
    if name not in handler.request.cookies:
        return
    key = login.hub.key(token, session)
    if login.hub.has_asked(key):
        return
    for value in login.values(handler, name):
        word = _decoded(value)
        age = time.time() - word["at"]
        if word["key"] == key and -_CLOCKS_DIFFER <= age < KNOWN_SECONDS:
            login.hub.believe(key, word["model"], max(age, 0.0))
            return


def _decoded(value: bytes) -> dict[str, Any]:
    """What the hub wrote; it is signed, so it is what it should be, or of another version and then nothing."""
    nothing = {"key": "", "at": 0.0, "model": {}}
    try:
        word = json.loads(value)
    except ValueError:
        return nothing
    if not isinstance(word, dict) or not isinstance(word.get("at"), float):
        return nothing
    model = word.get("model")
    right = isinstance(model, dict) and isinstance(model.get("name"), str) and isinstance(model.get("scopes"), list)
    return {**nothing, **word} if right else nothing

"""What staff tell somebody, on that person's own pages: home, and where they wait."""

from __future__ import annotations

import logging
import sqlite3
from typing import Any

from tornado import web

from firstbell.hub.context import SETTING, HubContext
from firstbell.hub.records.acts import Message

LOG = logging.getLogger("firstbell.acts")


def notes_of(handler: Any) -> tuple[Message, ...]:
    """What the person of this request has not read yet; nothing for nobody. A page never fails for it."""
    context: HubContext = handler.settings[SETTING]
    name = getattr(handler.current_user, "name", "")
    if not name:
        return ()
    try:
        return context.acts.unread(name)
    except sqlite3.Error as error:
        LOG.warning("Messages cannot be read at present: %s", error)
        return ()


def number(text: str) -> int:
    """Of a form. Raises HTTPError 400."""
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise web.HTTPError(400, "That is no number.")
    return int(text)

"""What staff and the hub itself tell somebody, on that person's own pages: home, and where they wait."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from typing import Any

from tornado import web

from firstbell.hub.context import SETTING, HubContext
from firstbell.hub.records.acts import Message

LOG = logging.getLogger("firstbell.acts")
NOBODY = ""
"""Who tells what the hub itself did: no name is put before the words."""


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


def last_word(context: HubContext) -> Callable[[Any], str]:
    """For templates: what the hub itself has told that user last; empty for nobody, and where it has been read."""

    def found(user: Any) -> str:
        try:
            unread = context.acts.unread(user.name) if user else ()
            return next((one.words for one in reversed(unread) if one.who == NOBODY), "")
        except sqlite3.Error as error:
            LOG.warning("Messages cannot be read at present: %s", error)
            return ""

    return found


def tell_of_hub(context: HubContext, name: str, words: str) -> None:
    """What the hub itself tells somebody: the last word stands, those before it that nobody has read are over."""
    acts = context.acts
    try:
        acts.read_these(name, [one.id for one in acts.unread(name) if one.who == NOBODY])
        acts.tell(NOBODY, [name], words)
    except sqlite3.Error as error:
        LOG.warning("%s cannot be told what befell their server: %s", name, error)


def number(text: str) -> int:
    """Of a form. Raises HTTPError 400."""
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise web.HTTPError(400, "That is no number.")
    return int(text)

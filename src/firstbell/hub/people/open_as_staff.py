"""Staff at somebody else's server: a right that ends, a record that stays, and the owner is told.

Every login of a browser at somebody else's server passes the hub's authorisation (OAuth), whichever page led there: it
is noted there. Who may enter by a rank (owners, instructors) needs no more; a grader of a section is no admin of
JupyterHub's and is given that one server, for some hours, as one of JupyterHub's shares.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from jupyterhub import orm
from jupyterhub.utils import utcnow

from firstbell.coursework.formgrader import SERVICE
from firstbell.coursework.rights import Duty
from firstbell.hub.context import SETTING, HubContext
from firstbell.hub.coursework.ask import BY_HAND_ACT, EVERYBODY
from firstbell.hub.pages.staff_page import person_of, rights_of_user

LOG = logging.getLogger("firstbell.acts")

HOURS = 8
"""For which a grader may come back to a server that they opened: a day's work."""
LOOK_EVERY = 5.0
"""Seconds between two looks for graders who are none any more; their server believes a login for 30 seconds."""
JUST = 60.0
"""Seconds from the click on “Open” to the server's question for a login."""
TOLD_AGAIN = 600.0
"""Seconds in which the same person's entering is not told again: a browser logs in once for each of its sessions."""


def let_in(staff: Any, owner: Any) -> None:
    """See that `staff` may enter the server of `owner` (both JupyterHub's users), for some hours."""
    if staff.admin:
        return
    share = orm.Share.grant(staff.db, owner.spawner.orm_spawner, staff.orm_user)
    share.expires_at = utcnow(with_tz=False) + timedelta(hours=HOURS)
    staff.db.commit()


def take_back(db: Any, may: Callable[[str, str], bool]) -> None:
    """End the shares that end by themselves, of those whose staff may not enter any more: `may(staff, owner)`."""
    unfit = [
        share
        for share in db.query(orm.Share).filter(orm.Share.expires_at != None)  # noqa: E711 - SQLAlchemy's way to say it
        if share.user and share.owner and not may(share.user.name, share.owner.name)
    ]
    for share in unfit:
        LOG.info("%s may not enter the server of %s any more", share.user.name, share.owner.name)
        db.delete(share)
    if unfit:
        db.commit()


def may_enter(context: HubContext, users: Any) -> Callable[[str, str], bool]:
    """Whether somebody may open somebody else's server, by user names; `users` is JupyterHub's `UserDict`."""

    def may(staff: str, owner: str) -> bool:
        rights = rights_of_user(context, users.get(staff))
        return rights is not None and rights.may_do(Duty.OPEN, person_of(context, owner))

    return may


async def keep_taking_back(app: Any, context: HubContext) -> None:
    """Until cancelled. No failure ends it; `app` is JupyterHub."""
    may = may_enter(context, app.users)
    while True:
        try:
            take_back(app.db, may)
        except Exception:
            LOG.exception("Looking who may still enter failed, trying again")
            app.db.rollback()
        await asyncio.sleep(LOOK_EVERY)


def has_just_opened(handler: Any, client: Any) -> bool:
    """Whether the person of this request asked on our page, a moment ago, for the server whose OAuth client this is."""
    context: HubContext = handler.settings[SETTING]
    owner = client.spawner.user.name if client.spawner is not None else ""
    return bool(owner) and context.acts.has_done(handler.current_user.name, "open", owner, JUST)


def note_entry(handler: Any) -> None:
    """A browser of this request's person has just been let in at the server, or the formgrader, that asked for it."""
    context: HubContext = handler.settings[SETTING]
    client = handler.db.query(orm.OAuthClient).filter_by(identifier=handler.get_argument("client_id", "")).first()
    if client is not None and client.service is not None and client.service.name == SERVICE:
        _note_by_hand(context, handler.current_user.name)
    owner = client.spawner.user.name if client is not None and client.spawner is not None else ""
    who = getattr(handler.current_user, "name", "")
    if not owner or owner == who:
        return
    try:
        if not context.acts.has_done(who, "enter", owner, TOLD_AGAIN):
            context.acts.result(context.acts.act(who, "enter", owner))
            if not context.acts.has_done(who, "open", owner, TOLD_AGAIN):
                tell_of_opening(context, who, owner)
    except sqlite3.Error as error:
        LOG.error("%s entered the server of %s, and it could not be recorded: %s", who, owner, error)  # noqa: TRY400


def _note_by_hand(context: HubContext, who: str) -> None:
    """Who came by the page's button is in the record already; who typed the address comes into it here."""
    try:
        if not context.acts.has_done(who, BY_HAND_ACT, EVERYBODY, TOLD_AGAIN):
            context.acts.result(context.acts.act(who, BY_HAND_ACT, EVERYBODY))
    except sqlite3.Error as error:
        LOG.error("%s entered the formgrader, and it could not be recorded: %s", who, error)  # noqa: TRY400


def tell_of_opening(context: HubContext, who: str, owner: str) -> None:
    """The owner reads of it on their next page."""
    name = person_of(context, who).name or who
    context.acts.tell(who, [owner], f"{name} opened your Jupyter, and with it your files.")

"""Pages for staff: whose they are, and what one of the staff may do there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from jupyterhub.user import User
from tornado import web

from firstbell.coursework.rights import Duty, Rights, rights_of
from firstbell.hub.context import HubContext
from firstbell.hub.pages.shared import SmallForm
from firstbell.model.observed import DiskUse
from firstbell.model.roster import Person, PersonRole
from firstbell.plan.disk_room import backup_use, takers


def rights_of_user(context: HubContext, user: Any) -> Rights | None:
    """The rights of JupyterHub's `user`; None for a student, for a service, and for nobody."""
    if not isinstance(user, User):
        return None
    person = context.person(user.name)
    is_owner = user.name in context.course.access.staff or (bool(user.admin) and person is None)
    return rights_of(person, is_owner=is_owner)


def is_staff(context: HubContext) -> Callable[[Any], bool]:
    """For templates: whether that user sees the pages for staff."""
    return lambda user: rights_of_user(context, user) is not None


def person_of(context: HubContext, username: str) -> Person:
    """Somebody as rights look at them: staff of the course file are instructors, whom no roster names is a student."""
    person = context.person(username) or Person(username)
    return replace(person, role=PersonRole.INSTRUCTOR) if username in context.course.access.staff else person


class StaffPage(SmallForm):
    """A page that only staff see, in a browser that is logged in at the hub.

    Tokens are refused: a server that staff have opened holds one of theirs, and its owner could read it there.
    """

    def rights(self) -> Rights:
        """Of whoever asks. Raises HTTPError 403 for students and for tokens."""
        rights = None if self.is_token() else rights_of_user(self.firstbell, self.current_user)
        if rights is None:
            raise web.HTTPError(403, "This page is for staff.")
        return rights

    def is_staff(self) -> bool:
        """Whether whoever asks is staff."""
        return rights_of_user(self.firstbell, self.current_user) is not None

    def is_token(self) -> bool:
        """Whether the request is vouched for by a token, not by a login."""
        return bool(getattr(self, "_token_authenticated", False))

    def whom(self, duty: Duty, username: str) -> Any:
        """JupyterHub's user of that name, to whom this duty may be done. Raises HTTPError 403, 404.

        Whom these rights do not cover is not there: nobody learns whether that name exists.
        """
        rights, user = self.rights(), self.find_user(username)
        if not rights.may(duty):
            raise web.HTTPError(403, "This is for instructors.")
        if user is None or not rights.may_do(duty, person_of(self.firstbell, username)):
            raise web.HTTPError(404, f"There is no {username} whom you look after.")
        return user

    @property
    def template_namespace(self) -> dict[str, Any]:
        """As every page's, with what staff should look after."""
        room = self.firstbell.disk()
        if room is None or not room.is_low:
            return super().template_namespace | {"disk_low": "", "disk_takers": ()}
        return super().template_namespace | {"disk_low": room.words, "disk_takers": takers(self._backups_here())}

    def _backups_here(self) -> tuple[DiskUse, ...]:
        """What the hub itself knows of what takes the machine's space; the engine is asked by `firstbell doctor`."""
        backup, earlier = self.firstbell.course.backup, self.firstbell.earlier
        return backup_use(backup.storage.directory, earlier.report()) if backup and earlier else ()

    @property
    def own_name(self) -> str:
        """The user name of whoever asks."""
        return str(self.current_user.name)

    def shown_name(self, username: str) -> str:
        """Somebody's name, where the roster has one."""
        return person_of(self.firstbell, username).name or username

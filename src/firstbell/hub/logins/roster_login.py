"""Login `roster`: the people of a list, each with a password that they set by a personal link."""

from __future__ import annotations

from typing import Any

from jupyterhub.auth import Authenticator

from firstbell.coursework.rights import is_hub_admin
from firstbell.hub.context import SETTING, HubContext
from firstbell.hub.logins.course_login import CourseLogin, proved_name
from firstbell.hub.logins.password_login import InvitePage, PasswordCheck, PasswordPage
from firstbell.hub.pages.shared import LogoutPage
from firstbell.model.roster import Person


class RosterLogin(CourseLogin, Authenticator):
    """Who is on the roster (or staff of the course) and knows their password may enter; an empty roster is nobody."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.password_check = PasswordCheck()

    def get_handlers(self, app: Any) -> list[Any]:
        """Our routes."""
        ours = [(r"/login", PasswordPage), (r"/logout", LogoutPage), (r"/invite/(.*)", InvitePage)]
        return [*ours, *super().get_handlers(app)]

    async def authenticate(self, handler: Any, data: Any) -> dict[str, Any] | None:
        """The name a page of ours has proved, or that belongs to the password."""
        name = proved_name(data) or await self.password_check.username(handler, data)
        return {"name": name} if name else None

    def check_allowed(self, username: str, authentication: Any = None) -> bool:
        """Whether the roster (or the course's staff) has that name, now."""
        del authentication
        return username in self.admin_users or self._person(username) is not None

    def is_admin(self, handler: Any, authentication: dict[str, Any]) -> bool:
        """Staff of the course, the roster's instructors, and its assistants who have no section."""
        del handler
        return authentication["name"] in self.admin_users or is_hub_admin(self._person(authentication["name"]))

    async def refresh_user(self, user: Any, handler: Any = None) -> bool:
        """Whether somebody's session still counts: not once they are off the list."""
        del handler
        return self.check_allowed(user.name)

    def full_name(self, username: str) -> str:
        """The person's name in the roster."""
        person = self._person(username)
        return person.name if person else ""

    def _person(self, username: str) -> Person | None:
        app: Any = self.parent
        context: HubContext = app.tornado_settings[SETTING]
        return context.person(username)

"""Logging in with a user name and a password, and the personal link by which a password is set."""

from __future__ import annotations

from typing import Any

from jupyterhub.handlers.login import LoginHandler
from tornado import web

from firstbell.hub.logins.course_login import Proved
from firstbell.hub.logins.passwords import LONGEST, LONGEST_NAME, Passwords, TooManyTries, password_problem
from firstbell.hub.pages.shared import SmallForm

_CURT = "Invalid username or password"
"""JupyterHub's words."""


class PasswordCheck:
    """A hub's password login: made once, as it holds the counters of tries."""

    def __init__(self, passwords: Passwords | None = None) -> None:
        self.passwords = passwords or Passwords()

    async def username(self, handler: Any, data: Any) -> str | None:
        """The name if name and password are right. Raises HTTP 429 after too many tries."""
        name, password = str(data.get("username", "")).lower(), str(data.get("password", ""))
        if not 0 < len(name) <= LONGEST_NAME or not 0 < len(password) <= LONGEST:
            return None
        cookie = device_cookie_name(handler)
        try:
            devices = handler.cookie_values(cookie)[:4]
            store = handler.store
            device = next((value for value in devices if self.passwords.knows(store, name, value)), "")
            right = await self.passwords.right(store, name, password, handler.request.remote_ip, device)
        except TooManyTries as refusal:
            raise web.HTTPError(429, refusal.message) from None
        if right:
            handler.remember(cookie, self.passwords.device_cookie(store, name))
        return name if right else None


def device_cookie_name(handler: Any) -> str:
    """The cookie that says who has logged in from this browser before."""
    return f"firstbell-device-{handler.course.name}"


class PasswordPage(SmallForm, LoginHandler):
    """`/hub/login` of a roster."""

    def _render(self, login_error: str | None = None, username: str | None = None, **names: Any) -> Any:
        if login_error == _CURT:
            login_error = "The user name or the password is not right. Please try again."
        return super()._render(login_error=login_error, username=username, asks_password=True, **names)

    async def post(self) -> None:
        if not self.get_argument("username", ""):
            self.set_status(403)
            self.finish(await self._render(login_error="Please enter your user name and your password."))
            return
        await super().post()


class StaffPage(PasswordPage):
    """`/hub/staff` of a seminar: also for a browser that has a seat."""

    async def get(self) -> None:
        """Ask for name and password."""
        self.finish(await self._render(username=self.get_argument("username", "")))


class InvitePage(SmallForm):
    """`/hub/invite/CODE`: shows who is invited and asks for a password; opening it uses nothing up."""

    async def prepare(self) -> None:
        # The code must be in no log: whatever writes the request's address from here on writes this.
        self.request.uri = self.hub_url("invite", "[secret]")
        await super().prepare()

    async def get(self, code: str) -> None:
        """Ask for a password, or say that the link does not work (whyever)."""
        username = self._invited(code)
        if username is None:
            await self.show("invite_closed.html", 404)
            return
        await self._ask(username)

    async def post(self, code: str) -> None:
        """Set the password, use the link up, log in."""
        username = self._invited(code)
        if username is None:
            await self.show("invite_closed.html", 404)
            return
        password = self.get_argument("password", "", strip=False)
        problem = password_problem(username, password, self.get_argument("again", "", strip=False))
        if problem:
            await self._ask(username, problem, 400)
            return
        check: PasswordCheck = self.authenticator.password_check
        try:
            hashed = await check.passwords.hashed(password)
        except TooManyTries as refusal:
            await self._ask(username, refusal.message, 429)
            return
        if self.store.redeem(code, hashed) is None:  # somebody was faster with the same link
            await self.show("invite_closed.html", 404)
            return
        user = await self.login_user({"proved": Proved(username)})
        if user is None:
            raise web.HTTPError(403, "You are not on the list of this course any more.")
        self.remember(device_cookie_name(self), check.passwords.device_cookie(self.store, username))
        self._jupyterhub_user = user
        self.redirect(self.get_next_url(user))

    def _invited(self, code: str) -> str | None:
        username = self.store.invited(code)
        return username if username and self.authenticator.check_allowed(username) else None

    async def _ask(self, username: str, problem: str = "", status: int = 200) -> None:
        name = self.authenticator.full_name(username)
        await self.show("invite.html", status, username=username, full_name=name, problem=problem)


PASSWORD_ROUTES: list[Any] = [(r"/staff", StaffPage), (r"/invite/(.*)", InvitePage)]

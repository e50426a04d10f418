"""Login `seminar`: opening the URL is enough. Everybody gets a numbered seat that their browser finds again."""

from __future__ import annotations

import io
from typing import Any

import segno
from jupyterhub.auth import Authenticator
from jupyterhub.handlers.login import LoginHandler
from tornado import web

from firstbell.hub.logins import codes
from firstbell.hub.logins.course_login import CourseLogin, Proved, proved_name
from firstbell.hub.logins.password_login import PASSWORD_ROUTES, PasswordCheck
from firstbell.hub.logins.passwords import TooManyTries
from firstbell.hub.logins.seats import Seats
from firstbell.hub.logins.sessions import end_sessions
from firstbell.hub.logins.throttle import Rate, Throttle, Throttles
from firstbell.hub.pages.shared import LogoutPage, SmallForm
from firstbell.hub.people.seats import Seat
from firstbell.hub.rehearsals.rehearsal import book_of, is_rehearsal

# Guessing a code: at most 60 tries at once and then one every two seconds, all addresses together. Against 1000 seats
# and 2^40 codes that is one seat in some 35 years of guessing without pause.
_CODES_OF_ADDRESS = Rate(burst=10, every=20)
_CODES_OF_ALL = Rate(burst=60, every=2)
_WORDS_OF_ADDRESS = Rate(burst=40, every=2)
_WORDS_OF_ALL = Rate(burst=300, every=0.2)
_FEWEST_AT_ONCE = 100  # new seats: a whole hall may sit behind one address


class SeminarLogin(CourseLogin, Authenticator):
    """Whoever has a seat may enter; who has none gets one. Staff have passwords, by personal invitation."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.codes_of_address = Throttle(_CODES_OF_ADDRESS)
        self.codes_of_all = Throttle(_CODES_OF_ALL, keys=1)
        self.words_of_address = Throttle(_WORDS_OF_ADDRESS)
        self.words_of_all = Throttle(_WORDS_OF_ALL, keys=1)
        self.new_seats: Throttle | None = None
        self.password_check = PasswordCheck()

    def new_seats_of_address(self, capacity: int) -> Throttle:
        """New seats that one address may take: three times the room at once, then one in ten seconds."""
        if self.new_seats is None:
            self.new_seats = Throttle(Rate(burst=max(_FEWEST_AT_ONCE, 3 * capacity), every=10))
        return self.new_seats

    def get_handlers(self, app: Any) -> list[Any]:
        """The door, the seat's own page, re-joining, and the staff's way in."""
        ours = [
            (r"/login", WelcomePage),
            (r"/logout", LogoutPage),
            (r"/seat", SeatPage),
            (r"/rejoin", RejoinPage),
            (r"/forget", ForgetPage),
        ]
        return [*ours, *PASSWORD_ROUTES, *super().get_handlers(app)]

    async def authenticate(self, handler: Any, data: Any) -> dict[str, Any] | None:
        """The name a page of ours has proved, or that of staff with their password."""
        name = proved_name(data) or await self.password_check.username(handler, data)
        return {"name": name} if name else None

    def check_allowed(self, username: str, authentication: Any = None) -> bool:
        """Seats and staff, nobody else."""
        del authentication
        return username.startswith("seat-") or username in self.admin_users


class SeatHandler(SmallForm):
    """A page that knows the seat of this browser."""

    authenticator: SeminarLogin

    @property
    def seats(self) -> Seats:
        """The seats of the course."""
        return Seats(self.store, self.course.name)

    @property
    def cookie_name(self) -> str:
        """Carries the course's name: cookies know no ports, and two courses may share a host."""
        return f"firstbell-seat-{self.course.name}"

    def seat_of_browser(self) -> Seat | None:
        """The seat whose cookie this browser has."""
        seats = self.seats
        found = (seats.by_cookie(value) for value in self.cookie_values(self.cookie_name))
        return next((seat for seat in found if seat), None)

    async def sit_down(self, seat: Seat) -> Any:
        """Log this browser in at that seat, and let it find it again."""
        self.remember(self.cookie_name, self.seats.cookie(seat))
        self.store.touch_seat(seat.username)
        return await self.login_user({"proved": Proved(seat.username)})


class WelcomePage(LoginHandler, SeatHandler):
    """`/hub/login`: a known browser goes straight in; a new one sends the form (by script at once), then goes in."""

    async def get(self) -> None:
        """Nothing is taken by looking: seats are given by POST, so previews of the link take none."""
        seat = None if self.current_user else self.seat_of_browser()
        if seat is not None:
            user = await self.sit_down(seat)
            if user:
                self._jupyterhub_user = user
                self.redirect(self.get_next_url(user))
                return
        await super().get()

    async def post(self) -> None:
        """Take a seat."""
        try:
            seat = self.seat_of_browser() or self._new_seat()
        except TooManyTries as refusal:
            raise web.HTTPError(429, refusal.message) from None
        if seat is None:
            self.set_status(403)
            self.finish(await self._render(login_error="That is not the passcode. Please try again."))
            return
        if is_rehearsal(self):
            book_of(self.store).add([seat.username])
        user = await self.sit_down(seat)
        if user is None:
            raise web.HTTPError(403, "This seat may not enter.")
        self._jupyterhub_user = user
        self.redirect(self.get_next_url(user))

    def _render(self, login_error: str | None = None, username: str | None = None, **names: Any) -> Any:
        passcode = self.course.access.passcode is not None
        return super()._render(
            login_error=login_error,
            username=username,
            asks_passcode=passcode,
            submit_at_once=not passcode and not login_error,
            **names,
        )

    def _new_seat(self) -> Seat | None:
        if not self._passcode_right():
            return None
        seats = self.authenticator.new_seats_of_address(self.course.access.capacity)
        if (seconds := seats.wait(self.request.remote_ip)) > 0:
            raise TooManyTries(seconds)
        if not is_rehearsal(self):  # a whole class comes from one address then
            seats.charge(self.request.remote_ip)
        return self._prepared_seat() or self._made_seat()

    def _prepared_seat(self) -> Seat | None:
        """One that a bell has made ready, as a fresh one: whatever code or cookie it had is void."""
        prepared = self.firstbell.bells.hand_out() if self.firstbell.room.has_room() else None
        seat = self.store.seat(prepared) if prepared else None
        return self.seats.renew(seat) if seat else None

    def _made_seat(self) -> Seat:
        staff = set(self.course.access.staff)
        return self.seats.new(taken=lambda name: name in staff or self.find_user(name) is not None)

    def _passcode_right(self) -> bool:
        passcode = self.course.access.passcode
        if passcode is None:
            return True
        login = self.authenticator
        tries = Throttles((login.words_of_address, self.request.remote_ip), (login.words_of_all, ""))
        if (seconds := tries.wait()) > 0:
            raise TooManyTries(seconds)
        tries.charge()
        right = codes.same(self.get_argument("passcode", "")[:1024], passcode.reveal())
        if right:
            tries.refund()
        return right


class SeatPage(SeatHandler):
    """`/hub/seat`: the code that brings another device to this seat, and a new one."""

    @web.authenticated
    async def get(self) -> None:
        """Show it to whoever sits there."""
        seat = self.store.seat(self.current_user.name)
        if seat is None:
            self.redirect(self.hub_url("home"))
            return
        code = self.seats.code(seat)
        address = f"{self.course.public_url}hub/rejoin"
        link = f"{address}#{code}"  # after the hash: browsers keep it to themselves
        renewed = self.get_argument("renewed", "") == "1"
        await self.show("seat.html", seat=seat, code=code, address=address, qr=_qr(link), renewed=renewed)

    @web.authenticated
    async def post(self) -> None:
        """A new code; this device stays, every other one is out."""
        seat = self.store.seat(self.current_user.name)
        if seat is None:
            raise web.HTTPError(400, "You have no seat.")
        renewed = self.seats.renew(seat)
        end_sessions(self.current_user)
        self._jupyterhub_user = None
        await self.sit_down(renewed)
        self.redirect(self.hub_url("seat") + "?renewed=1")


class ForgetPage(SeatHandler):
    """`/hub/forget`: leave, and let this device forget the seat."""

    async def post(self) -> None:
        """Out of the hub, and nothing left in the browser."""
        self.clear_login_cookie()
        self.remove_cookie(self.cookie_name)
        self._jupyterhub_user = None
        await self.show("logout.html", forgotten=True)


class RejoinPage(SeatHandler):
    """`/hub/rejoin`: enter the code of a seat, and this device has it too."""

    async def get(self) -> None:
        """Ask for it."""
        await self.show("rejoin.html")

    async def post(self) -> None:
        """Try it."""
        login = self.authenticator
        tries = Throttles((login.codes_of_address, self.request.remote_ip), (login.codes_of_all, ""))
        if (seconds := tries.wait()) > 0:
            await self.show("rejoin.html", 429, error=TooManyTries(seconds).message)
            return
        tries.charge()
        typed = self.get_argument("code", "")
        seat = self.seats.by_code(typed)
        if seat is None:
            error = "No seat has this code. Please compare it letter by letter."
            await self.show("rejoin.html", 403, error=error, typed=typed[:20])
            return
        tries.refund()
        user = await self.sit_down(seat)
        self._jupyterhub_user = user
        self.redirect(self.get_next_url(user))


def _qr(link: str) -> str:
    """An inline SVG."""
    out = io.BytesIO()
    segno.make(link, error="m").save(out, kind="svg", scale=4, border=2, xmldecl=False, dark="#000", light="#fff")
    return out.getvalue().decode()

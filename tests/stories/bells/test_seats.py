"""Prepared seats in a real JupyterHub, as browsers are given them; no engine is needed."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from firstbell.hub.bells.book import BellBook
from firstbell.hub.logins.seats import Seats
from firstbell.hub.people.book import open_store
from firstbell.plan.bells import Occurrence
from tests.support.local_hub import LocalHub, running_hub


def prepare(hub: LocalHub, count: int) -> list[str]:
    """Seats that run and nobody has, as the bells' service leaves them."""
    state = hub.folder / "state"
    seats = Seats(open_store(state), "seminar")
    names = [seats.new(taken=lambda _: False).username for _ in range(count)]
    book = BellBook(state / "bells.sqlite")
    ring = Occurrence("now", dt.datetime.now(dt.UTC), seats=count)
    book.begin(ring)
    book.want_seats(ring, names)
    for name in names:
        book.is_ready(name)
    return names


def test_prepared_seats_are_given_out_once_each(tmp_path: Path):
    """Six at once get the four that are ready and two new ones; all differ, and each has its own code and cookie."""
    with running_hub(tmp_path, {"capacity": 20}) as hub:
        prepared = prepare(hub, 4)
        old = Seats(open_store(tmp_path / "state"), "seminar")
        void = [old.cookie(seat) for seat in open_store(tmp_path / "state").seats()]
        browsers = [hub.browser() for _ in range(6)]
        with ThreadPoolExecutor(6) as pool:
            names = list(pool.map(lambda browser: browser.enter(), browsers))
        assert len(set(names)) == 6
        assert set(prepared) <= set(names)
        cookies = {browser.cookies["firstbell-seat-seminar"] for browser in browsers}
        assert len(cookies) == 6 and not cookies & set(void)
        thief = hub.browser(cookies={"firstbell-seat-seminar": void[0]})
        assert "Take a seat" in thief.follow("/hub/login").text


def test_who_comes_back_keeps_their_seat_and_takes_no_prepared_one(tmp_path: Path):
    """A cookie is worth more than what is ready."""
    with running_hub(tmp_path, {"capacity": 20}) as hub:
        browser = hub.browser()
        name = browser.enter()
        [prepared] = prepare(hub, 1)
        browser.follow("/hub/logout")
        browser.follow("/hub/login?next=/hub/home")
        assert browser.name() == name
        assert {row["username"]: row["state"] for row in hub.control("list")} == {name: "joined"}
        assert BellBook(tmp_path / "state" / "bells.sqlite").waiting() == {prepared}


def test_in_a_full_room_no_prepared_seat_is_given(tmp_path: Path):
    """Who comes to a full room waits at its door; what was prepared is no way around it."""
    with running_hub(tmp_path, {"capacity": 1}) as hub:
        first = hub.browser()
        first.enter("/hub/login")
        first.follow("/hub/spawn")
        [prepared] = prepare(hub, 1)
        second = hub.browser()
        assert second.enter() != prepared
        assert "All seats are taken" in second.follow("/hub/spawn").text

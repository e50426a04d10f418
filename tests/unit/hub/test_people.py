"""The record of people."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from firstbell.errors import FirstbellError
from firstbell.hub.logins.seats import Seats
from firstbell.hub.people.book import PeopleStore, open_store

KEY = b"k" * 32


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> PeopleStore:
    return PeopleStore(tmp_path / "people.sqlite", KEY, clock)


def nobody(_name: str) -> bool:
    return False


def test_an_invitation_works_once(store: PeopleStore) -> None:
    """Looking at it uses nothing up; redeeming sets the password and closes it."""
    code = store.invite("grace")
    assert store.invited(code) == store.invited(code) == "grace"
    assert store.redeem(code, "hash") == "grace"
    assert store.password_hash("grace") == "hash"
    assert store.invited(code) is None
    assert store.redeem(code, "other") is None
    assert store.password_hash("grace") == "hash"


def test_an_invitation_expires(store: PeopleStore, clock: Clock) -> None:
    """After its days it is as good as none."""
    code = store.invite("grace", days=30)
    clock.now += 30 * 86400 + 1
    assert store.invited(code) is None
    assert store.redeem(code, "hash") is None


def test_a_new_invitation_voids_the_unused_one(store: PeopleStore) -> None:
    """Only the latest link of a person opens the door."""
    first, second = store.invite("grace"), store.invite("grace")
    assert store.invited(first) is None
    assert store.invited(second) == "grace"


def test_forgetting_closes_every_way_in(store: PeopleStore) -> None:
    """Neither password nor link of a removed person is left."""
    store.redeem(store.invite("grace"), "hash")
    code = store.invite("grace")
    store.forget("grace")
    assert store.password_hash("grace") is None
    assert store.invited(code) is None


def test_nothing_in_the_file_opens_a_door(store: PeopleStore, tmp_path: Path) -> None:
    """Neither codes of links nor of seats can be read from the file."""
    code = store.invite("grace")
    seats = Seats(store, "course")
    seat = seats.new(nobody)
    store.close()
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert code.encode() not in data
    assert seats.code(seat).encode() not in data
    assert seats.cookie(seat).split(".")[1].encode() not in data


def test_a_seat_number_is_never_given_twice(store: PeopleStore) -> None:
    """Also names that others have or had are passed over, and numbers grow wider."""
    seats = Seats(store, "course")
    assert seats.new(nobody).username == "seat-001"
    assert seats.new(lambda name: name in {"seat-002", "seat-003"}).username == "seat-004"
    store.skip_seats(["seat-999", "grace", "seat-7"])
    assert seats.new(nobody).username == "seat-1000"
    store.skip_seats(["seat-5"])
    assert seats.new(nobody).username == "seat-1001"


def test_homes_found_on_an_empty_store_are_not_given_away(store: PeopleStore) -> None:
    """With the record lost, the numbers of homes that exist stay taken."""
    store.skip_seats(["seat-012"])
    assert Seats(store, "course").new(nobody).username == "seat-013"


def test_cookie_and_code_bring_back_to_the_seat(store: PeopleStore) -> None:
    """Both find the seat they were made for, also after the file was opened again."""
    seats = Seats(store, "course")
    first, second = seats.new(nobody), seats.new(nobody)
    again = Seats(PeopleStore(store.path, KEY), "course")
    for seat in (first, second):
        assert again.by_cookie(seats.cookie(seat)) == seat
        assert again.by_code(seats.code(seat).lower().replace("-", "")) == seat


def test_nobody_takes_anothers_seat(store: PeopleStore, tmp_path: Path) -> None:
    """A cookie forged, of another course, with another's name, or of an earlier generation lets nobody in."""
    seats = Seats(store, "course")
    mine, yours = seats.new(nobody), seats.new(nobody)
    name, mac = seats.cookie(mine).split(".")
    bad = "A" if mac[-1] != "A" else "B"
    for forged in (f"{yours.username}.{mac}", f"{name}.{mac[:-1]}{bad}", f"{name}.", name, "", f"{name}.{mac}\n", "é"):
        assert seats.by_cookie(forged) is None
    assert Seats(store, "other").by_cookie(seats.cookie(mine)) is None
    assert Seats(store, "other").by_code(seats.code(mine)) is None
    stolen = PeopleStore(store.path, b"x" * 32)
    assert Seats(stolen, "course").by_cookie(seats.cookie(mine)) is None
    old_cookie, old_code = seats.cookie(mine), seats.code(mine)
    renewed = seats.renew(mine)
    assert seats.by_cookie(old_cookie) is None
    assert seats.by_code(old_code) is None
    assert seats.by_cookie(seats.cookie(renewed)) == renewed
    assert seats.by_code(seats.code(renewed)) == renewed


def test_a_fresh_record_refuses_cookies_of_the_lost_one(tmp_path: Path) -> None:
    """The same number with the same key, made anew, is another person's."""
    old = Seats(PeopleStore(tmp_path / "old.sqlite", KEY), "course")
    new = Seats(PeopleStore(tmp_path / "new.sqlite", KEY), "course")
    cookie = old.cookie(old.new(nobody))
    assert new.new(nobody).username == "seat-001"
    assert new.by_cookie(cookie) is None


def test_a_damaged_file_is_refused_in_words(tmp_path: Path) -> None:
    """The message says which file and what to do."""
    (tmp_path / "people.sqlite").write_bytes(b"not a database, " * 100)
    with pytest.raises(FirstbellError, match="damaged") as caught:
        PeopleStore(tmp_path / "people.sqlite", KEY)
    assert "people.sqlite" in caught.value.where
    assert "firstbell up" in caught.value.next_step


def test_flipped_bytes_are_noticed(store: PeopleStore) -> None:
    """A page overwritten in the middle of the file is found at opening."""
    for number in range(300):
        store.record_home(f"user-{number}")
    store.close()
    data = bytearray(store.path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = b"\xa5" * 4096
    store.path.write_bytes(data)
    with pytest.raises(FirstbellError, match="damaged"):
        PeopleStore(store.path, KEY)


def test_a_later_version_is_refused(store: PeopleStore) -> None:
    """A file of a newer Firstbell is left alone."""
    store.close()
    db = sqlite3.connect(store.path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(FirstbellError, match="version 99"):
        PeopleStore(store.path, KEY)


def test_the_key_is_for_the_hub_alone(tmp_path: Path) -> None:
    """Nobody else may read it, and it stays the same."""
    first = open_store(tmp_path)
    mode = stat.S_IMODE((tmp_path / "people.key").stat().st_mode)
    assert mode == 0o600
    assert open_store(tmp_path).key == first.key


def test_homes_and_orders_are_remembered(store: PeopleStore) -> None:
    """What was recorded is there until it is forgotten or done."""
    store.record_home("grace")
    store.record_home("grace")
    assert store.has_home("grace")
    store.forget_home("grace")
    assert not store.has_home("grace")
    store.order("stop", "grace")
    store.order("end-sessions", "ada")
    [first, second] = store.orders()
    store.done(first)
    assert store.orders() == (second,)

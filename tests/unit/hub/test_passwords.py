"""Passwords under attack (attack 45)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from firstbell.hub.logins.passwords import Passwords, TooManyTries, password_problem
from firstbell.hub.people.book import PeopleStore

QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture
def store(tmp_path: Path) -> PeopleStore:
    store = PeopleStore(tmp_path / "people.sqlite", b"k" * 32)
    store.redeem(store.invite("victim"), QUICK.hash("correct horse"))
    return store


async def test_a_thousand_bad_logins_cost_a_handful_of_hashes(store: PeopleStore) -> None:
    """Nearly all are refused unhashed; with real parameters the whole thousand takes a few seconds at most."""
    passwords = Passwords()
    refused = 0
    began = time.process_time()
    for number in range(1000):
        try:
            assert not await passwords.right(store, "victim", f"guess {number}", "10.0.0.9", "")
        except TooManyTries:
            refused += 1
    assert refused >= 990
    assert time.process_time() - began < 10


async def test_the_victim_still_logs_in(store: PeopleStore) -> None:
    """From a browser used before, even behind the attacker's address; from elsewhere also from a new one."""
    passwords = Passwords(QUICK)
    known = passwords.device_cookie(store, "victim")
    for number in range(100):
        with pytest.raises(TooManyTries):
            for _ in range(20):
                await passwords.right(store, "victim", f"guess {number}", "10.0.0.9", "")
    assert await passwords.right(store, "victim", "correct horse", "10.0.0.9", known)
    assert await passwords.right(store, "victim", "correct horse", "192.0.2.7", "")


async def test_a_device_cookie_of_another_helps_nobody(store: PeopleStore) -> None:
    """Neither forged nor somebody else's own cookie gives an attacker counters of their own."""
    passwords = Passwords(QUICK)
    other = passwords.device_cookie(store, "attacker")
    for device in (other, "x.y", "", "nonce." + "A" * 43):
        assert not passwords.knows(store, "victim", device)
    with pytest.raises(TooManyTries):
        for _ in range(20):
            await passwords.right(store, "victim", "guess", "10.0.0.9", other)


async def test_a_class_behind_one_address_logs_in_at_once(store: PeopleStore) -> None:
    """Right passwords are never throttled, however many come from one address."""
    passwords = Passwords(QUICK)
    for _ in range(300):
        assert await passwords.right(store, "victim", "correct horse", "10.0.0.9", "")


async def test_names_that_do_not_exist_are_not_told_apart(store: PeopleStore) -> None:
    """The same answer, the same counting, and a hash is computed in both cases."""
    counted: dict[str, int] = {}
    for name in ("victim", "nobody"):
        passwords = Passwords(QUICK)
        counted[name] = 0
        with pytest.raises(TooManyTries):
            while True:
                assert not await passwords.right(store, name, "guess", "10.0.0.9", "")
                counted[name] += 1
    assert counted["victim"] == counted["nobody"]


async def test_old_parameters_are_renewed_at_login(store: PeopleStore) -> None:
    """A hash with weaker parameters is replaced when its password is next given."""
    before = store.password_hash("victim")
    assert await Passwords(PasswordHasher(time_cost=2, memory_cost=128, parallelism=1)).right(
        store, "victim", "correct horse", "a", ""
    )
    after = store.password_hash("victim")
    assert after != before
    assert after is not None
    assert "m=128,t=2" in after


@pytest.mark.parametrize(
    ("password", "again", "words"),
    [
        ("short", "short", "at least 8"),
        ("long enough", "long enouhg", "not the same"),
        ("gracehopper", "gracehopper", "guessed at once"),
        ("aaaaaaaaaa", "aaaaaaaaaa", "guessed at once"),
        ("x" * 300, "x" * 300, "at most"),
        ("  two words  ", "  two words  ", ""),
    ],
)
def test_new_passwords_are_checked(password: str, again: str, words: str) -> None:
    """Too short, too long, mistyped or the user name itself is refused in words."""
    problem = password_problem("gracehopper", password, again)
    assert words in problem
    assert bool(problem) == bool(words)

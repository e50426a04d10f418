"""Passwords: hashing that cannot be made to eat the machine, and tries that are counted.

Attack 45 of the list of faults: a name of a megabyte, a thousand bad logins, and meanwhile the victim logs in.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from firstbell.hub.logins import codes
from firstbell.hub.logins.throttle import Rate, Throttle, Throttles
from firstbell.hub.people.book import PeopleStore

_T = TypeVar("_T")

LONGEST_NAME = 128
SHORTEST, LONGEST = 8, 256
_WAITING = 64

# Wrong passwords only; right ones are refunded, so a class that logs in from one address is not slowed down.
_PAIR = Rate(burst=8, every=15)  # one name from one address, or from one browser that its owner has used before
_NAME = Rate(burst=60, every=30)  # one name from anywhere, browsers known to its owner excepted
_ADDRESS = Rate(burst=150, every=1)
_ALL = Rate(burst=300, every=0.25)


class TooManyTries(Exception):
    """Come again in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many tries, wait {seconds:.0f} s")
        self.seconds = math.ceil(seconds)

    @property
    def message(self) -> str:
        """For the page."""
        return f"There were too many tries. Please wait {self.seconds} seconds and try again."


def password_problem(username: str, password: str, again: str) -> str:
    """What is wrong with a new password; empty if nothing is. Length is what counts (NIST SP 800-63B, 5.1.1.2)."""
    if password != again:
        return "The two passwords are not the same. Please type them again."
    if len(password) < SHORTEST:
        return f"Please choose a password of at least {SHORTEST} characters."
    if len(password) > LONGEST:
        return f"Please choose a password of at most {LONGEST} characters."
    if password.lower() == username.lower() or len(set(password)) == 1:
        return "That password would be guessed at once. Please choose another one."
    return ""


class Passwords:
    """Checks and makes passwords for one hub. At most two hashes (64 MiB, some 50 ms each) are computed at once."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="argon2")
        self._under_way = 0
        self._decoy = self._hasher.hash(secrets.token_urlsafe())
        self._pairs = Throttle(_PAIR)
        self._names = Throttle(_NAME)
        self._addresses = Throttle(_ADDRESS)
        self._all = Throttle(_ALL, keys=1)

    async def hashed(self, password: str) -> str:
        """The argon2id hash. Raises TooManyTries if too many are being computed."""
        return await self._in_thread(self._hasher.hash, password)

    async def right(self, store: PeopleStore, username: str, password: str, address: str, device: str) -> bool:
        """Whether that is the user's password. Raises TooManyTries.

        A name without a password costs the same time and the same tries as a wrong password, so that nothing tells
        who exists. `device` is the value of the browser's device cookie.
        """
        known = device if self.knows(store, username, device) else ""
        tries = self._tries(username, address, known)
        if (seconds := tries.wait()) > 0:
            raise TooManyTries(seconds)
        tries.charge()
        kept = store.password_hash(username)
        if not await self._in_thread(self._verify, kept or self._decoy, password) or kept is None:
            return False
        tries.refund()
        if self._hasher.check_needs_rehash(kept):
            store.set_password_hash(username, await self.hashed(password))
        return True

    def _tries(self, username: str, address: str, known_device: str) -> Throttles:
        """Which counters a try meets. A device cookie (OWASP's term) has its own: strangers cannot use those up."""
        if known_device:
            return Throttles((self._pairs, (username, known_device)))
        return Throttles(
            (self._pairs, (username, address)),
            (self._names, username),
            (self._addresses, address),
            (self._all, ""),
        )

    @staticmethod
    def device_cookie(store: PeopleStore, username: str) -> str:
        """A value for a browser from which `username` has logged in: nonce, dot, MAC. It lets nobody in by itself."""
        nonce = secrets.token_urlsafe(12)
        return f"{nonce}.{codes.urlsafe(codes.digest(store.key, 'device', username, nonce))}"

    @staticmethod
    def knows(store: PeopleStore, username: str, device: str) -> bool:
        """Whether that device cookie was given to `username`."""
        nonce, _, mac = device[:200].partition(".")
        return codes.same(mac, codes.urlsafe(codes.digest(store.key, "device", username, nonce)))

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[..., _T], *args: str) -> _T:
        if self._under_way >= _WAITING:
            raise TooManyTries(5)
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        finally:
            self._under_way -= 1

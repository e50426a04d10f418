"""One writer at a time: a server whose home others could write too ends when its hub says nothing for some seconds.

A home that every node of a cluster can mount is given to another node only after this server must have ended. So it
asks its hub every few seconds whether it still is the one; told no, or left without an answer for too long, it ends,
kernels and all. The clock that counts goes on while the server is frozen or the machine sleeps (CLOCK_BOOTTIME): a
server that wakes up too late ends before it does anything else.
"""

from __future__ import annotations

import http.client
import os
import signal
import sys
import threading
import time
from typing import Callable
from urllib.parse import urlsplit

from .settings import Settings

ASKED_PER_LEASE = 5  #: times within a lease: four answers may be lost
EX_LEASE = 75  #: sysexits.h: EX_TEMPFAIL
_NO = 403
_NO_HUB = 503
_EARLIEST = 0.2
_PATIENCE = 0.8
"""Share of the time between two questions for which an answer is waited for."""
_INITS = ("docker-init", "tini")


class Superseded(Exception):
    """The hub has another server for this user, or none."""


def clock() -> float:
    """Seconds that go on while the process is frozen and while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Lease:
    """``ask`` returns when the hub has said yes, raises Superseded for its no, and OSError for no answer."""

    def __init__(
        self,
        seconds: float,
        ask: Callable[[float], None],
        end: Callable[[str], None],
        now: Callable[[], float] = clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.seconds = seconds
        self._ask = ask
        self._end = end
        self._now = now
        self._sleep = sleep
        self._until = now() + seconds

    def keep(self) -> None:
        """Asks over and over; returns when the server is to end and ``end`` has been told why."""
        every = self.seconds / ASKED_PER_LEASE
        while True:
            left = self._until - self._now()
            if left <= 0:
                return self._end("it had no answer from its hub for %.0f seconds" % self.seconds)
            asked = self._now()
            try:
                # Counted from before the question: the hub counts from its answer, which is later.
                self._ask(min(_PATIENCE * every, left))
            except Superseded:
                return self._end("its hub has no such server any more")
            except (OSError, http.client.HTTPException, ValueError):
                self._sleep(_EARLIEST)
                continue
            if self._now() >= self._until:
                continue  # the answer is older than the lease: it was frozen in between
            self._until = asked + self.seconds
            self._sleep(every)


class Question:
    """Asks over one connection that is kept; a broken one is made anew.

    A hub that is not there gives the home to nobody, and once it is back it waits for longer than a lease before it
    does so: that it is away, said by its own node, is as good as a yes. So no hub's restart ends a class.
    """

    def __init__(self, url: str, token: str, beside_hub: bool = False) -> None:
        parts = urlsplit(url)
        self._beside_hub = beside_hub
        self._host = parts.hostname or ""
        self._port = parts.port or 80
        self._path = parts.path
        self._headers = {"Authorization": "token " + token}
        self._line: http.client.HTTPConnection | None = None

    def __call__(self, seconds: float) -> None:
        line = self._line or http.client.HTTPConnection(self._host, self._port)
        self._line = None
        try:
            line.timeout = seconds
            if line.sock is not None:
                line.sock.settimeout(seconds)
            line.request("GET", self._path, headers=self._headers)
            answer = line.getresponse()
            answer.read()
        except BaseException:
            line.close()
            if self._beside_hub and isinstance(sys.exc_info()[1], ConnectionRefusedError):
                return  # the same, said by this machine's own kernel
            raise
        self._line = line
        if answer.status == _NO:
            raise Superseded
        if answer.status == _NO_HUB and answer.headers.get("X-Firstbell-Hub") == "away":
            return
        if not 200 <= answer.status < 300:
            raise OSError("the hub answered %i" % answer.status)


def end_all(why: str) -> None:
    """Ends every process of the container that may write: all of this user's, then this one, and with it the init."""
    message = "firstbell: this server ends: %s, and your files may be open in another one\n" % why
    try:
        os.write(2, message.encode())
    finally:
        _kill_others()
        os._exit(EX_LEASE)


def _kill_others() -> None:
    """Only where all processes that can be reached are the container's: below its own init, and not as root."""
    try:
        with open("/proc/1/comm", encoding="utf-8") as file:
            if file.read().strip() in _INITS and os.geteuid() != 0:
                os.kill(-1, signal.SIGKILL)  # but for this one and init, which ends with it
    except OSError:
        pass


def begin(settings: Settings) -> threading.Thread:
    """Keeps the lease beside everything else, from before the first file is written."""
    lease = Lease(settings.lease, Question(settings.lease_url, settings.token, settings.beside_hub), end_all)
    thread = threading.Thread(target=lease.keep, name="firstbell-lease", daemon=True)
    thread.start()
    return thread

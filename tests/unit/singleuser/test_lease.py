"""When a server ends because its hub says nothing, or says no."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from firstbell.singleuser.lease import EX_LEASE, Lease, Question, Superseded


class World:
    """A clock that sleeping moves on, and a hub whose answers are given beforehand: True, False for none, a number of
    seconds to be frozen before the answer is read."""

    def __init__(self, *answers: Any) -> None:
        self.now = 0.0
        self.answers = list(answers)
        self.asked: list[float] = []
        self.ended: list[tuple[float, str]] = []

    def ask(self, seconds: float) -> None:
        self.asked.append(self.now)
        answer = self.answers.pop(0) if self.answers else False
        if isinstance(answer, Exception):
            raise answer
        if answer is False:
            self.now += seconds
            raise TimeoutError
        if answer is not True:
            self.now += answer

    def keep(self, seconds: float = 25) -> World:
        Lease(seconds, self.ask, lambda why: self.ended.append((self.now, why)), lambda: self.now, self.sleep).keep()
        return self

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_server_without_answers_ends_after_the_lease():
    """Counted from before the last question that had an answer, and not a moment later than the hub reckons."""
    world = World(True, True).keep()
    [(ended, why)] = world.ended
    assert world.asked[:2] == [0, 5]
    assert 30 <= ended < 31
    assert "no answer from its hub for 25 seconds" in why


def test_lost_answers_are_made_up_for():
    """Four in a row may be lost; the fifth in time carries on."""
    world = World(True, *[False] * 4, True, *[False] * 4, True, Superseded()).keep()
    assert "no such server" in world.ended[0][1]


def test_a_no_ends_at_once():
    """A server that was replaced does not use up its lease."""
    world = World(True, Superseded()).keep()
    assert world.ended[0][0] == 5


def test_who_was_frozen_longer_than_the_lease_ends_without_asking():
    """Even a yes does not count that is read after the lease was over."""
    world = World(True, 60.0, True).keep()
    assert len(world.asked) == 2
    assert world.ended[0][0] == 65


@pytest.fixture
def hub():
    """A hub that says what its `says` is; `asked` are the tokens, by connection."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.asked.append((self.client_address[1], self.headers["Authorization"]))
            self.send_response(server.says)
            self.send_header("Content-Length", "0")
            if server.away:
                self.send_header("X-Firstbell-Hub", "away")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.says, server.away = [], 204, False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_questions_share_a_connection(hub):
    """What is asked every few seconds for hours costs no connection each time."""
    ask = Question(f"http://127.0.0.1:{hub.server_port}/hub/firstbell/lease", "t0ken")
    ask(5)
    ask(5)
    assert len({port for port, _ in hub.asked}) == 1
    assert hub.asked[0][1] == "token t0ken"
    hub.says = 403
    with pytest.raises(Superseded):
        ask(5)
    hub.says = 503
    with pytest.raises(OSError, match="503"):
        ask(5)


def test_a_hub_that_is_certainly_away_is_as_good_as_a_yes(hub):
    """Said by its own node's link, or, beside it, by the machine itself; anybody else's refusal says nothing."""
    ask = Question(f"http://127.0.0.1:{hub.server_port}/lease", "t0ken")
    hub.says, hub.away = 503, True
    ask(5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/lease"
        Question(url, "t0ken", beside_hub=True)(5)
        with pytest.raises(ConnectionRefusedError):
            Question(url, "t0ken")(5)


_PROGRAM = textwrap.dedent(
    """
    import sys, time
    from firstbell.singleuser.lease import begin
    from firstbell.singleuser.settings import parse
    env = {"JUPYTERHUB_API_TOKEN": "t0ken", "JUPYTERHUB_API_URL": "http://x/", "JUPYTERHUB_CLIENT_ID": "c",
           "JUPYTERHUB_SERVICE_PREFIX": "/user/ada/", "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["x"]'}
    begin(parse({"env": env, "lease": 2, "lease_url": sys.argv[1]}, "file"))
    print("works", flush=True)
    while True:
        time.sleep(0.05)
        print(time.clock_gettime(time.CLOCK_BOOTTIME), flush=True)
    """
)


def test_a_frozen_process_ends_when_it_wakes_up_too_late(hub):
    """Stopped for longer than its lease and let go on, it ends by itself, though its hub would say yes."""
    url = f"http://127.0.0.1:{hub.server_port}/hub/firstbell/lease"
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"works\n"
    for _ in range(60):
        process.stdout.readline()  # three seconds of work: with answers it goes on beyond its lease
    assert process.poll() is None
    os.kill(process.pid, signal.SIGSTOP)
    asked = len(hub.asked)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(3.0)  # the freeze itself, longer than the lease
    os.kill(process.pid, signal.SIGCONT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == EX_LEASE
    assert b"no answer from its hub for 2 seconds" in said
    assert len(hub.asked) <= asked + 1

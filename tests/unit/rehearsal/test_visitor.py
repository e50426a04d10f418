"""A visitor against a hub of a few lines: what counts as in, and what is told of a failure."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable

import pytest

from firstbell.rehearsal.crowd import arrivals, drive
from firstbell.rehearsal.page_files import PageFiles
from firstbell.rehearsal.visit import Person, Script, Visit
from firstbell.rehearsal.visitor import Visitor
from tests.unit.rehearsal.server import Asked, said, serving

FORM = b'<form method="post" action=""><input name="_xsrf" value="t"><input name="username"><button>Go</button></form>'
LAB = (
    b'<script id="jupyter-config-data" type="application/json">{"baseUrl": "/user/ada/"}</script>'
    b'<script src="/user/ada/static/main.js"></script>'
)


def hub(
    *events: dict[str, object], change: Callable[[Asked], bytes | None] = lambda _: None
) -> Callable[[Asked], bytes]:
    """A hub that starts a server with these events; `change` answers before it."""

    def answers(asked: Asked) -> bytes:
        if (changed := change(asked)) is not None:
            return changed
        path = asked.path.split("?")[0]
        if path == "/hub/login" and asked.method == "POST":
            return said(302, b"", "Location: /hub/spawn-pending/ada")
        if path == "/hub/spawn-pending/ada":
            return said(200, b'<section data-progress="/hub/progress?_xsrf=t">')
        if path == "/hub/progress":
            told = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
            return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + told
        if path == "/":
            return said(302, b"", "Location: /hub/login")
        if path == "/user/ada/":
            return said(302, b"", "Location: /user/ada/lab")
        return said(200, LAB if path == "/user/ada/lab" else FORM if path == "/hub/login" else b"{}")

    return answers


READY: dict[str, object] = {"progress": 100, "ready": True, "url": "/user/ada/", "message": "ready"}


async def visited(answers: Callable[[Asked], bytes], **script: object) -> tuple[Visit, list[Asked]]:
    async with serving(answers) as server:
        given = Script(server.url, works=False, deadline=5, **script)  # type: ignore[arg-type]
        visit = await Visitor(given, Person(7, fields={"username": "ada", "elsewhere": "x"}), PageFiles()).visit()
    return visit, server.asked


async def test_every_stage_of_a_cold_visit_is_timed_in_order():
    """First page, login, spawn page, events, the server's page, its files, the page's first calls."""
    visit, asked = await visited(hub({"progress": 5, "message": "You are number 3"}, READY))
    assert visit.is_well, (visit.failed_at, visit.cause, visit.detail)
    assert list(visit.marks) == ["front", "login", "spawn_page", "ready", "lab", "files", "calls"]
    after = [visit.marks[stage] for stage in list(visit.marks)[1:]]
    assert after == sorted(after)
    assert visit.user == "ada"
    assert [words for _, words in visit.told] == ["You are number 3", "ready"]
    [sent] = [a.body for a in asked if a.method == "POST"]
    assert sent == b"_xsrf=t&username=ada"  # what the form has, and no more
    assert "/user/ada/static/main.js" in [a.path for a in asked]


async def test_a_warm_server_has_no_spawn_page():
    """Where the login leads straight on, the stages of a start are missing, not zero."""
    to_server = said(302, b"", "Location: /user/ada/lab")
    visit, _ = await visited(hub(change=lambda a: to_server if a.method == "POST" else None))
    assert visit.is_well
    assert "spawn_page" not in visit.marks and "ready" not in visit.marks


@pytest.mark.parametrize(
    ("change", "events", "stage", "cause"),
    [
        (lambda a: said(503, b"<p>Sorry</p>") if a.path == "/hub/spawn-pending/ada" else None, [], "ready", "HTTP 503"),
        (lambda a: said(403, FORM) if a.method == "POST" else None, [], "login", "the login was refused"),
        (lambda a: b"" if a.path == "/" else None, [], "front", "the connection was closed"),
        (lambda a: said(500) if a.path == "/user/ada/api/me" else None, [READY], "calls", "HTTP 500"),
        (lambda _: None, [{"failed": True, "message": "no memory"}], "ready", "the server did not start"),
        (
            lambda a: said(200, b'<section data-room="1">') if a.path == "/hub/spawn-pending/ada" else None,
            [],
            "ready",
            "the room is full",
        ),
    ],
)  # fmt: skip
async def test_a_failure_is_told_by_stage_and_cause(change, events, stage: str, cause: str):
    """What happened, at which stage, in words that are the same for everybody whom the same befell."""
    visit, _ = await visited(hub(*events, change=change))
    assert (visit.failed_at, visit.cause[: len(cause)]) == (stage, cause)


async def test_nobody_there_is_a_failure_like_any_other():
    """A course that does not answer fails each visit at its first page."""
    visit = await Visitor(Script("http://127.0.0.1:9/"), Person(0), PageFiles()).visit()
    assert (visit.failed_at, visit.cause) == ("front", "no connection")


async def test_a_crowd_comes_from_two_processes_and_nobody_is_lost():
    """Everybody's visit comes back, in order, stages are told live, each process says how busy it was."""
    told: list[tuple[int, str]] = []
    async with serving(hub(READY)) as server:
        script = Script(server.url, works=False, deadline=20)
        people = arrivals([Person(n, fields={"username": "ada"}) for n in range(10)], within=0.5)
        result = await drive(script, people, processes=2, told=lambda n, stage, _: told.append((n, stage)))
    assert [v.number for v in result.visits if v.is_well] == list(range(10))
    assert len(result.loads) == 2
    assert sum(stage == "lab" for _, stage in told) == 10
    came = [v.arrived - result.began for v in result.visits]
    assert all(abs(at - 0.05 * n) < 2 for n, at in enumerate(came))


async def test_a_client_process_ends_with_the_command_that_sent_it():
    """Killed or not: once its stdin is closed, a client process is gone."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "firstbell.rehearsal.crowd_process",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin
    order = {
        "script": {"url": "http://127.0.0.1:9/", "cells": []},
        "people": [{"number": 0, "arrives": 60.0}],
        "began": 4e9,
    }
    process.stdin.write(json.dumps(order).encode() + b"\n")
    await process.stdin.drain()
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 20) == 1

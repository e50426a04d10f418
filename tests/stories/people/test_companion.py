"""What a server asks of its hub for its owner: messages, what is due, to hand in; as its owner, now, as nobody else."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firstbell.coursework.store import verify
from firstbell.model.coursework import Kind
from tests.support.class_work import ClassWork, class_work
from tests.support.local_hub import wait_for

API = "/hub/api/companion"


@pytest.fixture
async def work(tmp_path: Path) -> AsyncIterator[ClassWork]:
    async with class_work(tmp_path, 233) as work:
        yield work


async def test_a_server_hands_in_for_its_owner(work: ClassWork) -> None:
    """Due, handed in, its receipt with every file; the receipt is the hash of what the hub keeps."""
    await work.released("hw1")
    work.solve("ada", "hw1", "solved")
    ada = work.server("ada")
    answer = ada.get(API).json()
    assert answer["links"] == {"home": "/hub/home", "coursework": "/hub/coursework/mine"}
    assert answer["memory"]["limit"] == work.hub.hub.course.server.memory
    assert answer["assignments"] == [{"name": "hw1", "due": "", "state": "open", "handed_in": "", "receipt": ""}]
    asked = ada.post(f"{API}/hand-in", json={"assignment": "hw1"})
    assert asked.status_code == 202
    assert ada.post(f"{API}/hand-in", json={"assignment": "hw1"}).status_code == 409
    task = asked.json()["task"]
    assert ada.get(f"{API}/hand-in", params={"task": task}).json()["state"] == "due"
    assert ada.get(API).json()["assignments"][0]["state"] == "working"
    await work.work()
    done = ada.get(f"{API}/hand-in", params={"task": task}).json()
    assert (done["state"], done["files"]) == ("done", ["task.py"])
    [kept] = work.room.book.handins("hw1", "ada")
    assert kept.receipt == done["receipt"] and verify(work.room.layout, kept) == ()
    [mine] = ada.get(API).json()["assignments"]
    assert (mine["state"], mine["receipt"]) == ("done", kept.receipt)


async def test_the_time_left_is_the_hubs(work: ClassWork) -> None:
    """With a deadline, the seconds until one's own are told; below zero once it is past; nothing without one."""
    await work.released("hw1")
    ada, bob = work.server("ada"), work.server("bob")
    for seconds in (3600, -60):
        work.room.book.extend("hw1", "ada", work.room.now() + seconds)
        [told] = ada.get(API).json()["assignments"]
        assert seconds - 60 < told["left"] <= seconds and told["due"]
    assert "left" not in bob.get(API).json()["assignments"][0]


async def test_nobody_hands_in_as_another_or_for_another_time(work: ClassWork) -> None:
    """Whatever the request says of users and times: the hand-in is the owner's, at the hub's clock."""
    await work.released("hw1")
    ada, bob = work.server("ada"), work.server("bob")
    lies = {"user": "bob", "by": "bob", "time": 1, "asked": 1, "at": 1, "kind": "early"}
    before = time.time()
    asked = ada.post(
        f"{API}/hand-in",
        params={"user": "bob", "at": "2020-01-01 10:00"},
        json={"assignment": "hw1", **lies},
        headers={"Date": "Wed, 01 Jan 2020 10:00:00 GMT", "X-Forwarded-User": "bob", "Cookie": "user=bob"},
    )
    assert asked.status_code == 202
    [task] = [task for task in work.room.book.tasks() if task.kind is Kind.HAND_IN]
    assert (task.user, task.by) == ("ada", "ada") and before <= task.asked <= time.time() and task.at == task.asked
    await work.work()
    assert [(one.user, one.by) for one in work.room.book.handins()] == [("ada", "ada")]
    assert bob.get(f"{API}/hand-in", params={"task": task.id}).status_code == 404
    assert "ada" not in bob.get(API).text
    others = [task.id for task in work.room.book.tasks("hw1", "ada") if task.kind is Kind.RELEASE]
    assert ada.get(f"{API}/hand-in", params={"task": others[0]}).status_code == 404


async def test_only_the_present_servers_own_token_opens_it(work: ClassWork) -> None:
    """No token, a wrong one, cookies, a token of one's own making, that of an earlier server: all refused."""
    await work.released("hw1")
    ada = work.server("ada")
    browser = work.hub.browser("ada")
    xsrf = next(c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/") or ""
    referer = {"X-XSRFToken": xsrf, "Referer": f"{work.hub.url}/hub/home"}
    made = browser.post("/hub/api/users/ada/tokens", json={"note": "Server at /user/ada/"}, headers=referer)
    assert made.status_code == 201
    own, wrong, none = work.script(made.json()["token"]), work.script("x" * 32), work.script("")
    for client in (own, wrong, none, browser):
        assert client.get(API).status_code == 403
        for path, body in (("hand-in", {"assignment": "hw1"}), ("read", {"ids": [1]})):
            assert client.post(f"{API}/{path}", json=body, headers=referer).status_code == 403
    earlier = work.hub.hub.token("ada")
    assert work.script(earlier).get(API).status_code == 200
    staff = work.hub.browser("grace")
    work.hub.post(staff, "/hub/people/do", do="stop:ada", sure="1")
    wait_for(lambda: ada.get(API).status_code == 403)
    work.server("ada")
    assert work.hub.hub.token("ada") != earlier and ada.get(API).status_code == 403
    assert work.tasks(Kind.HAND_IN) == []


async def test_messages_are_read_by_whom_they_are_for(work: ClassWork) -> None:
    """Each sees their own; what one says to have read stays unread for the other."""
    ada, bob = work.server("ada"), work.server("bob")
    work.hub.post(work.hub.browser("grace"), "/hub/people/message", to="user:ada", words="Only for ada")
    [told] = ada.get(API).json()["messages"]
    assert (told["text"], told["by"]) == ("Grace Hopper: Only for ada", "Grace Hopper") and told["at"]
    assert bob.get(API).json()["messages"] == []
    assert bob.post(f"{API}/read", json={"ids": [told["id"]]}).status_code == 204
    assert len(ada.get(API).json()["messages"]) == 1
    assert ada.post(f"{API}/read", json={"ids": [told["id"], 999]}).status_code == 204
    assert ada.get(API).json()["messages"] == []


async def test_what_makes_no_sense_is_refused_in_words(work: ClassWork) -> None:
    """Broken JSON, wrong types, unknown names, too much: an answer in JSON, and nothing written."""
    ada = work.server("ada")
    for path, body, status in (
        ("hand-in", b"{", 400),
        ("hand-in", b"[]", 400),
        ("hand-in", b'{"assignment": 5}', 400),
        ("hand-in", b'{"assignment": "../../book"}', 400),
        ("hand-in", b'{"assignment": "hw9"}', 400),
        ("hand-in", b"x" * 20_000, 413),
        ("read", b'{"ids": "1"}', 400),
        ("read", b'{"ids": [true, 1.5]}', 400),
        ("read", b"", 400),
    ):
        answer = ada.post(f"{API}/{path}", content=body)
        assert answer.status_code == status and answer.json()["error"], (path, body)
    assert ada.get(f"{API}/hand-in", params={"task": "1 or 1"}).status_code == 400
    assert work.room.book.tasks() == ()

"""How a rehearsal's people come in, at each kind of login, and that nothing of them stays in the hub."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from firstbell.rehearsal.page_files import PageFiles
from firstbell.rehearsal.visit import Person, Script, Visit
from firstbell.rehearsal.visitor import Visitor
from tests.support.local_hub import LocalHub, running_hub, wait_for

ACCESS: dict[str, dict[str, Any]] = {
    "seminar": {"login": "seminar", "passcode": "open sesame"},
    "roster": {"login": "roster"},
    "external": {"login": "github", "allow": ["ada"], "options": {"client_id": "x", "client_secret": "y"}},
}


def opened(hub: LocalHub, count: int) -> list[Person]:
    """Test people of the hub, as `firstbell rehearse` asks for them."""
    made = hub.control("rehearse-open", str(count))
    return [
        Person(n, fields=p.get("fields", {}), door=p.get("door", ""), cookies=made["cookies"])
        for n, p in enumerate(made["people"])
    ]


async def visits(hub: LocalHub, people: list[Person]) -> list[Visit]:
    """All of them, one after another; no server of this hub starts, so they end there."""
    script = Script(hub.url, files=False, works=False, deadline=20)
    return [await Visitor(script, person, PageFiles()).visit() for person in people]


def names(hub: LocalHub) -> set[str]:
    """Everybody the hub knows."""
    with sqlite3.connect(hub.folder / "state" / "jupyterhub.sqlite") as db:
        return {row[0] for row in db.execute("SELECT name FROM users")}


@pytest.mark.parametrize("login", ACCESS)
async def test_test_people_come_in_by_the_real_door_and_leave_nothing(login: str, tmp_path: Path):
    """Each is somebody of their own, logged in; after the end the hub has never heard of them, nor lets them in."""
    with running_hub(tmp_path, ACCESS[login], fails=True) as hub:
        if login == "roster":
            (tmp_path / "state" / "roster.csv").write_text("username\nada\n")
        people = opened(hub, 3)
        real = _claims_to_be_one(hub) if login == "seminar" else ""
        before = names(hub)
        made = await visits(hub, people)
        users = set(hub.control("rehearse-state")["people"])
        assert len(users) == 3 and users <= names(hub)
        # No server of this hub starts, so a visit ends there; whoever has come so far had logged in.
        assert {visit.failed_at for visit in made} == {"ready"}, made
        assert all("login" in visit.marks or login == "external" for visit in made), made

        hub.control("rehearse-close")
        wait_for(lambda: hub.control("rehearse-state")["phase"] == "closed")
        assert hub.control("rehearse-end")["phase"] == "none"
        wait_for(lambda: not users & names(hub))
        # The roster's people may have become users before the first visit, those of the rehearsal among them.
        assert before - users <= names(hub)
        if login == "seminar":
            with hub.browser() as browser:
                browser.form("/hub/login", passcode="open sesame")
                assert browser.name() == "seat-002"  # numbers of theirs are given again
            assert real in names(hub)
        else:
            again = await visits(hub, people[:1])
            assert again[0].cause.startswith("the login was refused" if login == "roster" else "HTTP 404"), again
            assert not users & names(hub)
        assert not any(secret in hub.log() for person in people for secret in _secrets(person))


def _claims_to_be_one(hub: LocalHub) -> str:
    """The seat of a visitor whose browser says falsely that it is of the rehearsal: it must stay."""
    with hub.browser(cookies={"firstbell-rehearsal": "forged"}) as stranger:
        stranger.form("/hub/login", passcode="open sesame")
        seat = stranger.name()
    assert seat == "seat-001"
    return seat


def _secrets(person: Person) -> list[str]:
    fields = dict(person.fields)
    fields.pop("username", None)
    return [*fields.values(), *person.cookies.values(), *([person.door.rsplit("/", 1)[1]] if person.door else [])]

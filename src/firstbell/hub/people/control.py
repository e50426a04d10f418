"""What the `people` commands ask of a hub; verbs of `firstbell.hub.control`.

| verb | arguments | answer |
|---|---|---|
| `list` | | name, role, `state` (`new`, `invited`, `expired`, `joined`, `prepared`), `home`, `memory`, … |
| `invite` | user names | new personal links: `username`, `name`, `email`, `link`, `expires` |
| `reset` | user names | the same, and password and sessions are void at once |
| `forget-home` | a user name | that their home was deleted on purpose: the next start makes a new one |
| `stop` | user names | stops their servers |
| `acts` | Unix seconds, a user name | what staff did since then, of all or of that person: the record of acts |
| `active` | | the user names whose servers run |
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firstbell.errors import CourseFileError, StartFailed
from firstbell.hub.bells import tables as bell_tables
from firstbell.hub.control_io import HubFiles
from firstbell.hub.homes.uses import FILE as HOME_USES
from firstbell.hub.homes.uses import read_home_uses
from firstbell.hub.memory import limits
from firstbell.hub.people.book import Invitation
from firstbell.hub.people.roster_file import RosterFile
from firstbell.hub.records import acts
from firstbell.hub.records.acts import ActsBook
from firstbell.hub.state.hub_tables import database_of, rows
from firstbell.model import runtime
from firstbell.model.roster import Person, PersonRole
from firstbell.plan.home_quota import Fullness, HomeUse, home_stand
from firstbell.plan.memory_limit import Grant

_ORDER_DEADLINE = 50.0


def answer(hub: HubFiles, verb: str, names: Sequence[str]) -> Any:
    """What the verb answers. Raises FirstbellError."""
    if verb in {"reset", "forget-home", "stop"} and not names:
        raise CourseFileError(f"{verb} needs a user name")
    match verb:
        case "list":
            return list_people(hub)
        case "invite":
            return invite(hub, names)
        case "reset" | "forget-home" | "stop":
            with ActsBook(hub.state / acts.FILE).noted(acts.COMMAND_LINE, verb, names):
                return {"reset": reset, "forget-home": forget_home, "stop": stop}[verb](hub, names)
        case "acts":
            return record(hub, *names)
        case _:
            return active(hub)


def record(hub: HubFiles, since: str = "0", of: str = "") -> list[dict[str, Any]]:
    """What staff did since then, newest first."""
    found = ActsBook(hub.state / acts.FILE).record(float(since), of)
    return [
        {"at": _stamp(a.at), **{n: getattr(a, n) for n in ("who", "what", "whom", "words", "result")}} for a in found
    ]


def people_of(hub: HubFiles) -> tuple[Person, ...]:
    """Everybody who may enter by name: the roster (where that is the login) and the course's staff."""
    roster = RosterFile(hub.state / Path(runtime.ROSTER_FILE).name, hub.store).current().people
    listed = roster if hub.course.access.login == "roster" else ()
    known = {person.username for person in listed}
    staff = [Person(n, role=PersonRole.INSTRUCTOR) for n in hub.course.access.staff if n not in known]
    return (*listed, *staff)


def person_of(hub: HubFiles, username: str) -> Person:
    """Raises CourseFileError for somebody who may not enter."""
    for person in people_of(hub):
        if person.username == username.lower():
            return person
    raise CourseFileError(
        f"{username} is neither on the roster nor staff of the course",
        next_step=f"Add them first: firstbell people add {username}",
    )


def list_people(hub: HubFiles) -> list[dict[str, Any]]:
    """Roster and staff, or the seats of a seminar, with how far each has come."""
    invitations, joined, seen = hub.store.invitations(), hub.store.with_password(), _seen(hub)
    uses = read_home_uses(hub.state / HOME_USES)
    rows = [
        {
            "username": person.username,
            "name": person.name,
            "email": person.email,
            "role": person.role.value,
            "section": person.section,
            "state": "joined" if person.username in joined else _state(invitations.get(person.username)),
            "home": _home(hub, uses.get(person.username)),
            **seen.get(person.username, _NEVER_SEEN),
        }
        for person in people_of(hub)
    ]
    listed = {row["username"] for row in rows}
    prepared, more = _prepared(hub), limits.grants(hub.store)
    others = [
        {
            "username": name,
            "name": "",
            "email": "",
            "role": "student",
            "section": "",
            "state": "prepared" if name in prepared else "joined",
            "home": _home(hub, uses.get(name)),
            **facts,
        }
        for name, facts in sorted(seen.items())
        if name not in listed and hub.course.access.login != "roster"
    ]
    return [row | _more_memory(more.get(row["username"])) for row in rows + others]


def _more_memory(grant: Grant | None) -> dict[str, Any]:
    return {"memory": grant.memory, "memory_until": _stamp(grant.until)} if grant else {}


def _home(hub: HubFiles, use: HomeUse | None) -> str:
    """What it held when its server last told; with how full it is where that matters."""
    if use is None:
        return ""
    stand = home_stand(use, hub.course.homes)
    return stand.used + (f" ({stand.fullness})" if stand.fullness is not Fullness.OK else "")


def _prepared(hub: HubFiles) -> set[str]:
    """A seminar's seats that a bell made and nobody has."""
    path = hub.state / bell_tables.FILE
    if not path.exists():
        return set()
    from firstbell.hub.bells.book import BellBook
    from firstbell.hub.bells.values import WAITING, At

    book = BellBook(path)
    try:
        return {place.username for place in book.places(*WAITING, At.STOPPING, At.SPARE) if place.is_seat}
    finally:
        book.close()


def _state(invitation: Invitation | None) -> str:
    if invitation is None or invitation.used is not None:
        return "new"
    return "invited" if invitation.expires > time.time() else "expired"


def invite(hub: HubFiles, usernames: Sequence[str]) -> list[dict[str, Any]]:
    """A new link for each; for none if one of them may not enter. Without names, for all who have not joined."""
    _need_passwords(hub)
    joined = hub.store.with_password()
    people = [person_of(hub, name) for name in usernames] or [p for p in people_of(hub) if p.username not in joined]
    return [_invitation(hub, person) for person in people]


def reset(hub: HubFiles, usernames: Sequence[str]) -> list[dict[str, Any]]:
    """Password and sessions of each are void; a new link for each."""
    _need_passwords(hub)
    people = [person_of(hub, name) for name in usernames]
    for person in people:
        hub.store.forget(person.username)
    # Before there are links: whoever uses theirs at once must not be put out by an order that comes late.
    have_done(hub, "end-sessions", [person.username for person in people])
    return [_invitation(hub, person) for person in people]


def _need_passwords(hub: HubFiles) -> None:
    login = hub.course.access.login
    if login not in {"roster", "seminar"}:
        raise CourseFileError(
            f"people log in with {login} here, so there is nothing to invite them with",
            where="firstbell.toml",
            next_step="Name them in allow under [access], then run: firstbell up",
        )


def _invitation(hub: HubFiles, person: Person) -> dict[str, Any]:
    code = hub.store.invite(person.username)
    expires = hub.store.invitations()[person.username].expires
    return {
        "username": person.username,
        "name": person.name,
        "email": person.email,
        "section": person.section,
        "link": f"{hub.course.public_url}hub/invite/{code}",
        "expires": _stamp(expires),
    }


def forget_home(hub: HubFiles, usernames: Sequence[str]) -> dict[str, Any]:
    """From now on no home is expected of these users; those of whom one was."""
    return {"forgotten": [name for name in usernames if hub.store.forget_home(name)]}


def stop(hub: HubFiles, usernames: Sequence[str]) -> dict[str, Any]:
    """Stop the servers of these users and wait until they are. Raises StartFailed if the hub does not get to it."""
    have_done(hub, "stop", usernames)
    return {"stopped": list(usernames)}


def have_done(hub: HubFiles, verb: str, usernames: Sequence[str]) -> None:
    """Order it of the running hub and wait until it is done for all of them."""
    import asyncio

    from firstbell.engine.waiting import until

    for name in usernames:
        hub.store.order(verb, name)

    async def done() -> bool:
        return not any(order.verb == verb and order.username in usernames for order in hub.store.orders())

    try:
        asyncio.run(until(done, deadline=_ORDER_DEADLINE, first=0.1))
    except TimeoutError as error:
        what = f"the hub has not come to it yet: {verb} of {', '.join(usernames)}"
        raise StartFailed(what, next_step="Look at: firstbell logs hub") from error


def active(hub: HubFiles) -> list[str]:
    """Whose servers run."""
    return sorted(name for name, facts in _seen(hub).items() if facts["running"])


_NEVER_SEEN: dict[str, Any] = {"running": False, "last_seen": None}


def _seen(hub: HubFiles) -> dict[str, dict[str, Any]]:
    """Running servers and last activity, from JupyterHub's database; nothing while there is none."""
    query = (
        "SELECT users.name, max(CASE WHEN spawners.server_id IS NULL THEN 0 ELSE 1 END),"
        " CAST(users.last_activity AS TEXT) FROM users"
        " LEFT JOIN spawners ON spawners.user_id = users.id GROUP BY users.id"
    )
    found = rows(database_of(hub.course, hub.state), query)
    return {
        name: {"running": bool(running), "last_seen": seen[:19].replace(" ", "T") + "Z" if seen else None}
        for name, running, seen in found
    }


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""What the bells' service sees of the hub and of the machine: servers, people, memory; and what it asks of the hub."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from firstbell.config.roster import parse_roster
from firstbell.hub.nodes.figures import read_nodes
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.rehearsals.book import RehearsalBook
from firstbell.hub.state.hub_tables import rows
from firstbell.model.course import Course
from firstbell.model.proc import parse_meminfo
from firstbell.plan.bell_forecast import Pressure
from firstbell.plan.bells import Occurrence
from firstbell.plan.memory_room import MachineMemory, room_for_more, room_on_all, together

_DEADLINE = 30.0


class HubAway(Exception):
    """The hub did not answer; nothing is known of what was asked."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A server that the hub has, running or starting."""

    last_activity: float
    """Unix seconds: its start, or when its person last did something."""
    is_up: bool = False
    """Whether its start has come to its end."""


class Hub(Protocol):
    """A hub, as the service needs it."""

    def servers(self) -> dict[str, Seen]:
        """The servers that run or start, by user."""
        ...

    async def start(self, user: str) -> bool:
        """Ask for a start; False if that is not possible at the moment. Raises HubAway."""
        ...

    async def stop(self, user: str) -> bool:
        """Stop a server; whether it is gone. Raises HubAway."""
        ...

    async def make(self, *, seats: int = 0, names: Sequence[str] = ()) -> list[str]:
        """Make new seats, or see that these people's users exist; their names. Raises HubAway."""
        ...


class ApiHub:
    """The hub's API, asked with the service's token, and its database, looked at beside it."""

    def __init__(self, url: str, token: str, database: str) -> None:
        self._url = url
        self._token = token
        self._database = database
        self._client: Any = None

    def servers(self) -> dict[str, Seen]:
        """From the database: a look every second would cost the hub as much as a login does."""
        query = (
            "SELECT users.name, CAST(spawners.last_activity AS TEXT), spawners.state FROM spawners"
            " JOIN users ON users.id = spawners.user_id WHERE spawners.server_id IS NOT NULL"
        )
        return {name: Seen(_seconds(stamp), _is_up(state)) for name, stamp, state in rows(self._database, query)}

    async def start(self, user: str) -> bool:
        """201 and 202 are a start; anything else (a server that is still being stopped, say) is none."""
        code, _ = await self._ask("POST", f"users/{quote(user)}/server", {})
        return code in {201, 202}

    async def stop(self, user: str) -> bool:
        """204 is gone, 202 goes, 404 is a user who is no more."""
        code, _ = await self._ask("DELETE", f"users/{quote(user)}/server")
        return code in {202, 204, 404}

    async def make(self, *, seats: int = 0, names: Sequence[str] = ()) -> list[str]:
        """See `bell_seats.SeatsHandler`."""
        wanted = {"names": list(names)} if names else {"seats": seats}
        code, body = await self._ask("POST", "firstbell/seats", wanted)
        if code != 200:
            raise HubAway(f"the hub answered {code} when asked for seats")
        return [str(name) for name in json.loads(body)["names"]]

    async def _ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        from tornado.httpclient import HTTPRequest  # late: most of the time no bell rings
        from tornado.simple_httpclient import SimpleAsyncHTTPClient

        if self._client is None:
            self._client = SimpleAsyncHTTPClient(force_instance=True, max_clients=20)
        request = HTTPRequest(
            f"{self._url}/{path}",
            method=method,
            headers={"Authorization": f"token {self._token}", "Content-Type": "application/json"},
            body=None if body is None else json.dumps(body),
            request_timeout=_DEADLINE,
            follow_redirects=False,
        )
        try:
            answer = await self._client.fetch(request, raise_error=False)
        except OSError as error:
            raise HubAway(str(error)) from error
        if answer.code >= 500:
            raise HubAway(f"the hub answered {answer.code}")
        return answer.code, answer.body


def _is_up(state: str | None) -> bool:
    """What `FirstbellSpawner.get_state` has saved: containers, once the start is over."""
    return bool(state and json.loads(state).get("containers"))


def _seconds(stamp: str | None) -> float:
    """A time of JupyterHub's database, which is UTC."""
    return datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp() if stamp else 0.0


class People:
    """Whom a bell is for, as the hub knows them at present."""

    def __init__(self, course: Course, store: PeopleStore) -> None:
        self._course = course
        self._store = store
        self._text: str | None = None
        self._sections: dict[str, str] = {}

    def whom(self, ring: Occurrence) -> tuple[str, ...]:
        """The user names, in the roster's order; none for seats, which have no names."""
        if ring.names or ring.seats:
            return ring.names
        section = ring.who.removeprefix("section:").strip() if ring.who.startswith("section:") else ""
        return tuple(name for name, of in self._known().items() if not section or of == section)

    def guests(self) -> set[str]:
        """Test people of a rehearsal: a bell may be rung for them, but none rings for them by itself."""
        return set(RehearsalBook(self._store.path.parent).people())

    def count(self, ring: Occurrence) -> int:
        """How many servers a ringing wants."""
        return ring.seats or len(self.whom(ring))

    def _known(self) -> dict[str, str]:
        """User names with their sections."""
        access = self._course.access
        if access.login != "roster":
            return {} if isinstance(access.allow, str) else dict.fromkeys(access.allow, "")
        text = self._store.kept("roster") or ""
        if text != self._text:
            roster = parse_roster(text, "the last good roster").people if text else ()
            self._text, self._sections = text, {person.username: person.section for person in roster}
        return self._sections


_PLENTY = 4
"""Where more than one in so many bytes of the machine is available, waiting for memory says nothing of its end."""


@dataclass(frozen=True, slots=True)
class MachineNow:
    """The machine at a moment."""

    memory: MachineMemory
    pressure: Pressure
    nodes: tuple[MachineMemory, ...] = ()
    """Of a cluster, those that can be used; `memory` is then theirs together."""
    slots: int = 0
    """How many starts those take at once; 0 on one machine."""

    def fits(self, limit: int, coming: int) -> int | None:
        """How many more servers of that limit there is memory for, beside `coming`."""
        if self.nodes:
            return room_on_all(self.nodes, limit, coming)
        return room_for_more(self.memory, limit, coming)


def machine_now(server_use: float = 0.0, proc: Path = Path("/proc")) -> MachineNow:
    """Memory and pressure, unknown where they cannot be read; `server_use` is what one server was measured to use."""
    facts = parse_meminfo(_text(proc / "meminfo"))
    memory = MachineMemory(
        total=facts.get("MemTotal", 0),
        available=facts.get("MemAvailable", 0),
        servers=1 if server_use else 0,
        servers_use=int(server_use),
    )
    # Who reads much waits for memory that holds files, too, however much of it can be had at once.
    is_plenty = memory.available > memory.total // _PLENTY
    short = 0.0 if is_plenty else _waited(proc / "pressure" / "memory")
    return MachineNow(memory, Pressure(_waited(proc / "pressure" / "cpu"), short))


def cluster_now(state: Path, server_use: float = 0.0) -> MachineNow:
    """The same, of a cluster's nodes where the hub of that state folder has written what they have."""
    here, found = machine_now(server_use), read_nodes(state)
    if not found.memories:
        return here
    # The pressure is this node's own: of the others the hub's queue takes care.
    return MachineNow(together(found.memories), here.pressure, found.memories, found.slots)


def _waited(path: Path) -> float:
    """`some avg10=…` of a pressure file (docs.kernel.org/accounting/psi.html); 0 where the kernel has none."""
    for line in _text(path).splitlines():
        if line.startswith("some "):
            return float(line.split("avg10=")[1].split()[0])
    return 0.0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""

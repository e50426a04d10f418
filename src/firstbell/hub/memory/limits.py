"""More memory for one person, as the hub remembers it; `limit_care.py` gives it to a server that runs.

Nobody's memory is taken away while they work: when the time is over, or the limit is taken back, a server that runs
keeps what it has until it ends.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from firstbell.hub.people.book import PeopleStore
from firstbell.plan import memory_limit
from firstbell.plan.memory_limit import Grant

if TYPE_CHECKING:  # with it comes pydantic, which a question about people can do without
    from firstbell.model.course import Course

KEPT = "memory limits"
ORDER = "limit"
"""What the running hub is asked to do after a change."""
_OUTCOMES = "memory limit outcomes"


def grants(store: PeopleStore) -> dict[str, Grant]:
    """What was given and is not over, by user."""
    return memory_limit.read(store.kept(KEPT), time.time())


def memory_of(store: PeopleStore, course: Course, user: str) -> int:
    """Bytes that their next server may use."""
    grant = grants(store).get(user)
    return grant.memory if grant else course.server.memory


def largest_machine(store: PeopleStore) -> int:
    """Bytes of the machine, of a cluster's largest node; 0 where that is not known."""
    from firstbell.hub.bells.hub import cluster_now  # late: only a change needs it

    now = cluster_now(store.path.parent)
    return max((node.total for node in now.nodes), default=now.memory.total)


def refuse(store: PeopleStore, course: Course, grant: Grant) -> None:
    """Raises CourseFileError for what cannot be given."""
    memory_limit.refuse(course, grant, time.time(), largest_machine(store))


def give(store: PeopleStore, user: str, grant: Grant | None) -> None:
    """From now on they have that; None is what everybody has. Both, command line and pages, may do so at once."""

    def changed(text: str | None) -> str:
        known = memory_limit.read(text, time.time())
        known.pop(user, None)
        return memory_limit.written(known | ({user: grant} if grant else {}))

    take_outcome(store, user)
    store.change(KEPT, changed)


def note_outcome(store: PeopleStore, user: str, words: str) -> None:
    """What became of the last change, for a command that waits."""
    store.change(_OUTCOMES, lambda text: json.dumps({**json.loads(text or "{}"), user: words}))


def take_outcome(store: PeopleStore, user: str) -> str:
    """The same, once; empty where the hub has not come to it, or knows nobody of that name yet."""
    known: dict[str, str] = json.loads(store.kept(_OUTCOMES) or "{}")
    if words := known.get(user, ""):
        store.change(_OUTCOMES, lambda text: json.dumps(_without(json.loads(text or "{}"), user)))
    return words


def _without(known: dict[str, str], user: str) -> dict[str, str]:
    return {name: words for name, words in known.items() if name != user}

"""What handlers, authenticators and spawners of this hub share; found in the tornado settings as `firstbell`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from firstbell.engine.base import Engine
from firstbell.hub.backups.earlier import EarlierFiles
from firstbell.hub.bells.book import BellBook
from firstbell.hub.coursework.counter import Counter
from firstbell.hub.coursework.openings import Openings
from firstbell.hub.homes.projects import HomeProjects
from firstbell.hub.homes.store import Store
from firstbell.hub.homes.uses import HomeUses
from firstbell.hub.idle.notebooks import Notebooks
from firstbell.hub.idle.uses import Uses
from firstbell.hub.memory.fulls import Fulls
from firstbell.hub.memory.machine import Machine
from firstbell.hub.nodes.cluster import Cluster
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.records.acts import ActsBook
from firstbell.hub.records.usage import Usage
from firstbell.hub.starts.log import StartLog
from firstbell.hub.starts.presence import Presence
from firstbell.hub.starts.queue import StartQueue
from firstbell.hub.starts.room import Room
from firstbell.hub.starts.server_parts import ServerParts
from firstbell.hub.starts.standbys import Standbys
from firstbell.hub.starts.under_way import Starts
from firstbell.model.course import Course
from firstbell.model.roster import Person
from firstbell.model.runtime import Runtime
from firstbell.plan.disk_room import DiskRoom
from firstbell.plan.idle import NEVER

SETTING = "firstbell"


@dataclass(frozen=True, slots=True)
class HubContext:
    """One per hub process."""

    course: Course
    runtime: Runtime
    engine: Engine
    store: PeopleStore
    room: Room
    queue: StartQueue
    starts: Starts
    parts: ServerParts
    person: Callable[[str], Person | None]
    """Somebody of the roster; None where there is no roster or they are not in it."""
    bells: BellBook
    """Which starts bells have ordered, and which servers nobody has come for yet."""
    machine: Machine
    homes: Store
    acts: ActsBook
    """What staff did, and what people are told."""
    presence: Presence = field(default_factory=Presence)
    notebooks: Notebooks = field(default_factory=Notebooks)
    home_uses: HomeUses = field(default_factory=HomeUses)
    """What homes held when their servers last told."""
    disk: Callable[[], DiskRoom | None] = lambda: None
    """How much is left where the hub's state is, which is the engine's disk."""
    home_projects: HomeProjects | None = None
    """None where nothing limits homes."""
    standbys: Standbys = field(default_factory=Standbys)
    uses: Uses = field(default_factory=lambda: Uses(lambda _: NEVER))
    """When each server that runs was last used."""
    fulls: Fulls = field(default_factory=Fulls)
    """Whose memory was full of late."""
    start_log: StartLog = field(default_factory=StartLog)
    usage: Usage = field(default_factory=Usage)
    """Logins, starts and ends, for the record."""
    cluster: Cluster | None = None
    """None on one machine."""
    coursework: Counter | None = None
    """None in a course without coursework."""
    openings: Openings | None = None
    """None where `coursework` is."""
    earlier: EarlierFiles | None = None
    """None in a course without backups."""

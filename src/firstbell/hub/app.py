"""JupyterHub with the course in it: `python -m firstbell.hub`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Coroutine
from typing import Any
from zoneinfo import ZoneInfo

from jupyterhub.app import JupyterHub
from prometheus_client import REGISTRY
from traitlets import Instance

from firstbell.coursework.layout import Layout
from firstbell.engine.connect import connect
from firstbell.errors import FirstbellError
from firstbell.hub import proxy
from firstbell.hub.backups.earlier import earlier_files
from firstbell.hub.backups.earlier_page import earlier_handlers
from firstbell.hub.bells import tables as bell_tables
from firstbell.hub.bells.book import BellBook
from firstbell.hub.bells.page import BELLS_PAGE, BellsPage
from firstbell.hub.bells.seats import SEATS_PATH, SeatsHandler
from firstbell.hub.bells.watch import BellWatch
from firstbell.hub.companion import companion_handlers
from firstbell.hub.context import SETTING, HubContext
from firstbell.hub.coursework.counter import Counter
from firstbell.hub.coursework.formgrader import FORMGRADER, Formgrader
from firstbell.hub.coursework.formgrader_access import is_offered, service_token
from firstbell.hub.coursework.openings import Openings
from firstbell.hub.coursework.own_page import own_handlers
from firstbell.hub.coursework.page import coursework_handlers
from firstbell.hub.coursework.staff import BOARDS, boards_of
from firstbell.hub.figures.access import FIGURES, FiguresPage, forget_old_tokens
from firstbell.hub.figures.ask import PATH as FIGURES_PATH
from firstbell.hub.figures.exporter import Figures, count_servers
from firstbell.hub.homes.lease_page import lease_handlers
from firstbell.hub.homes.projects import HomeProjects
from firstbell.hub.homes.store import Store
from firstbell.hub.homes.uses import FILE as HOME_USES
from firstbell.hub.homes.uses import HomeUses
from firstbell.hub.idle.activity import ActivityHandler
from firstbell.hub.idle.culler import IDLE, IdleCare, uses_of
from firstbell.hub.idle.page import idle_handlers
from firstbell.hub.memory.limit_page import LimitPage
from firstbell.hub.memory.machine import Machine
from firstbell.hub.memory.memory_page import memory_handlers
from firstbell.hub.nodes.away import AwayCare
from firstbell.hub.nodes.away_page import away_handlers
from firstbell.hub.nodes.cluster import make_cluster
from firstbell.hub.nodes.figures import keep_written
from firstbell.hub.nodes.state_copy import COOKIE_SECRET, StateCopy, restore
from firstbell.hub.nodes.watch import NodesWatch
from firstbell.hub.pages.staff_page import is_staff
from firstbell.hub.pages.static_files import StaticCare, StaticOffer
from firstbell.hub.people.book import open_store
from firstbell.hub.people.last_seen import lenient
from firstbell.hub.people.notes import last_word
from firstbell.hub.people.notes_page import notes_handlers
from firstbell.hub.people.open_as_staff import keep_taking_back
from firstbell.hub.people.roster_file import RosterFile
from firstbell.hub.people.roster_sync import PeopleWatch
from firstbell.hub.people.server_owner import ServerOwners
from firstbell.hub.records import acts
from firstbell.hub.records.acts import ActsBook
from firstbell.hub.records.page import TERMS, Terms, record_handlers
from firstbell.hub.records.recorded import recorded
from firstbell.hub.rehearsals.rehearsal import RehearsalWatch, test_person
from firstbell.hub.routes import RouteWatch
from firstbell.hub.settings import Kept, settings
from firstbell.hub.starts.no_options import PlainServerHandler
from firstbell.hub.starts.queue import StartQueue, slots_for
from firstbell.hub.starts.ready import READY_PATH, ReadyHandler
from firstbell.hub.starts.recovery import Recovery
from firstbell.hub.starts.room import Room, active_names
from firstbell.hub.starts.server_parts import ServerParts
from firstbell.hub.starts.standby_care import StandbyCare
from firstbell.hub.starts.under_way import Starts
from firstbell.hub.starts.waiting_page import give_up_the_left, waiting_handlers
from firstbell.hub.starts.watch import ContainerWatch, adopt, nodes_of_servers, running_containers
from firstbell.hub.state import secrets
from firstbell.hub.state.disk import room_at
from firstbell.hub.state.hub_tables import database_of, is_postgresql, put_aside_damaged, refuse_unreachable
from firstbell.hub.state.places import Places
from firstbell.hub.term import samples as term_samples
from firstbell.hub.term.samples import Sampler
from firstbell.hub.trial import confined
from firstbell.hub.wall.gather import ByName
from firstbell.hub.wall.page import WALL, wall_handlers, wall_of
from firstbell.model.course import Course
from firstbell.model.roster import Roster
from firstbell.model.runtime import Runtime
from firstbell.plan.static_files import static_url


class FirstbellHub(JupyterHub):
    """The hub of one course."""

    name = "firstbell"
    context = Instance(HubContext, allow_none=True)

    handlers: list[Any]
    _places: Places
    _roster: RosterFile | None = None
    _copy: StateCopy | None = None
    _formgrader: Formgrader | None = None

    async def initialize(self, argv: Any = None) -> None:
        """Read the course, then as JupyterHub."""
        self._places = Places.of(os.environ)
        self._tasks: set[asyncio.Task[None]] = set()
        self._recovery = Recovery()
        course = self._places.read_course()
        runtime = self._places.read_runtime()
        try:
            database = database_of(course, self._places.state)
            if is_postgresql(database):
                refuse_unreachable(database)
                self._copy = StateCopy(database, self._places.state)
                restored = restore(database, self._places.state)
                self.log.info("People and seats: %s", ", ".join(restored) or "those of this machine")
            put_aside_damaged(database, time.time())
            self.context = await self._context_of(course, runtime)
        except FirstbellError as error:
            self.log.critical("%s", error)
            self.exit(1)
        kept = Kept(
            state=self._places.state,
            service_environment=self._places.environment(),
            cookie_secret=secrets.read_or_create(self._places.state / COOKIE_SECRET),
            proxy_token=secrets.token(self._places.shared / proxy.TOKEN_FILE),
        )
        self.update_config(settings(course, runtime, kept))
        if self.context and is_offered(course):
            layout, token = Layout(self._places.coursework), service_token(kept.cookie_secret)
            self._formgrader = Formgrader(self, self.context, layout, token)
        await super().initialize(argv if argv is not None else [])

    def load_config_file(self, *_: Any, **__: Any) -> None:
        """There is no JupyterHub configuration file: the course is the configuration."""

    def init_logging(self) -> None:
        """Our own lines go where JupyterHub's go."""
        super().init_logging()
        ours = logging.getLogger("firstbell")
        ours.parent = self.log
        ours.setLevel(self.log.level)
        # Attempts that are repeated are no news: of a node that is away there are some every second.
        logging.getLogger("stamina").addHandler(logging.NullHandler())
        for handler in self.log.handlers:
            handler.addFilter(_without_session_ids)

    def init_tornado_settings(self) -> None:
        """Let handlers, authenticators and spawners find what they share."""
        super().init_tornado_settings()
        self.tornado_settings[SETTING] = self.context
        self.tornado_settings["firstbell_users"] = lambda: self.users
        assert self.context is not None
        people = ByName(self._roster.current if self._roster else Roster)
        self.tornado_settings[WALL] = wall_of(self, self.context, people)
        self.tornado_settings[BOARDS] = boards_of(self, self.context)
        self.tornado_settings[FORMGRADER] = self._formgrader
        self.tornado_settings[TERMS] = Terms(self._places.state, ZoneInfo(self.context.course.time_zone))
        self.tornado_settings[IDLE] = IdleCare(self, self.context)
        self.tornado_settings["template_vars"] = self.template_vars | {
            "is_staff": is_staff(self.context),
            "last_word": last_word(self.context),
        }
        self.tornado_settings[FIGURES] = Figures(
            self.context,
            REGISTRY,
            lambda: count_servers(self.users),
            self.context.earlier.report if self.context.earlier else lambda: None,
        )

    def init_handlers(self) -> None:
        """Ours come first: JupyterHub takes the first that matches."""
        super().init_handlers()
        owners = ServerOwners(lambda: self.users, lambda: self.db)
        ours = [
            (f"/{READY_PATH}", ReadyHandler),
            (f"/{SEATS_PATH}", SeatsHandler),
            (f"/{BELLS_PAGE}", BellsPage),
            (r"/api/users/([^/]+)/server", PlainServerHandler),
            (r"/api/users/([^/]+)/servers/([^/]*)", PlainServerHandler),
            (r"/api/users/([^/]+)/activity", ActivityHandler),
            *waiting_handlers(),
            *notes_handlers(),
            *wall_handlers(),
            (r"/people/limit", LimitPage),
            *coursework_handlers(),
            *own_handlers(),
            *earlier_handlers(),
            *companion_handlers(owners),
            *idle_handlers(owners),
            *memory_handlers(owners),
            *record_handlers(),
            (f"/{FIGURES_PATH}", FiguresPage),
            *self._cluster_handlers(),
        ]
        self.handlers = lenient(recorded(self.add_url_prefix(self.hub_prefix, ours) + self.handlers))

    def _cluster_handlers(self) -> list[Any]:
        if self.context is None or self.context.cluster is None:
            return []
        return [*lease_handlers(lambda: self.users, lambda: self.db), *away_handlers()]

    async def init_api_tokens(self) -> None:
        """As JupyterHub, but a token that is no longer the course's is void."""
        assert self.context is not None
        forget_old_tokens(self.db, self.context.course)
        await super().init_api_tokens()

    async def init_spawners(self) -> int:
        """Find the servers that run; see `watch.adopt`."""
        assert self.context is not None
        if self.context.cluster:
            await self.context.cluster.nodes.look_safely()
        return await adopt(self, self.context, self._recovery)

    async def start(self) -> None:
        """As JupyterHub, then the tasks beside it."""
        await super().start()
        context = self.context
        assert context is not None
        if context.cluster and context.cluster.leases:
            context.cluster.leases.begin()
        watch = ContainerWatch(self, context, self._recovery)
        routes = RouteWatch(self)
        self._beside(routes.run())
        self._beside(watch.listen())
        self._beside(watch.keep_looking())
        self._beside(give_up_the_left(context))
        self._beside(context.machine.keep_measuring())
        self._beside(BellWatch(context, self._places.state).run())
        self._beside(PeopleWatch(self, context.course, context.store, self._roster).run())
        self._beside(keep_taking_back(self, context))
        self._beside(RehearsalWatch(self, context.store).run())
        self._beside(StandbyCare(context).run())
        self._beside(self.tornado_settings[IDLE].run())
        if self._copy:
            self._beside(self._copy.run())
        self._beside(self._warm_up(context))
        keep = context.course.records.keep
        context.usage.begin(self._places.state / acts.FILE, keep)
        machine = context.machine
        self._beside(Sampler(self._places.state / term_samples.FILE, keep, machine.memory, machine.running).run())
        if context.cluster:
            context.cluster.nodes.changed.append(lambda _: routes.hurry())
            self._beside(context.cluster.nodes.run())
            self._beside(context.cluster.images.run())
            self._beside(keep_written(self._places.state, context.cluster.room))
            self._beside(AwayCare(self, context.cluster, watch).run())
        if context.home_projects:
            self._beside(context.home_projects.keep())
        self._beside(StaticCare(self._places.static, context.course, context.engine).run())
        if self._formgrader:
            self._beside(self._formgrader.keep())

    async def cleanup(self) -> None:
        """As JupyterHub (which leaves servers and proxy alone, by our settings), then let go of engine and files."""
        await super().cleanup()
        if self._copy:
            with contextlib.suppress(Exception):  # the next hub on this machine has the files themselves
                self._copy.save()
        if self.context is not None:
            await self.context.engine.close()
            self.context.store.close()
            self.context.bells.close()
            self.context.usage.close()
            self.context.acts.close()
            if self.context.coursework:
                self.context.coursework.close()
            if self.context.earlier:
                self.context.earlier.close()
            if boards := self.tornado_settings.get(BOARDS):
                boards.close()

    async def _context_of(self, course: Course, runtime: Runtime) -> HubContext:
        store, bells = open_store(self._places.state), BellBook(self._places.state / bell_tables.FILE)
        engine = confined(await connect(runtime.engine_kind, runtime.engine_host), course)
        self._roster = RosterFile(self._places.roster, store) if course.access.login == "roster" else None
        roster = self._roster
        offer = StaticOffer(self._places.static, static_url(course))
        starts, nodes = Starts(), NodesWatch(engine, zone=course.time_zone) if runtime.engine_kind == "swarm" else None
        limit = course.server.memory
        machine = Machine(engine, course.name, lambda: running_containers(self.users), nodes=nodes, limit=limit)
        cluster = None
        if nodes:
            cluster = make_cluster(
                course, runtime.image, engine, store, starts, machine, nodes, lambda: nodes_of_servers(self.users)
            )
        queue = StartQueue(slots_for(runtime.cpus or os.cpu_count() or 1), nodes=cluster.room if cluster else None)
        homes = Store(course, engine, runtime.sidecar_image or runtime.image, is_cluster=nodes is not None)
        if cluster:
            cluster.room.without_homes = homes.away_nodes
        if nodes:
            nodes.looked.append(queue.call_again)
        counter = Counter(course, self._places.state, self._places.coursework) if course.coursework else None
        return HubContext(
            course=course,
            runtime=runtime,
            engine=engine,
            store=store,
            room=Room(course.access.capacity, lambda: active_names(self.users) - bells.waiting()),
            queue=queue,
            starts=starts,
            parts=ServerParts(engine, runtime.image, self._places.ca if runtime.has_ca else None, offer),
            person=(lambda user: roster.current().person(user) or test_person(store, user))
            if roster
            else (lambda _: None),
            machine=machine,
            homes=homes,
            bells=bells,
            acts=ActsBook(self._places.state / acts.FILE),
            disk=lambda: room_at(self._places.state),
            home_projects=HomeProjects(course, engine, homes.image, store.home_nodes, self._places.state),
            home_uses=HomeUses(self._places.state / HOME_USES, store.has_home),
            uses=uses_of(course, store, lambda: self.context),
            cluster=cluster,
            coursework=counter,
            openings=Openings(counter, course.coursework.folder) if counter and course.coursework else None,
            earlier=earlier_files(course, runtime.vault_image, engine, self._places.state),
        )

    async def _warm_up(self, context: HubContext) -> None:
        """What the first start would wait for. Its failure is the first start's to tell."""
        try:
            await context.parts.accounts()
        except Exception as error:
            self.log.debug("Not warm yet: %s", error)
        if context.cluster:
            await context.homes.prepare([node.name for node in context.cluster.nodes.all()])

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _without_session_ids(record: logging.LogRecord) -> bool:
    # JupyterHub says for each XSRF cookie it sets to whose session it belongs, id included.
    return not (isinstance(record.msg, str) and "xsrf cookie for" in record.msg)


def main() -> None:
    """Run the hub until it is told to stop."""
    FirstbellHub.launch_instance([])

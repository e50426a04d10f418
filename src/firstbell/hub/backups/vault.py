"""`python -m firstbell.hub.backups.vault`: the hub's own service, which keeps the course's backups.

It carries out the orders of commands and pages (`backup/orders.py`), one after the other, and orders what is due. It
ends with its hub: the next one brings its own, which goes on from what the storage has.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
from dataclasses import replace
from functools import partial

from firstbell.backup.backups import Backups
from firstbell.backup.containers import HELPER_SUFFIX
from firstbell.backup.homes import Known
from firstbell.backup.orders import FILE, Orders
from firstbell.config.wire import from_wire, runtime_from_wire
from firstbell.engine.base import Engine
from firstbell.engine.cluster import Cluster
from firstbell.engine.connect import connect
from firstbell.errors import FirstbellError
from firstbell.hub.backup_control import known
from firstbell.hub.backups.earlier import LOOKS
from firstbell.hub.backups.vault_book import VaultBook
from firstbell.hub.backups.vault_pace import Busy, Pace, PacedHomes
from firstbell.hub.backups.vault_work import Vault
from firstbell.hub.figures.ask import ask
from firstbell.hub.people.book import PeopleStore, open_store
from firstbell.hub.records import acts
from firstbell.hub.records.acts import ActsBook
from firstbell.hub.state.places import Places
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Phase
from firstbell.model.runtime import Runtime

_LOG = logging.getLogger("firstbell.backups")
_NICE = 10
_MARK = "-kept"
"""In the names of this service's helpers: a command's have the same names otherwise."""


def vault_of(places: Places, engine: Engine) -> Vault:
    """The keeper of the course whose files these are. Raises CourseFileError where it has no backups."""
    course = from_wire(places.course.read_bytes(), places.secrets.read_bytes())
    runtime = runtime_from_wire(places.runtime.read_bytes())
    store = open_store(places.state)

    async def who() -> Known:
        return known(course, store)

    pace = Pace(partial(busy_now, store, runtime, course))
    homes = PacedHomes(course, engine, runtime.vault_image, who, pace, places.state, store)
    backups = Backups(course, engine, runtime.vault_image, homes)
    backups.helpers = replace(backups.helpers, mark=_MARK)
    return Vault(
        backups,
        Orders(places.state / FILE),
        VaultBook(places.state),
        ActsBook(places.state / acts.FILE),
        pace,
    )


async def busy_now(store: PeopleStore, runtime: Runtime, course: Course) -> Busy:
    """How the hub is; one that does not answer has nobody waiting."""
    try:
        told = await asyncio.to_thread(ask, store, runtime.hub_url, course.base_url)
    except FirstbellError:
        return Busy()
    servers = told["servers"]
    return Busy(sum(told["queue"].values()) + servers["starting"], servers["running"])


async def sweep(engine: Engine, course: str) -> None:
    """End the helpers of a keeper that was killed: they would be at the same subject as those that come now.

    Those by which people look into their own are the hub's, and at nobody's home.
    """
    observed = await engine.observe(course)
    for state in observed.of_role(Role.HELPER):
        is_look = state.name.endswith(LOOKS + HELPER_SUFFIX) and state.phase is Phase.RUNNING
        if state.name.endswith(HELPER_SUFFIX) and not is_look:
            machine: Engine = await engine.on(state.node) if isinstance(engine, Cluster) else engine
            await machine.stop(state.name, 5)


async def keep(vault: Vault, hub: int) -> None:
    """Look, over and over, as long as the hub lives. No failure ends it."""
    while os.getppid() == hub:
        try:
            pause = await vault.look()
        except FirstbellError as error:
            _LOG.warning("Waiting: %s", error.what)
            pause = 5.0
        except (OSError, sqlite3.Error) as error:
            _LOG.warning("The books of the backups cannot be used at present, trying again: %s", error)
            pause = 5.0
        except Exception:
            _LOG.exception("Looking after the backups failed, trying again")
            pause = 60.0
        await asyncio.sleep(pause)


async def work(places: Places) -> None:
    """Until the hub has ended."""
    hub = os.getppid()
    runtime = runtime_from_wire(places.runtime.read_bytes())
    engine = await connect(runtime.engine_kind, runtime.engine_host)
    try:
        while os.getppid() == hub:
            try:
                await sweep(engine, runtime.course)
                break
            except FirstbellError as error:
                _LOG.warning("Waiting for the engine: %s", error.what)
                await asyncio.sleep(2)
        await keep(vault_of(places, engine), hub)
    finally:
        await engine.close()


def main() -> None:
    """Started by the hub."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    logging.basicConfig(level=logging.INFO, format="[%(levelname).1s %(asctime)s backups] %(message)s")
    asyncio.run(work(Places.of(os.environ)))


if __name__ == "__main__":
    main()

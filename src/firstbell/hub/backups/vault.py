"""`python -m firstbell.hub.backups.vault`: the hub's own service, which keeps the course's backups.

It carries out the orders of commands and pages (`backup/orders.py`), one after the other, and orders what is due. It
ends with its hub: the next one brings its own, which goes on from what the storage has.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from firstbell.backup.backups import Backups
from firstbell.backup.containers import HELPER_SUFFIX
from firstbell.backup.homes import Known
from firstbell.backup.orders import FILE, Orders
from firstbell.engine.base import Engine
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
from firstbell.hub.service import hub_lives, serve
from firstbell.hub.service_engine import swept_engine
from firstbell.hub.state.places import Places
from firstbell.model.course import Course
from firstbell.model.observed import ContainerState, Phase
from firstbell.model.runtime import Runtime

_LOG = logging.getLogger("firstbell.backups")
_NICE = 10
_MARK = "-kept"
"""In the names of this service's helpers: a command's have the same names otherwise."""


def vault_of(places: Places, engine: Engine) -> Vault:
    """The keeper of the course whose files these are. Raises CourseFileError where it has no backups."""
    course, runtime = places.read_course(), places.read_runtime()
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


def is_left(state: ContainerState) -> bool:
    """Whether a helper is a killed keeper's. Those by which people look into their own are the hub's, at no home."""
    is_look = state.name.endswith(LOOKS + HELPER_SUFFIX) and state.phase is Phase.RUNNING
    return state.name.endswith(HELPER_SUFFIX) and not is_look


async def keep(vault: Vault, lives: Callable[[], bool]) -> None:
    """Look, over and over, as long as the hub lives. No failure ends it."""
    while lives():
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
    lives = hub_lives()
    async with swept_engine(places, lives, is_left, 5) as engine:
        await keep(vault_of(places, engine), lives)


def main() -> None:
    """Started by the hub."""
    serve("backups", work(Places.of(os.environ)), _NICE)


if __name__ == "__main__":
    main()

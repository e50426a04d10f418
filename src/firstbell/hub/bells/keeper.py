"""`python -m firstbell.hub.bells.keeper`: the hub's own service, which starts servers before a bell.

It ends with its hub: the next one brings its own, which goes on from what is written in the book.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3

from firstbell.hub.bells import tables as bell_tables
from firstbell.hub.bells.book import BellBook
from firstbell.hub.bells.hub import ApiHub, HubAway, People, cluster_now
from firstbell.hub.bells.report import SERVER_USE
from firstbell.hub.bells.ringer import CALM, Ringer
from firstbell.hub.people.book import open_store
from firstbell.hub.service import hub_lives, serve
from firstbell.hub.starts.queue import slots_for
from firstbell.hub.state.hub_tables import database_of
from firstbell.hub.state.places import Places

_LOG = logging.getLogger("firstbell.bells")


def ringer_of(places: Places, book: BellBook, url: str, token: str) -> Ringer:
    """The bells of the course whose files these are."""
    course, runtime = places.read_course(), places.read_runtime()
    return Ringer(
        course,
        book,
        ApiHub(url, token, database_of(course, places.state)),
        People(course, open_store(places.state)),
        machine=lambda: cluster_now(places.state, book.kept(SERVER_USE, 0.0)),
        slots=slots_for(runtime.cpus or os.cpu_count() or 1),
    )


async def ring(ringer: Ringer) -> None:
    """Look, over and over, as long as the hub lives. No failure ends it."""
    lives, pause = hub_lives(), CALM
    while lives():
        try:
            pause = await ringer.look()
        except HubAway as error:
            _LOG.warning("The hub does not answer, trying again: %s", error)
        except (OSError, sqlite3.Error) as error:
            _LOG.warning("The bells' book cannot be used at present, trying again: %s", error)
        except Exception:
            _LOG.exception("Looking after the bells failed, trying again")
        await asyncio.sleep(pause)


async def keep(url: str, token: str) -> None:
    """Ring, until the hub has ended."""
    places = Places.of(os.environ)
    book = BellBook(places.state / bell_tables.FILE)
    await ring(ringer_of(places, book, url, token))


def main() -> None:
    """Started by the hub with a token in its environment."""
    serve("keeper", keep(os.environ["JUPYTERHUB_API_URL"], os.environ["JUPYTERHUB_API_TOKEN"]))


if __name__ == "__main__":
    main()

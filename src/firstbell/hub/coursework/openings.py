"""Who has opened an assignment: whose server tells that a notebook of its folder is in use."""

from __future__ import annotations

import asyncio
import logging
import sqlite3

from firstbell.errors import FirstbellError
from firstbell.hub.coursework.counter import Counter
from firstbell.model.coursework import assignment_of

LOG = logging.getLogger(__name__)


class Openings:
    """Notes each once, beside the hub's own work. What is told twice, or lost, is told again with the next report."""

    def __init__(self, counter: Counter, folder: str) -> None:
        """`folder` is that of each home in which assignments are."""
        self._counter = counter
        self._folder = folder
        self._known: set[tuple[str, str]] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def note(self, user: str, notebook: str) -> None:
        """What their server tells; a path that is no assignment's is nothing."""
        assignment = assignment_of(notebook, self._folder)
        if not assignment or (user, assignment) in self._known or user in self._tasks:
            return
        self._tasks[user] = asyncio.ensure_future(self._keep(user, assignment))

    async def _keep(self, user: str, assignment: str) -> None:
        try:
            if await self._counter.ask(lambda files: files.book.opened(assignment, user)):
                self._known.add((user, assignment))
        except (FirstbellError, sqlite3.Error) as error:
            LOG.warning("That %s has opened %s could not be noted: %s", user, assignment, error)
        finally:
            del self._tasks[user]

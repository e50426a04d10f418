"""Ends the servers that nobody uses, politely: by the course's rules, after a notice, with words for the next visit.

Each server tells every minute how long it has not been used and whether something runs in it, and it is ended in answer
to such a word alone: what is known is then as old as the request. One that has fallen silent is ended after a long
silence. Which times count, and from when, is in `plan/idle.py`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from firstbell.hub.context import HubContext
from firstbell.hub.idle.kept_until import KeptUntil
from firstbell.hub.idle.notebooks import cleaned
from firstbell.hub.idle.uses import LOOK_EVERY, Uses
from firstbell.hub.logins.sessions import stop_servers
from firstbell.hub.pages.shared import moment_in
from firstbell.hub.pages.staff_page import person_of
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.people.notes import tell_of_hub
from firstbell.hub.records import endings
from firstbell.model.course import Course
from firstbell.model.roster import Person
from firstbell.plan.idle import Rule, Stand, next_word, offers, rule_for

IDLE = "firstbell_idle"
"""The setting in which handlers find the hub's `IdleCare`."""
LOG = logging.getLogger("firstbell.idle")
_MOST_NAMED = 5


class IdleCare:
    """`app` is JupyterHub."""

    def __init__(self, app: Any, context: HubContext) -> None:
        self._app = app
        self._context = context
        self._open: dict[str, str] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Look for those that have fallen silent, until cancelled. No failure ends it."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                self.look()
            except Exception:
                LOG.exception("Looking for idle servers failed, trying again")

    def look(self) -> None:
        """One look."""
        context, running = self._context, self._running()
        self._open = {user: words for user, words in self._open.items() if user in running}
        for user in context.bells.waiting() & running.keys():
            context.uses.touch(user)
        nodes = context.cluster.nodes if context.cluster else None
        away = [name for name, user in running.items() if nodes and nodes.is_away(user.spawner.node)]
        for name in context.uses.silent(running, away):
            self._end(name, "it has told nothing any more")

    def word(self, user: str, told: Mapping[str, Any]) -> dict[str, Any]:
        """What a server tells; the answer says when its next word is wanted. Raises ValueError for nonsense."""
        age = told.get("age")
        if isinstance(age, bool) or not isinstance(age, int | float) or not 0 <= age < 1e9:
            raise ValueError("age is the number of seconds since the last use.")
        uses = self._context.uses
        if user in self._context.bells.waiting():
            uses.touch(user)
        self._open[user] = open_words(told)
        verdict = uses.word(user, float(age), busy=bool(told.get("busy")))
        if verdict.stand is Stand.OVER:
            self._end(user, "nobody used it")
        return {"next": next_word(verdict, uses.rule(user))}

    def stands(self, user: str) -> dict[str, Any]:
        """How somebody's own server stands, for their eyes: seconds until it ends, and what they may do about it."""
        uses, course = self._context.uses, self._context.course
        verdict, rule = uses.look(user), uses.rule(user)
        kept = uses.kept(user)
        now = datetime.now(ZoneInfo(course.time_zone))
        return {
            "left": None if verdict.left is None else round(verdict.left),
            "notice": verdict.stand is not Stand.IN_USE,
            "idle": round(rule.idle),
            "kept": moment_in(course, time.time() + kept) if kept else "",
            "offers": [{"label": label, "seconds": seconds} for label, seconds in offers(now, rule.keep_most)]
            if rule.idle
            else [],
        }

    def still_here(self, user: str) -> None:
        """Its person is there."""
        self._context.uses.touch(user)

    def keep(self, user: str, seconds: float) -> None:
        """Its person wants it kept that long; what the course allows counts. 0 takes it back."""
        kept = self._context.uses.keep(user, seconds)
        LOG.info("The server of %s is kept for %.0f s", user, kept)

    def _running(self) -> dict[str, Any]:
        """Users whose servers run, by name; JupyterHub's own."""
        users = dict.values(self._app.users)
        return {user.name: user for user in users if any(spawner.ready for spawner in user.spawners.values())}

    def _end(self, name: str, why: str) -> None:
        user = self._running().get(name)
        if user is None or name in self._ending:
            return
        self._ending[name] = asyncio.create_task(self._ended(user, why))

    async def _ended(self, user: Any, why: str) -> None:
        name, at = user.name, time.time()
        words = ended_words(self._context, name, at, self._open.get(name, ""))
        try:
            LOG.info("The server of %s is ended: %s", name, why)
            await stop_servers(self._app, user, replace(endings.IDLE, words=why))
            self._context.uses.forget(name)
            tell_of_hub(self._context, name, words)
        except Exception:
            LOG.exception("The idle server of %s could not be ended, trying again", name)
        finally:
            del self._ending[name]


def uses_of(course: Course, store: PeopleStore, context: Callable[[], HubContext | None]) -> Uses:
    """Of one hub. Where a rule is the same for all, nobody has to be looked for."""
    common = rule_for(course, Person(""))

    def rule(user: str) -> Rule:
        known = context() if course.idle_rules else None
        return rule_for(course, person_of(known, user)) if known else common

    return Uses(rule, memory=KeptUntil(store))


def open_words(told: Mapping[str, Any]) -> str:
    """What is open in a server, as it tells: "a.ipynb, b.ipynb and 2 terminals"; empty for nothing."""
    paths, count = told.get("notebooks"), told.get("terminals")
    named = [cleaned(path) for path in paths[:_MOST_NAMED] if isinstance(path, str)] if isinstance(paths, list) else []
    terminals = count if isinstance(count, int) and 0 < count < 1000 else 0
    parts = [name for name in named if name]
    if terminals:
        parts.append(f"{terminals} terminal{'s' if terminals > 1 else ''}")
    return listed(parts)


def listed(parts: Iterable[str]) -> str:
    """In a sentence: commas, and an "and" before the last."""
    *first, last = [*parts] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def ended_words(context: HubContext, user: str, at: float, was_open: str) -> str:
    """What somebody reads at their next visit."""
    minutes = round(context.uses.rule(user).idle / 60)
    length = f"{minutes // 60} h" if minutes >= 60 and minutes % 60 == 0 else f"{max(1, minutes)} min"
    what = f" Open were {was_open}." if was_open else ""
    return (
        f"Your Jupyter was ended at {moment_in(context.course, at)}, as nobody had used it for {length}.{what} "
        "Your files are kept as they were last saved."
    )

"""The page files at the edge, from the hub's side: what servers are told of them, and their compression."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from firstbell.engine.base import Engine
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Phase
from firstbell.plan.static_files import CURRENT_FILE, compression_helper

LOG = logging.getLogger("firstbell.static")

LOOK_EVERY = 15.0
"""Seconds between looks for another image's files."""
_PRUNE_EVERY = 40
"""Looks between two at folders that nobody needs."""
_QUICK, _BEST = 5, 11
"""Qualities of brotli. Files of Lab and Notebook: quick 8.7 MiB in 2 s of CPU, best 7.6 MiB in 33 s."""
_BEST_AFTER = 8
"""Looks until the best is made: not while the first people come in after `up`."""
_COMPRESS_DEADLINE = 3600.0
_COMPRESS = Path(__file__).with_name("compress.mjs")


class StaticOffer:
    """What the launcher is told: the folder's URL, and by which stamps it knows its own files in it."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url
        self._seen: tuple[int, int] = (0, 0)
        self._current: Mapping[str, Any] = {}

    def current(self) -> Mapping[str, Any]:
        """As `singleuser/static_files.py` reads it; empty where nothing has been laid out."""
        try:
            found = (self._folder / CURRENT_FILE).stat()
            if self._seen != (found.st_mtime_ns, found.st_ino):
                self._current = self._read()
                self._seen = (found.st_mtime_ns, found.st_ino)
        except (OSError, ValueError, KeyError, TypeError):
            self._current, self._seen = {}, (0, 0)
        return self._current

    def _read(self) -> Mapping[str, Any]:
        current = read_current(self._folder)
        if not current["parts"] or not (self._folder / "www" / current["folder"]).is_dir():
            return {}
        return {"url": f"{self._url}/{current['folder']}", "parts": current["parts"]}


def read_current(folder: Path) -> dict[str, Any]:
    """What the helper wrote: `folder`, `parts`, `files`, `image`. Raises OSError, ValueError."""
    read: dict[str, Any] = json.loads((folder / CURRENT_FILE).read_text())
    return read


class StaticCare:
    """Compresses what has been laid out, once per content, and removes what no server's page can ask for any more."""

    def __init__(self, folder: Path, course: Course, engine: Engine) -> None:
        self._folder = folder
        self._course = course
        self._engine = engine
        self._done: dict[str, int] = {}

    async def run(self) -> None:
        """Until cancelled. Until a file is compressed, the edge compresses it anew for everybody who asks."""
        for look in itertools.count():
            try:
                await self._look(look)
            except FileNotFoundError:
                pass  # nothing laid out yet
            except Exception as error:
                LOG.warning("Page files of the image stay as they are for now: %s", error)
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self, look: int) -> None:
        current = await asyncio.to_thread(read_current, self._folder)
        if current["parts"]:
            for quality in (_QUICK, *((_BEST,) if look >= _BEST_AFTER else ())):
                if self._done.get(current["folder"], 0) < quality:
                    await self._compress(quality)
                    self._done[current["folder"]] = quality
        if look % _PRUNE_EVERY == 0:
            await self._prune(current["folder"])

    async def _compress(self, quality: int) -> None:
        """In a container of its own, so that it takes nothing from the hub."""
        hub = await self._engine.state(names.container(self._course.name, Role.HUB))
        if hub.phase is Phase.MISSING:  # a hub without a container: in a test
            return
        spec = compression_helper(self._course, hub.image, str(_COMPRESS), quality)
        result = await self._engine.run(spec, deadline=_COMPRESS_DEADLINE)
        if result.exit_code:
            raise OSError("; ".join(result.lines[-2:]))
        LOG.info("Page files for the edge: %s", result.stdout.decode(errors="replace").strip())

    async def _prune(self, keep: str) -> None:
        """Old folders go once no server is there that began before the present one: its pages load parts later on."""
        old = [path for path in (self._folder / "www").iterdir() if path.name != keep and path.is_dir()]
        if old:
            servers = (await self._engine.observe(self._course.name)).of_role(Role.SERVER.value)
            since = (self._folder / CURRENT_FILE).stat().st_mtime
            if any(began_before(server.started_at, since) for server in servers):
                return
            for path in old:
                await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
                LOG.info("Page files of an older image are gone: %s", path.name)
        await asyncio.to_thread(_sweep, self._folder / "compressed")


def began_before(started_at: str, seconds: float) -> bool:
    """Whether a container's start (RFC 3339) was before that time; a start of which nothing is known was."""
    try:
        return datetime.fromisoformat(started_at).timestamp() < seconds
    except (ValueError, OverflowError):
        return True


def _sweep(store: Path) -> None:
    """Compressed content that no folder has any more (each folder's file is a link to it)."""
    for path in store.iterdir() if store.is_dir() else ():
        if path.stat().st_nlink == 1:
            path.unlink(missing_ok=True)

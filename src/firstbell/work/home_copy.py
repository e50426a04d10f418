"""A home copied from one engine's volume into another's, whole: owners, rights, times, links, holes, attributes.

Two containers of the hub's image do it, without network; between them the bytes pass through here in pieces.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firstbell.engine.base import Engine
from firstbell.errors import FirstbellError
from firstbell.model import names
from firstbell.model.container import GIB, MIB, ContainerSpec, File, Limits, Mount, MountKind
from firstbell.model.home import Transfer
from firstbell.model.names import Role
from firstbell.model.observed import Observed
from firstbell.model.runtime import HOME_DIR
from firstbell.work.home_helper import answer, helper

Moved = Callable[[int], None]
"""Told how many bytes have passed so far."""
_SCRIPT = "/opt/firstbell/home_moving_inside.py"
_PYTHON = ("python3", "-I", _SCRIPT)
_PIECE = 16 * MIB
_PIECE_FILE = "/tmp/firstbell-piece"  # noqa: S108 - in a container of our own
_A_PIECE = 900.0
_ALL = 6 * 3600.0
"""Seconds for a million files on a slow disk."""
_READING = ("DAC_READ_SEARCH",)
_WRITING = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID")


@dataclass(frozen=True, slots=True)
class End:
    """One side: an engine and its volume."""

    engine: Engine
    volume: str
    node: str


async def copy(observed: Observed, user: str, source: End, target: End, moved: Moved = lambda _: None) -> Transfer:
    """Copy everything, then compare both sides. `target` must be empty.

    Raises FirstbellError if they are not the same in the end; what is in the target is then worth nothing.
    """
    reading = _helper(observed, user, source, ("send", HOME_DIR), read_only=True)
    writing = _helper(observed, user, target, ("receive", HOME_DIR), read_only=False)
    async with _running(source.engine, reading), _running(target.engine, writing):
        await _stream(source, reading.name, target, writing.name, moved)
        told = await target.engine.exec(writing.name, [*_PYTHON, "finish"], deadline=_A_PIECE)
        answer(told, f"writing the files of {user} on {target.node}")
        return await _compare(user, (source, reading.name), (target, writing.name))


def helper_name(course: str, user: str, node: str) -> str:
    """Of the container that reads or writes on a node; fixed, so that what a killed command left is found."""
    return f"{names.container(course, Role.HELPER, user)}-{names.slug(node)}-moving"


def _helper(observed: Observed, user: str, end: End, words: tuple[str, ...], *, read_only: bool) -> ContainerSpec:
    made = helper(
        observed,
        user,
        (Mount(MountKind.VOLUME, end.volume, HOME_DIR, read_only=read_only),),
        (*_PYTHON, *words),
        rights=_READING if read_only else _WRITING,
        files=(File(_SCRIPT, Path(__file__).with_name("home_moving_inside.py").read_bytes()),),
    )
    return replace(made, name=helper_name(observed.course, user, end.node), limits=Limits(memory=GIB, pids=64))


@contextlib.asynccontextmanager
async def _running(engine: Engine, spec: ContainerSpec) -> AsyncIterator[None]:
    await engine.stop(spec.name, 0)  # of a command that was killed
    await engine.start(spec)
    try:
        yield
    finally:
        await asyncio.shield(engine.stop(spec.name, 0))


async def _stream(source: End, reader: str, target: End, writer: str, moved: Moved) -> None:
    """Piece by piece; the next one is read while this one is written."""
    pieces: asyncio.Queue[bytes] = asyncio.Queue(1)

    async def read() -> None:
        while True:
            told = await source.engine.exec(reader, [*_PYTHON, "piece", str(_PIECE)], deadline=_A_PIECE)
            _refuse(told.exit_code, told.lines if told.exit_code else (), "reading", source.node)
            await pieces.put(told.stdout)
            if not told.stdout:
                return

    async def write() -> None:
        passed = 0
        while piece := await pieces.get():
            await target.engine.put(writer, [File(_PIECE_FILE, piece, 0o600)])
            told = await target.engine.exec(writer, [*_PYTHON, "feed", _PIECE_FILE], deadline=_A_PIECE)
            _refuse(told.exit_code, told.lines, "writing", target.node)
            passed += len(piece)
            moved(passed)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(write())
    except* FirstbellError as failed:
        raise failed.exceptions[0] from failed


def _refuse(code: int, lines: tuple[str, ...], what: str, node: str) -> None:
    if code:
        raise FirstbellError(
            f"{what} the home on {node} failed",
            where=node,
            next_step="Nothing was changed. Is the disk full? `firstbell nodes list` shows it; then run it again.",
            evidence=lines,
        )


async def _compare(user: str, source: tuple[End, str], target: tuple[End, str]) -> Transfer:
    async def digest(end: End, name: str) -> dict[str, Any]:
        told = await end.engine.exec(name, [*_PYTHON, "digest", HOME_DIR], deadline=_ALL)
        made: dict[str, Any] = answer(told, f"reading the files of {user} on {end.node}")
        return made

    one, other = await asyncio.gather(digest(*source), digest(*target))
    if one != other:
        keys = one["parts"].keys() | other["parts"].keys()
        differ = sorted(k for k in keys if one["parts"].get(k) != other["parts"].get(k))
        raise FirstbellError(
            f"the copy of {user}'s files on {target[0].node} is not what {source[0].node} has",
            where=target[0].volume,
            next_step="Nothing was changed. Run the command again; if it happens again, look at the disk of that node.",
            evidence=tuple(f"differs: {name or '(the folder itself)'}" for name in differ[:10]),
        )
    return Transfer(one["files"], one["size"])

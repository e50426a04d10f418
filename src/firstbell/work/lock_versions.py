"""Writes the locks of a folder: exact versions, by which it builds the same again."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from firstbell.engine.base import Engine
from firstbell.errors import BuildFailed, CourseFileError, FirstbellError
from firstbell.model.network import Network
from firstbell.model.observed import ImageState, RunResult
from firstbell.model.steps import BuildImage, RunHelper
from firstbell.plan.build_advice import advice
from firstbell.plan.context import build_args
from firstbell.plan.image import FolderFacts
from firstbell.plan.image.facts import DOCKERFILE
from firstbell.plan.image.runtime import choose_base
from firstbell.plan.lock import (
    APT,
    ENVIRONMENT,
    LOCKS,
    PYTHON_SOURCES,
    REQUIREMENTS_LOCK,
    UV_LOCK,
    Change,
    changes,
    lock_inputs,
    lock_state,
    versions,
)
from firstbell.plan.lock_run import helper, helper_build, lock_text
from firstbell.work.build import build, get_base
from firstbell.work.folder import read_folder
from firstbell.work.project import Project
from firstbell.work.show import Show

_DEADLINE = 3600.0
"""Seconds for one lock; a package without metadata is built to learn what it needs."""


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock of a folder: what became of it, or is to."""

    file: str
    inputs: tuple[str, ...]
    state: str
    """`fresh`, `stale` or `missing`, as it was found."""
    is_due: bool = False
    packages: int = 0
    changes: tuple[Change, ...] = ()


def look(project: Project, *, upgrade: bool = False) -> tuple[FolderFacts, tuple[Lock, ...]]:
    """The folder, and which of its locks are due. Raises CourseFileError where there is nothing that can be locked."""
    facts = read_folder(project.directory)
    locks = tuple(_look(facts, name, project.settings.base, upgrade) for name in wanted_locks(facts))
    if not locks:
        raise _nothing_to_lock(facts)
    return facts, locks


def _look(facts: FolderFacts, name: str, base: str, upgrade: bool) -> Lock:
    state = lock_state(facts.texts, name, base)
    return Lock(
        name,
        lock_inputs(facts.texts, name),
        state,
        is_due=upgrade or state != "fresh",
        packages=len(versions(name, facts.texts.get(name, ""))),
    )


def wanted_locks(facts: FolderFacts) -> tuple[str, ...]:
    """The locks that a build of this folder can use; with environment.yml, its Python packages are there."""
    if DOCKERFILE in facts.texts:
        return ()
    unused = {REQUIREMENTS_LOCK} if ENVIRONMENT in facts.texts or _is_locked_by_uv(facts) else set()
    return tuple(name for name in LOCKS if name not in unused and lock_inputs(facts.texts, name))


def _is_locked_by_uv(facts: FolderFacts) -> bool:
    return UV_LOCK in facts.texts and PYTHON_SOURCES[0] not in facts.texts


def _nothing_to_lock(facts: FolderFacts) -> CourseFileError:
    if DOCKERFILE in facts.texts:
        what, next_step = "a Dockerfile decides what is installed here", "Write exact versions into it."
    elif _is_locked_by_uv(facts):
        what, next_step = f"{UV_LOCK} has the versions of this folder", "uv lock --upgrade"
    else:
        names = ", ".join((*PYTHON_SOURCES, ENVIRONMENT, APT))
        what, next_step = "nothing here asks for packages", f"Write one of {names}, then run firstbell lock again."
    return CourseFileError(what, where=facts.directory, next_step=next_step)


async def write_locks(engine: Engine, project: Project, show: Show, *, upgrade: bool = False) -> tuple[Lock, ...]:
    """Write the locks that are due; what they hold now.

    Each is written whole or not at all. Versions of the present lock are kept where they can be, unless `upgrade`.
    Raises BuildFailed with the resolver's words, CourseFileError where a lock cannot be written.
    """
    facts, locks = look(project, upgrade=upgrade)
    due = [lock for lock in locks if lock.is_due]
    if not due:
        show.on_plan(())
        return locks
    # A name of its own: it is removed in the end, and another command may be at a copy of this folder.
    own = secrets.token_hex(3)
    spec = helper_build(facts, project.settings)
    image = BuildImage(replace(spec, tag=f"{spec.tag}-{own}"), "where versions are sought")
    helpers = [helper(facts, project.settings, image.spec.tag, lock.file, upgrade=upgrade) for lock in due]
    finds = [
        RunHelper(replace(one, name=f"{one.name}-{own}"), f"write {lock.file}")
        for one, lock in zip(helpers, due, strict=True)
    ]
    root = choose_base(facts, project.settings.base).image
    show.on_plan((image, *finds))
    show.on_step(image, 0)
    base = await get_base(engine, root, project.settings.network, show.on_progress)
    try:
        await build(engine, image.spec, show.on_progress)
        show.on_done(image)
        written = {}
        for index, (find, lock) in enumerate(zip(finds, due, strict=True), 1):
            show.on_step(find, index)
            printed = await _found(engine, find, partial(_not_resolved, facts, lock, project.settings.network))
            text = lock_text(facts, project.settings, lock.file, printed, _digest(base))
            _write(project.directory / facts.path(lock.file), text)
            written[lock.file] = _described(lock, facts.texts, text)
            show.on_done(find)
    finally:
        with contextlib.suppress(FirstbellError):
            await engine.remove_image(image.spec.tag)
    return tuple(written.get(lock.file, lock) for lock in locks)


async def _found(engine: Engine, find: RunHelper, failure: Callable[[RunResult], BuildFailed]) -> str:
    """What the helper printed. Raises `failure` of its result with the resolver's words."""
    result = await engine.run(find.spec, deadline=_DEADLINE)
    if result.exit_code:
        raise failure(result)
    return result.stdout.decode()


def _digest(base: ImageState) -> str:
    """The base image's at its registry, where it comes from one."""
    return next((digest.partition("@")[2] for digest in base.digests), "")


def _described(lock: Lock, texts: Mapping[str, str], text: str) -> Lock:
    before, after = versions(lock.file, texts.get(lock.file, "")), versions(lock.file, text)
    return Lock(lock.file, lock.inputs, lock.state, is_due=True, packages=len(after), changes=changes(before, after))


def _not_resolved(facts: FolderFacts, lock: Lock, network: Network, result: RunResult) -> BuildFailed:
    lines = tuple(line for line in result.stderr.decode(errors="replace").splitlines() if line.strip())[-20:]
    kept = "nothing was written" if lock.state == "missing" else f"{lock.file} is as it was"
    return BuildFailed(
        f"no versions were found for {' and '.join(lock.inputs)}; {kept}",
        where=facts.where(lock.inputs[0]),
        evidence=lines,
        next_step=advice(lines, build_args(network)) or f"Correct {lock.inputs[0]}, then run firstbell lock again.",
    )


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a killed command leaves the old lock."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise CourseFileError(
            f"the lock cannot be written: {(error.strerror or str(error)).lower()}",
            where=str(path),
            next_step="Make the folder writable for yourself, then run firstbell lock again.",
        ) from error

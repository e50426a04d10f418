"""Homes listed, exported, imported, copied, deleted; always through a container that sees that home alone."""

from __future__ import annotations

import asyncio
import os
import tarfile
import tempfile
import uuid
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from firstbell.engine.base import Engine
from firstbell.errors import CourseFileError, FirstbellError, HomeMissing
from firstbell.model import names
from firstbell.model.container import MIB, File, Mount, MountKind
from firstbell.model.course import Course
from firstbell.model.home import Home, Transfer
from firstbell.model.names import Role
from firstbell.model.observed import Observed, Phase
from firstbell.model.runtime import HOME_DIR
from firstbell.plan.home import store_mount, store_volume
from firstbell.plan.home_moves import homes_found
from firstbell.plan.place import Place, run_place
from firstbell.work import home_archive
from firstbell.work.home_helper import PYTHON, WAITS, answer, helper, helper_image, running, waiting_helper
from firstbell.work.home_places import away_homes, engine_of_home, engines_of_homes, home_nodes
from firstbell.work.runs import matching

_HOMES = "/homes"
_NOBODY = "65534:65534"
_PIECE = 8 * MIB
_LONG = 3600.0


async def list_homes(engine: Engine, course: Course, users: Iterable[str] = ()) -> tuple[Home, ...]:
    """All homes of the course, by user name, with their sizes.

    Volumes carry their user's name; folders do not, so that only those of `users` (and of whoever has a server) are
    named.
    """
    observed = await engine.observe(course.name)
    with_container = (c.user for c in observed.containers if not c.is_standby)
    known = {names.home(course.name, user): user for user in (*users, *with_container)}
    known |= _volumes(observed)
    recorded = await home_nodes(engine, observed)
    in_use = {c.user for c in observed.of_role(Role.SERVER) if c.phase is Phase.RUNNING}
    awaited = {names.home(course.name, c.user) for c in observed.standbys}
    homes = [Home(user, names.home(course.name, user), 0, node=node, is_away=True)
             for user, node in away_homes(observed, recorded)]  # fmt: skip
    for node, machine in (await engines_of_homes(engine, observed, course)).items():
        sizes = await _sizes_of_course(machine, observed, course, node)
        homes += [
            Home(user := known.get(name, ""), name, size, bool(user) and user in in_use, node)
            for name, size in sizes.items()
            if name not in awaited
        ]
    return tuple(sorted(homes, key=lambda home: (home.user == "", home.user, home.name)))


async def _sizes_of_course(engine: Engine, observed: Observed, course: Course, node: str) -> dict[str, int]:
    """Bytes of each home that this daemon has, by name."""
    if store := store_volume(course):
        await engine.ensure_volume(store)
    whole = store_mount(course, read_only=True)
    sizes = await _sizes(engine, observed, (whole,) if whole else _volume_mounts(observed, node))
    prefix = names.home(course.name, "x").rpartition("x-")[0]
    return {name: size for name, size in sizes.items() if name.startswith(prefix)}


async def list_run_homes(engine: Engine) -> tuple[Home, ...]:
    """All named homes of runs, with their sizes; folders of the host are their owner's own business."""
    observed = await engine.observe(names.RUNS)
    known = _volumes(observed)
    sizes = await _sizes(engine, observed, _volume_mounts(observed))
    homes = (
        Home(known[name], name, size, bool(run_place(known[name]).used_by(observed))) for name, size in sizes.items()
    )
    return tuple(sorted(homes, key=lambda home: home.user))


async def find_run_home(engine: Engine, word: str, *, may_be_new: bool = False) -> Place:
    """The run's home of that name, unique beginning of a name, or folder. Raises HomeMissing, CourseFileError.

    Where it may be new, a beginning is no name, and one that nothing has yet is the new home's.
    """
    observed = await engine.observe(names.RUNS)
    homes = {volume.user: volume for volume in observed.volumes if volume.role == Role.HOME}
    known = [(name, volume.labels.get(names.LABEL_SOURCE, "")) for name, volume in homes.items()]
    found = matching(known, word, by_beginning=not may_be_new)
    if may_be_new and not found and names.RUN_NAME.fullmatch(word):
        return run_place(word)
    if len(found) > 1:
        raise CourseFileError(f"run:{word} may be {' or '.join(found)}", next_step="Name one of them.")
    if not found:
        raise HomeMissing(f"no run has a home {word}", next_step="See those there are: firstbell homes list --runs")
    return run_place(found[0], homes[found[0]])


async def export_home(engine: Engine, place: Place, target: Path) -> Transfer:
    """Write the home as a tar to `target`: a whole file or none.

    Raises HomeMissing. A running server does not hinder; what it writes meanwhile may be in it or not.
    """
    observed = await engine.observe(place.course)
    engine = await _there(engine, observed, place)
    await _must_exist(engine, observed, place)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    spec = waiting_helper(observed, place.user, (place.mount(read_only=True),))
    try:
        async with running(engine, spec) as name:
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                async for chunk in engine.get(name, HOME_DIR):
                    await asyncio.to_thread(file.write, chunk)
                file.flush()
                os.fsync(file.fileno())
        made = await asyncio.to_thread(_content, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return made


async def import_home(engine: Engine, place: Place, archive: Path) -> Transfer:
    """Unpack a tar into the home, which is made if there is none; files of the same name are replaced.

    Everything belongs to the place's owner. Each file is compared with the archive afterwards. Raises FirstbellError
    if the archive is refused, or while a server runs on the home.
    """
    expected, strip = await asyncio.to_thread(home_archive.check, archive)
    observed = await engine.observe(place.course)
    _must_not_run(observed, place)
    uid, gid = place.owner
    engine = await _there(engine, observed, place)
    if place.maker:
        await engine.run(replace(place.maker, image=helper_image(observed)))
    else:
        await engine.ensure_volume(place.volume)
    files = () if place.folder else (File(HOME_DIR, None, 0o700, uid, gid),)
    spec = helper(observed, place.user, (place.mount(),), WAITS, user=f"{uid}:{gid}", files=files)
    async with running(engine, spec) as name:
        staged = f"{HOME_DIR}/.firstbell-import-{uuid.uuid4().hex[:8]}.tar"
        await _send(engine, name, archive, staged)
        done = await engine.exec(name, [*PYTHON, "unpack", staged, strip, HOME_DIR], deadline=_LONG)
        moved = Transfer(**answer(done, f"the import into {place.words}"))
    if moved != expected:
        raise FirstbellError(
            f"{moved.files} of {expected.files} files arrived in {place.words}",
            where=str(archive),
            next_step="Run the command again.",
        )
    return moved


async def copy_home(engine: Engine, source: Place, target: Place) -> Transfer:
    """Copy one home into another, by way of an archive that is compared with both. Raises as export and import do."""
    observed = await engine.observe(target.course)
    _must_not_run(observed, target)
    with tempfile.TemporaryDirectory(prefix="firstbell-copy-") as folder:
        archive = Path(folder) / "home.tar"
        await export_home(engine, source, archive)
        return await import_home(engine, target, archive)


async def has_home(engine: Engine, place: Place) -> bool:
    """Whether there is such a home."""
    observed = await engine.observe(place.course)
    return await _exists(await _there(engine, observed, place), observed, place)


async def delete_home(engine: Engine, place: Place) -> None:
    """Remove the home and all in it, for good. Raises HomeMissing, or FirstbellError while a server runs on it."""
    observed = await engine.observe(place.course)
    _must_not_run(observed, place)
    machine = await _there(engine, observed, place)
    await _must_exist(machine, observed, place)
    ended = [c.name for c in observed.containers if c.labels.get(names.LABEL_HOME) == place.name]
    for name in (*reversed(place.servers), *ended):
        await engine.stop(name, 0)
    if place.parent is None:
        await machine.remove_volume(place.name)
        return
    command = (*PYTHON, "remove", f"{_HOMES}/{place.name}")
    spec = helper(observed, place.user, (place.parent,), command, rights=("DAC_OVERRIDE",))
    answer(await machine.run(spec, deadline=_LONG), f"the removal of {place.words}")
    if place.folder:
        await machine.remove_volume(place.volume.name)


async def _there(engine: Engine, observed: Observed, place: Place) -> Engine:
    """The daemon that can have the home, with its way to a file server."""
    machine = await engine_of_home(engine, observed, place)
    for way in place.ways:
        await machine.ensure_volume(way)
    return machine


def _volumes(observed: Observed) -> dict[str, str]:
    return {volume.name: volume.user for volume in observed.volumes if volume.role == Role.HOME}


def _volume_mounts(observed: Observed, node: str = "") -> tuple[Mount, ...]:
    """Each home of the node; a copy that a move makes there is none."""
    found = homes_found(observed)
    here = (v for v in observed.volumes if v.role == Role.HOME and v.node == node and node in found.get(v.user, {node}))
    return tuple(Mount(MountKind.VOLUME, v.name, f"{_HOMES}/{v.name}", read_only=True) for v in here)


async def _sizes(engine: Engine, observed: Observed, mounts: tuple[Mount, ...]) -> dict[str, int]:
    """Bytes on the disk of each folder below /homes, by its name."""
    if not mounts:
        return {}
    # Root without this one right cannot even look into a folder of mode 0700; everything is mounted read-only.
    spec = helper(observed, "", mounts, (*PYTHON, "sizes", _HOMES), rights=("DAC_READ_SEARCH",))
    sizes: dict[str, int] = answer(await engine.run(spec, deadline=_LONG), "the sizes of the homes")
    return sizes


async def _send(engine: Engine, name: str, archive: Path, staged: str) -> None:
    with archive.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            answer(await engine.exec(name, [*PYTHON, "append", staged], piece, deadline=300), "the upload")


def _content(archive: Path) -> Transfer:
    """What an export wrote; reading it to its end shows that it is whole."""
    try:
        with tarfile.open(archive) as tar:
            regular = [member.size for member in tar if member.isreg()]
    except tarfile.TarError as error:
        raise FirstbellError(
            "the export was cut off", where=str(archive), next_step="Run it again; nothing was written."
        ) from error
    return Transfer(len(regular), sum(regular))


async def _exists(engine: Engine, observed: Observed, place: Place) -> bool:
    if place.parent is None:
        return observed.volume(place.name) is not None
    command = ("test", "-d", f"{_HOMES}/{place.name}")
    parent = replace(place.parent, read_only=True)
    spec = helper(observed, "", (parent,), command, rights=("DAC_READ_SEARCH",))
    return (await engine.run(spec)).exit_code == 0


async def _must_exist(engine: Engine, observed: Observed, place: Place) -> None:
    if not await _exists(engine, observed, place):
        is_run = place.course == names.RUNS
        what = f"no run has a home {place.user}" if is_run else f"{place.user} has no home in {place.course}"
        raise HomeMissing(what, where=place.name, next_step=f"See those there are: {place.see}")


def _must_not_run(observed: Observed, place: Place) -> None:
    users = place.used_by(observed)
    if not users:
        return
    is_run = place.course == names.RUNS
    raise FirstbellError(
        f"the server of {users[0].user} is running on this home",
        where=users[0].name,
        next_step=f"Stop it with `{'firstbell stop ' + users[0].user if is_run else 'docker stop ' + users[0].name}`, "
        "then try again.",
    )

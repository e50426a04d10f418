"""People's homes: listed, exported, imported, deleted; always through a container that sees that home alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tarfile
import uuid
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from firstbell.engine.base import Engine
from firstbell.errors import FirstbellError, HomeMissing
from firstbell.model import names
from firstbell.model.container import MIB, ContainerSpec, File, Limits, Mount, MountKind, frozen
from firstbell.model.course import Course
from firstbell.model.home import Home, Transfer
from firstbell.model.names import Role
from firstbell.model.observed import Observed, Phase, RunResult
from firstbell.model.runtime import HOME_DIR
from firstbell.plan.home import directory_helper, home_mount, home_volume
from firstbell.work import home_archive

_SCRIPT = "/opt/firstbell/home_inside.py"
_HOMES = "/homes"
_PYTHON = ("python3", "-I", _SCRIPT)
_NOBODY = "65534:65534"
_PIECE = 8 * MIB
_LONG = 3600.0
_WAITS = ("python3", "-I", "-c", "import time; time.sleep(86400)")


async def list_homes(engine: Engine, course: Course, users: Iterable[str] = ()) -> tuple[Home, ...]:
    """All homes of the course, by user name, with their sizes.

    Volumes carry their user's name; folders do not, so that only those of `users` (and of whoever has a server) are
    named.
    """
    observed = await engine.observe(course.name)
    known = {names.home(course.name, user): user for user in (*users, *(c.user for c in observed.containers))}
    if course.homes.directory:
        mounts = [Mount(MountKind.BIND, course.homes.directory, _HOMES, read_only=True)]
    else:
        known |= {volume.name: volume.user for volume in observed.volumes if volume.role == Role.HOME}
        volumes = [volume.name for volume in observed.volumes if volume.role == Role.HOME]
        mounts = [Mount(MountKind.VOLUME, name, f"{_HOMES}/{name}", read_only=True) for name in volumes]
    if not mounts:
        return ()
    # Root without this one right cannot even look into a folder of mode 0700; everything is mounted read-only.
    spec = _helper(course, observed, "", tuple(mounts), (*_PYTHON, "sizes", _HOMES), rights=("DAC_READ_SEARCH",))
    sizes: dict[str, int] = _answer(await engine.run(spec, deadline=_LONG), "the sizes of the homes")
    prefix = names.home(course.name, "x").rpartition("x-")[0]
    running = {c.user for c in observed.of_role(Role.SERVER) if c.phase is Phase.RUNNING}
    homes = (
        Home(user := known.get(name, ""), name, size, bool(user) and user in running)
        for name, size in sizes.items()
        if name.startswith(prefix)
    )
    return tuple(sorted(homes, key=lambda home: (home.user == "", home.user, home.name)))


async def export_home(engine: Engine, course: Course, user: str, target: Path) -> Transfer:
    """Write the home as a tar to `target`: a whole file or none.

    Raises HomeMissing. A running server does not hinder; what it writes meanwhile may be in it or not.
    """
    observed = await engine.observe(course.name)
    await _must_exist(engine, course, observed, user)
    mount = home_mount(course, user)
    mount = Mount(mount.kind, mount.source, mount.target, read_only=True)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        async with _running(engine, _helper(course, observed, user, (mount,), _WAITS, user=_NOBODY)) as name:
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


async def import_home(
    engine: Engine, course: Course, user: str, archive: Path, *, uid: int | None = None, gid: int | None = None
) -> Transfer:
    """Unpack a tar into the home, which is made if there is none; files of the same name are replaced.

    Everything belongs to the course's uid and gid, or to the person's own that are given. Each file is compared with
    the archive afterwards. Raises FirstbellError if the archive is refused, or while the user's server runs.
    """
    expected, strip = await asyncio.to_thread(home_archive.check, archive)
    observed = await engine.observe(course.name)
    _must_not_run(course, observed, user)
    owner = (course.server.uid if uid is None else uid, course.server.gid if gid is None else gid)
    if course.homes.directory:
        await engine.run(directory_helper(course, user, _image(course, observed), *owner))
    else:
        await engine.ensure_volume(home_volume(course, user))
    files = (File(HOME_DIR, None, 0o700, *owner),)
    who = f"{owner[0]}:{owner[1]}"
    spec = _helper(course, observed, user, (home_mount(course, user),), _WAITS, user=who, files=files)
    async with _running(engine, spec) as name:
        staged = f"{HOME_DIR}/.firstbell-import-{uuid.uuid4().hex[:8]}.tar"
        await _send(engine, name, archive, staged)
        done = await engine.exec(name, [*_PYTHON, "unpack", staged, strip, HOME_DIR], deadline=_LONG)
        moved = Transfer(**_answer(done, f"the import into the home of {user}"))
    if moved != expected:
        raise FirstbellError(
            f"{moved.files} of {expected.files} files arrived in the home of {user}",
            where=str(archive),
            next_step="Run the import again.",
        )
    return moved


async def delete_home(engine: Engine, course: Course, user: str) -> None:
    """Remove the home and all in it, for good. Raises HomeMissing, or FirstbellError while the user's server runs."""
    observed = await engine.observe(course.name)
    _must_not_run(course, observed, user)
    await _must_exist(engine, course, observed, user)
    await engine.stop(names.container(course.name, Role.SERVER, user), 0)
    if not course.homes.directory:
        await engine.remove_volume(home_volume(course, user).name)
        return
    mount = Mount(MountKind.BIND, course.homes.directory, _HOMES)
    command = (*_PYTHON, "remove", f"{_HOMES}/{names.home(course.name, user)}")
    spec = _helper(course, observed, user, (mount,), command, rights=("DAC_OVERRIDE",))
    _answer(await engine.run(spec, deadline=_LONG), f"the removal of the home of {user}")


def _helper(
    course: Course,
    observed: Observed,
    user_name: str,
    mounts: tuple[Mount, ...],
    command: tuple[str, ...],
    *,
    user: str = "0:0",
    rights: tuple[str, ...] = (),
    files: tuple[File, ...] = (),
) -> ContainerSpec:
    """A container without network that sees these mounts and nothing else of anybody's."""
    script = File(_SCRIPT, Path(__file__).with_name("home_inside.py").read_bytes())
    return ContainerSpec(
        name=f"{names.container(course.name, Role.HELPER, user_name)}-{uuid.uuid4().hex[:6]}",
        image=_image(course, observed),
        command=command,
        labels=frozen(names.labels(course.name, Role.HELPER, user_name)),
        user=user,
        mounts=mounts,
        files=(script, *files),
        limits=Limits(memory=512 * MIB, pids=64),
        capabilities=rights,
        stop_grace=1,
    )


def _image(course: Course, observed: Observed) -> str:
    """An image with python3: what the hub runs, else the newest of ours."""
    hub = observed.container(names.container(course.name, Role.HUB))
    if hub.phase is not Phase.MISSING:
        return hub.image
    ours = [
        image
        for image in observed.images
        if image.labels.get(names.LABEL_ROLE) == Role.HUB_IMAGE or image.labels.get(names.LABEL_COURSE) == course.name
    ]
    if not ours:
        raise FirstbellError(
            "no image is here in which the homes could be read",
            where=course.name,
            next_step="Run `firstbell up` first.",
        )
    return max(ours, key=lambda image: image.created_at).ref


@contextlib.asynccontextmanager
async def _running(engine: Engine, spec: ContainerSpec) -> AsyncIterator[str]:
    await engine.start(spec)
    try:
        yield spec.name
    finally:
        await asyncio.shield(engine.stop(spec.name, 1))


def _answer(result: RunResult, what: str) -> Any:
    if result.exit_code != 0:
        raise FirstbellError(f"{what} failed", next_step="Is the disk full? `df -h` shows it.", evidence=result.lines)
    return json.loads(result.stdout.splitlines()[-1])


async def _send(engine: Engine, name: str, archive: Path, staged: str) -> None:
    with archive.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            _answer(await engine.exec(name, [*_PYTHON, "append", staged], piece, deadline=300), "the upload")


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


async def _must_exist(engine: Engine, course: Course, observed: Observed, user: str) -> None:
    name = names.home(course.name, user)
    if course.homes.directory:
        found = any(home.name == name for home in await list_homes(engine, course, (user,)))
    else:
        found = observed.volume(name) is not None
    if not found:
        raise HomeMissing(
            f"{user} has no home in {course.name}",
            where=name,
            next_step="See `firstbell homes list` for those there are.",
        )


def _must_not_run(course: Course, observed: Observed, user: str) -> None:
    server = observed.container(names.container(course.name, Role.SERVER, user))
    if server.phase in {Phase.RUNNING, Phase.PAUSED}:
        raise FirstbellError(
            f"the server of {user} is running on this home",
            where=server.name,
            next_step=f"Stop it with `docker stop {server.name}`, then try again.",
        )

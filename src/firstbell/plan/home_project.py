"""Containers that make homes projects of their file system, so that no home takes more than the course says. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable

from firstbell.model import names
from firstbell.model.container import MIB, ContainerSpec, Limits, Mount, MountKind, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import RunResult
from firstbell.plan.context import recipe_file
from firstbell.plan.home import HELPER_SUFFIX, PARENT

AT_ONCE = 20
"""Homes that are volumes of their own, in one container."""
_SCRIPT = "/opt/firstbell/home_project.py"
_PLACE = "/store"
_RIGHTS = ("DAC_READ_SEARCH", "FOWNER", "MKNOD", "SYS_ADMIN")
"""To reach all files, to change their project, to name the disk to old kernels, and to set limits (quotactl(2))."""


def can_be_limited(course: Course) -> bool:
    """Whether this machine's file system could do it; on a file server it is that server's to do."""
    return course.homes.nfs is None


def limit_helper(course: Course, image: str, users: Iterable[str], *, node: str = "") -> ContainerSpec:
    """Gives these homes, which must be there, the course's limits; prints for each why it could not."""
    homes, size, files = [names.home(course.name, user) for user in users], course.homes.quota, course.homes.files
    words = ("limit", str(size), str(files), *(f"{PARENT}/{home}" for home in homes))
    return _helper(course, image, words, _mounts(course, homes), node)


def look_helper(course: Course, image: str, *, node: str = "") -> ContainerSpec:
    """Prints why the homes' file system cannot enforce limits; of volumes, that of the hub's own. Changes nothing."""
    # Not read-only: for quotactl_fd(2) asking for somebody's quota is a kind of writing.
    if course.homes.directory:
        mount = Mount(MountKind.BIND, course.homes.directory, _PLACE)
    else:
        mount = Mount(MountKind.VOLUME, names.volume(course.name, Role.STATE), _PLACE)
    return _helper(course, image, ("look", _PLACE), (mount,), node)


def refusals(result: RunResult) -> dict[str, str]:
    """What a helper printed: by home, or by what was looked at, why it cannot be limited; none that is."""
    if result.exit_code != 0:
        why = result.lines[-1] if result.lines else f"exit code {result.exit_code}"
        return {"": why}
    told: dict[str, str] = json.loads(result.stdout.splitlines()[-1])
    return {folder.rpartition("/")[2]: why for folder, why in told.items() if why}


def _mounts(course: Course, homes: list[str]) -> tuple[Mount, ...]:
    if course.homes.directory:
        return (Mount(MountKind.BIND, course.homes.directory, PARENT),)
    return tuple(Mount(MountKind.VOLUME, home, f"{PARENT}/{home}") for home in homes)


def _helper(course: Course, image: str, words: tuple[str, ...], mounts: tuple[Mount, ...], node: str) -> ContainerSpec:
    return ContainerSpec(
        name=f"{names.container(course.name, Role.HELPER, node)}-{words[0]}-projects{HELPER_SUFFIX}",
        image=image,
        command=("python3", "-I", _SCRIPT, *words),
        labels=frozen(names.labels(course.name, Role.HELPER)),
        user="0:0",
        mounts=mounts,
        files=(recipe_file("home_project.py", _SCRIPT),),
        limits=Limits(memory=128 * MIB, cpu=0.25, pids=16),
        capabilities=_RIGHTS,
        node=node,
    )

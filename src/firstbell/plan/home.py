"""Where a person's files are: a volume or a folder of the host, by the course. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from firstbell.model import names
from firstbell.model.container import MIB, ContainerSpec, File, Limits, Mount, MountKind, VolumeSpec, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Observed
from firstbell.model.runtime import HOME_DIR

_PARENT = "/homes"
HELPER_SUFFIX = "-home"
"""End of the names of containers that make folders; what is left of one is nobody's."""


def home_volume(course: Course, user: str) -> VolumeSpec:
    """The volume of a user's home, labelled so that it is found without our database."""
    return VolumeSpec(names.home(course.name, user), frozen(names.labels(course.name, Role.HOME, user)))


def home_directory(course: Course, user: str) -> str:
    """The host's folder of a user's home."""
    return f"{course.homes.directory}/{names.home(course.name, user)}"


def home_mount(course: Course, user: str) -> Mount:
    """The user's home in the server."""
    if course.homes.directory:
        return Mount(MountKind.BIND, home_directory(course, user), HOME_DIR)
    return Mount(MountKind.VOLUME, names.home(course.name, user), HOME_DIR)


def seats_with_homes(course: Course, observed: Observed, folders: Iterable[str]) -> set[str]:
    """The seminar seats that have files already, by their volumes and by the names of the folders of homes."""
    volumes = {v.user for v in observed.volumes if v.role == Role.HOME.value}
    beginning = re.escape(names.home(course.name, "").rpartition("-")[0])
    matches = (re.fullmatch(rf"{beginning}-(seat-\d+)-[0-9a-f]+", folder) for folder in folders)
    return volumes | {match[1] for match in matches if match}


def directory_helper(course: Course, user: str, image: str, uid: int, gid: int) -> ContainerSpec:
    """A container whose mere making creates the folder of a home with the right owner.

    The folder comes with the archive that the engine unpacks before the start; the process has nothing to do, and
    no right to do it with.
    """
    return ContainerSpec(
        name=names.container(course.name, Role.HELPER, user) + HELPER_SUFFIX,
        image=image,
        command=("true",),
        labels=frozen(names.labels(course.name, Role.HELPER, user)),
        user=f"{uid}:{gid}",
        mounts=(Mount(MountKind.BIND, course.homes.directory, _PARENT),),
        files=(File(f"{_PARENT}/{names.home(course.name, user)}", None, 0o700, uid, gid),),
        limits=Limits(memory=64 * MIB, pids=64),
    )

"""Where a person's files are: a volume, a folder of the host or a folder of a file server, by the course. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace

from firstbell.model import names
from firstbell.model.container import MIB, ContainerSpec, File, Limits, Mount, MountKind, VolumeSpec, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.nfs import NfsExport
from firstbell.model.observed import Observed
from firstbell.model.runtime import HOME_DIR
from firstbell.plan.context import recipe_file

PARENT = "/homes"
"""Where helpers see all homes of a store."""
HELPER_SUFFIX = "-home"
"""End of the names of containers that make folders; what is left of one is nobody's."""
MARKER = ".firstbell-store-"
"""Begin of the name of a file in a shared directory; its end is random, so that no other directory has it."""
_MARKER_PLACE = "/run/firstbell-store"
_SCRIPT = "/opt/firstbell/home_folder.py"
_DIGEST = 6


def home_volume(course: Course, user: str, node: str = "") -> VolumeSpec:
    """The volume by which an engine has a user's home, labelled so that it is found without our database.

    On a file server it holds no files itself: it is the way to them, on whichever node it is made.
    """
    name = names.home(course.name, user)
    if course.homes.nfs:
        return _way(course, course.homes.nfs, name, user, node)
    return VolumeSpec(name, frozen(names.labels(course.name, Role.HOME, user)), node=node)


def home_directory(course: Course, user: str) -> str:
    """The host's folder of a user's home."""
    return f"{course.homes.directory}/{names.home(course.name, user)}"


def home_mount(course: Course, user: str, *, read_only: bool = False) -> Mount:
    """The user's home in the server."""
    if course.homes.directory:
        return Mount(MountKind.BIND, home_directory(course, user), HOME_DIR, read_only)
    return Mount(MountKind.VOLUME, home_volume(course, user).name, HOME_DIR, read_only)


def owned_home(course: Course, uid: int, gid: int) -> tuple[File, ...]:
    """What gives a home its owner at each start; a file server's folders have theirs from their making."""
    return () if course.homes.nfs else (File(HOME_DIR, None, 0o700, uid, gid),)


def store_volume(course: Course, node: str = "") -> VolumeSpec | None:
    """The way of a node's engine to the whole file server; None where the course has none."""
    export = course.homes.nfs
    return _way(course, export, "", "", node) if export else None


def store_mount(course: Course, *, read_only: bool = False) -> Mount | None:
    """All homes of the course, for helpers; None where each is a volume of its own."""
    if course.homes.directory:
        return Mount(MountKind.BIND, course.homes.directory, PARENT, read_only)
    volume = store_volume(course)
    return Mount(MountKind.VOLUME, volume.name, PARENT, read_only) if volume else None


def _way(course: Course, export: NfsExport, folder: str, user: str, node: str) -> VolumeSpec:
    """A volume onto a folder of an export. Its name holds the address: one made for another server is another one."""
    options = export.driver_options(folder)
    digest = hashlib.sha256(repr(sorted(options.items())).encode()).hexdigest()[:_DIGEST]
    name = f"{folder or names.volume(course.name, Role.HOME_WAY)}-{digest}"
    return VolumeSpec(name, frozen(names.labels(course.name, Role.HOME_WAY, user)), frozen(options), node)


def seats_with_homes(course: Course, observed: Observed, folders: Iterable[str]) -> set[str]:
    """The seminar seats that have files already, by their volumes and by the names of the folders of homes."""
    volumes = {v.user for v in observed.volumes if v.role == Role.HOME.value}
    beginning = re.escape(names.home(course.name, "").rpartition("-")[0])
    matches = (re.fullmatch(rf"{beginning}-(seat-\d+)-[0-9a-f]+", folder) for folder in folders)
    return volumes | {match[1] for match in matches if match}


def directory_helper(
    course: Course, user: str, image: str, uid: int, gid: int, *, node: str = "", marker: str = ""
) -> ContainerSpec:
    """A container that makes the folder of a home with the right owner.

    In a directory its mere making does: the folder comes with the archive that the engine unpacks before the start; the
    process has nothing to do, and no right to do it with. Where the course has a `marker`, it cannot even be made on a
    node without the shared directory. On a file server root may have no rights (root_squash), and a program
    makes the folder.
    """
    folder = f"{PARENT}/{names.home(course.name, user)}"
    if course.homes.nfs:
        return _store_helper(course, image, ("make", folder, str(uid), str(gid)), user=user, node=node)
    return ContainerSpec(
        name=names.container(course.name, Role.HELPER, user) + HELPER_SUFFIX,
        image=image,
        command=("true",),
        labels=frozen(names.labels(course.name, Role.HELPER, user)),
        user=f"{uid}:{gid}",
        mounts=(Mount(MountKind.BIND, course.homes.directory, PARENT), *marker_mounts(course, marker)),
        files=(File(folder, None, 0o700, uid, gid),),
        limits=Limits(memory=64 * MIB, pids=64),
        node=node,
    )


def list_helper(course: Course, image: str, *, node: str = "") -> ContainerSpec:
    """A container that prints the names of the store's folders as JSON."""
    return _store_helper(course, image, ("list", PARENT), node=node)


def look_helper(course: Course, image: str, *, node: str = "", marker: str = "") -> ContainerSpec:
    """A container that ends well if the store answers on that node, and is the one with that marker."""
    made = _store_helper(course, image, ("look", PARENT), user=node, node=node)
    return replace(made, mounts=(*made.mounts, *marker_mounts(course, marker)))


def mark_helper(course: Course, image: str) -> ContainerSpec:
    """A container that prints the marker of the shared directory on the hub's node, made if there is none."""
    words = ("mark", PARENT, str(course.server.uid), str(course.server.gid))
    return _store_helper(course, image, words)


def _store_helper(
    course: Course, image: str, words: tuple[str, ...], *, user: str = "", node: str = ""
) -> ContainerSpec:
    mount = store_mount(course, read_only=words[0] not in {"make", "mark"})
    return ContainerSpec(
        name=names.container(course.name, Role.HELPER, user) + f"-{words[0]}{HELPER_SUFFIX}",
        image=image,
        command=("python3", "-I", _SCRIPT, *words),
        labels=frozen(names.labels(course.name, Role.HELPER, user)),
        user="0:0",
        mounts=(mount,) if mount else (),
        files=(recipe_file("home_folder.py", _SCRIPT),),
        limits=Limits(memory=128 * MIB, pids=64),
        capabilities=("CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID")
        if words[0] in {"make", "mark"}
        else ("DAC_READ_SEARCH",),
        node=node,
    )


def marker_mounts(course: Course, marker: str) -> tuple[Mount, ...]:
    """What keeps a container from being made where the shared directory is not mounted: its marker, by its name."""
    if not marker:
        return ()
    return (Mount(MountKind.BIND, f"{course.homes.directory}/{MARKER}{marker}", _MARKER_PLACE, read_only=True),)

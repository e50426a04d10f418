"""One home as `firstbell homes` sees it: a person's of a course, or a run's. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from firstbell.model import names
from firstbell.model.container import ContainerSpec, Mount, MountKind, VolumeSpec
from firstbell.model.course import Course
from firstbell.model.observed import ContainerState, Observed, Phase, VolumeState
from firstbell.model.runtime import HOME_DIR
from firstbell.plan.home import directory_helper, home_volume, store_mount, store_volume
from firstbell.plan.run import DEFAULT_IDS
from firstbell.plan.run import home_volume as run_volume
from firstbell.plan.server import container_names


@dataclass(frozen=True, slots=True)
class Place:
    """One home, wherever it is kept: a person's of a course, or a run's."""

    course: str
    """The course, or `names.RUNS`."""
    user: str
    """Whose it is, or the home's own name."""
    volume: VolumeSpec
    """Its name is the folder's too, where homes are folders."""
    owner: tuple[int, int]
    """uid and gid of files that are put into it."""
    words: str
    """What people call it: `the home of ada`."""
    see: str = "firstbell homes list"
    """The command that shows those there are."""
    directory: str = ""
    """The host's folder of all homes; empty where they are volumes."""
    folder: str = ""
    """The name of the home's folder on a file server; empty where it is kept otherwise."""
    parent: Mount | None = None
    """All homes of a store, for helpers; None where each is a volume of its own."""
    ways: tuple[VolumeSpec, ...] = ()
    """Volumes by which an engine reaches a file server."""
    maker: ContainerSpec | None = None
    """Makes the folder, but for its image; None where homes are volumes."""
    servers: tuple[str, ...] = ()
    """Containers that use it, beside those that say so by a label."""

    @property
    def name(self) -> str:
        """Of the volume or folder."""
        return self.folder or self.volume.name

    def mount(self, *, read_only: bool = False) -> Mount:
        """The home where a server has it."""
        if self.directory:
            return Mount(MountKind.BIND, f"{self.directory}/{self.name}", HOME_DIR, read_only)
        return Mount(MountKind.VOLUME, self.volume.name, HOME_DIR, read_only)

    def used_by(self, observed: Observed) -> tuple[ContainerState, ...]:
        """The running containers that have it."""
        return tuple(
            state
            for state in observed.containers
            if state.phase in {Phase.RUNNING, Phase.PAUSED}
            and (state.name in self.servers or state.labels.get(names.LABEL_HOME) == self.name)
        )


def course_place(course: Course, user: str, ids: tuple[int | None, int | None] = (None, None)) -> Place:
    """The home of a course's user; `ids` are the person's own uid and gid, where they have any."""
    uid, gid = ids
    owner = (course.server.uid if uid is None else uid, course.server.gid if gid is None else gid)
    store = store_volume(course)
    return Place(
        course=course.name,
        user=user,
        volume=home_volume(course, user),
        owner=owner,
        words=f"the home of {user}",
        directory=course.homes.directory,
        folder=names.home(course.name, user) if store else "",
        parent=store_mount(course),
        ways=(store, home_volume(course, user)) if store else (),
        maker=directory_helper(course, user, "", *owner) if course.homes.is_shared else None,
        servers=container_names(course, user),
    )


def run_place(name: str, state: VolumeState | None = None) -> Place:
    """A run's home for `firstbell homes`; `state` is its volume, where there is one."""
    uid, _, gid = (state.labels.get(names.LABEL_OWNER, "") if state else "").partition(":")
    ids = (int(uid), int(gid)) if uid.isdecimal() and gid.isdecimal() else DEFAULT_IDS
    return Place(
        course=names.RUNS,
        user=name,
        volume=run_volume(name, owner=ids),
        owner=ids,
        words=f"the home {name}",
        see="firstbell homes list --runs",
    )

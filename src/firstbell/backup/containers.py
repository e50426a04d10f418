"""The containers in which restic works, as values. Pure.

            backup of a home    backup of the hub's    restore of a home    everything else
sees        that home           one volume of the hub  that subject         nothing of anybody's
            read-only           read-only              and can write it
rights      to read what is     as for a home          to write it as whom  none
            everybody's                                it belonged to
network     none where the storage is a directory of the machine, else the machine's own

Before and after the hub's volumes, a helper without storage, password and network copies their databases.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files

from firstbell.backup import restic
from firstbell.backup.restic import Arguments
from firstbell.backup.ssh import ssh_files
from firstbell.backup.tags import tags_of
from firstbell.model import names
from firstbell.model.backup import Kind, Storage, Subject
from firstbell.model.container import (
    GIB,
    HOST_NETWORK,
    MIB,
    NO_NETWORK,
    ContainerSpec,
    File,
    Limits,
    Mount,
    MountKind,
    VolumeSpec,
    frozen,
)
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.runtime import COURSEWORK_DIR, STATE_DIR
from firstbell.plan.home import PARENT, home_directory, home_volume

REPOSITORY = "/backup"
"""Where a helper sees a storage that is a directory of the machine."""
HELPER_SUFFIX = "-backup"
"""End of the names of these containers; what is left of one is nobody's."""
LIST, SHOW, ROOM = "list", "show", "room"
"""What `look` does."""
_SETTINGS = "/opt/firstbell/backup/settings.sh"
_DATABASES = "/opt/firstbell/backup/databases.py"
_PUT_BACK = "/opt/firstbell/backup/put_back.py"
_LOOKING = "/opt/firstbell/backup/looking.py"
_ASKING = "/opt/firstbell/backup/asking.py"
_DRILL = "/drill"
SCRATCH = "/scratch"
"""Where helpers see the scratch volume."""
_CACHE = "/var/cache/firstbell"
_READ = ("DAC_READ_SEARCH",)
_WRITE = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETFCAP", "MKNOD")
"""To bring files back with owner, mode, set-user-id bits and attributes, named pipes among them."""
_OWN = ("CHOWN", "DAC_OVERRIDE", "FOWNER")
_STORE = "DAC_OVERRIDE"
"""A directory of the machine may belong to anybody."""
_RUN = """\
set -a; . "$0"
if [ "$1" = restore ]; then
    known="$(restic restore --help)"
    # Later versions bring back holes, and attributes beyond a user's own, only where they are asked to.
    case "$known" in *--sparse*) set -- "$@" --sparse ;; esac
    case "$known" in *--include-xattr*) set -- "$@" --include-xattr='user.*' --include-xattr='system.posix_acl_*' \
        --include-xattr=security.capability ;; esac
fi
exec nice -n 19 ionice -c 3 restic "$@"
"""
# Somebody waits for it.
_LOOK = 'set -a; . "$0"; exec nice -n 5 python3 -I "$@"'
_FIRST_WORD = f'set -a; . "$0"; exec nice -n 19 ionice -c 3 python3 -I {_ASKING} restic "$@"'


@dataclass(frozen=True, slots=True)
class Helpers:
    """What all helpers of a course have in common."""

    course: Course
    image: str
    storage: Storage
    machine: str
    """The helpers' host name, by which a lock that a kill left is known as ours: one for each hub."""
    cpu: float = 0.5
    """Cores that a backup may keep busy while people work."""
    share: float = 0.1
    """Of what is short, beside the 1 of everybody's server."""
    has_cache: bool = False
    """Whether the volume of `cache` is there. Without it each helper fetches the list of all snapshots anew."""
    mark: str = ""
    """In the helpers' names: whose they are, where several are at work for one course."""

    def ask(self, arguments: Arguments, about: str = "") -> ContainerSpec:
        """A container that sees the storage and nothing of anybody's; asked for its snapshots it is soon given up."""
        verb = arguments[0]
        rights = (_STORE,) if self.storage.directory else ()
        spec = ContainerSpec(
            name=self._name(about, verb),
            image=self.image,
            command=("sh", "-c", _RUN, _SETTINGS, *arguments),
            labels=frozen(names.labels(self.course.name, Role.HELPER)),
            user="0:0",
            hostname=self.machine,
            mounts=(*self._storage_mounts, *self._cache_mounts),
            files=(File(_SETTINGS, self._settings.encode(), 0o400), *ssh_files(self.storage)),
            network=self._network,
            limits=Limits(memory=GIB, cpu=self.cpu, pids=128, log_bytes=MIB, share=self.share),
            capabilities=rights,
        )
        if arguments != restic.SNAPSHOTS:
            return spec
        command = ("sh", "-c", _FIRST_WORD, _SETTINGS, *arguments)
        return replace(spec, command=command, files=(*spec.files, _program(_ASKING)))

    def back_up(self, subject: Subject, run: str, excludes: tuple[str, ...] = ()) -> ContainerSpec:
        """A container that sees this subject alone, read-only, and makes a snapshot of it."""
        mount = replace(self._mount(subject), read_only=True)
        tags = tags_of(self.course.name, subject, run)
        arguments = restic.backup(self.course.name, tags, [mount.target], excludes)
        return self._with(self.ask(arguments, _about(subject)), mount, _READ)

    def restore(self, snapshot: str, subject: Subject, paths: tuple[str, ...] = ()) -> ContainerSpec:
        """A container that writes a snapshot, or some paths of it, into what it is of, which must exist.

        A home is hostile: a folder may since have become a link, through which restic, as root, would write. So there
        is nothing to be written but this home and the container's own disk: the storage is read-only.
        """
        mount = self._mount(subject)
        within = tuple(f"{mount.target}/{path}" for path in paths)
        return self._with(self._reading(restic.restore(snapshot, "/", within), subject), mount, _WRITE)

    def scratch(self, user: str) -> VolumeSpec:
        """The volume onto which files of somebody's are brought back before they are put into their home."""
        labels = names.labels(self.course.name, Role.HELPER)
        return VolumeSpec(self._name(user, "scratch"), frozen(labels))

    def restore_apart(self, snapshot: str, subject: Subject, paths: tuple[str, ...] = ()) -> ContainerSpec:
        """A container that writes a snapshot, or some paths of it, onto the scratch volume; it sees no home."""
        within = tuple(f"{self.place_of(subject)}/{path}" for path in paths)
        spec = self._reading(restic.restore(snapshot, SCRATCH, within), subject)
        return self._with(spec, self._scratch_mount(subject.user), _WRITE)

    def put_back(self, user: str, wish: Mapping[str, object], ids: tuple[int, int]) -> ContainerSpec:
        """A container that puts what is on the scratch volume into the home; see `put_back.py`.

        It has neither storage nor password nor network: whoever is at work on the home meanwhile can lead it nowhere.
        """
        subject = Subject(Kind.HOME, user)
        home = self._mount(subject)
        told = {"home": home.target, "scratch": f"{SCRATCH}{home.target}", "uid": ids[0], "gid": ids[1], **wish}
        waits = self.hand_out(user)
        return replace(
            waits,
            name=self._name(user, "put-back"),
            command=("python3", "-I", _PUT_BACK, json.dumps(told)),
            mounts=(home, replace(waits.mounts[0], read_only=False)),
            files=(_program(_PUT_BACK),),
            capabilities=_WRITE,
        )

    def hand_out(self, user: str) -> ContainerSpec:
        """A container that waits, with the scratch volume read-only, until what is there has been taken elsewhere."""
        return ContainerSpec(
            name=self._name(user, "hand-out"),
            image=self.image,
            command=("sleep", "86400"),
            labels=frozen(names.labels(self.course.name, Role.HELPER)),
            user="0:0",
            mounts=(replace(self._scratch_mount(user), read_only=True),),
            limits=Limits(memory=GIB, cpu=self.cpu, pids=32, log_bytes=MIB),
            stop_grace=1,
        )

    def place_of(self, subject: Subject) -> str:
        """The path under which a subject is in its snapshots."""
        return self._mount(subject).target

    def _scratch_mount(self, user: str) -> Mount:
        return Mount(MountKind.VOLUME, self.scratch(user).name, SCRATCH)

    def drill(self, snapshot: str, about: Subject) -> ContainerSpec:
        """A container that restores a snapshot onto its own disk and compares every byte; what it has goes with it."""
        spec = self._reading(restic.drill(snapshot, _DRILL), about)
        return replace(spec, name=self._name(_about(about), "drill"), capabilities=_WRITE)

    def look(self, verb: str, snapshot: str, subject: Subject, *words: str) -> ContainerSpec:
        """A container that looks into somebody's snapshot; see `looking.py`. It sees no home, and writes nothing."""
        spec = self._reading((verb, snapshot), subject)
        command = ("sh", "-c", _LOOK, _SETTINGS, _LOOKING, verb, snapshot, self.place_of(subject), *words)
        return replace(spec, command=command, files=(*spec.files, _program(_LOOKING)))

    def databases(self, verb: str, subject: Subject) -> ContainerSpec:
        """A container that copies, removes or puts back the copies of the databases of a subject; see `databases.py`.

        As root, for the hub's and the formgrader's files have different owners; SQLite gives what it makes to them.
        """
        mount = self._mount(subject)
        return ContainerSpec(
            name=self._name(_about(subject), verb),
            image=self.image,
            command=("python3", "-I", _DATABASES, verb, mount.target),
            labels=frozen(names.labels(self.course.name, Role.HELPER)),
            user="0:0",
            mounts=(mount,),
            files=(_program(_DATABASES),),
            limits=Limits(memory=GIB, cpu=self.cpu, pids=32, log_bytes=MIB, share=self.share),
            capabilities=_OWN,
        )

    def _name(self, about: str, verb: str) -> str:
        return f"{names.container(self.course.name, Role.HELPER, about)}-{verb}{self.mark}{HELPER_SUFFIX}"

    def clear(self, subject: Subject) -> ContainerSpec:
        """A container that empties what a restore was cut short in."""
        mount = self._mount(subject)
        command = ("find", mount.target, "-xdev", "-mindepth", "1", "-delete")
        rights = ("DAC_OVERRIDE", "FOWNER")
        name = self._name(_about(subject), "clear")
        return replace(self.hand_out(""), name=name, command=command, mounts=(mount,), capabilities=rights)

    def read_state(self, path: str) -> ContainerSpec:
        """A container that prints a file of the hub's state."""
        mount = replace(self._mount(Subject(Kind.STATE)), read_only=True)
        waits = self.hand_out("")
        return replace(waits, name=self._name("", "read"), command=("cat", path), mounts=(mount,), capabilities=_READ)

    def _reading(self, arguments: Arguments, subject: Subject) -> ContainerSpec:
        spec = self.ask(arguments, _about(subject))
        mounts = (replace(mount, read_only=mount.target != _CACHE) for mount in spec.mounts)
        return replace(spec, mounts=tuple(mounts))

    def _with(self, spec: ContainerSpec, mount: Mount, rights: tuple[str, ...]) -> ContainerSpec:
        all_rights = tuple(dict.fromkeys((*rights, *spec.capabilities)))
        return replace(spec, mounts=(mount, *spec.mounts), capabilities=all_rights)

    def _mount(self, subject: Subject) -> Mount:
        """Under a path of the subject's own, the same each time: by it restic finds the snapshot before."""
        course = self.course
        if subject.kind is Kind.STATE:
            return Mount(MountKind.VOLUME, names.volume(course.name, Role.STATE), STATE_DIR)
        if subject.kind is Kind.COURSEWORK:
            return Mount(MountKind.VOLUME, names.volume(course.name, Role.COURSEWORK), COURSEWORK_DIR)
        target = f"{PARENT}/{names.home(course.name, subject.user)}"
        if course.homes.directory:
            return Mount(MountKind.BIND, home_directory(course, subject.user), target)
        return Mount(MountKind.VOLUME, home_volume(course, subject.user).name, target)

    @property
    def _network(self) -> str:
        # A storage is often at a private address, to which servers have no way.
        return NO_NETWORK if self.storage.directory else HOST_NETWORK

    @property
    def _storage_mounts(self) -> tuple[Mount, ...]:
        directory = self.storage.directory
        return (Mount(MountKind.BIND, directory, REPOSITORY),) if directory else ()

    @property
    def cache(self) -> VolumeSpec | None:
        """What keeps restic's cache; None where the storage is at hand."""
        if self.storage.directory:
            return None
        labels = names.labels(self.course.name, Role.BACKUP_CACHE)
        return VolumeSpec(names.volume(self.course.name, Role.BACKUP_CACHE), frozen(labels))

    @property
    def _cache_mounts(self) -> tuple[Mount, ...]:
        volume = self.cache if self.has_cache else None
        return (Mount(MountKind.VOLUME, volume.name, _CACHE),) if volume else ()

    @property
    def _settings(self) -> str:
        """What restic is told by its environment: a file, as whoever inspects a container sees its environment."""
        told = {
            "RESTIC_REPOSITORY": self.storage.repository(REPOSITORY),
            "RESTIC_PASSWORD": self.storage.password.reveal(),
            "RESTIC_CACHE_DIR": _CACHE,
            # Without it a line of progress sixty times a second.
            "RESTIC_PROGRESS_FPS": "0.01",
            **{name: secret.reveal() for name, secret in sorted(self.storage.environment.items())},
        }
        return "".join(f"{name}={shlex.quote(value)}\n" for name, value in told.items())


def _program(path: str) -> File:
    return File(path, (files("firstbell.backup") / path.rpartition("/")[2]).read_bytes())


def _about(subject: Subject) -> str:
    # No user's name: nobody is called so, with a colon and nothing before it.
    return subject.user or f":{subject.kind}"

"""By which way each file of a specification comes into a service's container. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from firstbell.errors import StartFailed
from firstbell.model.container import ContainerSpec, File, Mount, MountKind
from firstbell.model.names import PREFIX
from firstbell.model.runtime import LAUNCHER_DIR, SIDECAR_DIR

PROGRAMS = (LAUNCHER_DIR, SIDECAR_DIR)
"""Folders that are wholly ours: dozens of files, the same for everybody, laid out once per node in a volume."""


@dataclass(frozen=True, slots=True)
class Program:
    """A folder of ours and all files in it."""

    path: str
    files: tuple[File, ...]

    @property
    def volume(self) -> str:
        """The name of the volume that holds it on a node: by its content."""
        whole = hashlib.sha256("".join(file.digest for file in self.files).encode()).hexdigest()
        return f"{PREFIX}_files_{whole[:20]}"

    @property
    def mount(self) -> Mount:
        """As servers see it."""
        return Mount(MountKind.VOLUME, self.volume, self.path, read_only=True)


@dataclass(frozen=True, slots=True)
class Layout:
    """Files by their ways."""

    kept: tuple[File, ...] = ()
    """As configs and secrets."""
    programs: tuple[Program, ...] = ()
    mounted: tuple[File, ...] = ()
    """In a volume or directory of the node: put there before the start."""


def layout(spec: ContainerSpec) -> Layout:
    """Raises StartFailed for a directory that no way can make."""
    targets = [mount.target for mount in spec.mounts if mount.kind is not MountKind.TMPFS]
    kept, mounted = [], []
    programs: dict[str, list[File]] = {}
    for file in spec.files:
        program = next((path for path in PROGRAMS if _is_in(file.path, path)), "")
        if any(_is_in(file.path, target) for target in targets):
            mounted.append(file)
        elif program:
            programs.setdefault(program, []).append(file)
        elif file.content is not None:
            kept.append(file)
        elif (file.mode, file.uid, file.gid) != (0o755, 0, 0):
            raise StartFailed(
                f"the directory {file.path} cannot be given to {file.uid}:{file.gid} on a Swarm",
                where=spec.name,
                next_step="This is a fault of Firstbell: please report it.",
            )
        # A directory of root's with mode 0755 is what Docker makes by itself for the files in it.
    return Layout(tuple(kept), tuple(Program(path, tuple(held)) for path, held in programs.items()), tuple(mounted))


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")

"""Files of the fake engine's containers and volumes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping

from firstbell.engine import docker_tar
from firstbell.model.container import ContainerSpec, File, MountKind

Files = dict[str, File]
"""By path: absolute in a container, relative in a volume ("" is the volume's own root)."""


class Layers:
    """A container's own files with its mounted volumes over them."""

    def __init__(self, spec: ContainerSpec, image: Mapping[str, bytes], volumes: Mapping[str, Files]) -> None:
        self._own: Files = {path: File(path, content) for path, content in image.items()}
        mounts = [(m.target, volumes[m.source]) for m in spec.mounts if m.kind is MountKind.VOLUME]
        self._mounts = sorted(mounts, key=lambda mount: -len(mount[0]))

    def store(self, files: Iterable[File]) -> None:
        """Put files where their mounts are."""
        for file in files:
            place, key = self._place(file.path)
            place[key] = file

    def find(self, path: str) -> File | None:
        """The file at a path."""
        place, key = self._place(path)
        return place.get(key)

    def tar(self, path: str) -> bytes:
        """A tar of a file or folder, named as Docker names it: by its last part. Raises FileNotFoundError."""
        path = posixpath.normpath(path)
        found = {p: file for p, file in self._everything().items() if p == path or p.startswith(f"{path}/")}
        if not found:
            raise FileNotFoundError(path)
        parent = posixpath.dirname(path)
        found.setdefault(path, File(path))
        return docker_tar.pack(
            File(posixpath.relpath(p, parent), f.content, f.mode, f.uid, f.gid) for p, f in sorted(found.items())
        )

    def _everything(self) -> Files:
        merged = dict(self._own)
        for target, files in reversed(self._mounts):
            merged |= {posixpath.join(target, key).rstrip("/"): file for key, file in files.items()}
        return merged

    def _place(self, path: str) -> tuple[Files, str]:
        path = posixpath.normpath(path)
        for target, files in self._mounts:
            if path == target:
                return files, ""
            if path.startswith(f"{target}/"):
                return files, path[len(target) + 1 :]
        return self._own, path

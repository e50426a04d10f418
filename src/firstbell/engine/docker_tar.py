"""Tars that go into containers and come out of them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

from firstbell.model.container import File


def pack(files: Iterable[File]) -> bytes:
    """One tar of the files, to be unpacked at `/`, or at the root of a build's context.

    It has no entries for parents: Docker makes those that are missing (root's, 0755) and leaves the others as they
    are. Times are zero so that the same files give the same bytes.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            add(tar, file)
    return buffer.getvalue()


def add(tar: tarfile.TarFile, file: File) -> None:
    """One file or directory more."""
    member = tarfile.TarInfo(file.path.strip("/") or ".")
    member.mode, member.uid, member.gid, member.mtime = file.mode, file.uid, file.gid, 0
    if file.content is None:
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
    else:
        member.size = len(file.content)
        tar.addfile(member, io.BytesIO(file.content))


def member_at(data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    """The first member of a tar and its content (empty for what is no file). Raises tarfile.TarError."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        member = tar.next()
        if member is None:
            raise tarfile.ReadError("empty archive")
        handle = tar.extractfile(member) if member.isreg() else None
        return member, handle.read() if handle else b""

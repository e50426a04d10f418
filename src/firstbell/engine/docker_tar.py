"""Tars that go into containers and come out of them."""

from __future__ import annotations

import contextlib
import io
import posixpath
import tarfile
from collections.abc import AsyncGenerator, Callable, Iterable

from firstbell.model.container import File

MOST = 1024**2
"""Bytes of a file read out of an image or a server; more is not ours to read."""
_ROOM = 64 * 1024
"""For a tar's own blocks."""
_LINKS = 8


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


async def read_file(get: Callable[[str], AsyncGenerator[bytes, None]], path: str, most: float = MOST) -> bytes | None:
    """The content of the file at `path`, symbolic links followed; None if there is none, or one above `most` bytes.

    Raises tarfile.TarError.
    """
    for _ in range(_LINKS):
        data = bytearray()
        try:
            async with contextlib.aclosing(get(path)) as chunks:
                async for chunk in chunks:
                    data += chunk
                    if len(data) > most + _ROOM:
                        return None
        except FileNotFoundError:
            return None
        member, content = member_at(bytes(data))
        if not member.issym():
            return content if member.isreg() and len(content) <= most else None
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
    return None

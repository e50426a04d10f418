"""One archive on the disk: packed from tars as they stream in, read again byte by byte, only then given its name.

A plain `tar.gz`, so that anything opens it; beside it a manifest with the SHA-256 of every file, and of the archive.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

from firstbell.model.archive import Flaw, Packed

_LEVEL = 3
"""Of gzip: twice the speed of its usual level, for some percent of size."""
_BLOCK = 1024 * 1024
_OWN_HEADERS = ("path", "linkpath", "size")
"""Headers of the source's that say what we say otherwise."""
_END = bytes(1024)
"""By which a tar ends."""
TAR, MANIFEST, PART = ".tar.gz", ".json", ".part"


class Unreadable(Exception):
    """A tar that ended before its end, or is none."""


class Pace:
    """Lets whoever works pause as long as the work took, where people are at work beside."""

    def __init__(self, *, is_gentle: bool) -> None:
        self.is_gentle = is_gentle
        self._last = time.monotonic()

    def rest(self) -> None:
        """After each block."""
        if self.is_gentle:
            time.sleep(min(1.0, time.monotonic() - self._last))
        self._last = time.monotonic()


class _Hashing(io.RawIOBase):
    """A file of a tar that is being read, counted and hashed on the way."""

    def __init__(self, source: IO[bytes], pace: Pace | None = None) -> None:
        self._source = source
        self._pace = pace
        self._digest = hashlib.sha256()
        self.length = 0
        self._unpaced = 0

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._digest.update(data)
        self.length += len(data)
        self._unpaced += len(data)
        if self._pace and self._unpaced >= _BLOCK:
            self._unpaced = 0
            self._pace.rest()
        return data

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class _Tail(io.RawIOBase):
    """A stream whose last bytes are remembered."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.tail = b""

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.tail = (self.tail + data)[-len(_END) :]
        return data


class Packer:
    """An archive that is being written. Every method may raise OSError, as for a full disk."""

    def __init__(self, tar: tarfile.TarFile, pace: Pace) -> None:
        self._tar = tar
        self._pace = pace
        self.files: dict[str, tuple[int, str]] = {}

    def add(self, prefix: str, stream: IO[bytes]) -> None:
        """All of a tar, its one top folder under another name. Raises Unreadable where it is cut."""
        coming = _Tail(stream)
        try:
            with tarfile.open(fileobj=cast("IO[bytes]", coming), mode="r|") as source:
                for member in source:
                    self._copy(source, _renamed(member, prefix))
        except (tarfile.TarError, EOFError, KeyError) as error:
            raise Unreadable(str(error)) from error
        while coming.read(_BLOCK):  # what comes after the end, so that whoever sends it can end, too
            pass
        if coming.tail.strip(b"\0") or len(coming.tail) < len(_END):
            raise Unreadable("it has no end")  # which Python's own reader takes for one

    def add_bytes(self, path: str, content: bytes) -> None:
        """A file of our own."""
        member = tarfile.TarInfo(path)
        member.size, member.mode, member.mtime = len(content), 0o600, int(time.time())
        self._copy(None, member, io.BytesIO(content))

    def _copy(self, source: tarfile.TarFile | None, member: tarfile.TarInfo, content: IO[bytes] | None = None) -> None:
        if not member.isreg():
            self._tar.addfile(member)
            return
        inside = content or (source.extractfile(member) if source else None)
        reading = _Hashing(cast("IO[bytes]", inside), self._pace)
        self._tar.addfile(member, cast("IO[bytes]", reading))
        if reading.length != member.size:
            raise Unreadable(f"{member.name} is cut")
        self.files[member.name] = (reading.length, reading.sha256)


def _renamed(member: tarfile.TarInfo, prefix: str) -> tarfile.TarInfo:
    _, _, rest = member.name.strip("/").partition("/")
    member.name = f"{prefix}/{rest}" if rest else prefix
    if member.islnk():
        member.linkname = f"{prefix}/{member.linkname.strip('/').partition('/')[2]}"
    member.pax_headers = {name: value for name, value in member.pax_headers.items() if name not in _OWN_HEADERS}
    return member


@contextmanager
def packing(folder: Path, name: str, pace: Pace) -> Iterator[Packer]:
    """A new archive, under a name of its own until `finish`; one that was begun before is begun anew."""
    part = folder / f"{name}{TAR}{PART}"
    part.parent.mkdir(mode=0o700, exist_ok=True)
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as raw:
            with (
                gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
            ):
                yield Packer(tar, pace)
            raw.flush()
            os.fsync(raw.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def finish(folder: Path, packed: Packed, pace: Pace) -> Packed:
    """Read what was written and give it its name, then its manifest its own. Raises Unreadable if it is another."""
    part = folder / f"{packed.name}{TAR}{PART}"
    sha256, size, files = read(part, pace)
    if files != dict(packed.files):
        part.unlink()
        raise Unreadable("what was read again is not what was written; look at the disk")
    done = Packed(packed.name, packed.user, packed.home, packed.at, sha256, size, packed.files)
    part.rename(folder / f"{packed.name}{TAR}")
    write_json(folder / f"{packed.name}{MANIFEST}", asdict(done))
    return done


def read(path: Path, pace: Pace | None = None) -> tuple[str, int, dict[str, tuple[int, str]]]:
    """SHA-256 and length of an archive's file, and of each file in it. Raises Unreadable, OSError."""
    files: dict[str, tuple[int, str]] = {}
    with path.open("rb") as raw:
        whole = _Hashing(raw, pace)
        try:
            with (
                gzip.GzipFile(fileobj=cast("IO[bytes]", whole)) as packed,
                tarfile.open(fileobj=packed, mode="r|") as tar,
            ):
                for member in tar:
                    if member.isreg() and (inside := tar.extractfile(member)) is not None:
                        one = _Hashing(inside)
                        while one.read(_BLOCK):
                            pass
                        files[member.name] = (one.length, one.sha256)
                while packed.read(_BLOCK):  # to its end, where gzip's own sum stands
                    pass
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, KeyError, ValueError) as error:
            raise Unreadable(str(error)) from error
        while whole.read(_BLOCK):
            pass
    return whole.sha256, whole.length, files


def check(folder: Path, name: str, manifest_sha256: str = "") -> tuple[Flaw, ...]:
    """What of an archive is not as its manifest says, or of the manifest as `manifest_sha256`."""
    manifest, tar = folder / f"{name}{MANIFEST}", folder / f"{name}{TAR}"
    try:
        text = manifest.read_bytes()
        packed = packed_of(json.loads(text))
    except FileNotFoundError:
        return (Flaw(manifest.name, "is missing"),)
    except (ValueError, KeyError, TypeError) as error:
        return (Flaw(manifest.name, f"cannot be read: {error}"),)
    if manifest_sha256 and hashlib.sha256(text).hexdigest() != manifest_sha256:
        return (Flaw(manifest.name, "is not the one that was written"),)
    try:
        sha256, size, files = read(tar)
    except FileNotFoundError:
        return (Flaw(tar.name, "is missing"),)
    except Unreadable as error:
        return (Flaw(tar.name, f"cannot be read: {error}"),)
    if files != dict(packed.files):
        differ = sorted(path for path in files.keys() | packed.files if files.get(path) != packed.files.get(path))
        return tuple(Flaw(tar.name, f"{path} is not as it was written") for path in differ[:5])
    if (sha256, size) != (packed.sha256, packed.size):
        return (Flaw(tar.name, "is not the file that was written, though what can be unpacked is"),)
    return ()


def packed_of(facts: Mapping[str, Any]) -> Packed:
    """A manifest. Raises KeyError, TypeError, ValueError for what is none."""
    files = {str(path): (int(size), str(sha256)) for path, (size, sha256) in dict(facts["files"]).items()}
    return Packed(**{**facts, "files": files})


def write_json(path: Path, value: object) -> str:
    """Write a whole file or none; its SHA-256."""
    content = (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()
    beside = path.with_name(path.name + PART)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    return hashlib.sha256(content).hexdigest()

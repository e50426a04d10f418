"""Files between a home and the coursework, by a container that sees this one home and nothing else of anybody's.

It has no network and only the rights it needs: to take, reading what its owner forbade to read; to put, none, as the
home's owner. It works beside a running server and without one.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import tarfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from firstbell.coursework.files import regular, sha256, taken_files
from firstbell.coursework.inside import REFUSED, TOO_MUCH, Refusal, bad_name
from firstbell.engine.base import Engine
from firstbell.errors import CourseFileError, FirstbellError, StartFailed
from firstbell.model import names
from firstbell.model.container import MIB, ContainerSpec, File, Limits, Mount, frozen
from firstbell.model.coursework import Refused, TakenFile, digest_of
from firstbell.model.names import Role
from firstbell.model.observed import RunResult
from firstbell.model.runtime import HOME_DIR

_SCRIPT = "/opt/firstbell/coursework_inside.py"
_PYTHON = ("python3", "-I", _SCRIPT)
_WAITS = ("python3", "-I", "-c", "import time; time.sleep(3600)")
_OUT = "/tmp/firstbell-taken"  # noqa: S108 - in a container of our own
_DEADLINE = 600.0
HELPER_MARK = "-coursework-"
"""In the names of our helpers, which nobody needs once the desk that made them is gone."""
_IS_HELPER = re.compile(f"-{Role.HELPER.value}-.*{HELPER_MARK}[a-z0-9]{{6,8}}(?![a-z0-9-])")
"""Followed by a verb or six digits: a course or a user may be called coursework, too."""
_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one hand-in may hold: many times what assignments have, little enough that 100 of them fit on a disk."""

    files: int = 10_000
    """A checkout with its history has some thousands."""
    entries: int = 20_000
    """Names looked at, whatever they are: a walk through a million takes minutes."""
    bytes: int = 1024 * MIB
    file: int = 512 * MIB
    depth: int = 32
    path: int = 1024
    """Bytes; with the coursework's own path before it well below Linux's 4096."""
    refused: int = 500
    """How many refusals are named."""
    at_once: int = 24 * MIB
    """Bytes that go through the memory of the hub; what is larger goes by its disk."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where a home is and whose."""

    user: str
    engine: Engine
    """The daemon of the machine that has it."""
    mount: Mount
    uid: int
    gid: int
    extra: tuple[Mount, ...] = ()
    as_owner: bool = False
    """Whether only its owner may read it, as on a file server that lets root do nothing."""


class Homes(Protocol):
    """The homes of a course."""

    async def find(self, user: str) -> Home | None:
        """The home; None of somebody who has none yet. Raises HomeMissing, EngineUnavailable."""
        ...

    async def make(self, user: str) -> Home:
        """The home, made if there is none. Raises HomeMissing, EngineUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """What was read of a folder."""

    found: bool
    """Whether there is such a folder."""
    files: tuple[TakenFile, ...] = ()
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class Parcel:
    """A folder on its way."""

    digest: str
    """See `digest_of`."""
    lines: bytes = field(repr=False)
    """As `inside.py put` reads them."""


@dataclass(frozen=True, slots=True)
class Put:
    """What became of a folder that was to be put."""

    put: bool
    """False where it was there already."""
    kept: str = ""
    """The name under which an older one was kept."""


def is_helper(name: str) -> bool:
    """Whether a container of that name is such a helper."""
    return _IS_HELPER.search(name) is not None


class Transport:
    """Takes and puts folders."""

    def __init__(self, course: str, image: str, bounds: Bounds | None = None) -> None:
        """`image` is one with python3 that every machine of the course has."""
        self._course = course
        self._image = image
        self._bounds = bounds or Bounds()

    async def take(self, home: Home, folder: str, into: Path) -> Taken:
        """The files of a folder of the home, into a new folder of ours. Raises FirstbellError, OSError.

        Whatever was written into `into` when this raises counts for nothing.
        """
        words = ("take", HOME_DIR, folder, json.dumps(asdict(self._bounds)))
        # As root, with the right to read what its owner may not: a student cannot hide a file by its mode.
        spec = self._spec(home, words, read_only=True)
        result = await home.engine.run(spec, deadline=_DEADLINE)
        if result.exit_code == TOO_MUCH:
            return await self._take_much(home, folder, into)
        _check(result, f"~/{folder} of {home.user} cannot be read")
        return await asyncio.to_thread(receive, result.stdout.splitlines(), into, self._bounds)

    async def _take_much(self, home: Home, folder: str, into: Path) -> Taken:
        """By a file in the container, which the engine gives out as a stream."""
        engine, spec = home.engine, self._spec(home, (), read_only=True)
        bounds = asdict(self._bounds) | {"at_once": 0}
        archive = into.with_name(into.name + ".tar")
        await engine.start(spec)
        try:
            words = [*_PYTHON, "take", HOME_DIR, folder, json.dumps(bounds), _OUT]
            _check(await engine.exec(spec.name, words, deadline=_DEADLINE), f"~/{folder} of {home.user} cannot be read")
            with archive.open("xb") as file:
                async for chunk in engine.get(spec.name, _OUT):
                    await asyncio.to_thread(file.write, chunk)
            return await asyncio.to_thread(_receive_archive, archive, into, self._bounds)
        finally:
            archive.unlink(missing_ok=True)
            with suppress(FirstbellError):
                await engine.stop(spec.name, 1)

    async def put(self, home: Home, place: str, parcel: Parcel, aside: str) -> Put:
        """Put a parcel at a place of the home; a folder there that differs is given the name `aside` beside it.

        Raises FirstbellError; then all is as it was, or what was there is under its new name.
        """
        spec = self._spec(home, ("put", HOME_DIR, place, parcel.digest, aside), read_only=False)
        result = await home.engine.run(spec, parcel.lines, deadline=_DEADLINE)
        _check(result, f"~/{place} of {home.user} cannot be written")
        said = json.loads(result.stdout.splitlines()[-1])
        return Put(bool(said["put"]), str(said.get("kept", "")))

    def _spec(self, home: Home, words: tuple[str, ...], *, read_only: bool) -> ContainerSpec:
        as_owner = home.as_owner or not read_only
        mount = Mount(home.mount.kind, home.mount.source, HOME_DIR, read_only)
        owned = () if home.as_owner or read_only else (File(HOME_DIR, None, 0o700, home.uid, home.gid),)
        return ContainerSpec(
            name=f"{names.container(self._course, Role.HELPER, home.user)}{HELPER_MARK}{uuid.uuid4().hex[:6]}",
            image=self._image,
            command=(*_PYTHON, *words) if words else _WAITS,
            labels=frozen(names.labels(self._course, Role.HELPER, home.user)),
            user=f"{home.uid}:{home.gid}" if as_owner else "0:0",
            workdir="/",
            mounts=(mount, *home.extra),
            files=(File(_SCRIPT, _script()), *owned),
            limits=Limits(memory=256 * MIB, cpu=1, pids=32),
            capabilities=() if as_owner else ("DAC_READ_SEARCH",),
            stop_grace=1,
        )


def _script() -> bytes:
    return (files("firstbell.coursework") / "inside.py").read_bytes()


def _check(result: RunResult, what: str) -> None:
    if result.exit_code:
        said = result.stderr.decode(errors="replace").strip().splitlines()
        words = f"{what}: {said[-1]}" if said else what
        if result.exit_code == REFUSED:
            raise CourseFileError(words)
        raise StartFailed(words, evidence=result.lines)


def packed(source: Path) -> Parcel:
    """A folder of ours, to be put into homes."""
    return Parcel(
        digest_of(taken_files(source)), b"".join(json.dumps(line).encode() + b"\n" for line in _lines(source))
    )


def _lines(source: Path) -> Iterator[dict[str, Any]]:
    for path in regular(source):
        name = path.relative_to(source).as_posix()
        yield {"file": name}
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield {"data": base64.b64encode(block).decode()}
        yield {"end": name, "sha256": sha256(path)}
    yield {"done": True}


def receive(lines: Iterable[bytes], into: Path, bounds: Bounds) -> Taken:
    """Write what the lines of `inside.py take` say into a new folder.

    The program that says them is ours, in a container of its own; it is believed as little as any other. Raises
    StartFailed for what it cannot have said, OSError.
    """
    try:
        return _Receiving(into, bounds).all(lines)
    except (ValueError, KeyError, TypeError, Refusal) as error:
        raise StartFailed(f"what was read arrived broken: {error}", next_step="Try again.") from error


def _receive_archive(archive: Path, into: Path, bounds: Bounds) -> Taken:
    """The same, of a tar that holds the lines as its only file."""
    with tarfile.open(archive) as tar:
        member = tar.next()
        lines = tar.extractfile(member) if member else None
        if lines is None:
            raise StartFailed("nothing of what was read arrived", next_step="Try again.")
        return receive(lines, into, bounds)


class _Receiving:
    def __init__(self, into: Path, bounds: Bounds) -> None:
        self._into = into
        self._bounds = bounds
        self._files: list[TakenFile] = []
        self._refused: list[Refused] = []
        self._file: BinaryIO | None = None
        self._path = ""
        self._digest = hashlib.sha256()
        self._size = self._total = 0

    def all(self, lines: Iterable[bytes]) -> Taken:
        self._into.mkdir()
        try:
            for line in lines:
                said = json.loads(line)
                if "done" in said:
                    if said["files"] != len(self._files):
                        raise ValueError("not every file arrived")
                    return Taken(bool(said["found"]), tuple(self._files), tuple(self._refused))
                self._one(said)
        finally:
            self._close()
        raise ValueError("it was cut off")

    def _one(self, said: dict[str, Any]) -> None:
        if "file" in said:
            self._begin(said["file"])
        elif "refused" in said:
            self._refused.append(Refused(str(said["refused"]), str(said["why"])))
        elif self._file is None:
            raise ValueError("a piece of no file")
        elif "data" in said:
            self._more(base64.b64decode(said["data"], validate=True))
        elif "again" in said:
            self._forget()
        elif "dropped" in said:
            self._close()
            (self._into / self._path).unlink()
        else:
            self._end(said)

    def _begin(self, path: str) -> None:
        pure = PurePosixPath(path)
        if (
            not pure.parts
            or pure.is_absolute()
            or str(pure) != path
            or any(p in {"", ".", ".."} or bad_name(p) for p in pure.parts)
        ):
            raise ValueError(f"{path!r} is no path")
        place = self._into / path
        place.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._file = path, place.open("xb")
        self._digest, self._size = hashlib.sha256(), 0

    def _more(self, block: bytes) -> None:
        assert self._file is not None
        self._size += len(block)
        if self._size > self._bounds.file + _BLOCK or self._total + self._size > self._bounds.bytes + _BLOCK:
            raise ValueError("more than is taken")
        self._digest.update(block)
        self._file.write(block)

    def _forget(self) -> None:
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()
        self._digest, self._size = hashlib.sha256(), 0

    def _end(self, said: dict[str, Any]) -> None:
        if (said["end"], said["size"], said["sha256"]) != (self._path, self._size, self._digest.hexdigest()):
            raise ValueError(f"{self._path} is not what was read")
        self._close()
        place = self._into / self._path
        place.chmod(0o444)
        self._total += self._size
        self._files.append(TakenFile(self._path, self._size, said["sha256"]))

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

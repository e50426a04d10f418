"""`export bundle`: images and course as one archive, written whole or not at all."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import tarfile
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from firstbell.engine.base import Engine, Report, ignore
from firstbell.errors import BuildFailed, CourseFileError, Declined, FirstbellError
from firstbell.model.course import Course
from firstbell.model.image import Progress
from firstbell.model.steps import BuildImage, PullImage, Step, WriteBundle
from firstbell.plan.bundle import ARCHIVE, COMMAND, README, SECRETS, Bundle, Piece, command, readme
from firstbell.plan.deploy import image_steps
from firstbell.work import build
from firstbell.work.bundle_pieces import with_pieces
from firstbell.work.gather import gather_images
from firstbell.work.show import Show, shown

_LEVEL = 3
"""Of gzip: an image shrinks to 40 % at some 50 MB/s; the highest level takes five times as long for 2 % more."""
_GZIP = 31
"""zlib's word for gzip's format with the largest window."""
_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export, and where to."""

    course: Course
    file: Path
    """The course file."""
    target: Path
    secrets: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A bundle that is complete."""

    bundle: Bundle
    size: int
    """Bytes."""
    seconds: float


async def plan_bundle(engine: Engine, wanted: Wanted, report: Report = ignore) -> tuple[Step, ...]:
    """What `export bundle` would do. Raises CourseFileError."""
    _require_tag(wanted.course.server.image)
    inputs = await gather_images(engine, wanted.course, report)
    return (*image_steps(inputs), WriteBundle(str(wanted.target), inputs.images))


def _require_tag(image: str) -> None:
    if "@" in image:
        raise CourseFileError(
            "an image named by its digest cannot be put into a bundle: a tar of images has no room for that name",
            where=image,
            next_step="Give it a tag, `docker tag`, and name that in [server] image.",
        )


async def export_bundle(
    engine: Engine, wanted: Wanted, env: Mapping[str, str], show: Show, *, replace: bool = False
) -> Written:
    """Build what is missing, then write the archive. Raises Declined where there is one already, FirstbellError."""
    started = time.monotonic()
    _refuse_target(wanted.target, replace=replace)
    steps = await plan_bundle(engine, wanted, show.on_progress)
    bundle: Bundle | None = None
    for step in shown(steps, show):
        match step:
            case PullImage(ref=ref):
                await build.get_base(engine, ref, wanted.course.network, show.on_progress)
            case BuildImage(spec=spec):
                await build.build(engine, spec, show.on_progress)
            case WriteBundle(images=images):
                bundle = await _bundle(engine, wanted, images)
                await _write(engine, bundle, wanted.target, env, show.on_progress)
    assert bundle is not None  # the last step
    return Written(bundle, wanted.target.stat().st_size, time.monotonic() - started)


def _refuse_target(target: Path, *, replace: bool) -> None:
    """Before anything is built: a place where the archive cannot be, or must not."""
    if not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
        raise CourseFileError(
            "nothing can be written there", where=str(target.parent), next_step="Name another place with --output."
        )
    if target.exists() and not replace:
        raise Declined(f"{target} is there already", next_step="Add --yes to replace it, or name another.")


async def _bundle(engine: Engine, wanted: Wanted, images: tuple[str, ...]) -> Bundle:
    found = [await engine.image(image) for image in images]
    architectures = sorted({image.architecture for image in found if image})
    if len(architectures) != 1:
        raise BuildFailed(
            f"the images are for different machines: {', '.join(architectures)}",
            where=" ".join(images),
            next_step="Pull or build those of one architecture.",
        )
    empty = Bundle(wanted.course, images, architectures[0], folder="")
    return await asyncio.to_thread(with_pieces, empty, wanted.file, secrets=wanted.secrets)


async def _write(engine: Engine, bundle: Bundle, target: Path, env: Mapping[str, str], report: Report) -> None:
    """The archive, under another name until it is complete."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w+b") as file:
            await asyncio.to_thread(_write_course, file, bundle, env)
            await _write_images(file, f"{bundle.course.name}/{ARCHIVE}", engine.save(bundle.images), report)
            file.write(b"\0" * 2 * _BLOCK)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        part.replace(target)
    except OSError as error:
        raise _unwritable(error, target) from error
    finally:
        part.unlink(missing_ok=True)


def _unwritable(error: OSError, target: Path) -> FirstbellError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return FirstbellError(
            "the disk is full; the part that was written is gone again",
            where=str(target.parent),
            next_step="Make room, or name a place on another disk with --output.",
        )
    reason = (error.strerror or str(error)).lower()
    return FirstbellError(
        f"the bundle cannot be written: {reason}",
        where=str(error.filename or target),
        next_step="Name another place with --output.",
    )


def _write_course(file: IO[bytes], bundle: Bundle, env: Mapping[str, str]) -> None:
    """Everything but the images; the archive is left open for them."""
    top = bundle.course.name
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        _add_text(tar, f"{top}/{COMMAND}", command(bundle), 0o755)
        _add_text(tar, f"{top}/{README}", readme(bundle), 0o644)
        if bundle.has_secrets and bundle.variables:
            lines = [f"{name}={_one_line(name, env.get(name, ''))}\n" for name in bundle.variables]
            _add_text(tar, f"{top}/{SECRETS}", "".join(lines), 0o600)
        for piece in bundle.pieces:
            _add_piece(tar, piece, f"{top}/{piece.place}")
        end = tar.offset
    file.seek(end)
    file.truncate()


def _one_line(name: str, value: str) -> str:
    if not value or "\n" in value:
        raise CourseFileError(
            f"the secret {name} is not set, or has more than one line",
            where=name,
            next_step=f"export {name}=…, or leave out --secrets.",
        )
    return value


def _add_text(tar: tarfile.TarFile, name: str, text: str, mode: int) -> None:
    content = text.encode()
    member = _member(name, len(content), mode)
    tar.addfile(member, io.BytesIO(content))


def _member(name: str, size: int, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, mode, int(time.time())
    return member


def _add_piece(tar: tarfile.TarFile, piece: Piece, name: str) -> None:
    member = tar.gettarinfo(piece.source, arcname=name)
    if member.islnk():  # a second name of a file that is in already: each gets its content
        member.type, member.linkname = tarfile.REGTYPE, ""
        member.size = piece.source.stat().st_size
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    is_open = member.isdir() or piece.is_executable
    member.mode = 0o600 if piece.is_secret else 0o755 if is_open else 0o644
    if member.isreg():
        with piece.source.open("rb") as content:
            tar.addfile(member, content)
    else:
        tar.addfile(member)


async def _write_images(file: IO[bytes], name: str, chunks: AsyncIterator[bytes], report: Report) -> None:
    """The images, compressed as they come: their size is known afterwards, and so the header is written last."""
    start = file.tell()
    file.write(b"\0" * _BLOCK)
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    done = 0

    def pack(chunk: bytes) -> None:
        file.write(packer.compress(chunk))

    async for chunk in chunks:
        await asyncio.to_thread(pack, chunk)
        done += len(chunk)
        report(Progress("images:", done=done))
    file.write(packer.flush())
    size = file.tell() - start - _BLOCK
    file.write(b"\0" * (-size % _BLOCK))
    end = file.tell()
    header = _member(name, size, 0o644).tobuf(tarfile.GNU_FORMAT)
    if len(header) != _BLOCK:
        raise AssertionError(name)  # a course's name is short
    file.seek(start)
    file.write(header)
    file.seek(end)

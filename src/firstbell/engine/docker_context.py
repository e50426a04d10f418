"""A build's context: one tar of the person's folder, what it ignores left out, and of our own files above it."""

from __future__ import annotations

import os
import posixpath
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from firstbell.engine.docker_ignore import Ignore
from firstbell.engine.docker_tar import add
from firstbell.errors import BuildFailed
from firstbell.model.container import File
from firstbell.model.image import BuildSpec

DOCKERFILE = ".firstbell.Dockerfile"
"""A name that no project has, so that its own Dockerfile stays what it is: a file."""


def pack(spec: BuildSpec) -> IO[bytes]:
    """The context in a temporary file, read from its start; closing it removes it. Raises BuildFailed.

    Entries are sorted and belong to root; times are the files' own, symbolic links stay links.
    Of the modes only the owner's execute bit counts, as in git: in the image everybody may read.
    """
    own = {file.path.strip("/") for file in spec.files} | {DOCKERFILE}
    target = tempfile.TemporaryFile(prefix="firstbell-context-")  # noqa: SIM115  (the caller closes it)
    try:
        with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
            # First, since its header is a short one: by the first 512 bytes alone `docker build -` knows a tar.
            add(tar, File(DOCKERFILE, spec.dockerfile.encode()))
            if spec.directory:
                _add_folder(tar, spec, own)
            for file in sorted(spec.files, key=lambda file: file.path):
                add(tar, file)
    except OSError as error:
        target.close()
        raise BuildFailed(
            f"the project cannot be read: {error.strerror or error}",
            where=str(error.filename or spec.directory),
            next_step="Make it readable, or list it in .dockerignore.",
        ) from error
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return target


def _add_folder(tar: tarfile.TarFile, spec: BuildSpec, own: set[str]) -> None:
    root = Path(spec.directory)
    for relative in walk(root, Ignore(spec.ignore)):
        name = posixpath.join(spec.prefix, relative)
        if name in own:
            continue
        member = tar.gettarinfo(root / relative, arcname=name)
        if member is None:  # a socket
            continue
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        if member.islnk():  # tarfile's word for a file it has seen already; Docker wants its content
            member.type, member.linkname = tarfile.REGTYPE, ""
            member.size = (root / relative).stat().st_size
        if member.isreg():
            with (root / relative).open("rb") as content:
                tar.addfile(member, content)
        elif member.isdir() or member.issym():
            tar.addfile(member)


def walk(root: Path, ignore: Ignore) -> Iterator[str]:
    """Relative paths (with slashes) of everything in the folder that is not ignored, sorted; links not followed."""
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(root / folder) as entries:
            names = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        below = []
        for name, is_folder in names:
            path = posixpath.join(folder, name)
            if not ignore.excludes(path):
                yield path
            if is_folder and not ignore.prunes(path):
                below.append(path)
        pending.extend(reversed(below))

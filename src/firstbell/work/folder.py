"""Reads a project folder into plain facts: what belongs to the build, its hashes, and the files that decide it."""

from __future__ import annotations

import hashlib
import posixpath
import stat
from collections.abc import Iterator
from pathlib import Path

from firstbell.engine.docker_context import walk
from firstbell.engine.docker_ignore import Ignore
from firstbell.errors import CourseFileError
from firstbell.model.container import GIB, MIB, frozen
from firstbell.model.image import BuildSettings, Progress
from firstbell.plan.image import Entry, FolderFacts, Kind, remarks
from firstbell.plan.image.facts import (
    ALWAYS_IGNORED,
    CONFIG_DIRS,
    DOCKERFILE,
    PYPROJECT,
    RECOGNISED,
    REQUIREMENTS,
    ROOT_ONLY,
    included_files,
)
from firstbell.plan.image.pyproject import says_of_packages
from firstbell.work.origin import read_origin

MOST_ENTRIES = 100_000
"""A folder with more is most likely not meant: a home directory, or data that belongs elsewhere."""
LARGE = GIB
"""Bytes of a file from which on it is worth a warning: it is copied into every new home."""
_MOST_TEXT = 16 * MIB
"""Of a recognised file; a large uv.lock has two."""


def read_folder(path: Path) -> FolderFacts:
    """The facts of the project folder at `path`. Raises CourseFileError naming what is missing, unreadable or foreign.

    Contents are hashed as they are read, never held as a whole.
    """
    _require_folder(path)
    config_dir = _config_dir(path)
    texts = _texts(path, config_dir)
    ignore_file = path / ".dockerignore"
    own = tuple(_read_text(ignore_file).splitlines()) if ignore_file.is_file() else ()
    patterns = own if DOCKERFILE in texts else (*ALWAYS_IGNORED, *own)
    entries = tuple(sorted(_entries(path, Ignore(patterns)), key=lambda entry: entry.path))
    if not entries and not texts:
        raise CourseFileError(
            "the project folder is empty", where=str(path), next_step="Put a notebook or a requirements.txt into it."
        )
    return FolderFacts(
        directory=str(path),
        entries=entries,
        texts=frozen(texts),
        ignore=patterns,
        config_dir=config_dir,
        origin=read_origin(path),
    )


def warnings(facts: FolderFacts, settings: BuildSettings) -> tuple[Progress, ...]:
    """What a person should know before this folder is built: files not followed, files too large for every home."""
    return (*map(Progress, remarks(facts, settings)), *large_files(facts))


def large_files(facts: FolderFacts) -> tuple[Progress, ...]:
    """A warning for every file so large that a course is better off without it in every home."""
    return tuple(
        Progress(
            f"{entry.path} has {entry.size / GIB:.1f} GiB, which every new home will hold a copy of; "
            f"to leave it out, name it in {facts.directory}/.dockerignore"
        )
        for entry in facts.entries
        if entry.size >= LARGE
    )


def _require_folder(path: Path) -> None:
    if not path.exists():
        raise CourseFileError(
            "there is no such folder",
            where=str(path),
            next_step="Make it, or change [server] project in the course file.",
        )
    if not path.is_dir():
        raise CourseFileError(
            "this is no folder", where=str(path), next_step="[server] project in the course file names a folder."
        )


def _config_dir(path: Path) -> str:
    """The directory of configuration, empty for the root. Two are an error, as in repo2docker."""
    found = [name for name in CONFIG_DIRS if (path / name).is_dir()]
    if len(found) > 1:
        raise CourseFileError(
            f"both {' and '.join(found)} are there, and only one can say what is built",
            where=str(path),
            next_step="Remove one of them.",
        )
    return found[0] if found else ""


def _texts(path: Path, config_dir: str) -> dict[str, str]:
    """The recognised files, by path from the directory of configuration."""
    names = [name for name in RECOGNISED if not (config_dir and name in ROOT_ONLY)]
    place = path / config_dir
    texts = {name: _read_text(place / name) for name in names if (place / name).is_file()}
    if PYPROJECT in texts and not says_of_packages(texts[PYPROJECT]):
        del texts[PYPROJECT]
    if DOCKERFILE in texts:
        return {DOCKERFILE: texts[DOCKERFILE]}
    if REQUIREMENTS in texts:
        _add_included(path, config_dir, REQUIREMENTS, texts)
    return texts


def _add_included(path: Path, config_dir: str, name: str, texts: dict[str, str]) -> None:
    for written in included_files(texts[name]):
        key = posixpath.normpath(posixpath.join(posixpath.dirname(name), written))
        inside = posixpath.normpath(posixpath.join(config_dir, key))
        if "://" in written or key in texts:
            continue
        if inside.startswith(("../", "/")) or not (path / inside).is_file():
            raise CourseFileError(
                f'"{written}" is no file of the folder',
                where=str(path / config_dir / name),
                next_step="Put the file into the folder, or take the line out.",
            )
        texts[key] = _read_text(path / inside)
        _add_included(path, config_dir, key, texts)


def _read_text(path: Path) -> str:
    """The text, its line ends and byte order mark made plain."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_TEXT + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise CourseFileError(
            "this is not text in UTF-8", where=str(path), next_step="Save it again as UTF-8 in your editor."
        ) from error
    if len(raw) > _MOST_TEXT:
        raise CourseFileError("this is larger than 16 MiB, so hardly what it is called", where=str(path))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _entries(root: Path, ignore: Ignore) -> Iterator[Entry]:
    """What the engine will send, by the engine's own walk."""
    try:
        for number, path in enumerate(walk(root, ignore), 1):
            if number > MOST_ENTRIES:
                raise CourseFileError(
                    f"the folder holds more than {MOST_ENTRIES:,} files",
                    where=str(root),
                    next_step=f"Name what does not belong to the course in {root}/.dockerignore.",
                )
            yield _entry(root, path)
    except OSError as error:
        raise _unreadable(Path(error.filename or root), error) from error


def _entry(root: Path, path: str) -> Entry:
    _require_plain_name(root, path)
    mode = (root / path).lstat().st_mode
    if stat.S_ISDIR(mode):
        return Entry(path, Kind.DIRECTORY)
    if stat.S_ISLNK(mode):
        return Entry(path, Kind.LINK, _target(root, path))
    if not stat.S_ISREG(mode):
        raise CourseFileError(
            "this is a device, socket or pipe, which no image can hold",
            where=str(root / path),
            next_step=f"Remove it, or name it in {root}/.dockerignore.",
        )
    with (root / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    return Entry(path, Kind.EXECUTABLE if mode & 0o100 else Kind.FILE, digest, size)


def _target(root: Path, path: str) -> str:
    target = (root / path).readlink().as_posix()
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if target.startswith("/") or inside == ".." or inside.startswith("../"):
        raise CourseFileError(
            f"this link points out of the folder, to {target}",
            where=str(root / path),
            next_step=f"Copy what it points to into the folder, or name the link in {root}/.dockerignore.",
        )
    return target


def _require_plain_name(root: Path, path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise CourseFileError(
            "the name of a file is not in UTF-8",
            where=f"{root}/{path.encode(errors='backslashreplace').decode()}",
            next_step="Rename the file.",
        ) from error


def _unreadable(path: Path, error: OSError) -> CourseFileError:
    return CourseFileError(
        f"this cannot be read: {error.strerror}",
        where=str(path),
        next_step=f"Let yourself read it (chmod u+r {path}), or name it in .dockerignore.",
    )

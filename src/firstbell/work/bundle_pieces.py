"""What of this machine's files belongs into a bundle, and where in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from firstbell.config.mentions import mentions
from firstbell.errors import CourseFileError
from firstbell.model.course import Course
from firstbell.plan.bundle import COURSE_DIR, ELSEWHERE, Bundle, Mount, Piece
from firstbell.plan.image import Kind
from firstbell.work.folder import read_folder

_HOME = "/tmp"  # noqa: S108 - HOME of the command in the bundle
_KEY = ("tls", "key")


@dataclass(frozen=True, slots=True)
class _Named:
    """A file or folder that the course file names."""

    path: Path
    written: str
    is_secret: bool = False

    @property
    def is_elsewhere(self) -> bool:
        """By an absolute name."""
        return self.written.startswith(("/", "~"))


def with_pieces(bundle: Bundle, file: Path, *, secrets: bool) -> Bundle:
    """The bundle with its files: the course file, and what it names, where it names it.

    Secrets only if they are asked for. Raises CourseFileError for what is named and cannot be read.
    """
    course = bundle.course
    folder = (Path.cwd() / file.parent).resolve()
    said = mentions(file)
    named = [
        *_named(said.paths, folder, course),
        *(_Named(_path(folder, text), text, True) for text in said.secret_files),
    ]
    root = _root(folder, named)
    pieces = [Piece(file.resolve(), _place(root, folder / file.name))]
    mounts: list[Mount] = []
    missing: list[str] = []
    for number, item in enumerate(named):
        place = f"{ELSEWHERE}/{number}" if item.is_elsewhere else _place(root, item.path)
        if item.is_secret and not secrets:
            missing.append(place)
        else:
            pieces += _of(item, place)
        if item.is_elsewhere:
            mounts.append(Mount(place, str(_path(folder, item.written, home=_HOME))))
    there = {piece.place for piece in pieces}
    trusted = _given_by_environment(course, named)
    if trusted is not None:
        pieces.append(Piece(trusted, f"{ELSEWHERE}/authorities.pem"))
        mounts.append(Mount(f"{ELSEWHERE}/authorities.pem", str(trusted)))
    return replace(
        bundle,
        folder=_place(root, folder),
        course_file=file.name,
        pieces=tuple({piece.place: piece for piece in pieces}.values()),
        mounts=tuple(mounts),
        certificate_file=str(trusted or ""),
        variables=said.variables,
        missing_files=tuple(place for place in missing if place not in there),
        exposed_files=tuple(place for place in missing if place in there),
        has_secrets=secrets,
    )


def _named(paths: tuple[tuple[tuple[str | int, ...], str], ...], folder: Path, course: Course) -> Iterator[_Named]:
    roster = course.access.roster
    is_used = course.access.login == "roster" and roster.is_file()
    for key, written in paths:
        if key != ("access", "roster"):
            yield _Named(_path(folder, written), written, key == _KEY)
        elif is_used:
            yield _Named(roster, written)
    if is_used and not any(key == ("access", "roster") for key, _ in paths):
        yield _Named(roster, roster.name)


def _path(folder: Path, written: str, home: str = "") -> Path:
    expanded = Path(home + written[1:]) if home and written.startswith("~/") else Path(written).expanduser()
    return Path(os.path.normpath(folder / expanded))


def _root(folder: Path, named: list[_Named]) -> Path:
    """The folder below which the course's own and all that it names by relative paths lie."""
    return Path(os.path.commonpath([folder, *(item.path for item in named if not item.is_elsewhere)]))


def _place(root: Path, path: Path) -> str:
    relative = path.relative_to(root).as_posix()
    return COURSE_DIR if relative == "." else f"{COURSE_DIR}/{relative}"


def _given_by_environment(course: Course, named: list[_Named]) -> Path | None:
    """The authorities to trust, where not the course file but SSL_CERT_FILE names them."""
    bundle = course.network.ca_bundle
    return bundle if bundle is not None and all(item.path.resolve() != bundle for item in named) else None


def _of(item: _Named, place: str) -> Iterator[Piece]:
    if item.path.is_dir():
        yield from _of_folder(item.path, place)
    elif item.path.is_file() and os.access(item.path, os.R_OK):
        yield Piece(item.path, place, is_secret=item.is_secret)
    else:
        raise CourseFileError(
            "the course file names this file, and it cannot be read",
            where=str(item.path),
            next_step="Make it readable, or correct the course file.",
        )


def _of_folder(folder: Path, place: str) -> Iterator[Piece]:
    """A project: what its image is made from, so that it is the same image there."""
    facts = read_folder(folder)
    yield Piece(folder, place)
    deciding = {folder / ".dockerignore", *(folder / facts.config_dir / name for name in facts.texts)}
    for path in sorted(deciding):
        if path.is_file():
            yield Piece(path, f"{place}/{path.relative_to(folder).as_posix()}")
    for entry in facts.entries:
        is_executable = entry.kind is Kind.EXECUTABLE
        yield Piece(folder / entry.path, f"{place}/{entry.path}", is_executable=is_executable)

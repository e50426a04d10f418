"""A bundle: what a course is brought up from on a machine without any network. Pure.

Firstbell itself comes in the hub's image: the command of the bundle runs it there, with the engine's socket and the
bundle's folder. Image tags name their content, so the same course with the same Firstbell finds its images loaded and
has nothing to build or pull.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import firstbell
from firstbell.model.course import Course

COMMAND, ARCHIVE, README, SECRETS = "firstbell", "images.tar.gz", "README.txt", "secrets.env"
COURSE_DIR, ELSEWHERE = "course", "elsewhere"


@dataclass(frozen=True, slots=True)
class Piece:
    """A file, link or folder of the bundle."""

    source: Path
    """On this machine."""
    place: str
    """In the bundle's folder."""
    is_executable: bool = False
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """Something that the course file names by an absolute path: there it is for Firstbell, wherever it lies."""

    place: str
    target: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle holds, and what it does not."""

    course: Course
    images: tuple[str, ...]
    """The hub's first."""
    architecture: str
    """Docker's word: amd64, arm64, …"""
    folder: str
    """Where in the bundle the course file is."""
    course_file: str = "firstbell.toml"
    pieces: tuple[Piece, ...] = ()
    mounts: tuple[Mount, ...] = ()
    certificate_file: str = ""
    """What SSL_CERT_FILE names: authorities that the environment of this machine gave to the course."""
    variables: tuple[str, ...] = ()
    """Environment variables in which the course expects secrets."""
    missing_files: tuple[str, ...] = ()
    """Files with secrets that were left out: where in the bundle they belong."""
    exposed_files: tuple[str, ...] = ()
    """Files with secrets that are part of the project, and so of the image, too."""
    has_secrets: bool = False


def command(bundle: Bundle) -> str:
    """The shell script by which Firstbell is called in the bundle."""
    values = {
        "VERSION": firstbell.__version__,
        "ARCHITECTURE": shlex.quote(bundle.architecture),
        "IMAGES": shlex.join(bundle.images),
        "ARCHIVE": ARCHIVE,
        "HUB": shlex.quote(bundle.images[0]),
        "FOLDER": _inside_quotes(bundle.folder),
        "MOUNTS": "\n".join(_mounts(bundle)),
        "ENVIRONMENT": "\n".join(_environment(bundle)),
    }
    text = (files("firstbell.plan") / "recipe" / "bundle.sh").read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _mounts(bundle: Bundle) -> Iterator[str]:
    for mount in bundle.mounts:
        place, target = _inside_quotes(mount.place), _inside_quotes(mount.target)
        yield f'set -- --volume "$here/{place}:{target}:ro" "$@"'
    if homes := bundle.course.homes.directory:
        quoted = _inside_quotes(homes)
        yield f'[ -d "{quoted}" ] && set -- --volume "{quoted}:{quoted}" "$@"'


def _environment(bundle: Bundle) -> Iterator[str]:
    if bundle.certificate_file:
        yield f'set -- --env "SSL_CERT_FILE={_inside_quotes(bundle.certificate_file)}" "$@"'
    for name in bundle.variables:
        yield f'set -- --env {shlex.quote(name)} "$@"'
    if bundle.has_secrets and bundle.variables:
        yield f'set -- --env-file "$here/{SECRETS}" "$@"'


def _inside_quotes(text: str) -> str:
    """`text` as it stands between double quotes of a shell."""
    return "".join(f"\\{c}" if c in '\\"$`' else c for c in text)


def readme(bundle: Bundle) -> str:
    """What the one who unpacks the bundle has to know."""
    course = bundle.course
    return f"""\
{course.shown_title}

This folder holds the course "{course.name}" with all that it needs. The machine it runs on needs the Docker Engine,
20.10 or newer, of {bundle.architecture}; no network, and no other program.

    ./{COMMAND} up        brings it up; then open {course.public_url}
    ./{COMMAND} status    who is in
    ./{COMMAND} down      ends it; people's files stay
    ./{COMMAND} --help    everything else

Another address for it is `url` in {bundle.folder}/{bundle.course_file}; what that file names is below its folder.
People's files are not in here. To bring them along: `firstbell homes export` there, `./{COMMAND} homes import` here.
{"".join(f"{line}{chr(10)}" for line in _secrets(bundle))}"""


def _secrets(bundle: Bundle) -> Iterator[str]:
    if bundle.has_secrets:
        yield "\nThis folder holds the secrets of the course, too: keep it from others."
        return
    if bundle.variables:
        yield f"\nBefore `up`, set these secrets in the environment: {', '.join(bundle.variables)}"
    if bundle.missing_files:
        yield f"\nBefore `up`, put these files with secrets into their places: {', '.join(bundle.missing_files)}"

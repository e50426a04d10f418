"""What a course file names beside itself: files, folders and secrets, as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstbell.config import shape
from firstbell.config.locate import KeyPath
from firstbell.config.reader import read_raw


@dataclass(frozen=True, slots=True)
class Mentions:
    """By key: the paths as written; of secrets, the files and the environment's variables."""

    paths: tuple[tuple[KeyPath, str], ...] = ()
    secret_files: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


def mentions(file: Path) -> Mentions:
    """What the course file names. Raises CourseFileError."""
    paths: list[tuple[KeyPath, str]] = []
    files: list[str] = []
    variables: list[str] = []
    for path, text in _texts((), read_raw(file)):
        key = shape.find(path)
        if key is not None and key.is_path:
            paths.append((path, text))
        elif shape.is_secret_at(path) or path[:2] == ("access", "options"):
            kind, colon, place = text.partition(":")
            if colon and kind in {"env", "file"}:
                (variables if kind == "env" else files).append(place.strip())
    return Mentions(tuple(paths), tuple(dict.fromkeys(files)), tuple(dict.fromkeys(variables)))


def _texts(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts((*path, name), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts((*path, index), inner)

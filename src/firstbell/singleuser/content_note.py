"""The note of what was delivered to a home: ``~/.local/share/firstbell/project.json``.

It tells a file that its owner has touched from one that is as it was given. Before an update changes anything, the note
says what is coming: so one that is cut short leaves no file that the next would take for its owner's.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

from .content_files import PART

FOLDER = os.path.join(".local", "share", "firstbell")
PATH = os.path.join(FOLDER, "project.json")
_VERSION = 2


@dataclass
class Note:
    """By relative path. Filled while an update goes on, and written at its steps."""

    known: bool = False  #: is there a note that can be read?
    new: bool = False  #: was the home empty, and has no delivery been completed since?
    stamp: str = ""  #: of the project that this home has all of; empty while something is missing
    files: dict[str, str] = field(default_factory=dict)  #: the version delivered last
    coming: dict[str, list[str]] = field(default_factory=dict)  #: contents that unfinished updates may have put there
    beside: dict[str, list[list[str]]] = field(default_factory=dict)  #: path and version of copies beside the owner's


def read(home: str) -> Note:
    """The home's note; one that cannot be read knows nothing, and so nothing counts as untouched."""
    try:
        with open(os.path.join(home, PATH), encoding="utf-8") as file:
            raw = json.load(file)
        return Note(
            known=True,
            new=raw.get("new") is True,
            stamp=str(raw.get("stamp", "")),
            files={str(path): _text(version) for path, version in raw["files"].items()},
            coming={str(path): [_text(one) for one in all_] for path, all_ in raw.get("coming", {}).items()},
            beside={
                str(path): [[_text(name), _text(version)] for name, version in copies]
                for path, copies in raw.get("beside", {}).items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Note()


def write(home: str, note: Note) -> None:
    """In one step, and on the disk when this returns. Raises OSError; then the note that was there still is."""
    path = os.path.join(home, PATH)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    told: dict[str, Any] = {"version": _VERSION, "stamp": note.stamp, "new": note.new}
    told.update(files=note.files, coming=note.coming, beside=note.beside)
    with open(path + PART, "w", encoding="utf-8") as file:
        file.write(json.dumps(told, indent=0, sort_keys=True))
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + PART, path)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value

"""The index of an archive, which is written last, and the check of all that it names."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import firstbell
from firstbell.errors import FirstbellError
from firstbell.model.archive import FORMAT, INDEX, ArchivePerson, Flaw, Packed
from firstbell.model.course import Course
from firstbell.model.image import Progress
from firstbell.work import archive_file
from firstbell.work.archive_file import MANIFEST, TAR
from firstbell.work.show import Show


def refuse_complete(folder: Path) -> None:
    """Raises FirstbellError where there is a whole archive already: it is not written over."""
    if (folder / INDEX).exists():
        raise FirstbellError(
            "there is a whole archive already",
            where=str(folder),
            next_step=f"See whether it is sound: firstbell archive --check {folder}; or name another folder: --to DIR",
        )


def written(folder: Path, step: ArchivePerson) -> Packed | None:
    """What a run before this one has written of somebody; None if it is not whole."""
    try:
        old = archive_file.packed_of(json.loads((folder / f"{step.name}{MANIFEST}").read_bytes()))
        is_there = (folder / f"{step.name}{TAR}").stat().st_size == old.size
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return old if is_there and (old.user, old.home) == (step.user, step.home) else None


def write_index(folder: Path, course: Course, done: Sequence[Packed]) -> None:
    """Write it, with the hash of each archive's manifest and one of its own."""
    entries = [
        {
            "name": one.name,
            "user": one.user,
            "home": one.home,
            "manifest": hashlib.sha256((folder / f"{one.name}{MANIFEST}").read_bytes()).hexdigest(),
        }
        for one in done
    ]
    facts = {
        "format": FORMAT,
        "course": course.name,
        "title": course.shown_title,
        "version": firstbell.__version__,
        "made": time.time(),
        "entries": entries,
    }
    archive_file.write_json(folder / INDEX, facts | {"own": _own(facts)})


def _own(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check has found."""

    course: str
    archives: int
    flaws: tuple[Flaw, ...]
    homes: frozenset[str] = frozenset()
    """The volumes or folders that are in it."""


def check_archive(folder: Path, show: Show) -> Checked:
    """Read every byte of an archive and compare it with what was written down. Needs neither course nor engine.

    Raises FirstbellError where there is none.
    """
    if not (folder / INDEX).exists() and not any(folder.glob(f"*{TAR}*")):
        raise FirstbellError(
            "there is no archive here",
            where=str(folder),
            next_step="Name the folder that `firstbell archive --to DIR` wrote: firstbell archive --check DIR",
        )
    try:
        facts = json.loads((folder / INDEX).read_bytes())
        own = facts.pop("own")
        entries = [(str(one["name"]), str(one["manifest"]), str(one["home"])) for one in facts["entries"]]
    except FileNotFoundError:
        flaw = Flaw(
            INDEX, "is missing: it is written last, so this archive is not whole; go on with: firstbell archive"
        )
        return Checked("", 0, (flaw,))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Checked("", 0, (Flaw(INDEX, f"cannot be read: {error}"),))
    flaws = [] if own == _own(facts) else [Flaw(INDEX, "is not as it was written")]
    for number, (name, manifest, _) in enumerate(entries, 1):
        show.on_progress(Progress(f"reading {name}{TAR}", number, len(entries)))
        flaws += archive_file.check(folder, name, manifest)
    return Checked(str(facts.get("course", "")), len(entries), tuple(flaws), frozenset(home for *_, home in entries))

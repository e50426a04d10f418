"""Hand-ins on the disk: each a folder that comes into being at once and never changes, with its manifest."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from firstbell.coursework.book import Book
from firstbell.coursework.files import put_in_place, regular, sha256
from firstbell.coursework.layout import MANIFEST, TIMESTAMP, Layout
from firstbell.coursework.times import timestamp
from firstbell.model.coursework import Handin, Manifest, counting

FILES = "files"


@contextmanager
def beside(layout: Layout) -> Iterator[Path]:
    """A new folder for what is being written; removed in the end if it still has that name."""
    layout.incoming.mkdir(parents=True, exist_ok=True)
    folder = layout.incoming / uuid.uuid4().hex
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear(layout: Layout) -> None:
    """Remove what somebody was writing who was killed."""
    shutil.rmtree(layout.incoming, ignore_errors=True)


def manifests(layout: Layout, assignment: str, user: str) -> Iterator[Manifest]:
    """Those of somebody's hand-ins, as they are on the disk."""
    for path in sorted(layout.handins(assignment, user).glob(f"*/{MANIFEST}")):
        with suppress(ValueError):
            yield Manifest.of(path.read_bytes())


def store(layout: Layout, folder: Path, manifest: Manifest) -> None:
    """Keep what is in `folder` (`beside`, with its `files/`) as that hand-in. Raises OSError, with nothing kept.

    A file that an earlier hand-in of the same person has is that file: handing in often costs no disk.
    """
    _share(layout, folder / FILES, manifest)
    text = folder / MANIFEST
    text.write_bytes(manifest.text)
    text.chmod(0o444)
    put_in_place(folder, layout.handin(manifest.assignment, manifest.user, manifest.id))


def _share(layout: Layout, folder: Path, manifest: Manifest) -> None:
    known: dict[str, Path] = {}
    for one in manifests(layout, manifest.assignment, manifest.user):
        # Its name is a hash over all of it: asked once, not per file.
        kept = layout.handin(one.assignment, one.user, one.id) / FILES
        known |= {file.sha256: kept / file.path for file in one.files}
    for file in manifest.files:
        earlier, mine = known.get(file.sha256), folder / file.path
        if earlier is not None and earlier.is_file():
            other = mine.with_name(f".{uuid.uuid4().hex}")
            os.link(earlier, other)
            other.replace(mine)


def verify(layout: Layout, handin: Handin) -> tuple[str, ...]:
    """What of a hand-in is not what its receipt says, in words; nothing if all is."""
    folder = layout.handin(handin.assignment, handin.user, handin.id)
    try:
        manifest = Manifest.of((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        return (f"its manifest cannot be read: {error}",)
    if manifest.receipt != handin.receipt:
        return ("its manifest is not the one of the receipt",)
    wrong = []
    there = {path.relative_to(folder / FILES).as_posix() for path in regular(folder / FILES)}
    for file in manifest.files:
        if file.path not in there:
            wrong.append(f"{file.path} is missing")
        elif sha256(folder / FILES / file.path) != file.sha256:
            wrong.append(f"{file.path} was changed")
    return (*wrong, *(f"{path} was not handed in" for path in sorted(there - {file.path for file in manifest.files})))


def settle(layout: Layout, book: Book, assignment: str, user: str) -> Handin | None:
    """Make `submitted/USER/NAME` the hand-in that counts, with nbgrader's time of it; that hand-in. Repeatable."""
    found = counting(book.handins(assignment, user), book.deadline(assignment, user))
    if found is None:
        return None
    source = layout.handin(assignment, user, found.id) / FILES
    with beside(layout) as folder:
        copy = folder / "submitted"
        copy.mkdir()
        for path in regular(source):
            place = copy / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, place)
        # After the files: whatever was handed in under that name, the time is the hub's.
        (copy / TIMESTAMP).unlink(missing_ok=True)
        (copy / TIMESTAMP).write_bytes(timestamp(found.time))
        put_in_place(copy, layout.submitted(user, assignment))
    return found

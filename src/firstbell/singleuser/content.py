"""The course's files in a home: all of them at the first start, and what has changed at each later one.

The rules are those of ``docs/content.md``; ``content_rules`` decides, this carries out. What its owner has touched is
never changed, moved or removed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from dataclasses import dataclass, field

from . import content_files as files
from . import content_note as notes
from .content_note import Note
from .content_rules import BLOCKED, Action, contents, decide, executable
from .stops import EX_CANTCREAT, Stop

LOG = os.path.join(notes.FOLDER, "updates.log")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOBODYS = frozenset([".local", "lost+found"])  #: what a home has before anybody worked in it


@dataclass
class Report:
    """Relative paths, in the order of what was done."""

    first: bool = False  #: was this the first delivery?
    came: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    beside: list[tuple[str, str]] = field(default_factory=list)  #: the owner's, and the course's copy beside it
    failed: list[tuple[str, OSError]] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For the server's log; empty where nothing happened."""
        said = []
        if self.came or self.removed:
            gone = f", {len(self.removed)} removed" if self.removed else ""
            said.append(f"the course's files: {len(self.came)} came{gone}")
        said += [f"yours stays: {path}; the course's version is {name}" for path, name in self.beside]
        if self.failed:
            path, error = self.failed[0]
            why = "the home is full: make room and start anew" if error.errno in _FULL else error.strerror
            said.append(f"{len(self.failed)} of the course's files could not be brought up to date ({path}: {why})")
        return said


def deliver(project: str, home: str) -> Report:
    """Brings the home's copy of ``project`` up to date; does next to nothing where the project is the same as before.

    Cut short at any point, or out of space, it loses nothing, and the next call does the rest. Raises ``Stop`` only
    where a home that is still empty takes no files: nobody could work there, and nobody's work is locked in.
    """
    if not project or not os.path.isdir(project):
        return Report()
    try:
        found = {path: at for path, at in files.walk(project) if not path.startswith(notes.FOLDER + os.sep)}
    except OSError as error:
        return Report(failed=[(project, error)])
    stamp, note = files.stamp(found), notes.read(home)
    if not found or note.stamp == stamp:
        # A project without any file is a mishap of its build rather than the wish to empty all homes.
        return Report()
    if not note.known and os.path.lexists(os.path.join(home, notes.PATH)):
        _sweep(home)
    empty = not set(os.listdir(home)) - _NOBODYS
    note.new = note.new or (empty and not note.known)
    report = _Update(project, home, note, stamp, sorted(found)).run()
    if note.new and report.failed and not _is_somebodys(home, note):
        cause = report.failed[0][1]
        why = "it is full" if cause.errno in _FULL else str(cause.strerror)
        raise Stop(EX_CANTCREAT, f"the course's files cannot be put into the home {home}: {why}") from cause
    return report


def _sweep(home: str) -> None:
    """Removes halves of files that an update cut short has left: the note that knew of them cannot be read."""
    for folder, _, names in os.walk(home):
        for name in names:
            if name.endswith(files.PART):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(folder, name))


def _is_somebodys(home: str, note: Note) -> bool:
    """Does the home hold anything but what deliveries have put there? Somebody may have restored files into it."""
    try:
        for path, _ in files.walk(home):
            if path.split(os.sep, 1)[0] in _NOBODYS or path.endswith(files.PART):
                continue
            there = str(files.version(os.path.join(home, path)))
            if there != note.files.get(path) and contents(there) not in note.coming.get(path, ()):
                return True
    except OSError:
        return True
    return False


class _Update:
    """One update of one home."""

    def __init__(self, project: str, home: str, note: Note, stamp: str, paths: list[str]) -> None:
        self.project, self.home, self.note, self.stamp = project, home, note, stamp
        self.report = Report(first=not note.known)
        self.upstream = {path: str(files.version(os.path.join(project, path))) for path in paths}

    def run(self) -> Report:
        note = self.note
        news = sorted(
            path for path in self.upstream if path in note.coming or self.upstream[path] != note.files.get(path)
        )
        gone = sorted({*note.files, *note.coming} - set(self.upstream), reverse=True)
        note.stamp = ""
        for path in news:
            coming = note.coming.setdefault(path, [])
            if contents(self.upstream[path]) not in coming:
                coming.append(contents(self.upstream[path]))
        try:
            if news or gone:
                notes.write(self.home, note)  # from here on a cut is known
        except OSError as error:
            self.report.failed.append((notes.PATH, error))
            return self.report
        for path in gone + news:
            self._carefully(path)
        self._finish()
        return self.report

    def _carefully(self, path: str) -> None:
        try:
            self._one(path)
        except OSError as error:
            self.report.failed.append((path, error))
        else:
            self.note.coming.pop(path, None)

    def _one(self, path: str) -> None:
        """Carries out the rule for one path, and notes it."""
        note, target, new = self.note, os.path.join(self.home, path), self.upstream.get(path)
        base, there = note.files.get(path), files.there(self.home, path)
        if there != BLOCKED and path in note.coming:
            files.discard(files.part_of(target))
        action = decide(base, note.coming.get(path, ()), new, there)
        kept = ""
        if action is Action.PUT:
            files.put(os.path.join(self.project, path), target)
            self.report.came.append(path)
        elif action is Action.REPLACE and new is not None:
            files.put(os.path.join(self.project, path), target, files.mode_for(new, base, target))
            self.report.came.append(path)
        elif action is Action.MODE and new is not None:
            files.set_executable(target, executable(new))
        elif action is Action.REMOVE:
            files.remove(self.home, path)
            self.report.removed.append(path)
        elif action is Action.BESIDE and new is not None:
            kept = self._beside(path, new)
        if action is not Action.LEAVE:
            self._tidy(path, kept)
        if new is not None:
            note.files[path] = new
        elif action is not Action.LEAVE:
            note.files.pop(path, None)

    def _beside(self, path: str, new: str) -> str:
        """Puts the course's version beside its owner's file; returns where."""
        copies = self.note.beside.setdefault(path, [])
        for name, version in copies:
            if not files.blocked(self.home, name):
                files.discard(files.part_of(os.path.join(self.home, name)))
            if version == new and files.there(self.home, name) == new:
                return name  # of an update cut short
        name = self._free_name(path)
        copies.append([name, new])
        notes.write(self.home, self.note)  # first, or a cut would leave a copy that nobody knows for one
        files.put(os.path.join(self.project, path), os.path.join(self.home, name))
        self.report.beside.append((path, name))
        return name

    def _free_name(self, path: str) -> str:
        """A name that nothing has: ``a (course version 2026-11-21).ipynb``; for what is in a folder that is none here,
        the folder gets such a name.
        """
        folder = files.blocked(self.home, path)
        rest = os.path.relpath(path, folder) if folder else ""
        day = time.strftime("%Y-%m-%d")
        count = 1
        while True:
            name = os.path.join(_named(folder or path, day, count), rest).rstrip(os.sep)
            taken = name in self.upstream or files.blocked(self.home, name)
            if not taken and not os.path.lexists(os.path.join(self.home, name)):
                return name
            count += 1

    def _tidy(self, path: str, kept: str) -> None:
        """Removes the copies of older versions that nobody has touched; forgets those that were."""
        for name, version in self.note.beside.pop(path, []):
            if name == kept:
                self.note.beside[path] = [[name, version]]
                continue
            if not files.blocked(self.home, name):
                files.discard(files.part_of(os.path.join(self.home, name)))
                if files.there(self.home, name) == version:
                    files.remove(self.home, name)

    def _finish(self) -> None:
        report = self.report
        if not report.failed:
            self.note.stamp, self.note.new = self.stamp, False
        try:
            notes.write(self.home, self.note)
        except OSError as error:
            report.failed.append((notes.PATH, error))
        if not report.first:
            with contextlib.suppress(OSError):
                self._log()

    def _log(self) -> None:
        """What happened, for the home's owner."""
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        said = [f"came: {path}" for path in self.report.came]
        said += [f"removed: {path}" for path in self.report.removed]
        said += [f"yours stays: {path}; the course's version: {name}" for path, name in self.report.beside]
        said += [f"failed: {path}: {error.strerror}" for path, error in self.report.failed]
        if said:
            with open(os.path.join(self.home, LOG), "a", encoding="utf-8", errors="replace") as file:
                file.writelines(f"{now} {line}\n" for line in said)


def _named(path: str, day: str, count: int) -> str:
    folder, name = os.path.split(path)
    stem, ending = os.path.splitext(name)
    mark = f" (course version {day}{f', {count}' if count > 1 else ''})"
    longest = 255 - len(mark) - len(os.fsencode(ending))
    return os.path.join(folder, files.shortened(stem, longest) + mark + ending)

"""Any course, any owner, any cut: what its owner wrote stays, what nobody touched follows the course."""

from __future__ import annotations

import builtins
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from firstbell.singleuser import content, content_files, content_note
from firstbell.singleuser.stops import Stop

PATHS = ("a.ipynb", "b", "d/a.ipynb", "d/b", "d/e/a", "d", "d/e", "b/x")
path = st.sampled_from(PATHS)
_CALLS = ("link", "unlink", "symlink", "replace", "rename", "rmdir", "mkdir", "fchmod", "chmod", "fsync")


class Killed(BaseException):
    """Not an OSError and not an Exception: nothing cleans up after it, as after SIGKILL."""


@contextmanager
def cut(step: int, error: type[Killed] | None) -> Iterator[None]:
    """Within, the given change of the file system, counted from 1, and all after it fail: by a kill, or a full disk."""
    left = [step]

    def count() -> None:
        left[0] -= 1
        if left[0] < 1:
            raise Killed if error else OSError(errno.ENOSPC, "No space left on device")

    def counted(real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            count()
            return real(*args, **kwargs)

        return call

    class Writing:
        """A file whose writes count, and of which one that fails has written half."""

        def __init__(self, file: Any) -> None:
            self.file = file

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, data: Any) -> None:
            try:
                count()
            except BaseException:
                self.file.write(data[: len(data) // 2])
                raise
            self.file.write(data)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    def opened(name: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        file = builtins.open(name, mode, *args, **kwargs)  # noqa: PTH123, SIM115 - it is what is replaced
        return Writing(file) if mode[0] in "wxa" else file

    # A full disk still lets go of files.
    failing = _CALLS if error else tuple(name for name in _CALLS if name not in ("unlink", "rmdir", "chmod", "fchmod"))
    patches = [mock.patch.object(os, name, counted(getattr(os, name))) for name in failing]
    patches += [mock.patch.object(module, "open", opened, create=True) for module in (content_files, content_note)]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def related(one: str, other: str) -> bool:
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")


def tree(folder: Path) -> dict[str, Any]:
    """Everything below a folder: kind, mode, contents and times."""
    found: dict[str, Any] = {}
    for entry in sorted(folder.rglob("*")):
        at = entry.lstat()
        data: Any = str(entry.readlink()) if entry.is_symlink() else entry.read_bytes() if entry.is_file() else None
        found[str(entry.relative_to(folder))] = (at.st_mode, data, None if entry.is_dir() else at.st_mtime_ns)
    return found


class Homes(RuleBasedStateMachine):
    """A course's project and one person's home, by turns of the teacher, the person and the launcher."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Path(tempfile.mkdtemp(prefix="firstbell-content-"))
        self.project, self.home = self.work / "project", self.work / "home"
        self.project.mkdir()
        self.home.mkdir()
        self.count = 0
        self.course: dict[str, bytes | str] = {}
        self.versions: list[bytes | str] = []
        self.mine: dict[str, tuple[bytes | str, int]] = {}
        self.touched: set[str] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.work)

    # -- the teacher

    @rule(path=path, old=st.integers(0, 8), kind=st.sampled_from(["file", "file", "program", "link"]))
    def teach(self, path: str, old: int, kind: str) -> None:
        """A file or link of the course, new, changed, or as it was some time before; of another kind at times."""
        for other in [name for name in self.course if related(name, path)]:
            self.drop(other)
        self.count += 1
        value: bytes | str = f"course {self.count}".encode() if kind != "link" else f"target-{self.count}"
        if old < len(self.versions):
            value = self.versions[old]
        self.versions.append(value)
        target = self.project / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, str):
            target.symlink_to(value)
        else:
            target.write_bytes(value)
            target.chmod(0o755 if kind == "program" else 0o444)
        self.course[path] = value

    @rule(path=path)
    def drop(self, path: str) -> None:
        if self.course.pop(path, None) is not None:
            content_files.remove(str(self.project), path)

    # -- the person

    def forget(self, path: str) -> None:
        for name in [name for name in self.mine if name == path or name.startswith(path + "/")]:
            del self.mine[name]

    def remove(self, path: str) -> None:
        target = self.home / path
        self.touched.add(path)
        self.forget(path)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        elif os.path.lexists(target):
            target.unlink()

    @rule(path=path, kind=st.sampled_from(["write", "write", "link"]))
    def edit(self, path: str, kind: str) -> None:
        """Writes over what is there, whatever that is and whatever is on the way."""
        for folder in [str(folder) for folder in Path(path).parents][:-1]:
            at = self.home / folder
            if at.is_symlink() or at.is_file():
                self.remove(folder)
        self.remove(path)
        target = self.home / path
        target.parent.mkdir(parents=True, exist_ok=True)
        self.count += 1
        if kind == "link":
            target.symlink_to(f"user-{self.count}")
            self.mine[path] = (str(target.readlink()), 0)
        else:
            target.write_bytes(f"user {self.count}".encode())
            self.mine[path] = (target.read_bytes(), stat.S_IMODE(target.lstat().st_mode))

    @rule(number=st.integers(0, 3))
    def edit_a_copy(self, number: int) -> None:
        """What the course has put beside is there to be worked with."""
        copies = sorted(name for name, found in tree(self.home).items() if " (course version " in name and found[1])
        copies = [
            name for name in copies if not (self.home / name).is_symlink() and not name.endswith(content_files.PART)
        ]
        if number < len(copies):
            self.edit(copies[number], "write")

    @rule(path=path)
    def delete(self, path: str) -> None:
        if os.path.lexists(self.home / path):
            self.remove(path)

    @rule(path=path, new=st.sampled_from((*PATHS, "own/name")))
    def rename(self, path: str, new: str) -> None:
        """Moves a file to a free name: from then on it is the person's."""
        source, target = self.home / path, self.home / new
        if related(path, new) or source.is_symlink() or not source.is_file() or os.path.lexists(target):
            return
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            return
        source.rename(target)
        self.forget(path)
        self.touched |= {path, new}
        if target.read_bytes().startswith(b"user"):
            self.mine[new] = (target.read_bytes(), stat.S_IMODE(target.lstat().st_mode))

    @rule(path=path, mode=st.sampled_from([0o400, 0o600, 0o755]))
    def chmod(self, path: str, mode: int) -> None:
        target = self.home / path
        if target.is_file() and not target.is_symlink():
            target.chmod(mode)
            if path in self.mine:
                self.mine[path] = (self.mine[path][0], mode)

    @rule(path=path)
    def make_folder(self, path: str) -> None:
        if not os.path.lexists(self.home / path) and (self.home / path).parent.is_dir():
            (self.home / path).mkdir()

    @rule()
    def spoil_the_note(self) -> None:
        """From then on nothing is known to be untouched."""
        note = self.home / content_note.PATH
        if note.exists():
            note.write_bytes(note.read_bytes()[:-9])
            self.touched |= set(PATHS)

    # -- the launcher

    @precondition(lambda self: self.course)
    @rule()
    def start(self) -> None:
        """A whole start brings the untouched up to date, and one more finds nothing to do."""
        report = content.deliver(str(self.project), str(self.home))
        assert not report.failed
        for name in PATHS:
            if not any(related(name, other) for other in self.touched):
                there = tree(self.home).get(name)
                assert (there and there[1]) == self.course.get(name), name
        assert not list(self.home.rglob(f"*{content_files.PART}"))
        before = tree(self.home)
        assert not content.deliver(str(self.project), str(self.home)).lines()
        (self.home / content_note.PATH).touch()
        assert {**tree(self.home), content_note.PATH: 0} == {**before, content_note.PATH: 0}

    @rule(step=st.integers(1, 25))
    def killed(self, step: int) -> None:
        with cut(step, Killed):
            try:
                content.deliver(str(self.project), str(self.home))
            except Killed:
                pass

    @rule(step=st.integers(1, 25))
    def full(self, step: int) -> None:
        """With a full disk a home that is anybody's opens, with what there is."""
        with cut(step, None):
            try:
                content.deliver(str(self.project), str(self.home))
            except Stop:
                assert not self.mine

    @invariant()
    def nothing_written_is_lost(self) -> None:
        """Every file of the person's is where they put it, as they left it."""
        for name, (value, mode) in self.mine.items():
            at = self.home / name
            there: bytes | str = str(at.readlink()) if at.is_symlink() else at.read_bytes()
            assert there == value
            assert at.is_symlink() or stat.S_IMODE(at.lstat().st_mode) == mode


TestHomes = Homes.TestCase
TestHomes.settings = settings(
    max_examples=120, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)

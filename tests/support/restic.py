"""The real restic as a process, in folders of a test."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from firstbell.backup import restic
from firstbell.backup.restic import Arguments
from firstbell.backup.tags import WHOLE, tags_of
from firstbell.model.backup import Snapshot, Storage, Subject, Summary
from firstbell.model.observed import RunResult
from firstbell.model.secret import Secret

PASSWORD = "correct horse, battery staple"
needs_restic = pytest.mark.skipif(shutil.which("restic") is None, reason="restic is not installed")


class Vault:
    """A storage in a folder, and one to work with it."""

    def __init__(self, folder: Path, password: str = PASSWORD) -> None:
        self.storage = Storage(str(folder), Secret("env:BACKUP_PASSWORD", password))
        self.folder = folder

    def process(self, arguments: Arguments) -> subprocess.Popen[bytes]:
        """A restic that has begun, without a cache: everything is read from the storage."""
        told = {
            "RESTIC_REPOSITORY": self.storage.repository(str(self.folder)),
            "RESTIC_PASSWORD": self.storage.password.reveal(),
            "RESTIC_PROGRESS_FPS": "0.01",
        }
        words = ["nice", "-n", "19", "restic", "--no-cache", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(words, env={**os.environ, **told}, stdout=pipe, stderr=pipe)

    def run(self, arguments: Arguments) -> RunResult:
        """What a restic said, however it ended."""
        process = self.process(arguments)
        out, err = process.communicate(timeout=120)
        return RunResult(process.returncode, out, err)

    def done(self, arguments: Arguments) -> RunResult:
        """What a restic said that ended well."""
        return restic.done(self.run(arguments), self.storage)

    def back_up(self, subject: Subject, path: Path, run: str = "1", *, is_whole: bool = True) -> Summary:
        """A snapshot, marked as whole."""
        made = self.run(restic.backup("demo", tags_of("demo", subject, run), [str(path)]))
        summary = restic.summary(made, self.storage)
        if is_whole:
            self.done(restic.add_tag(WHOLE, [summary.snapshot]))
        return summary

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All of them."""
        return restic.snapshots(self.run(restic.SNAPSHOTS), self.storage)

    def check(self) -> None:
        """All that a check of everything looks at."""
        restic.checked(self.run(restic.CHECK), self.storage)
        for key in restic.ids(self.run(restic.LIST_KEYS), self.storage):
            restic.check_key(key, self.run(restic.cat_key(key)), self.storage)


def fill_home(home: Path, seed: int = 1, files: int = 12) -> Path:
    """A home with notebooks, big and empty files, odd names, links, modes and attributes, the same for each seed."""
    chance = random.Random(seed)
    home.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        folder = home / f"week{number % 3}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.ipynb").write_bytes(chance.randbytes(chance.choice([0, 1, 4_000, 200_000])))
    odd = home / "a [b]*? \\ ü\nnew line"
    odd.mkdir()
    (odd / "-x,y=z").write_text("odd")
    (odd / "-x,y=z").chmod(0o640)
    (home / "link").symlink_to("week0/0.ipynb")
    (home / "nowhere").symlink_to("/nowhere")
    os.link(home / "week0" / "0.ipynb", home / "same")
    os.mkfifo(home / "pipe")
    try:
        os.setxattr(odd, "user.note", b"\0mine")
    except OSError:
        pass
    odd.chmod(0o2750)
    return home


def picture(home: Path) -> dict[str, tuple[object, ...]]:
    """Everything about everything in a folder: kind, mode, owner, time, content, attributes."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [home, *sorted(home.rglob("*"))]:
        status = path.lstat()
        content: object = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        marks = {
            name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)
        }
        when = None if path.is_symlink() else status.st_mtime_ns
        found[str(path.relative_to(home))] = (status.st_mode, status.st_uid, status.st_gid, when, content, marks)
    return found

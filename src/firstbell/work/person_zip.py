"""The file of an export: a zip with a manifest that has the SHA-256 of everything in it. Knows no engine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import posixpath
import tarfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from firstbell.model.container import MIB

MANIFEST = "manifest.json"
_LEVEL = 1
"""Of deflate: homes are large, and mostly what is small already."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the zip."""

    path: str
    size: int
    sha256: str


class PersonZip:
    """Being written; `close` adds the manifest and puts it on the disk."""

    def __init__(self, path: Path) -> None:
        """Makes the file, which only its owner may read. Raises OSError."""
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        self.entries: list[Entry] = []

    def add(self, path: str, content: bytes | str) -> None:
        """Some text or bytes."""
        self.add_file(path, io.BytesIO(content.encode() if isinstance(content, str) else content))

    def add_json(self, path: str, facts: Any) -> None:
        """Facts, for people and programs."""
        self.add(path, json.dumps(facts, indent=1, ensure_ascii=False, default=str) + "\n")

    def add_file(self, path: str, source: IO[bytes]) -> None:
        """All that can be read from there."""
        digest, size = hashlib.sha256(), 0
        with self._zip.open(zipfile.ZipInfo(path, _now()), "w", force_zip64=True) as target:
            while block := source.read(MIB):
                digest.update(block)
                size += len(block)
                target.write(block)
        self.entries.append(Entry(path, size, digest.hexdigest()))

    def add_tar(self, below: str, archive: Path) -> None:
        """The regular files of a tar whose first folder stands for `below`."""
        with tarfile.open(archive) as tar:
            for member in tar:
                path = posixpath.normpath(member.name)
                _, _, rest = path.partition("/")
                source = tar.extractfile(member) if member.isreg() and rest and ".." not in path.split("/") else None
                if source is not None:
                    self.add_file(f"{below}/{rest}", source)

    def close(self, about: dict[str, Any]) -> None:
        """The manifest last, as it has all the others."""
        files = [{"path": e.path, "bytes": e.size, "sha256": e.sha256} for e in self.entries]
        self._zip.writestr(zipfile.ZipInfo(MANIFEST, _now()), json.dumps({**about, "files": files}, indent=1) + "\n")
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def drop(self) -> None:
        """Let go of a file that is not to be."""
        self._file.close()


def differing(path: Path) -> tuple[str, ...]:
    """The files of such a zip that are not as its manifest says; of a good one none. Raises OSError, BadZipFile."""
    with zipfile.ZipFile(path) as opened:
        told = {f["path"]: f["sha256"] for f in json.loads(opened.read(MANIFEST))["files"]}
        there = set(opened.namelist()) - {MANIFEST}
        wrong = [name for name in told.keys() & there if _sha256(opened, name) != told[name]]
        return tuple(sorted({*wrong, *(told.keys() ^ there)}))


def _sha256(opened: zipfile.ZipFile, name: str) -> str:
    digest = hashlib.sha256()
    with opened.open(name) as source:
        for block in _blocks(source):
            digest.update(block)
    return digest.hexdigest()


def _blocks(source: IO[bytes]) -> Iterable[bytes]:
    while block := source.read(MIB):
        yield block


def _now() -> tuple[int, int, int, int, int, int]:
    return datetime.now(UTC).timetuple()[:6]

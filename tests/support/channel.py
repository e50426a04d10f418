"""A conda channel made from nothing conda: packages written by hand, or turned from wheels and the base image's Python.

It stands on loopback under an address that takes the place of the solver's own (`[network] conda`), and notes what it
was asked for.
"""

from __future__ import annotations

import asyncio
import bz2
import hashlib
import io
import json
import platform
import tarfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import rattler.index

SUBDIR = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}[platform.machine()]
RECIPE = Path(__file__).parents[2] / "src" / "firstbell" / "plan" / "recipe"


@dataclass(frozen=True)
class Package:
    """A conda package; files below site-packages/ and entry points are for those with `noarch="python"`."""

    name: str
    version: str
    depends: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    executable: frozenset[str] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)
    noarch: str = "generic"
    """`python`, `generic`, or "" for a package of this platform."""
    entry_points: tuple[str, ...] = ()

    @property
    def subdir(self) -> str:
        """The folder of the channel."""
        return "noarch" if self.noarch else SUBDIR


def write_package(channel: Path, package: Package) -> Path:
    """The package as an archive in its place; the same bytes for the same package."""
    path = channel / package.subdir / f"{package.name}-{package.version}-0.tar.bz2"
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in _information(package).items():
            _add(archive, f"info/{name}", json.dumps(content, sort_keys=True).encode())
        for name, content in sorted(package.files.items()):
            _add(archive, name, content, 0o755 if name in package.executable else 0o644)
        for name, target in sorted(package.links.items()):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    path.write_bytes(bz2.compress(packed.getvalue(), 1))
    return path


def _information(package: Package) -> dict[str, object]:
    index: dict[str, object] = {
        "name": package.name,
        "version": package.version,
        "build": "0",
        "build_number": 0,
        "depends": list(package.depends),
        "subdir": package.subdir,
    }
    paths: list[dict[str, object]] = [
        {
            "_path": name,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(content).hexdigest(),
            "size_in_bytes": len(content),
        }
        for name, content in sorted(package.files.items())
    ]
    paths += [{"_path": name, "path_type": "softlink"} for name in sorted(package.links)]
    found: dict[str, object] = {"index.json": index, "paths.json": {"paths": paths, "paths_version": 1}}
    if package.noarch:
        index["noarch"] = package.noarch
    if package.noarch == "python":
        link = {"type": "python", "entry_points": list(package.entry_points)}
        found["link.json"] = {"noarch": link, "package_metadata_version": 1}
    return found


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def write_channel(channel: Path, packages: Iterable[Package]) -> None:
    """The packages and their index."""
    (channel / "noarch").mkdir(parents=True, exist_ok=True)
    (channel / SUBDIR).mkdir(exist_ok=True)
    for package in packages:
        write_package(channel, package)
    asyncio.run(rattler.index.index_fs(channel, write_zst=False, write_shards=False, force=True))


class ChannelServer(ThreadingHTTPServer):
    """Serves folders on loopback and notes the paths."""

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(root)))
        self.root = root
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        """The address under which channels' names stand."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(SimpleHTTPRequestHandler):
    """One request."""

    server: ChannelServer

    def do_GET(self) -> None:
        """A file."""
        self.server.paths.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(root: Path) -> Iterator[ChannelServer]:
    """The folders below `root` as channels."""
    with ChannelServer(root) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()

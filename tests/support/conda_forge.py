"""A channel "conda-forge" with what our images need of it, from wheels and the base image's Python."""

from __future__ import annotations

import asyncio
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from configparser import ConfigParser
from email.message import Message
from email.parser import Parser
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from firstbell.engine.connect import connect
from firstbell.model.image import DEFAULT_BASE, BuildSpec
from firstbell.model.network import Network
from firstbell.plan.context import first_files, first_layers
from firstbell.work.build import build, get_base
from tests.support.channel import RECIPE, Package, write_channel


def jupyter_packages(wheels: Path) -> Iterator[Package]:
    """Jupyter as the images have it, each wheel a package of the channel; downloads into `wheels`."""
    _download(wheels)
    found = [_Wheel(path) for path in sorted(wheels.glob("*.whl"))]
    extras = {
        (canonicalize_name(need.name), extra) for wheel in found for need in wheel.needs() for extra in need.extras
    }
    names = {wheel.name for wheel in found}
    for wheel in found:
        yield wheel.package({extra for name, extra in extras if name == wheel.name}, names)


def _download(folder: Path) -> None:
    machine = platform.machine()
    tags = [f"manylinux_2_{minor}_{machine}" for minor in (17, 28, 34)] + [f"manylinux2014_{machine}"]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest",
         folder, "--require-hashes", "--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp",
         *(word for tag in tags for word in ("--platform", tag)), "-r", RECIPE / "server.lock"],
        check=True,
    )  # fmt: skip


PYTHON = "3.13"
"""Of the base image, Debian 13."""
_MARKERS = {
    "python_version": PYTHON,
    "python_full_version": f"{PYTHON}.0",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": platform.machine(),
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}


class _Wheel:
    """A wheel, read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        name, self.version = path.name.split("-")[:2]
        self.name = str(canonicalize_name(name))
        self.is_pure = path.stem.endswith("-none-any")

    def _metadata(self, archive: zipfile.ZipFile) -> Message:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())

    def needs(self, extras: Iterable[str] = ()) -> list[Requirement]:
        """What it requires on Linux, with these extras."""
        with zipfile.ZipFile(self.path) as archive:
            texts = self._metadata(archive).get_all("Requires-Dist") or []
        needs = [Requirement(text) for text in texts]
        environments = [{**_MARKERS, "extra": extra} for extra in ("", *extras)]
        return [need for need in needs if not need.marker or any(map(need.marker.evaluate, environments))]

    def package(self, extras: Iterable[str], names: set[str]) -> Package:
        """As a package; what the lock leaves out, it does not depend on."""
        depends = [f"{canonicalize_name(n.name)} {n.specifier}".strip() for n in self.needs(extras)
                   if canonicalize_name(n.name) in names]  # fmt: skip
        library = "site-packages" if self.is_pure else f"lib/python{PYTHON}/site-packages"
        with zipfile.ZipFile(self.path) as archive:
            files = dict(_files(archive, library))
            scripts = [
                name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt") and self.is_pure
            ]
            entry_points = tuple(_entry_points(archive.read(scripts[0]).decode())) if scripts else ()
        return Package(
            self.name,
            self.version,
            (f"python {PYTHON}.*" if not self.is_pure else "python", *depends),
            files,
            noarch="python" if self.is_pure else "",
            entry_points=entry_points,
        )


def _files(archive: zipfile.ZipFile, library: str) -> Iterator[tuple[str, bytes]]:
    """A wheel's files by where they go."""
    for info in archive.infolist():
        if info.is_dir():
            continue
        top, *rest = PurePosixPath(info.filename).parts
        if not top.endswith(".data"):
            yield f"{library}/{info.filename}", archive.read(info)
        elif rest[0] in {"data", "purelib", "platlib"}:
            prefix = "" if rest[0] == "data" else f"{library}/"
            yield prefix + "/".join(rest[1:]), archive.read(info)


def _entry_points(text: str) -> Iterator[str]:
    parser = ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    if parser.has_section("console_scripts"):
        yield from (f"{name} = {target}" for name, target in parser.items("console_scripts"))


def conda_forge(channel: Path, *packages: Package) -> None:
    """A channel with Python, Jupyter as the images have it, and `packages`; takes half a minute."""
    wheels = channel.parent / "wheels"
    jupyter = list(jupyter_packages(wheels))
    shutil.rmtree(wheels)
    write_channel(channel, [asyncio.run(python_package()), *jupyter, *packages])


async def python_package() -> Package:
    """Python as a package: the base image's own, from the first layers that every image of ours has."""
    bundle = os.environ.get("SSL_CERT_FILE")
    spec = BuildSpec(
        tag="firstbell/test-channel:python",
        dockerfile=first_layers(DEFAULT_BASE),
        files=first_files(Path(bundle).read_bytes() if bundle else b""),
    )
    engine = await connect("docker")
    try:
        await get_base(engine, DEFAULT_BASE, Network())
        await build(engine, spec)
        return python_of(spec.tag)
    finally:
        await engine.remove_image(spec.tag)
        await engine.close()


def python_of(image: str) -> Package:
    """The Python of a Debian image as a package: where packages go is as Python's own makers have it."""
    packed = subprocess.run(
        ["docker", "run", "--rm", "--network", "none", image, "tar", "-C", "/usr", "-c",
         f"bin/python{PYTHON}", f"lib/python{PYTHON}"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    files = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for entry in archive:
            content = archive.extractfile(entry) if entry.isfile() else None
            if (
                content is not None
                and "__pycache__" not in entry.name
                and not entry.name.endswith("EXTERNALLY-MANAGED")
            ):
                files[entry.name] = content.read()
    library = f"lib/python{PYTHON}"
    _replace(
        files, f"{library}/sysconfig/__init__.py", "prefix_scheme = 'posix_local'", "prefix_scheme = 'posix_prefix'"
    )
    files[f"{library}/site-packages/README"] = b"Packages go here.\n"
    program = f"bin/python{PYTHON}"
    # Debian's site module, frozen into the program, looks here and nowhere else.
    links = {
        f"{library}/dist-packages": "site-packages",
        **{f"bin/{name}": f"python{PYTHON}" for name in ("python", "python3")},
    }
    return Package("python", f"{PYTHON}.0", (), files, frozenset({program}), links, noarch="")


def _replace(files: dict[str, bytes], name: str, old: str, new: str) -> None:
    text = files[name].decode()
    assert old in text, f"{name} has changed"
    files[name] = text.replace(old, new).encode()

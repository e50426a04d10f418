"""Recipes of kernels: finds Firstbell's and a person's own, and has an image execute their notebooks."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
import uuid
from collections.abc import Iterable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from firstbell.engine.base import Engine, Report, ignore
from firstbell.errors import BuildFailed, CourseFileError
from firstbell.model import names
from firstbell.model.container import ContainerSpec, File, Limits, Mount, MountKind, VolumeSpec, frozen
from firstbell.model.image import Progress
from firstbell.model.kernel import Kernel, KernelCheck
from firstbell.model.names import Role
from firstbell.model.observed import RunResult
from firstbell.model.runtime import HOME_DIR
from firstbell.plan.kernels import KERNELS_DIR

_TEXTS = ("name", "title", "version", "source", "spec")
_LISTS = ("apt", "build-apt")
_OTHERS = ("verified", "size", "note")
_KEYS = (*_TEXTS, *_LISTS, *_OTHERS)
_ALSO = {"js": "javascript", "ts": "typescript", "c++": "cpp", "c": "cpp", "golang": "go", "sh": "bash", "ir": "r"}
"""Other names that people give them."""
_LEFT_OUT = {"kernel.toml", "__pycache__", ".ipynb_checkpoints", ".DS_Store"}
"""What the Dockerfile says already, so that a word about a recipe builds nothing anew; and what tools leave behind."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_SPEC = re.compile(r"[A-Za-z0-9._-]+")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?")
_SCRIPT = "/opt/firstbell/kernel_inside.py"
_DEADLINE = 1800.0
"""Seconds for all cells of a smoke notebook together; each has a shorter time of its own."""
_MOST_LINES = 20
_HOW = "docs/languages.md shows a recipe."


def all_kernels() -> tuple[Kernel, ...]:
    """Every recipe that comes with Firstbell, by name."""
    return tuple(_read(folder, folder.name) for folder in _shipped())


def find_kernels(wanted: Iterable[str], folder: Path | None) -> tuple[Kernel, ...]:
    """The recipes named, in their order, each once; `python` alone needs none, since every image has it.

    A name with a slash is a folder of the person's own, counted from `folder`. Raises CourseFileError.
    """
    wanted = tuple(dict.fromkeys(wanted))
    if set(wanted) <= {"python"}:
        return ()
    found = tuple(find_kernel(name, folder or Path()) for name in wanted)
    for number, kernel in enumerate(found):
        twin = next((one for one in found[:number] if kernel.name == one.name or kernel.spec == one.spec), None)
        if twin is not None:
            raise CourseFileError(
                f'two kernels are called "{kernel.name if kernel.name == twin.name else kernel.spec}"',
                where=wanted[number],
                next_step="Give yours another name and spec in its kernel.toml.",
            )
    return found


def find_kernel(name: str, folder: Path) -> Kernel:
    """One recipe: by its name, or, with a slash, a folder of the person's own. Raises CourseFileError."""
    if "/" in name:
        return _own(name, folder)
    shipped = {folder.name: folder for folder in _shipped()}
    if name in shipped:
        return _read(shipped[name], name)
    plain = name.lower()
    close = [_ALSO[plain]] if plain in _ALSO else difflib.get_close_matches(plain, shipped, 3, 0.5)
    hint = f"Did you mean {' or '.join(close)}? " if close else ""
    raise CourseFileError(
        f'there is no kernel "{name}"',
        next_step=f'{hint}`firstbell kernels` lists all; a recipe of your own is a folder: "./kernels/{name}".',
    )


def _shipped() -> tuple[Traversable, ...]:
    root = files("firstbell") / "kernels"
    folders = [folder for folder in root.iterdir() if folder.is_dir() and (folder / "kernel.toml").is_file()]
    return tuple(sorted(folders, key=lambda folder: folder.name))


def _own(name: str, base: Path) -> Kernel:
    folder = base / name
    if not folder.is_dir():
        raise CourseFileError("there is no such folder with a kernel's recipe", where=str(folder), next_step=_HOW)
    for wanted in ("kernel.toml", "install", "smoke.ipynb"):
        if not (folder / wanted).is_file() and not (wanted == "install" and (folder / "kernelspec").is_dir()):
            raise CourseFileError(f"a kernel's recipe needs a file {wanted}", where=str(folder), next_step=_HOW)
    return _read(folder, str(folder))


def _read(folder: Traversable, where: str) -> Kernel:
    try:
        said = tomllib.loads((folder / "kernel.toml").read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CourseFileError(f"this is no TOML: {error}", where=f"{where}/kernel.toml", next_step=_HOW) from error
    if problem := next(_problems(said), ""):
        raise CourseFileError(problem, where=f"{where}/kernel.toml", next_step=_HOW)
    _check_notebook(folder, where)
    return Kernel(
        **{name: said[name] for name in _TEXTS},
        apt=tuple(said.get("apt", ())),
        build_apt=tuple(said.get("build-apt", ())),
        **{name: said[name] for name in _OTHERS if name in said},
        files=tuple(_files(folder, "")),
    )


def _problems(said: dict[str, Any]) -> Iterator[str]:
    for key in _TEXTS:
        if not isinstance(said.get(key), str) or not said[key].strip() or "\n" in said[key]:
            yield f'it needs a line of text: {key} = "…"'
    if unknown := sorted(said.keys() - set(_KEYS)):
        yield f'"{unknown[0]}" is no key of a recipe; there are {", ".join(_KEYS)}'
    if not _NAME.fullmatch(said["name"]):
        yield f'name = "{said["name"]}": small letters, digits and hyphens only'
    if not _SPEC.fullmatch(said["spec"]):
        yield f'spec = "{said["spec"]}": letters, digits, dot, hyphen and underscore only'
    for key in _LISTS:
        packages = said.get(key, [])
        if not isinstance(packages, list) or not all(_PACKAGE.fullmatch(str(package)) for package in packages):
            yield f'{key} = ["gforth"] is how packages of the distribution are named'


def _check_notebook(folder: Traversable, where: str) -> None:
    """A smoke notebook that expects nothing could not fail."""
    place = f"{where}/smoke.ipynb"
    try:
        cells = json.loads((folder / "smoke.ipynb").read_text(encoding="utf-8"))["cells"]
        expects = [cell["metadata"].get("expect") for cell in cells]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CourseFileError("this is no notebook of Jupyter", where=place, next_step=_HOW) from error
    if not any(expects):
        raise CourseFileError(
            'no cell says what it must show, for example "expect": ["42"] in its metadata', where=place, next_step=_HOW
        )


def _files(folder: Traversable, under: str) -> Iterator[File]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name in _LEFT_OUT:
            continue
        if entry.is_dir():
            yield from _files(entry, f"{under}{entry.name}/")
        else:
            yield File(f"{under}{entry.name}", entry.read_bytes())


async def verify(
    engine: Engine, image: str, kernels: Iterable[Kernel], report: Report = ignore, *, limits: Limits | None = None
) -> tuple[KernelCheck, ...]:
    """Have the image execute each kernel's smoke notebook as a user does: uid 1000, an empty home, a server's limits.

    There is no network: what a kernel needs must be in the image. Raises BuildFailed naming the first that fails, with
    the failing cell and its output.
    """
    checks = []
    for kernel in kernels:
        report(Progress(f"{kernel.title}: executing its smoke notebook"))
        checks.append(await _verify(engine, image, kernel, limits or Limits()))
    return tuple(checks)


async def _verify(engine: Engine, image: str, kernel: Kernel, limits: Limits) -> KernelCheck:
    said = await execute(engine, image, f"{KERNELS_DIR}/{kernel.name}/smoke.ipynb", kernel.spec, limits=limits)
    if not said["reason"]:
        return KernelCheck(kernel.name, said["cells"], said["seconds"])
    source = [f"> {line}" for line in said["source"].splitlines()]
    raise BuildFailed(
        f"the kernel {kernel.name} does not work in this image: {said['reason']}",
        where=f"{image}, cell {said['cell']} of its smoke notebook" if said["cell"] else image,
        evidence=(*source, *said["lines"])[-_MOST_LINES:],
        next_step=f'Take "{kernel.name}" out of [server] kernels, or correct its recipe, and build again.',
    )


async def execute(
    engine: Engine, image: str, notebook: str, spec: str, *, limits: Limits, files: tuple[File, ...] = ()
) -> dict[str, Any]:
    """What came of a notebook, executed in a container of its own: see `work/kernel_inside.py`."""
    name = f"firstbell-kernel-{uuid.uuid4().hex[:8]}"
    volume = VolumeSpec(name, frozen({names.LABEL_ROLE: Role.HELPER.value}))
    await engine.ensure_volume(volume)
    try:
        result = await engine.run(
            ContainerSpec(
                name=name,
                image=image,
                command=("python3", "-W", "ignore", _SCRIPT, notebook, spec),
                labels=frozen({names.LABEL_ROLE: Role.HELPER.value}),
                env=frozen({"HOME": HOME_DIR}),
                workdir=HOME_DIR,
                mounts=(Mount(MountKind.VOLUME, name, HOME_DIR),),
                files=(
                    File(HOME_DIR, None, 0o700, 1000, 1000),
                    File(_SCRIPT, Path(__file__).with_name("kernel_inside.py").read_bytes()),
                    *files,
                ),
                limits=limits,
            ),
            deadline=_DEADLINE,
        )
    finally:
        await engine.remove_volume(name)
    return _said(result)


def _said(result: RunResult) -> dict[str, Any]:
    last = result.stdout.splitlines()[-1:] or [b""]
    try:
        said: dict[str, Any] = json.loads(last[0])
    except ValueError:
        reason = (
            "it needs more memory than a server has" if result.exit_code == 137 else "the notebook was not executed"
        )
        return {"cells": 0, "seconds": 0.0, "reason": reason, "cell": 0, "source": "", "lines": list(result.lines)}
    return said

"""runtime.txt, and which base image and Python follow from it.

Where a distribution's own Python is the wanted one, that distribution is the base: its packages of apt.txt fit, it is
patched by its own people, and no second Python lies beside it. Any other version is a build of Python that uv fetches.
Debian 11 with its 3.9 is not among them: its security support has ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from firstbell.errors import CourseFileError
from firstbell.model.container import File
from firstbell.model.image import DEFAULT_BASE
from firstbell.plan.context import CACHED, recipe_file
from firstbell.plan.image.facts import ENVIRONMENT, PYPROJECT, RUNTIME, FolderFacts
from firstbell.plan.image.pyproject import read_pyproject

OLDEST, NEWEST = (3, 9), (3, 14)
"""Versions of Python that are offered."""
LOCKED_SINCE = (3, 11)
"""From this Python on server.lock holds."""
_PYTHONS = {
    r"debian:(13|trixie)\b.*": "3.13",
    r"debian:(12|bookworm)\b.*": "3.11",
    r"ubuntu:(24\.04|noble)\b.*": "3.12",
    r"ubuntu:(22\.04|jammy)\b.*": "3.10",
}
_BY_PYTHON = {"3.13": DEFAULT_BASE, "3.11": "debian:bookworm-slim"}
R_OF_BASE = {DEFAULT_BASE: "4.5", "debian:bookworm-slim": "4.2"}
"""The distribution's own R."""
_PREFERRED = ("3.13", "3.12", "3.11", "3.14", "3.10", "3.9")
"""For a range in pyproject.toml: the default, then what most packages are made for."""
_RUNTIME = re.compile(
    r"python-(?P<python>\d+(\.\d+){0,2})|r-((?P<r>\d+\.\d+)(\.\d+)?-)?(?P<date>\d{4}-\d{2}-\d{2})|r-(?P<only_r>\d+\.\d+)"
)


@dataclass(frozen=True, slots=True)
class Runtime:
    """What runtime.txt says; empty where it says nothing of it."""

    python: str = ""
    """`3.11`"""
    r: str = ""
    """`4.3`"""
    date: str = ""
    """The day of a snapshot of CRAN."""


@dataclass(frozen=True, slots=True)
class Base:
    """Where an image begins."""

    image: str
    python: str = ""
    """The version to be fetched by uv; empty where the distribution's own Python serves."""
    is_locked: bool = True
    """Whether Jupyter's locked versions hold for this Python."""


def read_runtime(facts: FolderFacts) -> Runtime:
    """What runtime.txt says. Raises CourseFileError where nobody can tell what it means."""
    text = facts.texts.get(RUNTIME, "").strip()
    if not text:
        return Runtime()
    found = _RUNTIME.fullmatch(text)
    if not found:
        raise CourseFileError(
            f'"{text.splitlines()[0]}" names no runtime',
            where=facts.where(RUNTIME, 1),
            next_step="Write one line: python-3.12, or r-4.5-2026-06-01.",
        )
    version = found["python"] or ""
    # As in repo2docker: the first two numbers count, and a mere `python-3` is the default.
    python = ".".join(version.split(".")[:2]) if "." in version else ""
    if version and not _is_offered(python or version):
        raise CourseFileError(
            f"Python {version} is not offered",
            where=facts.where(RUNTIME, 1),
            next_step=f"Choose one from {_dotted(OLDEST)} to {_dotted(NEWEST)}, or write a Dockerfile.",
        )
    return Runtime(python=python, r=found["r"] or found["only_r"] or "", date=found["date"] or "")


def choose_base(facts: FolderFacts, base: str) -> Base:
    """Where the image of this folder begins, if `base` is asked for. Raises CourseFileError for what cannot be."""
    runtime = read_runtime(facts)
    if ENVIRONMENT in facts.texts:
        return Base(base)
    own = python_of(base)
    wanted = runtime.python or _by_requires_python(facts, own)
    if base == DEFAULT_BASE and not wanted:
        return Base(next((image for image, version in R_OF_BASE.items() if version == runtime.r), base))
    if not wanted or wanted == own:
        return Base(base, is_locked=not own or _numbers(own) >= LOCKED_SINCE)
    if base == DEFAULT_BASE and wanted in _BY_PYTHON:
        return Base(_BY_PYTHON[wanted])
    return Base(base, wanted, is_locked=_numbers(wanted) >= LOCKED_SINCE)


def _by_requires_python(facts: FolderFacts, own: str) -> str:
    """The Python that pyproject.toml's range asks for; empty where the base's own is in it or nothing is asked."""
    requires = read_pyproject(facts).requires_python
    if not requires:
        return ""
    try:
        wanted = SpecifierSet(requires)
    except InvalidSpecifier as error:
        raise CourseFileError(
            f'requires-python = "{requires}" is no range of versions',
            where=facts.where(PYPROJECT),
            next_step='Write for example: requires-python = ">=3.11"',
        ) from error
    fitting = [version for version in _PREFERRED if _fits(wanted, version)]
    if not fitting:
        raise CourseFileError(
            f'no Python from {_dotted(OLDEST)} to {_dotted(NEWEST)} is in requires-python = "{requires}"',
            where=facts.where(PYPROJECT),
            next_step="Widen the range, or write a Dockerfile.",
        )
    return "" if own in fitting else fitting[0]


def _fits(wanted: SpecifierSet, version: str) -> bool:
    """Whether some release of `3.12` fits: the first, or one later than any there is."""
    return any(wanted.contains(f"{version}.{patch}") for patch in (0, 99)) or wanted.contains(version)


def runtime_layer(base: Base) -> str:
    """Another Python than the distribution's; empty where that serves. An interpreter of its own, no environment."""
    if not base.python:
        return ""
    return f"""\
# Python {base.python}, first on PATH
ARG UV_PYTHON_INSTALL_MIRROR
COPY .firstbell/python-install/ /opt/firstbell/python-install/
RUN {CACHED} \\
    /opt/firstbell/python-install/python-install {base.python}
ENV PATH=/opt/python/bin:$PATH
"""


def runtime_files(base: Base) -> Iterator[File]:
    """The files of the context that this layer copies."""
    if base.python:
        yield recipe_file("python-install", ".firstbell/python-install/python-install", 0o755)


def python_of(base: str) -> str:
    """The Python of an official image of Debian or Ubuntu; empty for any other."""
    name = base.removeprefix("docker.io/").removeprefix("library/")
    return next((python for pattern, python in _PYTHONS.items() if re.fullmatch(pattern, name)), "")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def _is_offered(version: str) -> bool:
    numbers = _numbers(version)
    return OLDEST <= numbers <= NEWEST if len(numbers) > 1 else numbers == (3,)


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))

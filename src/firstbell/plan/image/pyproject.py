"""pyproject.toml and uv.lock: what they say of packages."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firstbell.plan.image.facts import PYPROJECT, SETUP, UV_LOCK, FolderFacts, parsed_toml


@dataclass(frozen=True, slots=True)
class Pyproject:
    """A folder as a Python project."""

    is_package: bool = False
    """Whether the folder itself is to be installed: it says how it is built."""
    is_static: bool = False
    """Whether the text alone tells what it depends on, so that the folder's files are not needed for that."""
    has_lock: bool = False
    """Whether uv.lock decides the versions."""
    needs_folder: bool = False
    """Whether a dependency is a path of the folder."""
    requires_python: str = ""


def read_pyproject(facts: FolderFacts) -> Pyproject:
    """What the folder's files say. Raises CourseFileError for text that is not TOML.

    Without a build system the folder is no package and only its dependencies count, as with uv. setup.py makes it one.
    """
    has_setup = SETUP in facts.texts
    if PYPROJECT not in facts.texts:
        return Pyproject(is_package=has_setup)
    document = parsed_toml(facts, PYPROJECT)
    project = _table(document, "project")
    is_static = bool(project) and "dependencies" not in (project.get("dynamic") or ())
    return Pyproject(
        is_package="build-system" in document or has_setup,
        is_static=is_static,
        has_lock=UV_LOCK in facts.texts,
        needs_folder=_has_paths(document) or (UV_LOCK in facts.texts and _locks_paths(parsed_toml(facts, UV_LOCK))),
        requires_python=str(project.get("requires-python") or ""),
    )


def says_of_packages(text: str) -> bool:
    """Whether a pyproject.toml is about packages, rather than only the settings of tools. True for what is not TOML."""
    try:
        return bool({"project", "build-system"} & tomllib.loads(text).keys())
    except tomllib.TOMLDecodeError:
        return True


def _has_paths(document: Mapping[str, Any]) -> bool:
    """Whether [tool.uv.sources] names a path or a member of a workspace."""
    sources = _table(_table(_table(document, "tool"), "uv"), "sources")
    each = (one for source in sources.values() for one in (source if isinstance(source, list) else [source]))
    return any(isinstance(one, dict) and {"path", "workspace"} & one.keys() for one in each)


def _locks_paths(lock: Mapping[str, Any]) -> bool:
    """Whether uv.lock holds another package of the folder than the folder itself."""
    sources = [_table(package, "source") for package in lock.get("package") or () if isinstance(package, dict)]
    keys = ("editable", "directory", "path", "virtual")
    return any(source.get(key, ".") != "." for source in sources for key in keys)


def _table(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name)
    return found if isinstance(found, dict) else {}

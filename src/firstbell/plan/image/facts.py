"""What is known of a project folder, and which of its files decide what is built."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from firstbell.errors import CourseFileError
from firstbell.model.container import frozen

DOCKERFILE = "Dockerfile"
ENVIRONMENT = "environment.yml"
REQUIREMENTS = "requirements.txt"
PYPROJECT = "pyproject.toml"
UV_LOCK = "uv.lock"
SETUP = "setup.py"
APT = "apt.txt"
INSTALL_R = "install.R"
DESCRIPTION = "DESCRIPTION"
RUNTIME = "runtime.txt"
JULIA_PROJECTS = ("JuliaProject.toml", "Project.toml")
"""In the order in which Julia itself prefers them."""
JULIA_MANIFESTS = ("JuliaManifest.toml", "Manifest.toml")
POST_BUILD = "postBuild"
START = "start"
LOCKS = ("requirements.lock", "environment.lock", "apt.lock")
"""Exact versions as `firstbell lock` writes them."""
FOREIGN = ("default.nix", "Pipfile", "REQUIRE")
"""Files of repo2docker's that are noticed but not followed."""
RECOGNISED = (
    DOCKERFILE, ENVIRONMENT, REQUIREMENTS, PYPROJECT, UV_LOCK, SETUP, APT, INSTALL_R, DESCRIPTION, RUNTIME,
    *JULIA_PROJECTS, *JULIA_MANIFESTS, POST_BUILD, START, *LOCKS, *FOREIGN,
)  # fmt: skip
"""The files that decide what is built, in the folder's root or in its directory of configuration."""
CONFIG_DIRS = ("binder", ".binder")
"""Where configuration may stand instead of the root, as in repo2docker: of one of these, and then of nowhere else."""
ROOT_ONLY = (SETUP, DESCRIPTION)
"""A package is what the folder itself is; repo2docker ignores these where there is a directory of configuration."""
ALWAYS_IGNORED = (
    ".git",
    ".venv",
    ".firstbell",
    "**/__pycache__",
    "**/.ipynb_checkpoints",
    "**/.DS_Store",
    # What Jupyter and pip write where a folder is somebody's home: `firstbell run --home .` must not build it anew.
    ".local",
    ".cache",
    ".ipython",
    ".jupyter/lab/workspaces",
    ".bash_history",
)
"""Left out of an image made without the person's own Dockerfile, beside what `.dockerignore` names."""


class Kind(StrEnum):
    """What an entry of a folder is."""

    FILE = "file"
    EXECUTABLE = "executable"
    LINK = "link"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in the folder, by its relative path."""

    path: str
    kind: Kind
    digest: str = ""
    """SHA-256 of a file's content; the target of a link."""
    size: int = 0
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What version control knows of a folder, as far as it does. Labels of the image, not part of its tag."""

    source: str = ""
    """The address of the repository, without any password."""
    revision: str = ""
    """The commit, with `-dirty` where files differ from it."""
    created: str = ""
    """When it was committed (RFC 3339)."""


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """All about a project folder that decides its image, as plain data."""

    directory: str
    entries: tuple[Entry, ...] = ()
    """What belongs to the build, `.dockerignore` applied, by path."""
    texts: Mapping[str, str] = field(default_factory=frozen)
    """The recognised files and the requirement files they include, by path from the directory of configuration, as
    plain text (line ends, no byte order mark)."""
    ignore: tuple[str, ...] = ()
    """The patterns that were applied."""
    config_dir: str = ""
    """The directory of configuration: `binder`, `.binder`, or empty for the root."""
    origin: Origin = Origin()

    def path(self, name: str) -> str:
        """Where a recognised file stands in the folder."""
        return posixpath.normpath(posixpath.join(self.config_dir, name))

    def where(self, name: str, line: int = 0) -> str:
        """The same for messages, with the line if there is one."""
        return f"{self.directory}/{self.path(name)}" + (f":{line}" if line else "")


_INCLUDE = re.compile(r"\s*(?:-r|--requirement|-c|--constraint)[\s=]+(\S+)")


def requirement_texts(texts: Mapping[str, str]) -> tuple[str, ...]:
    """requirements.txt and all that it includes, as far as it is among the texts, in order of name."""
    found: set[str] = set()
    waiting = [REQUIREMENTS]
    while waiting:
        name = waiting.pop()
        if name in texts and name not in found:
            found.add(name)
            folder = posixpath.dirname(name)
            waiting += [posixpath.normpath(posixpath.join(folder, path)) for path in included_files(texts[name])]
    return tuple(sorted(found))


def included_files(text: str) -> tuple[str, ...]:
    """The paths that a requirements file includes by -r or -c, as written."""
    found = (_INCLUDE.match(line) for line in text.splitlines())
    return tuple(match[1] for match in found if match)


def parsed_toml(facts: FolderFacts, name: str) -> dict[str, Any]:
    """A recognised file that is TOML. Raises CourseFileError with the place of what is not."""
    try:
        return tomllib.loads(facts.texts[name])
    except tomllib.TOMLDecodeError as error:
        raise CourseFileError(
            f"this is not TOML: {error}", where=facts.where(name), next_step="Correct that place."
        ) from error

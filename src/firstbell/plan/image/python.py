"""Python packages: requirements.txt, pyproject.toml with or without uv.lock, setup.py, and our own lock.

All that is asked for is resolved in one go with Jupyter's ranges: pins of the person win over Jupyter's locked
versions, and a contradiction fails the build in the solver's words.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from firstbell.model.container import File
from firstbell.model.runtime import PROJECT_DIR
from firstbell.plan.context import BUILD_DIR, CACHED, recipe_file
from firstbell.plan.image.facts import PYPROJECT, SETUP, UV_LOCK, FolderFacts, requirement_texts
from firstbell.plan.image.pyproject import Pyproject, read_pyproject
from firstbell.plan.lock import REQUIREMENTS_LOCK, python_requirements

SERVER_DIR = "/opt/firstbell/server"
"""Where an image keeps what Jupyter needs: server.in, in words; server.lock, in exact versions."""
_TEXTS_DIR = "/opt/firstbell/python"
_TOOLS_DIR = "/opt/firstbell/project-tools"
_CONTEXT_TEXTS = ".firstbell/python"
_CONTEXT_TOOLS = ".firstbell/project-tools"


@dataclass(frozen=True, slots=True)
class PythonPlan:
    """How a folder's Python packages come into its image."""

    sources: tuple[str, ...] = ()
    """Files given as `-r`, by their key among the texts."""
    project: Pyproject = field(default_factory=Pyproject)
    is_locked: bool = False
    """Whether `sources` name every package in its exact version."""
    needs_folder: bool = False
    """Whether the folder's files must be there before the packages."""
    warning: str = ""

    @property
    def uses_uv_lock(self) -> bool:
        """Whether uv.lock decides what pyproject.toml leaves open."""
        return self.project.has_lock and not self.is_locked

    @property
    def is_package(self) -> bool:
        """Whether the folder itself is installed."""
        return self.project.is_package


def plan_python(facts: FolderFacts, base: str) -> PythonPlan:
    """How this folder's Python packages are to be installed on `base`."""
    project = read_pyproject(facts)
    asked = python_requirements(facts.texts, base)
    # What depends on what is known only by building the package: then it brings its dependencies itself.
    known = tuple(name for name in asked.files if name != PYPROJECT or (project.is_static and not project.has_lock))
    needs_folder = project.needs_folder or any(map(_is_local, _requirement_lines(facts)))
    return PythonPlan(known, project, asked.is_locked, needs_folder, asked.warning)


def python_layer(facts: FolderFacts, plan: PythonPlan) -> str:
    """The packages' layer; empty where none are asked for."""
    if not plan.sources and not plan.uses_uv_lock:
        return ""
    cd = f"cd {PROJECT_DIR} && " if plan.needs_folder else ""
    if plan.is_locked:
        return (
            f"# Python packages, in the exact versions of {facts.path(REQUIREMENTS_LOCK)}\n"
            f"COPY {_CONTEXT_TEXTS}/ {_TEXTS_DIR}/\n"
            f"RUN {CACHED} \\\n    {cd}{BUILD_DIR}/uv-pip --system --no-deps -r {_text(facts, REQUIREMENTS_LOCK)}\n"
        )
    names = " and ".join(facts.path(name) for name in (*plan.sources, *([UV_LOCK] if plan.uses_uv_lock else ())))
    requirements = _options(facts, plan)
    copy = f"COPY {_CONTEXT_TEXTS}/ {_TEXTS_DIR}/\n"
    if plan.uses_uv_lock:
        folder = posixpath.dirname(
            _in_project(facts, PYPROJECT) if plan.project.needs_folder else _text(facts, PYPROJECT)
        )
        copy += f"COPY {_CONTEXT_TOOLS}/ {_TOOLS_DIR}/\n"
        run = f"RUN {CACHED} \\\n    {cd}{_TOOLS_DIR}/uv-locked {folder}"
    else:
        run = f"RUN {CACHED} \\\n    {cd}{BUILD_DIR}/uv-pip --system"
    return f"# {names}, resolved together with Jupyter's own ranges\n{copy}{run} \\\n    {requirements}\n"


def package_layer(facts: FolderFacts, plan: PythonPlan) -> str:
    """The folder itself as a package, which needs its files; empty where it is none."""
    if not plan.is_package:
        return ""
    what = facts.path(PYPROJECT if PYPROJECT in facts.texts else SETUP)
    has_all = plan.is_locked or plan.uses_uv_lock or plan.project.is_static
    options = "--no-deps" if has_all else _options(facts, plan)
    folder = posixpath.dirname(_in_project(facts, PYPROJECT))
    copy = "" if plan.uses_uv_lock else f"COPY {_CONTEXT_TOOLS}/ {_TOOLS_DIR}/\n"
    return f"""\
# The folder itself, by its {what}
{copy}RUN {CACHED} \\
    {_TOOLS_DIR}/project-install {folder} {options}
"""


def python_files(facts: FolderFacts, plan: PythonPlan) -> Iterator[File]:
    """The files of the context that these layers copy."""
    if plan.sources or plan.uses_uv_lock:
        wanted = _texts_of_python(facts, plan)
        yield from (File(f"{_CONTEXT_TEXTS}/{facts.path(name)}", facts.texts[name].encode()) for name in wanted)
    if plan.is_package or plan.uses_uv_lock:
        for name in ("uv-locked", "project-install"):
            yield recipe_file(name, f"{_CONTEXT_TOOLS}/{name}", 0o755)


def _options(facts: FolderFacts, plan: PythonPlan) -> str:
    sources = (
        _in_project(facts, name) if name == PYPROJECT and plan.project.needs_folder else _text(facts, name)
        for name in plan.sources
    )
    return " ".join(f"-r {path}" for path in (*sources, f"{SERVER_DIR}/server.in"))


def _texts_of_python(facts: FolderFacts, plan: PythonPlan) -> list[str]:
    if plan.is_locked:
        return [REQUIREMENTS_LOCK]
    names = [PYPROJECT, UV_LOCK] if plan.uses_uv_lock else [PYPROJECT] if PYPROJECT in plan.sources else []
    return [*names, *requirement_texts(facts.texts)]


def _requirement_lines(facts: FolderFacts) -> Iterator[str]:
    return (line.strip() for name in requirement_texts(facts.texts) for line in facts.texts[name].splitlines())


_LOCAL = re.compile(
    r"(-e\s|--editable\b|\.{1,2}(/|\s|\[|$)|[\w.-]+/|file:|[^\s:]+\.(whl|tar\.gz|zip)\s*$)|\S+\s*@\s*file:"
)


def _is_local(line: str) -> bool:
    """Whether a requirement is a path of the folder, so that its files must be there before the packages."""
    return bool(_LOCAL.match(line))


def _text(facts: FolderFacts, name: str) -> str:
    return f"{_TEXTS_DIR}/{facts.path(name)}"


def _in_project(facts: FolderFacts, name: str) -> str:
    return f"{PROJECT_DIR}/{facts.path(name)}"

"""Julia: Project.toml (or JuliaProject.toml), with its manifest where there is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from firstbell.errors import CourseFileError
from firstbell.model.container import File
from firstbell.model.runtime import HOME_DIR, PROJECT_DIR
from firstbell.plan.context import recipe_file
from firstbell.plan.image.facts import JULIA_MANIFESTS, JULIA_PROJECTS, FolderFacts, parsed_toml

_DIR = "/opt/firstbell/julia"
_CONTEXT = ".firstbell/julia"
_COMPAT = re.compile(r"[0-9A-Za-z.,<>=~^≥≤ +-]*")


@dataclass(frozen=True, slots=True)
class JuliaPlan:
    """How a folder's Julia comes into its image."""

    compat: str = ""
    """The versions of Julia that will do, in the words of [compat]; empty for the newest."""
    texts: tuple[str, ...] = ()
    """The project and its manifest, by key; empty where Julia is not used."""
    needs_folder: bool = False
    """Whether the folder is itself a package, whose files are needed."""


def plan_julia(facts: FolderFacts) -> JuliaPlan:
    """What of Julia this folder asks for. Raises CourseFileError for what cannot be meant."""
    names = [name for name in JULIA_PROJECTS if name in facts.texts][:1]
    if not names:
        return JuliaPlan()
    names += [name for name in JULIA_MANIFESTS if name in facts.texts][:1]
    project, *manifest = (parsed_toml(facts, name) for name in names)
    exact = str(manifest[0].get("julia_version") or "") if manifest else ""
    compat = project.get("compat")
    asked = str(compat.get("julia") or "") if isinstance(compat, dict) else ""
    wanted = f"={exact}" if exact else asked
    if not _COMPAT.fullmatch(wanted):
        raise CourseFileError(
            f'"{wanted}" is no range of Julia\'s versions',
            where=facts.where(names[-1] if exact else names[0]),
            next_step='Write for example: julia = "1.10"',
        )
    return JuliaPlan(wanted, tuple(names), needs_folder="uuid" in project)


def julia_layer(facts: FolderFacts, plan: JuliaPlan) -> str:
    """Julia, its kernel and the project's packages; empty where it is not used.

    The project is active in every home, which gets its files; what a user adds goes into the home's own depot.
    """
    if not plan.texts:
        return ""
    target = f"{PROJECT_DIR}/{facts.config_dir}".rstrip("/")
    return f"""\
# Julia {plan.compat or "(the newest)"}, its kernel, and the packages of {" and ".join(map(facts.path, plan.texts))}
COPY {_CONTEXT}/ {_DIR}/
RUN {_DIR}/julia-install "{plan.compat}"
ENV PATH=/opt/julia/bin:$PATH \\
    JULIA_DEPOT_PATH=:/opt/julia/depot \\
    JULIA_PROJECT={f"{HOME_DIR}/{facts.config_dir}".rstrip("/")}
RUN {_DIR}/julia-packages {_DIR}/project {target}
"""


def julia_files(facts: FolderFacts, plan: JuliaPlan) -> Iterator[File]:
    """The files of the context that this layer copies."""
    if plan.texts:
        for name, mode in (("julia-install", 0o755), ("julia-packages", 0o755), ("julia.lock", 0o644)):
            yield recipe_file(name, f"{_CONTEXT}/{name}", mode)
        for name in plan.texts:
            yield File(f"{_CONTEXT}/project/{name}", facts.texts[name].encode())

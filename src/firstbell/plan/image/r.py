"""R: install.R and DESCRIPTION, on the distribution's R.

Packages are installed by the unprivileged user, as in repo2docker, into the library that everybody sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from firstbell.model.container import File
from firstbell.model.runtime import PROJECT_DIR
from firstbell.plan.conda import read_environment
from firstbell.plan.context import BUILD_DIR, CACHED, recipe_file
from firstbell.plan.image.facts import DESCRIPTION, ENVIRONMENT, INSTALL_R, FolderFacts
from firstbell.plan.image.runtime import read_runtime

_DIR = "/opt/firstbell/r"
_CONTEXT = ".firstbell/r"
_SCRIPT_DIR = "/opt/firstbell/r-script"
_CONTEXT_SCRIPT = ".firstbell/r-script"
_CONDA_R = re.compile(r"([\w-]+::)?r-[a-z]")
_READS_FILES = re.compile(
    r"\b(source|sys\.source|install_local|read[\w.]*|scan|file|load|setwd|getwd|list\.files)\s*\("
    r"|\b(renv|packrat)\b|repos\s*=\s*NULL|[\"']\.{1,2}/"
)
"""What in an install.R tells that it may read other files of the folder."""


@dataclass(frozen=True, slots=True)
class RPlan:
    """How a folder's R comes into its image."""

    is_used: bool = False
    by_conda: bool = False
    """Whether environment.yml brings R."""
    installs: bool = False
    """Whether there is an install.R."""
    is_package: bool = False
    """Whether the folder itself is an R package."""
    needs_folder: bool = False
    """Whether install.R may read files of the folder."""


def plan_r(facts: FolderFacts) -> RPlan:
    """What of R this folder asks for: by install.R, by a DESCRIPTION in its root, or by runtime.txt."""
    runtime = read_runtime(facts)
    script = facts.texts.get(INSTALL_R)
    conda = read_environment(facts.texts[ENVIRONMENT]).specs if ENVIRONMENT in facts.texts else ()
    is_package = bool(re.search(r"^Package:", facts.texts.get(DESCRIPTION, ""), re.MULTILINE))
    return RPlan(
        is_used=script is not None or is_package or bool(runtime.r or runtime.date),
        by_conda=any(map(_CONDA_R.match, conda)),
        installs=script is not None,
        is_package=is_package,
        needs_folder=script is not None and bool(_READS_FILES.search(script)),
    )


def r_layer(plan: RPlan) -> str:
    """R itself, with a compiler for its packages, and its kernel; empty where it is not used."""
    if not plan.is_used:
        return ""
    copy = f"ARG CRAN_MIRROR\nCOPY {_CONTEXT}/ {_DIR}/\n"
    if plan.by_conda:
        return f"# For R, which {ENVIRONMENT} brings\n{copy}"
    remotes = " r-cran-remotes" if plan.is_package else ""
    return f"""\
# The distribution's R and its kernel
{copy}RUN {CACHED} \\
    {BUILD_DIR}/apt-install r-base-core r-base-dev r-cran-irkernel{remotes} && {_DIR}/r-kernel
"""


def install_layer(facts: FolderFacts, plan: RPlan) -> str:
    """What install.R does; empty without one."""
    if not plan.installs:
        return ""
    folder = PROJECT_DIR if plan.needs_folder else _SCRIPT_DIR
    return f"""\
# {facts.path(INSTALL_R)}
COPY {_CONTEXT_SCRIPT}/ {_SCRIPT_DIR}/
RUN {_DIR}/r-install {folder} {_SCRIPT_DIR}/{facts.path(INSTALL_R)}
"""


def package_layer(plan: RPlan) -> str:
    """The folder itself as an R package, which needs its files; empty where it is none."""
    return f"# The folder itself, by its {DESCRIPTION}\nRUN {_DIR}/r-install {PROJECT_DIR}\n" if plan.is_package else ""


def r_files(facts: FolderFacts, plan: RPlan) -> Iterator[File]:
    """The files of the context that these layers copy."""
    if plan.is_used:
        for name in ("r-kernel", "r-install"):
            yield recipe_file(name, f"{_CONTEXT}/{name}", 0o755)
        for name in ("r-profile.R", "r-install.R"):
            yield recipe_file(name, f"{_CONTEXT}/{name}")
    if plan.installs:
        yield File(f"{_CONTEXT_SCRIPT}/{facts.path(INSTALL_R)}", facts.texts[INSTALL_R].encode())

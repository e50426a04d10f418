"""What a folder without a Dockerfile of its own asks for, all of it together."""

from __future__ import annotations

from dataclasses import dataclass

from firstbell.errors import CourseFileError
from firstbell.model.image import BuildSettings
from firstbell.plan.conda import conda_needs_project
from firstbell.plan.image.facts import (
    APT,
    DESCRIPTION,
    ENVIRONMENT,
    INSTALL_R,
    JULIA_PROJECTS,
    PYPROJECT,
    REQUIREMENTS,
    SETUP,
    FolderFacts,
)
from firstbell.plan.image.julia import JuliaPlan, plan_julia
from firstbell.plan.image.python import PythonPlan, plan_python
from firstbell.plan.image.r import RPlan, plan_r
from firstbell.plan.image.runtime import Base, choose_base
from firstbell.plan.lock import environment_lock

_INSTEAD = {
    "default.nix": "Firstbell does not build with Nix: write what it installs into apt.txt and requirements.txt.",
    "Pipfile": "Firstbell does not read a Pipfile. Write down what it asks for: pipenv requirements > requirements.txt",
}
_ENOUGH = (APT, ENVIRONMENT, REQUIREMENTS, PYPROJECT, SETUP, INSTALL_R, DESCRIPTION, *JULIA_PROJECTS)
"""With one of these, a file that is not followed is one way among others, and only remarked on."""


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """What goes into the image; conda's environment takes the place of Python's other files."""

    base: Base
    python: PythonPlan
    r: RPlan
    julia: JuliaPlan
    environment: str = ""
    """The text of environment.yml; empty without one."""
    environment_lock: str = ""
    warning: str = ""
    """What is to be said of a lock; empty for nothing."""

    @property
    def needs_folder(self) -> bool:
        """Whether packages are paths of the folder, so that its files must be there before them."""
        return (
            self.python.needs_folder
            or self.r.needs_folder
            or self.julia.needs_folder
            or bool(self.environment and conda_needs_project(self.environment))
        )


def plan_folder(facts: FolderFacts, settings: BuildSettings) -> FolderPlan:
    """What this folder asks for. Raises CourseFileError for what cannot be meant or be followed."""
    for name, instead in _INSTEAD.items():
        if name in facts.texts and not any(other in facts.texts for other in _ENOUGH):
            raise CourseFileError(f"{name} alone does not make an image", where=facts.where(name), next_step=instead)
    if ENVIRONMENT in facts.texts:
        locked, warning = environment_lock(facts.texts, settings.base)
        python = PythonPlan()
    else:
        python = plan_python(facts, settings.base)
        locked, warning = "", python.warning
    return FolderPlan(
        base=choose_base(facts, settings.base),
        python=python,
        r=plan_r(facts),
        julia=plan_julia(facts),
        environment=facts.texts.get(ENVIRONMENT, ""),
        environment_lock=locked,
        warning=warning,
    )

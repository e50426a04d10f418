"""What a person should know of a build before it runs: which of the folder's words are not followed, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator

from firstbell.model.image import BuildSettings
from firstbell.plan.image.facts import (
    DOCKERFILE,
    ENVIRONMENT,
    FOREIGN,
    INSTALL_R,
    PYPROJECT,
    REQUIREMENTS,
    RUNTIME,
    SETUP,
    START,
    FolderFacts,
)
from firstbell.plan.image.folder import FolderPlan, plan_folder
from firstbell.plan.image.runtime import R_OF_BASE, Runtime, read_runtime


def remarks(facts: FolderFacts, settings: BuildSettings) -> tuple[str, ...]:
    """The remarks on a folder's build, in sentences. Raises CourseFileError as `project_build` does."""
    if DOCKERFILE in facts.texts:
        return ()
    plan = plan_folder(facts, settings)
    found = (plan.warning, *_unfollowed(facts), *_runtime(facts, plan), _start(facts))
    return tuple(sentence for sentence in found if sentence)


def _unfollowed(facts: FolderFacts) -> Iterator[str]:
    for name in FOREIGN:
        if name in facts.texts:
            yield f"{facts.path(name)} is not followed: Firstbell does not read this kind of file"
    if ENVIRONMENT in facts.texts:
        for name in (REQUIREMENTS, PYPROJECT, SETUP):
            if name in facts.texts:
                yield (
                    f"{facts.path(name)} is not followed: {facts.path(ENVIRONMENT)} alone says what Python packages "
                    "there are; name it there, under pip"
                )


def _runtime(facts: FolderFacts, plan: FolderPlan) -> Iterator[str]:
    runtime: Runtime = read_runtime(facts)
    where = facts.path(RUNTIME)
    if ENVIRONMENT in facts.texts:
        if runtime.python:
            yield f"{where} is not followed: {facts.path(ENVIRONMENT)} says which Python it is"
        return
    r = R_OF_BASE.get(plan.base.image, "")
    if runtime.r and runtime.r != r:
        there = f"R {r}" if r else "another R"
        yield f"{where} asks for R {runtime.r}; the distribution ({plan.base.image}) has {there}, which is taken"
    if runtime.date:
        yield (
            f"{where} asks for CRAN as it was on {runtime.date}; packages come from the mirror as it is: "
            f"name a snapshot of that day as [network] cran, or as repos in {INSTALL_R}"
        )


def _start(facts: FolderFacts) -> str:
    text = facts.texts.get(START)
    if text is None or re.search(r"[\"']?\$(@|\*|\{@\})|exec|argv", text):
        return ""
    return f'{facts.path(START)} does not run the command it is given, so no server would begin: end it with exec "$@"'

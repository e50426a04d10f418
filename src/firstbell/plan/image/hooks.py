"""postBuild, which runs once at the end of a build, and start, which runs before every server.

Both are the person's scripts: they get their line ends made plain, a shell where they name none, and the execute bit.
"""

from __future__ import annotations

from collections.abc import Iterator

from firstbell.model.container import File
from firstbell.model.runtime import PROJECT_DIR
from firstbell.plan.context import recipe_file
from firstbell.plan.image.facts import POST_BUILD, START, FolderFacts

ENTRY_DIR = "/opt/firstbell"
START_HOOK = f"{ENTRY_DIR}/start"
"""Where an image keeps the person's `start`: given a command, it must `exec` it. The launcher runs through it."""
_CONTEXT_ENTRY = ".firstbell/entry"
_CONTEXT_POST_BUILD = ".firstbell/post-build"
_DIR = "/opt/firstbell/post-build"


def entry_layer(facts: FolderFacts) -> str:
    """What a container begins with."""
    start = f", through the folder's own {facts.path(START)}" if START in facts.texts else ""
    return f"""\
# For `docker run` without Firstbell: JupyterLab in a home with the project's files{start}
COPY {_CONTEXT_ENTRY}/ {ENTRY_DIR}/
"""


def post_build_layer(facts: FolderFacts) -> str:
    """The run of postBuild, in the project's files, as the user; empty without one."""
    if POST_BUILD not in facts.texts:
        return ""
    path = facts.path(POST_BUILD)
    return f"""\
# {path}, run as jovyan in the project's files. What it installs with pip, everybody sees.
ARG NPM_CONFIG_REGISTRY
COPY {_CONTEXT_POST_BUILD}/ {_DIR}/
ENV PATH=$PATH:/opt/firstbell/user/bin
RUN {_DIR}/run {PROJECT_DIR} {path}
"""


def hook_files(facts: FolderFacts) -> Iterator[File]:
    """The files of the context that these layers copy."""
    yield recipe_file("serve", f"{_CONTEXT_ENTRY}/serve", 0o755)
    if START in facts.texts:
        yield File(f"{_CONTEXT_ENTRY}/start", _script(facts.texts[START]), 0o755)
    if POST_BUILD in facts.texts:
        yield recipe_file("post-build", f"{_CONTEXT_POST_BUILD}/run", 0o755)
        yield recipe_file("user_site.py", f"{_CONTEXT_POST_BUILD}/user_site.py")
        yield File(f"{_CONTEXT_POST_BUILD}/script", _script(facts.texts[POST_BUILD]), 0o755)


def _script(text: str) -> bytes:
    return (text if text.startswith("#!") else f"#!/bin/sh\n{text}").encode()

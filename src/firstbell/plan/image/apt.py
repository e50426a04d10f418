"""apt.txt: packages of the distribution, several to a line or one, with comments."""

from __future__ import annotations

import re
import shlex

from firstbell.errors import CourseFileError
from firstbell.plan.context import BUILD_DIR, CACHED
from firstbell.plan.image.facts import APT, FolderFacts

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=[A-Za-z0-9.+:~*-]+)?")


def apt_layer(facts: FolderFacts) -> str:
    """The packages' layer; empty where there are none."""
    packages = apt_packages(facts)
    return (
        f"# {facts.path(APT)}\nRUN {CACHED} \\\n    {BUILD_DIR}/apt-install {shlex.join(packages)}\n"
        if packages
        else ""
    )


def apt_packages(facts: FolderFacts) -> tuple[str, ...]:
    """The packages of apt.txt, in its order. Raises CourseFileError naming the line that is no package."""
    packages = []
    for number, line in enumerate(facts.texts.get(APT, "").splitlines(), 1):
        for word in line.partition("#")[0].split():
            if not _PACKAGE.fullmatch(word):
                raise CourseFileError(
                    f'"{word}" is no name of a package',
                    where=facts.where(APT, number),
                    next_step="Write one Debian package per line, for example: graphviz",
                )
            packages.append(word)
    return tuple(packages)

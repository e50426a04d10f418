"""The course image: from what a folder holds to a Dockerfile, its context and its tag. Pure.

A `Dockerfile` is taken as it is. Otherwise `apt.txt` and `requirements.txt`, with repo2docker's meaning, are layers on
top of Jupyter in exact versions; notebooks and data come last, since they change most.

Packages go into the system's own Python, not into a virtual environment: only there does what a user installs for
themselves (`%pip install` without root, in ~/.local) come before what the image holds, so that another version of a
package can be tried and lasts.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.resources import files

from firstbell.errors import CourseFileError
from firstbell.model import names
from firstbell.model.container import File, frozen
from firstbell.model.image import BuildSettings, BuildSpec
from firstbell.model.runtime import HOME_DIR, PROJECT_DIR
from firstbell.plan.context import BUILD_DIR, build_args, content_tag, data_file, first_files, first_layers, used_args
from firstbell.plan.kernels import kernel_files, kernel_layers

DOCKERFILE = "Dockerfile"
REQUIREMENTS = "requirements.txt"
APT = "apt.txt"
RECOGNISED = (DOCKERFILE, REQUIREMENTS, APT)
"""Files at the folder's root that decide what is built."""
ALWAYS_IGNORED = (
    ".git",
    ".venv",
    ".firstbell",
    "**/__pycache__",
    "**/.ipynb_checkpoints",
    "**/.DS_Store",
)
"""Left out of an image made without the person's own Dockerfile, beside what `.dockerignore` names."""

_PATH = f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{HOME_DIR}/.local/bin"


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
class FolderFacts:
    """All about a project folder that decides its image, as plain data."""

    directory: str
    entries: tuple[Entry, ...] = ()
    """What belongs to the build, `.dockerignore` applied, by path."""
    texts: Mapping[str, str] = field(default_factory=frozen)
    """The recognised files and the requirement files they include, as plain text (line ends, no byte order mark)."""
    ignore: tuple[str, ...] = ()
    """The patterns that were applied."""


def project_build(facts: FolderFacts, settings: BuildSettings) -> BuildSpec:
    """How the image of a folder is built. Raises CourseFileError for a line that cannot be meant."""
    is_ours = DOCKERFILE not in facts.texts
    dockerfile = _generated(facts, settings) if is_ours else _own(facts)
    ours = (*first_files(settings.ca_bundle), *_layer_files(facts, settings)) if is_ours else ()
    tag = content_tag(f"{names.PREFIX}/{settings.name}", dockerfile, ours, _lines(facts))
    return BuildSpec(
        tag=tag,
        dockerfile=dockerfile,
        files=ours,
        directory=facts.directory,
        prefix="project" if is_ours else "",
        ignore=facts.ignore,
        args=frozen(used_args(dockerfile, build_args(settings.network))),
        labels=frozen({**settings.labels, names.LABEL_HASH: tag.rpartition(":")[2]}),
    )


def _lines(facts: FolderFacts) -> Iterator[str]:
    return (f"{entry.kind} {entry.path}\0{entry.digest}" for entry in facts.entries)


def _own(facts: FolderFacts) -> str:
    """The person's Dockerfile and, at its end, the project's files. COPY leaves USER, WORKDIR and the rest alone."""
    return (
        f"{facts.texts[DOCKERFILE].rstrip()}\n\n"
        f"# Added by Firstbell: the project's files, from which new homes are filled.\n"
        f"COPY . {PROJECT_DIR}/\n"
    )


def _generated(facts: FolderFacts, settings: BuildSettings) -> str:
    packages = apt_packages(facts)
    sources = ", ".join(name for name in (APT, REQUIREMENTS) if name in facts.texts) or "its notebooks"
    project = f"# The project's files, from which new homes are filled.\nCOPY project/ {PROJECT_DIR}/\n"
    local = _needs_project(facts)
    parts = (
        f"# Made by Firstbell from {sources}. What changes rarely comes first.\n{first_layers(settings.base)}",
        _jupyter(),
        kernel_layers(settings.kernels),
        f"# {APT}\nRUN {BUILD_DIR}/apt-install {shlex.join(packages)}\n" if packages else "",
        project if local else "",
        _requirements(PROJECT_DIR if local else "") if REQUIREMENTS in facts.texts else "",
        f'USER jovyan\nWORKDIR {HOME_DIR}\nCMD ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser"]\n',
        "" if local else project,
    )
    return "\n".join(part for part in parts if part)


def _jupyter() -> str:
    return f"""\
# Who works in it. What they install has its commands in ~/.local/bin.
ENV PATH={_PATH} \\
    PIP_DISABLE_PIP_VERSION_CHECK=1
RUN {BUILD_DIR}/add-user jovyan 1000 \\
    && ln -s /usr/bin/python3 /usr/local/bin/python \\
    && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED

# Jupyter in exact versions. In the system's own Python, so that what a user installs goes before what is here.
COPY .firstbell/server/ /opt/firstbell/server/
RUN {BUILD_DIR}/uv-pip --system --require-hashes --no-deps -r /opt/firstbell/server/server.lock
"""


def _requirements(workdir: str) -> str:
    """One resolution with Jupyter's ranges: pins of the person win over ours, a contradiction fails the build."""
    cd = f"cd {workdir} && " if workdir else ""
    return f"""\
# {REQUIREMENTS}, resolved together with Jupyter's own ranges
COPY .firstbell/python/ /opt/firstbell/python/
RUN {cd}{BUILD_DIR}/uv-pip --system \\
    -r /opt/firstbell/python/{REQUIREMENTS} -r /opt/firstbell/server/server.in
"""


def _layer_files(facts: FolderFacts, settings: BuildSettings) -> Iterator[File]:
    recipe = files("firstbell.plan") / "recipe"
    for name in ("server.in", "server.lock"):
        yield data_file(recipe / name, f".firstbell/server/{name}")
    yield from kernel_files(settings.kernels)
    if REQUIREMENTS in facts.texts:
        for path, text in sorted(facts.texts.items()):
            if path not in {APT, DOCKERFILE}:
                yield File(f".firstbell/python/{path}", text.encode())


_APT_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=[A-Za-z0-9.+:~*-]+)?")


def apt_packages(facts: FolderFacts) -> tuple[str, ...]:
    """The packages of apt.txt, in its order. Raises CourseFileError naming the line that is no package."""
    packages = []
    for number, line in enumerate(facts.texts.get(APT, "").splitlines(), 1):
        for word in line.partition("#")[0].split():
            if not _APT_PACKAGE.fullmatch(word):
                raise CourseFileError(
                    f'"{word}" is no name of a package',
                    where=f"{facts.directory}/{APT}:{number}",
                    next_step="Write one Debian package per line, for example: graphviz",
                )
            packages.append(word)
    return tuple(packages)


_LOCAL = re.compile(
    r"(-e\s|--editable\b|\.{1,2}(/|\s|\[|$)|[\w.-]+/|file:|[^\s:]+\.(whl|tar\.gz|zip)\s*$)|\S+\s*@\s*file:"
)


def _needs_project(facts: FolderFacts) -> bool:
    """Whether a requirement is a path of the folder, so that its files must be there before the packages."""
    requirement_texts = (text for path, text in facts.texts.items() if path not in {APT, DOCKERFILE})
    return any(_LOCAL.match(line.strip()) for text in requirement_texts for line in text.splitlines())


_INCLUDE = re.compile(r"\s*(?:-r|--requirement|-c|--constraint)[\s=]+(\S+)")


def included_files(text: str) -> tuple[str, ...]:
    """The paths that a requirements file includes by -r or -c, as written."""
    found = (_INCLUDE.match(line) for line in text.splitlines())
    return tuple(match[1] for match in found if match)

"""The three containers of a grading as values: prepare and record are trusted, execute is hostile. Pure.

            prepare              execute                        record
image       nbgrader's           the course's                   nbgrader's
sees        the course's folder  one submission, on its input   the course's folder
user        the hub's            one of nobody's                the hub's
disk        its own              memory alone, bounded          its own
network     none                 none                           none
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from firstbell.coursework.transport import HELPER_MARK
from firstbell.model import names
from firstbell.model.container import GIB, MIB, ContainerSpec, File, Limits, Mount, MountKind, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.runtime import COURSEWORK_DIR, HUB_UID
from firstbell.plan.grader_image import PYTHON

EXECUTE_UID = 64202
"""Whom hostile code runs as: nobody has files of this uid, no server has it."""
SCRATCH = "/tmp"  # noqa: S108 - a memory disk of the container's own
FOLDER = f"{SCRATCH}/submission"
"""Where a submission's files are while it is executed."""
SECONDS = 600.0
"""For one submission; a notebook that students edit in a lesson runs in one or two minutes."""
END_SECONDS = 60.0
"""More, until the container is ended from outside: for a kernel's start, and to say what was shown."""
TRUSTED_SECONDS = 300.0
CELL_SECONDS = 30.0
"""For one cell where nbgrader's configuration says none (c.Execute.timeout = None)."""
OUTPUT_BYTES = 8 * MIB
"""Of outputs that one notebook may show."""
_PIDS = 256
_TRUSTED_MEMORY = 2 * GIB
_DISK = 512 * MIB
READS_GRADES = f"{HELPER_MARK}grades"
"""At the end of the name of a container that only reads the gradebook, for a command."""
_PROGRAM_DIR = "/opt/firstbell/grading"
_PACKAGE = "firstbell/coursework/nbgrader"
_MAIN = b"from firstbell.coursework.nbgrader.program import main\n\nmain()\n"


def trusted(course: Course, image: str, verb: str, about: str) -> ContainerSpec:
    """A container that does `verb` with the course's folder; `about` tells it from others that do so meanwhile."""
    volume = names.volume(course.name, Role.COURSEWORK)
    return ContainerSpec(
        name=_name(course, verb, about),
        image=image,
        command=(PYTHON, "-I", _PROGRAM_DIR, verb),
        labels=frozen(names.labels(course.name, Role.HELPER)),
        env=frozen({"HOME": SCRATCH, "IPYTHONDIR": f"{SCRATCH}/ipython"}),
        user=f"{HUB_UID}:{HUB_UID}",
        mounts=(Mount(MountKind.VOLUME, volume, COURSEWORK_DIR),),
        files=tuple(_programs()),
        limits=Limits(memory=_TRUSTED_MEMORY, pids=_PIDS),
    )


def hostile(course: Course, image: str, about: str) -> ContainerSpec:
    """A container that executes what comes on its input, and has nothing else.

    Its own disk is read-only, so the program is an argument; what it writes is memory, bounded, and counts as such.
    """
    memory = course.server.memory
    return ContainerSpec(
        name=_name(course, "execute", about),
        image=image,
        command=("python3", "-c", (files("firstbell.coursework.nbgrader") / "execute.py").read_text(encoding="utf-8")),
        labels=frozen(names.labels(course.name, Role.HELPER)),
        env=frozen({"HOME": f"{SCRATCH}/home", "USER": "student", "LOGNAME": "student", "MPLBACKEND": "agg"}),
        user=f"{EXECUTE_UID}:{EXECUTE_UID}",
        workdir="/",
        mounts=(Mount(MountKind.TMPFS, "", SCRATCH, size=min(_DISK, memory // 2), programs=True),),
        limits=Limits(memory=memory, cpu=course.server.cpu, pids=min(course.server.pids, _PIDS), log_bytes=MIB),
        read_only=True,
    )


def _name(course: Course, verb: str, about: str) -> str:
    return f"{names.container(course.name, Role.HELPER, about)}{HELPER_MARK}{verb}"


def _programs() -> list[File]:
    """Our package as far as the programs need it, with nothing of it that needs anything of ours."""
    inside = [File(f"{_PROGRAM_DIR}/__main__.py", _MAIN)]
    inside += [
        File(f"{_PROGRAM_DIR}/{path}/__init__.py", b"") for path in ("firstbell", "firstbell/coursework", _PACKAGE)
    ]
    package: Traversable = files("firstbell.coursework.nbgrader")
    for entry in sorted(package.iterdir(), key=lambda one: one.name):
        if entry.name.endswith(".py") and entry.name not in {"__init__.py", "execute.py", "gate.py"}:
            inside.append(File(f"{_PROGRAM_DIR}/{_PACKAGE}/{entry.name}", entry.read_bytes()))
    return inside

"""The course directory as nbgrader knows it: its configuration, its gradebook, and folders that appear whole."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import OperationalError
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

MAKING = ".incoming"
"""Where folders are made before they get their names; what is left there is nobody's."""
CONFIG = "nbgrader_config.py"
FIRST_CONFIG = """\
# nbgrader's configuration of this course; yours to change. See docs/nbgrader.md.
c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "{course}"
# Pages of feedback and of the formgrader show what students wrote and ran: no scripts of theirs.
c.HTMLExporter.sanitize_html = True
"""


class Refused(Exception):
    """Something a person has to change, as sentences."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Place:
    """One course's directory with its configuration."""

    root: Path
    config: Config

    def directory(self, assignment: str, student: str = "*") -> CourseDirectory:
        """Nbgrader's own object for it."""
        made = CourseDirectory(config=self.config, root=str(self.root))
        made.assignment_id, made.student_id = assignment, student
        return made

    @property
    def db_url(self) -> str:
        """The gradebook's address for SQLAlchemy."""
        return str(self.directory("").db_url)

    @contextlib.contextmanager
    def gradebook(self) -> Iterator[Any]:
        """The gradebook. Raises Refused where it is of another version."""
        try:
            with Gradebook(self.db_url, self.directory("").course_id) as opened:
                yield opened
        except OperationalError as error:
            raise Refused(
                f"the gradebook cannot be read or written: {error.orig}. If it is of an older nbgrader, "
                "keep a copy of it and then run `nbgrader db upgrade`"
            ) from error

    def resources(self, assignment: str, notebook: str, student: str = ".") -> dict[str, Any]:
        """What nbgrader's preprocessors want to know of a notebook."""
        about = {"student": student, "assignment": assignment, "notebook": notebook, "db_url": self.db_url}
        return {"unique_key": notebook, "output_files_dir": f"{notebook}_files", "nbgrader": about}


def open_place(root: Path, course: str) -> Place:
    """The course's directory; its configuration is written if there is none. Raises Refused."""
    path = root / CONFIG
    if not path.exists():
        path.write_text(FIRST_CONFIG.format(course=course), encoding="utf-8")
    try:
        config = PyFileConfigLoader(CONFIG, path=str(root)).load_config()
    except Exception as error:
        raise Refused(f"{CONFIG} fails: {type(error).__name__}: {error}") from error
    place = Place(root, config)
    _first_gradebook(place)
    # Templates, hooks and plugins of the course are found beside its configuration, as by nbgrader's own commands.
    os.chdir(root)
    return place


def _first_gradebook(place: Place) -> None:
    """A new gradebook appears whole: nbgrader takes one that was left half made for a finished one."""
    path = place.root / "gradebook.db"
    if path.exists() or place.db_url != f"sqlite:///{path}":
        return
    # nbgrader asks the command `alembic` for the version of its tables.
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    with making(place.root) as folder:
        made = folder / path.name
        Gradebook(f"sqlite:///{made}", place.directory("").course_id).close()
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(made)


@contextlib.contextmanager
def making(root: Path) -> Iterator[Path]:
    """An empty folder on the same disk, gone at the end with what was not moved out of it."""
    folder = root / MAKING / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_in_place(made: Path, target: Path) -> None:
    """Give a finished folder its name; one of that name is removed after."""
    target.parent.mkdir(parents=True, exist_ok=True)
    old = made.with_name(f"{made.name}.old")
    if target.exists():
        target.rename(old)
    made.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def first_line(error: BaseException) -> str:
    """What an error says first; its name where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def utc(text: str | None) -> dt.datetime | None:
    """An ISO time as nbgrader keeps times: UTC, without a zone."""
    if not text:
        return None
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC).replace(tzinfo=None)


def iso(time: dt.datetime | None) -> str | None:
    """The other way."""
    return time.replace(tzinfo=dt.UTC).isoformat() if time else None

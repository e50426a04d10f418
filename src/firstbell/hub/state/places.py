"""Where the hub and its service find their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firstbell.config.wire import from_wire, runtime_from_wire
from firstbell.model import runtime as places
from firstbell.model.course import Course
from firstbell.model.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Places:
    """Where the hub finds its files; in the container as `model/runtime.py` says."""

    course: Path
    secrets: Path
    runtime: Path
    state: Path
    shared: Path
    ca: Path
    static: Path
    coursework: Path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Places:
        """The usual places, each overridable (FIRSTBELL_COURSE_FILE and so on) for a hub on a host, in tests."""

        def place(name: str, usual: str) -> Path:
            return Path(environment.get(f"FIRSTBELL_{name}", usual))

        return cls(
            course=place("COURSE_FILE", places.COURSE_FILE),
            secrets=place("SECRETS_FILE", places.SECRETS_FILE),
            runtime=place("RUNTIME_FILE", places.RUNTIME_FILE),
            state=place("STATE_DIR", places.STATE_DIR),
            shared=place("SHARED_DIR", places.SHARED_DIR),
            ca=place("CA_FILE", places.CA_FILE),
            static=place("STATIC_DIR", places.STATIC_DIR),
            coursework=place("COURSEWORK_DIR", places.COURSEWORK_DIR),
        )

    def environment(self) -> dict[str, str]:
        """The variables by which `of`, in another process, finds the same places."""
        return {
            "FIRSTBELL_COURSE_FILE": str(self.course),
            "FIRSTBELL_SECRETS_FILE": str(self.secrets),
            "FIRSTBELL_RUNTIME_FILE": str(self.runtime),
            "FIRSTBELL_STATE_DIR": str(self.state),
            "FIRSTBELL_SHARED_DIR": str(self.shared),
            "FIRSTBELL_CA_FILE": str(self.ca),
            "FIRSTBELL_COURSEWORK_DIR": str(self.coursework),
        }

    def read_course(self) -> Course:
        """The course as it was when the hub was started. Raises CourseFileError."""
        return from_wire(self.course.read_bytes(), self.secrets.read_bytes())

    def read_runtime(self) -> Runtime:
        """Where the course runs."""
        return runtime_from_wire(self.runtime.read_bytes())

    @property
    def roster(self) -> Path:
        """The roster."""
        return self.state / Path(places.ROSTER_FILE).name

"""A project folder with what decides its image: from a course file that is in it or names it, or from nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firstbell.config.reader import FILE_NAME, network_of, read_course
from firstbell.errors import CourseFileError
from firstbell.model import names
from firstbell.model.container import frozen
from firstbell.model.course import Course
from firstbell.model.image import BuildSettings
from firstbell.model.names import Role
from firstbell.model.network import Network
from firstbell.work.kernels import find_kernels


@dataclass(frozen=True, slots=True)
class Project:
    """A folder and how it is built; `course` where a course file says so."""

    directory: Path
    settings: BuildSettings
    course: Course | None = None


def open_project(path: Path, env: Mapping[str, str], *, base: str = "", kernels: tuple[str, ...] = ()) -> Project:
    """The project at `path`: a folder with a course file is that course's project, any other is its own.

    `base` and `kernels` go before what a course file says. Raises CourseFileError.
    """
    if (path / FILE_NAME).is_file():
        course = read_course(path, env, complete=False)
        if course.server.project is not None:
            return Project(course.server.project, course_settings(course, base=base, kernels=kernels), course)
    directory = path.resolve()
    network = network_of(env)
    settings = BuildSettings(
        name=names.slug(directory.name) or "project",
        kernels=find_kernels(kernels, directory),
        network=network,
        ca_bundle=read_ca_bundle(network),
        labels=frozen({names.LABEL_ROLE: Role.COURSE_IMAGE.value}),
        **({"base": base} if base else {}),
    )
    return Project(directory, settings)


def course_settings(course: Course, *, base: str = "", kernels: tuple[str, ...] = ()) -> BuildSettings:
    """What a course says of its image. Raises CourseFileError for a kernel that is not known."""
    return BuildSettings(
        name=course.name,
        base=base or course.server.base,
        kernels=find_kernels(kernels or course.server.kernels, course.server.project),
        network=course.network,
        ca_bundle=read_ca_bundle(course.network),
        labels=frozen(names.labels(course.name, Role.COURSE_IMAGE)),
    )


def read_ca_bundle(network: Network) -> bytes:
    """The authorities to trust while building; empty where none are named. Raises CourseFileError."""
    if network.ca_bundle is None:
        return b""
    try:
        return network.ca_bundle.read_bytes()
    except OSError as error:
        raise CourseFileError(
            f"the bundle of authorities cannot be read: {error.strerror}",
            where=str(network.ca_bundle),
            next_step="Correct [network] ca_bundle in the course file, or SSL_CERT_FILE in the environment.",
        ) from error

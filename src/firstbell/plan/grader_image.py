"""The image in which nbgrader's trusted work is done: student versions, the gradebook, feedback. Pure.

On Firstbell's own base, not on the course's image: it is the same for every course, is not built anew with each change
of a course's packages, and asks for no Python of theirs (nbgrader wants 3.11). What students wrote never runs in it.
"""

from __future__ import annotations

from importlib.resources import files

from firstbell.model.course import Course
from firstbell.model.image import BuildSpec
from firstbell.model.names import Role
from firstbell.plan.context import BUILD_DIR, data_file, first_files, first_layers, own_image

VENV = "/opt/firstbell/nbgrader"
PYTHON = f"{VENV}/bin/python3"
_LOCK = "grader.lock"


def grader_build(course: Course, ca_bundle: bytes = b"") -> BuildSpec:
    """How the image is built; the same for every course with the same base."""
    recipe = files("firstbell.plan") / "recipe"
    ours = (*first_files(ca_bundle), data_file(recipe / _LOCK, f".firstbell/{_LOCK}"))
    return own_image("grader", Role.GRADER_IMAGE, course, _dockerfile(course.server.base), ours)


def _dockerfile(base: str) -> str:
    return f"""\
# Made by Firstbell: nbgrader, for the grading of assignments.
{first_layers(base)}
COPY .firstbell/{_LOCK} /opt/firstbell/{_LOCK}
RUN python3 -m venv --without-pip {VENV} && \\
    {BUILD_DIR}/uv-pip --python {PYTHON} --require-hashes --no-deps -r /opt/firstbell/{_LOCK}
ENV PATH={VENV}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""

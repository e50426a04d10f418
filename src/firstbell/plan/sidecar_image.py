"""The image of the side-cars of web applications: Python and jupyter-server-proxy, in exact versions. Pure."""

from __future__ import annotations

from importlib.resources import files

from firstbell.model.course import Course
from firstbell.model.image import BuildSpec
from firstbell.model.names import Role
from firstbell.plan.context import BUILD_DIR, data_file, first_files, first_layers, own_image

VENV = "/opt/firstbell/venv"
_LOCK = "sidecar.lock"


def sidecar_build(course: Course, ca_bundle: bytes = b"") -> BuildSpec:
    """How the image is built; the same for every course with the same base."""
    dockerfile = _dockerfile(course.server.base)
    recipe = files("firstbell.plan") / "recipe"
    ours = (*first_files(ca_bundle), data_file(recipe / _LOCK, f".firstbell/{_LOCK}"))
    return own_image("sidecar", Role.SIDECAR_IMAGE, course, dockerfile, ours)


def _dockerfile(base: str) -> str:
    return f"""\
# Made by Firstbell: the side-car of web applications.
{first_layers(base)}
COPY .firstbell/{_LOCK} /opt/firstbell/{_LOCK}
RUN python3 -m venv --without-pip {VENV} && \\
    {BUILD_DIR}/uv-pip --python {VENV}/bin/python3 --require-hashes --no-deps -r /opt/firstbell/{_LOCK}
"""

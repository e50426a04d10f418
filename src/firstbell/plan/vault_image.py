"""The image in which restic works: Firstbell's own base with the restic of that Debian. Pure.

The same for every course with the same base. restic's version is the base's: security fixes come with it, and what is
in the storage is read by every later one.
"""

from __future__ import annotations

from firstbell.model.course import Course
from firstbell.model.image import BuildSpec
from firstbell.model.names import Role
from firstbell.plan.context import BUILD_DIR, CACHED, first_files, first_layers, own_image

OLDEST = "0.14"
"""Whose words and JSON `firstbell.backup` was read off; Debian 12 has it."""


def vault_build(course: Course, ca_bundle: bytes = b"") -> BuildSpec:
    """How the image is built."""
    return own_image("vault", Role.VAULT_IMAGE, course, _dockerfile(course.server.base), first_files(ca_bundle))


def _dockerfile(base: str) -> str:
    return f"""\
# Made by Firstbell: restic, for backups.
{first_layers(base)}
RUN {CACHED} \\
    {BUILD_DIR}/apt-install restic openssh-client
# One that is older would answer in other words.
RUN dpkg --compare-versions "$(dpkg-query --show --showformat='${{Version}}' restic)" ge {OLDEST}
"""

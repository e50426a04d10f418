"""The image in which backups are made."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from firstbell.model.course import Course
from firstbell.plan.vault_image import OLDEST, vault_build
from tests.support.restic import needs_restic


def course(name: str, **server: Any) -> Course:
    made: Any = {"image": "x", **server}
    return Course(name=name, server=made)


def test_it_is_the_same_for_every_course() -> None:
    """Its tag names what is in it: base and recipe, not the course, its image or the network's authorities."""
    spec = vault_build(course("a"))
    assert spec.tag == vault_build(course("b", memory="2G"), b"PEM").tag and spec.tag.startswith("firstbell/vault:")
    assert spec.tag != vault_build(course("a", base="debian:forky")).tag
    assert "apt-install restic openssh-client" in spec.dockerfile


@needs_restic
@pytest.mark.parametrize(("oldest", "is_enough"), [(OLDEST, True), ("99", False)])
def test_a_restic_that_is_too_old_makes_no_image(oldest: str, is_enough: bool) -> None:
    """The recipe's last step says yes to the restic that the tests are made with, and no to an older one."""
    step = vault_build(course("a")).dockerfile.strip().splitlines()[-1].removeprefix("RUN ").replace(OLDEST, oldest)
    assert (subprocess.run(["sh", "-c", step], check=False).returncode == 0) is is_enough

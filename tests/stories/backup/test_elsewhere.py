"""Backups on another machine, by SFTP, on the real engine."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path

import pytest

from firstbell.model import names
from firstbell.model.course import Course, Server
from firstbell.model.names import Role
from firstbell.plan.home import home_volume
from tests.support.course import RunningCourse, docker, remove
from tests.support.restic import fill_home, picture
from tests.support.ssh import ssh_server

NAME = "test-elsewhere"
ROOTS = Path("/var/lib/docker/volumes")
COURSE = Course(name=NAME, server=Server(image="x"))
pytestmark = pytest.mark.skipif(not os.access(ROOTS, os.R_OK), reason="the engine's volumes cannot be read from here")


def _volume(name: str, labels: dict[str, str]) -> Path:
    marks = [word for pair in labels.items() for word in ("--label", "=".join(pair))]
    docker("volume", "create", *marks, name)
    return ROOTS / name / "_data"


def test_a_course_goes_elsewhere_and_comes_back(tmp_path: Path) -> None:
    """Without anything of it running: there, checked, and back after all of it was lost, the cache included."""
    remove(NAME)
    home = home_volume(COURSE, "ada")
    course = RunningCourse(tmp_path, NAME, "")
    word = {"WORD": "geheim"}
    try:
        with ssh_server(tmp_path / "ssh") as server:
            host_key = " ".join((tmp_path / "ssh" / "host_key.pub").read_text().split()[:2])
            to = f"sftp://{getpass.getuser()}@{server.address.rpartition('@')[2]}/{tmp_path}/store"
            (tmp_path / "firstbell.toml").write_text(
                f'name = "{NAME}"\n[server]\nimage = "x"\n[backup]\nto = "{to}"\npassword = "env:WORD"\n'
                f'ssh_key = "file:ssh/user_key"\nhost_key = "{host_key}"\n'
            )
            place = fill_home(_volume(home.name, dict(home.labels)))
            _volume(names.volume(NAME, Role.STATE), names.labels(NAME, Role.STATE)).joinpath("x").write_text("y")
            before = picture(place)
            done = json.loads(course.cli("backup", "now", "--json", environment=word).stdout)
            assert (done["homes"], done["bad"]) == (1, [])
            assert "is right" in course.cli("backup", "check", environment=word).stdout
            assert any((ROOTS / names.volume(NAME, Role.BACKUP_CACHE) / "_data").iterdir())
            remove(NAME)
            course.cli("restore", "--all", environment=word)
            assert picture(place) == before
    finally:
        remove(NAME)

"""Backups on another machine, on the real engine: by SFTP, REST and S3, each with a real server of its own."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firstbell.model import names
from firstbell.model.course import Course, Server
from firstbell.model.names import Role
from firstbell.plan.home import home_volume
from tests.support.course import RunningCourse, docker, remove
from tests.support.restic import fill_home, picture
from tests.support.ssh import ssh_server
from tests.support.storages import USER, WORD, storage_server

NAME = "test-elsewhere"
ROOTS = Path("/var/lib/docker/volumes")
COURSE = Course(name=NAME, server=Server(image="x"))
ENVIRONMENT = {"WORD": "geheim", "LOGIN": USER, "LOGIN_WORD": WORD}
_LOGINS = {
    "rest": '{ RESTIC_REST_USERNAME = "env:LOGIN", RESTIC_REST_PASSWORD = "env:LOGIN_WORD" }',
    "s3": '{ AWS_ACCESS_KEY_ID = "env:LOGIN", AWS_SECRET_ACCESS_KEY = "env:LOGIN_WORD" }',
}
pytestmark = pytest.mark.skipif(not os.access(ROOTS, os.R_OK), reason="the engine's volumes cannot be read from here")


def _volume(name: str, labels: dict[str, str]) -> Path:
    marks = [word for pair in labels.items() for word in ("--label", "=".join(pair))]
    docker("volume", "create", *marks, name)
    return ROOTS / name / "_data"


@contextmanager
def _storage(kind: str, folder: Path) -> Iterator[str]:
    """A server of that kind; the lines of `[backup]` that lead there."""
    if kind == "sftp":
        with ssh_server(folder / "ssh") as server:
            host_key = " ".join((folder / "ssh" / "host_key.pub").read_text().split()[:2])
            to = f"sftp://{getpass.getuser()}@{server.address.rpartition('@')[2]}/{folder}/store"
            yield f'to = "{to}"\nssh_key = "file:ssh/user_key"\nhost_key = "{host_key}"\n'
        return
    with storage_server(kind, folder / "served") as url:
        yield f'to = "{kind}:{url}/courses/{NAME}"\nenvironment = {_LOGINS[kind]}\n'


@pytest.mark.parametrize("kind", ["sftp", "rest", "s3"])
def test_a_course_goes_elsewhere_and_comes_back(kind: str, tmp_path: Path) -> None:
    """Without anything of it running: there, checked, and back after all of it was lost, the cache included."""
    remove(NAME)
    home = home_volume(COURSE, "ada")
    course = RunningCourse(tmp_path, NAME, "")
    try:
        with _storage(kind, tmp_path) as leads_there:
            (tmp_path / "firstbell.toml").write_text(
                f'name = "{NAME}"\n[server]\nimage = "x"\n[backup]\npassword = "env:WORD"\n{leads_there}'
            )
            place = fill_home(_volume(home.name, dict(home.labels)))
            _volume(names.volume(NAME, Role.STATE), names.labels(NAME, Role.STATE)).joinpath("x").write_text("y")
            before = picture(place)
            done = json.loads(course.cli("backup", "now", "--json", environment=ENVIRONMENT).stdout)
            assert (done["homes"], done["bad"]) == (1, [])
            assert "is right" in course.cli("backup", "check", environment=ENVIRONMENT).stdout
            assert any((ROOTS / names.volume(NAME, Role.BACKUP_CACHE) / "_data").iterdir())
            remove(NAME)
            course.cli("restore", "--all", environment=ENVIRONMENT)
            assert picture(place) == before
    finally:
        remove(NAME)


@pytest.mark.parametrize("kind", ["rest", "s3"])
def test_a_storage_that_does_not_let_us_in(kind: str, tmp_path: Path) -> None:
    """A wrong login, and a server that is not there: said in words that name the storage, and no word of the login."""
    remove(NAME)
    home = home_volume(COURSE, "ada")
    course = RunningCourse(tmp_path, NAME, "")
    wrong = ENVIRONMENT | {"LOGIN_WORD": "not-the-word"}
    try:
        _volume(home.name, dict(home.labels)).joinpath("x").write_text("y")
        with _storage(kind, tmp_path) as leads_there:
            (tmp_path / "firstbell.toml").write_text(
                f'name = "{NAME}"\n[server]\nimage = "x"\n[backup]\npassword = "env:WORD"\n{leads_there}'
            )
            refused = course.cli("backup", "now", environment=wrong, check=False)
            assert "the storage of the backups does not let us in" in refused.stderr
        away = course.cli("backup", "now", environment=ENVIRONMENT, check=False)
        assert "the storage of the backups does not answer" in away.stderr
        assert refused.returncode and away.returncode
        assert not any(word in refused.stderr + away.stderr for word in ("not-the-word", WORD, "geheim"))
    finally:
        remove(NAME)

"""The hub's tables in a file and in a real PostgreSQL, and the copy from which a hub elsewhere begins."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyterhub import orm

from firstbell.config.wire import to_wire
from firstbell.errors import EngineUnavailable
from firstbell.hub.bells.hub import ApiHub
from firstbell.hub.control_io import HubFiles
from firstbell.hub.nodes.state_copy import COOKIE_SECRET, StateCopy, restore
from firstbell.hub.people.book import open_store
from firstbell.hub.people.control import list_people
from firstbell.hub.settings import Kept, settings
from firstbell.hub.state.hub_tables import (
    database_of,
    place_of,
    put_aside_damaged,
    refuse_unreachable,
    rows,
    sqlalchemy_url,
)
from firstbell.hub.state.secrets import read_or_create
from firstbell.model.course import Course, Server
from firstbell.model.runtime import Runtime
from firstbell.model.secret import Secret
from tests.support.postgresql import PostgreSql, postgresql, programs

needs_postgresql = pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed")
ADDRESS = "postgresql://hub:secret@db.example.org:5433/hub"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSql]:
    """A real one."""
    with postgresql() as made:
        yield made


def course(database: str = "") -> Course:
    secret = Secret("env:HUB_DATABASE", database) if database else None
    return Course(name="stats", server=Server(image="a"), database=secret)


def fill(database: str) -> None:
    """Somebody whose server runs, and somebody who was never there, as JupyterHub writes them."""
    db = orm.new_session_factory(sqlalchemy_url(database))()
    ada, ben = orm.User(name="ada"), orm.User(name="ben")
    ada.last_activity = orm.utcnow(with_tz=False).replace(2026, 11, 21, 8, 30, 0, 0)
    spawner = orm.Spawner(name="", user=ada, server=orm.Server(), state={"containers": ["c"]})
    spawner.last_activity = ada.last_activity
    db.add_all([ada, ben, spawner])
    db.commit()
    db.get_bind().dispose()


def look(database: str, course: Course, state: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `people list` and the bells see."""
    for name, data in zip(("course", "secrets"), to_wire(course), strict=True):
        (state / name).write_bytes(data)
    hub = HubFiles(state, state / "course", state / "secrets", state / "runtime")
    listed = {row["username"]: row for row in list_people(hub)}
    return listed, ApiHub("", "", database).servers()


def check(listed: dict[str, Any], servers: dict[str, Any]) -> None:
    assert (listed["ada"]["running"], listed["ada"]["last_seen"]) == (True, "2026-11-21T08:30:00Z")
    assert (listed["ben"]["running"], listed["ben"]["last_seen"]) == (False, None)
    assert servers.keys() == {"ada"}
    assert servers["ada"].is_up
    assert servers["ada"].last_activity == 1795249800.0


def test_a_file_is_read(tmp_path: Path) -> None:
    """Without a database in the course everything is in the hub's state; while there is no file nobody is known."""
    database = database_of(course(), tmp_path)
    assert rows(database, "SELECT 1") == []
    fill(database)
    check(*look(database, course(), tmp_path))


@needs_postgresql
def test_postgresql_is_read(server: PostgreSql, tmp_path: Path) -> None:
    """The same people and servers are seen where JupyterHub's tables are in PostgreSQL."""
    fill(server.url)
    check(*look(server.url, course(server.url), tmp_path))


@needs_postgresql
def test_a_hub_elsewhere_begins_from_the_copy(server: PostgreSql, tmp_path: Path) -> None:
    """Seats, where homes are, and both keys are as they were; an unchanged state writes nothing."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    store = open_store(here)
    secret = read_or_create(here / COOKIE_SECRET)
    copy = StateCopy(server.url, here)
    assert len(copy.save()) == 3
    assert copy.save() == ()
    store.record_home("ada", "node2")
    assert copy.save() == ("people.sqlite",)
    assert set(restore(server.url, there)) == {"people.sqlite", "people.key", COOKIE_SECRET}
    found = open_store(there)
    assert found.home_nodes() == {"ada": "node2"}
    assert found.key == store.key
    assert read_or_create(there / COOKIE_SECRET) == secret
    assert restore(server.url, there) == (), "what a machine has is not overwritten"


@needs_postgresql
def test_an_unreachable_database_is_told_without_its_password(server: PostgreSql) -> None:
    """Away, or a wrong password: host, name and what PostgreSQL said, never the secret; looks fail as for a file."""
    refuse_unreachable(server.url)
    wrong = server.url.replace("secret", "hidden-word")
    with pytest.raises(EngineUnavailable, match="password authentication failed") as caught:
        refuse_unreachable(wrong)
    assert "hidden-word" not in str(caught.value)
    assert caught.value.where.endswith(f":{server.port}/hub")
    server.stop()
    try:
        with pytest.raises(EngineUnavailable, match=r"(?i)refused"):
            refuse_unreachable(server.url)
        with pytest.raises(sqlite3.Error):
            rows(server.url, "SELECT 1")
    finally:
        server.start()


def test_settings_and_words() -> None:
    """JupyterHub is told the driver; what people are told has no password in it."""
    runtime = Runtime(course="stats", image="a", network="n", gateway="172.18.0.1")
    config = settings(course(ADDRESS), runtime, Kept(Path("/state"), b"c" * 32, "token"))
    assert config.JupyterHub.db_url == ADDRESS.replace("postgresql", "postgresql+psycopg")
    assert place_of(ADDRESS) == "postgresql://db.example.org:5433/hub"
    refuse_unreachable("/state/jupyterhub.sqlite")


@pytest.mark.parametrize("address", ["mysql://h/x", "postgresql://", "postgresql://h", "sqlite:///x"])
def test_another_kind_of_database_is_refused(address: str) -> None:
    """Only PostgreSQL is known, with a host and a name."""
    with pytest.raises(ValueError, match="no address of PostgreSQL"):
        course(address)


def test_a_damaged_file_makes_room_for_a_new_one(tmp_path: Path) -> None:
    """Flipped bytes, whether in its head or in a page, put it aside as it is; a whole one, or none, stays."""
    path = tmp_path / "jupyterhub.sqlite"
    assert put_aside_damaged(str(path), 1.0) == "" and put_aside_damaged(ADDRESS, 1.0) == ""
    for place in (0, 4096 * 3):
        orm.new_session_factory(f"sqlite:///{path}")().close()
        assert put_aside_damaged(str(path), place) == ""
        with path.open("r+b") as file:
            file.seek(place)
            file.write(b"\xff" * 4096)
        damaged = path.read_bytes()
        assert put_aside_damaged(str(path), place) == f"{path}.damaged-{place}"
        assert Path(f"{path}.damaged-{place}").read_bytes() == damaged and not path.exists()


def test_a_locked_file_is_not_taken_for_a_damaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of it then."""
    monkeypatch.setattr("firstbell.hub.state.hub_tables._DEADLINE", 0)
    path = tmp_path / "jupyterhub.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE t (x)")
        other.commit()
        other.execute("BEGIN EXCLUSIVE")
        assert put_aside_damaged(str(path), 1.0) == "" and path.exists()

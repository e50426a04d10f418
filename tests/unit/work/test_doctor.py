"""Gathering facts for the doctor."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.network import Network
from firstbell.model.observed import NetworkState, Observed
from firstbell.model.runtime import HUB_PORT
from firstbell.plan.doctor_facts import Level
from firstbell.work.doctor import (
    disk,
    examine,
    held_locks,
    is_taken,
    mirror_roles,
    own_addresses,
    reach,
    registry_of,
    taken_ports,
)
from firstbell.work.lock import course_lock, lock_folder


async def test_engine_down_is_no_crash():
    """Without an engine the doctor still looks at the rest, and says what is wrong."""
    engine = FakeEngine()
    engine.away = True
    found = await examine(engine, None)
    assert found[0].level is Level.PROBLEM
    assert any(f.where == "clock" for f in found)


async def test_machine_without_a_course():
    """Without a course the machine alone is looked at."""
    found = await examine(FakeEngine(), None)
    assert "20.10" in found[0].what
    assert not any(f.where == "url" for f in found)


def test_disk_of_a_folder_that_is_not_there(tmp_path: Path):
    """A path that cannot be seen is judged by the file system it would be on."""
    found = disk(str(tmp_path / "deep" / "deeper"))
    assert found is not None
    assert found.total > 0


def test_taken_port():
    """A port is taken exactly while something listens on it; an address that is not ours has no taken ports."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert is_taken("127.0.0.1", port)
        assert is_taken("0.0.0.0", port)
    assert not is_taken("127.0.0.1", port)
    assert not is_taken("192.0.2.1", port)


def test_ports_of_a_course_that_runs():
    """Once a course has its network, the ports of hub and proxy on it are looked at, too."""
    course = Course.model_validate({"name": "stats", "url": "http://127.0.0.1:1", "server": {"image": "i:1"}})
    network = NetworkState(names.network("stats"), gateway="127.0.0.1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", HUB_PORT))
        taken.listen()
        assert ("127.0.0.1", HUB_PORT) in taken_ports(course, Observed("stats", networks=(network,)))


def test_own_addresses():
    """An address of this machine is told from one that is none."""
    assert own_addresses(("127.0.0.1", "192.0.2.1")) == ("127.0.0.1",)


def test_held_lock_is_seen():
    """A command at work is seen with its course; afterwards it is not."""
    with course_lock("doctor-test"):
        assert "doctor-test" in dict(held_locks(lock_folder()))
    assert "doctor-test" not in dict(held_locks(lock_folder()))


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("debian:trixie-slim", "index.example.org"),
        ("jupyter/base", "index.example.org"),
        ("example.org/library/debian", "index.example.org"),
        ("images.example.net/jupyter/scipy-notebook:latest", "images.example.net"),
        ("localhost:5000/x", "localhost:5000"),
        ("localhost/x", "localhost"),
    ],
)
def test_registry_of_an_image(image: str, host: str):
    """Names are read as Docker reads them."""
    assert registry_of(image, "index.example.org") == host


def test_registry_that_is_not_there():
    """A registry that refuses the connection is unreachable, with the reason."""
    found, skew = reach("a registry", "http://127.0.0.1:9/v2/", "", None)
    assert not found.answers
    assert "refused" in found.why.lower()
    assert skew is None


def test_every_mirror_is_looked_at():
    """Each mirror that [network] can name is asked whether it answers, the image registry's by HTTPS."""
    keys = ("apt", "pypi", "python", "npm", "conda", "cran", "go", "maven", "crates")
    named = Network(**{key: f"http://mirror.example.org/{key}" for key in keys}, registry="mirror.example.org:5000")
    asked = [url for _, url in mirror_roles(named)]
    assert asked == [f"http://mirror.example.org/{key}" for key in keys] + ["https://mirror.example.org:5000"]
    assert not any(url for _, url in mirror_roles(Network()))

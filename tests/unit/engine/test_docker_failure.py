"""The daemon's sentences, told to people."""

from __future__ import annotations

import pytest

from firstbell.engine import docker_failure
from firstbell.engine.docker_api import Answer
from firstbell.errors import EngineUnavailable, FirstbellError, HomeMissing, PortTaken, StartFailed
from firstbell.model.container import ContainerSpec

SPEC = ContainerSpec("firstbell-x-server", "img:1", ("python3", "-m", "x"), network="net")


@pytest.mark.parametrize(
    ("status", "sentence", "kind", "words"),
    [
        (404, "No such image: img:1", StartFailed, "the image img:1 is not on this machine"),
        (500, "driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated",
         PortTaken, "port"),
        (500, "userland proxy: listen tcp4 127.0.0.1:80: bind: address already in use", PortTaken, "port"),
        (500, "write /var/lib/docker/tmp: no space left on device", StartFailed, "disk"),
        (400, 'invalid mount config for type "bind": bind source path does not exist: /x', HomeMissing, "directory"),
        (500, 'error while mounting volume "/v": failed to mount local volume: mount nfs:/x', HomeMissing, "volume"),
        (400, 'OCI runtime create failed: exec: "python3": executable file not found in $PATH: unknown', StartFailed,
         "cannot run python3"),
        (400, "Minimum memory limit allowed is 6MB", StartFailed, "memory limit"),
        (500, "no available IPv4 addresses on this network's address pools: net (1)", StartFailed,
         "no address is left on the network net"),
        (404, "network net not found", StartFailed, "the network net is missing"),
        (400, "something nobody has seen", StartFailed, "could not be started"),
        (500, "OCI runtime create failed: something new", StartFailed, "could not be started"),
    ],
)  # fmt: skip
def test_start(status: int, sentence: str, kind: type[FirstbellError], words: str) -> None:
    """A definite answer becomes a cause in words, a next step, and the daemon's own sentence as evidence."""
    error = docker_failure.of_start(Answer(status, sentence), SPEC)
    assert isinstance(error, kind)
    assert words in error.what
    assert error.where == SPEC.name
    assert error.next_step
    assert error.evidence == (sentence,)


def test_trouble_of_the_daemons_own() -> None:
    """A status 500 that says nothing about the request stays EngineUnavailable."""
    error = docker_failure.of_start(Answer(500, "context deadline exceeded"), SPEC)
    assert isinstance(error, EngineUnavailable)


def test_no_free_subnet() -> None:
    """An engine without free ranges of addresses says what to set."""
    sentence = "could not find an available, non-overlapping IPv4 address pool among the defaults"
    error = docker_failure.of_network(Answer(404, sentence), "net")
    assert isinstance(error, StartFailed)
    assert "subnet" in error.next_step

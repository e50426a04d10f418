"""What becomes of servers on a node that does not answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from firstbell.hub.homes.leases import Leases
from firstbell.hub.nodes.away import AwayCare
from firstbell.hub.nodes.away_page import owner_of


class Hub:
    """Ada's server is on n2, Bob's on n3."""

    def __init__(self, leased: bool) -> None:
        self.seconds, self.away, self.stopped = 0.0, set[str](), list[str]()
        leases = Leases(25, lambda: self.seconds) if leased else None
        nodes = SimpleNamespace(
            back=[], away=lambda: tuple(self.away), is_away=self.away.__contains__, since=lambda _: "09:12"
        )
        self.cluster: Any = SimpleNamespace(nodes=nodes, leases=leases)
        self.users = {1: self._user("ada", "n2"), 2: self._user("bob", "n3")}
        app = SimpleNamespace(users=self.users, proxy=SimpleNamespace(delete_user=self._delete))
        self.care = AwayCare(app, self.cluster, SimpleNamespace())  # type: ignore[arg-type]

    def _user(self, name: str, node: str) -> Any:
        user = SimpleNamespace(name=name, stop=self._stop)
        spawner = SimpleNamespace(user=user, name="", ready=True, node=node, is_given_up=False, _spawn_future=None)
        user.spawners = {"": spawner}
        user.stop = lambda _: self._stop(name)
        return user

    async def _delete(self, user: Any, _: str) -> None:
        assert user.spawners[""].is_given_up  # a lease must be refused before its home is free

    async def _stop(self, name: str) -> None:
        self.stopped.append(name)

    def spawner(self, number: int) -> Any:
        return self.users[number].spawners[""]


async def test_with_shared_homes_a_lost_server_is_given_up_when_its_lease_is_over():
    """Not a second before: it may be alive, and write; and its neighbour on another node is left alone."""
    hub = Hub(leased=True)
    hub.cluster.leases.grant("ada")
    hub.away.add("n2")
    hub.seconds = 29.9
    await hub.care.give_up_the_lost()
    assert hub.stopped == []
    hub.seconds = 30.0
    await hub.care.give_up_the_lost()
    assert hub.stopped == ["ada"]
    assert not hub.spawner(2).is_given_up
    error = hub.spawner(1)._spawn_future.exception()
    assert "The machine n2 does not answer since 09:12" in error.jupyterhub_message


async def test_a_server_that_still_asks_is_never_given_up():
    """A node whose link is silent, while its servers reach the hub, is away and not dead."""
    hub = Hub(leased=True)
    hub.away.add("n2")
    for _ in range(100):
        hub.seconds += 5
        hub.cluster.leases.grant("ada")
        await hub.care.give_up_the_lost()
    assert hub.stopped == []


async def test_with_homes_on_nodes_nobody_is_ever_given_up():
    """Such a server is waited for: its files are nowhere else."""
    hub = Hub(leased=False)
    hub.away.add("n2")
    hub.seconds = 1e6
    await hub.care.give_up_the_lost()
    assert hub.stopped == []


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/user/ada/lab", "ada"),
        ("/user/a%40b/api/kernels", "a@b"),
        ("/user/ada", "ada"),
        ("/hub/home", ""),
        ("/", ""),
        ("", ""),
    ],
)
def test_whose_server_was_not_reached(path, owner):
    """The page of an unreached server is found by its address; others are nobody's."""
    assert owner_of(path, "/") == owner
    assert owner_of("/course" + path, "/course/") == owner

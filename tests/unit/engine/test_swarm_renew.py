"""New keys on a manager in memory: who gets which, and that another manager's are not used."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import Answer
from firstbell.engine.swarm_keys import refuse_elsewhere
from firstbell.engine.swarm_renew import Renewal
from firstbell.errors import EngineUnavailable
from firstbell.link import authority
from firstbell.link.keys import KEY_FILE, RoleKeys
from firstbell.model.cluster import KeyRole
from firstbell.model.membership import Membership

KEYS = authority.make(datetime(2026, 11, 21, tzinfo=UTC))


def node(number: int, **labels: str) -> dict[str, Any]:
    return {
        "ID": f"id{number}",
        "Description": {"Hostname": f"node{number}"},
        "Status": {"State": "ready", "Addr": f"10.0.0.{number}"},
        "Spec": {"Availability": "active", "Labels": labels},
        "ManagerStatus": {"Addr": f"10.0.0.{number}:2377"},
    }


def service(name: str, role: str, *, keys: bool = True) -> dict[str, Any]:
    key = {"SecretID": "old", "SecretName": "old", "File": {"Name": KEY_FILE, "UID": "7", "GID": "8", "Mode": 0o400}}
    other = {"SecretID": "x", "SecretName": "x", "File": {"Name": "/srv/else", "UID": "0", "GID": "0", "Mode": 0o400}}
    labels = {"firstbell.role": role, "firstbell.course": "stats", "firstbell.name": name}
    container = {"Secrets": [key, other] if keys else [other]}
    return {
        "ID": f"id-{name}",
        "Version": {"Index": 1},
        "Spec": {"Name": name, "Labels": labels, "TaskTemplate": {"ContainerSpec": container}},
    }


class Manager:
    """The daemon of node1, as far as keys are concerned."""

    deadline = 30.0

    def __init__(self, nodes: list[dict[str, Any]], services: list[dict[str, Any]]) -> None:
        self.nodes, self.services = nodes, services
        self.secrets: dict[str, bytes] = {}
        self.members = SimpleNamespace(membership=self._membership)

    @property
    def api(self) -> Manager:
        return self

    async def _membership(self) -> Membership:
        return Membership("active", node_id="id1", is_manager=True, name="node1")

    async def json(self, method: str, path: str, *, body: Any = None, **_: Any) -> Any:
        if method == "GET" and path in {"nodes", "services"}:
            return getattr(self, path)
        if path == "secrets/create":
            identity = f"secret{len(self.secrets)}"
            self.secrets[identity] = base64.b64decode(body["Data"])
            return {"ID": identity}
        found = next((s for s in self.services if path.split("/")[1] in {s["ID"], s["Spec"]["Name"]}), None)
        if found is None:
            raise Answer(404, "service not found")
        if method == "POST":
            found["Spec"] = body
        return found


def engine(manager: Manager) -> DockerEngine:
    return cast("DockerEngine", manager)


async def test_each_service_gets_the_keys_of_its_role_and_nothing_else_changes() -> None:
    """Link, hub and tunnel hold keys of different roles, for the same user and mode as before; other files stay."""
    services = [service("hub", "hub"), service("link", "link"), service("tunnel", "tunnel")]
    manager = Manager([node(1)], [*services, service("edge", "edge", keys=False), service("alice", "server")])
    renewal = Renewal(engine(manager))
    assert await renewal.holders() == ("link", "hub", "tunnel")
    for name in await renewal.holders():
        await renewal.hand_out(KEYS, name)
    for found, role in zip(services, (KeyRole.HUB, KeyRole.NODE, KeyRole.TUNNEL), strict=True):
        other, own = found["Spec"]["TaskTemplate"]["ContainerSpec"]["Secrets"]
        assert other["File"]["Name"] == "/srv/else"
        assert own["File"] == {"Name": KEY_FILE, "UID": "7", "GID": "8", "Mode": 0o400}
        assert RoleKeys.read(role, manager.secrets[own["SecretID"]]).bundle == KEYS.of(role).bundle


async def test_a_service_that_is_gone_needs_no_keys() -> None:
    """A course that ended meanwhile holds nobody up."""
    manager = Manager([node(1)], [])
    await Renewal(engine(manager)).hand_out(KEYS, "hub")
    assert not manager.secrets


@pytest.mark.parametrize("has_keys", [True, False])
async def test_keys_of_another_manager_are_not_used(has_keys: bool) -> None:
    """Whoever keeps them is named with what to type, also where this manager has old ones of its own."""
    manager = Manager([node(1), node(2, **{"firstbell.keys": "true"})], [])
    with pytest.raises(EngineUnavailable, match="kept by node2") as caught:
        await refuse_elsewhere(engine(manager), has_keys=has_keys)
    assert "ssh://root@10.0.0.2" in caught.value.next_step


async def test_a_manager_without_keys_beside_a_link_makes_none() -> None:
    """A cluster whose keeper is not marked has a link already: new keys here would cut off every node."""
    with pytest.raises(EngineUnavailable, match="first course was brought up"):
        await refuse_elsewhere(engine(Manager([node(1)], [service("firstbell_link", "link")])), has_keys=False)


async def test_the_keeper_and_the_first_manager_go_on() -> None:
    """Who keeps the keys uses them; in a cluster that has none anybody may make them."""
    await refuse_elsewhere(engine(Manager([node(1, **{"firstbell.keys": "true"})], [])), has_keys=True)
    await refuse_elsewhere(engine(Manager([node(1)], [])), has_keys=False)
    await refuse_elsewhere(engine(Manager([node(1)], [service("firstbell_link", "link")])), has_keys=True)

"""New keys for a whole cluster: kept by one manager, then handed to every service that has the old ones.

Asks the manager's own daemon alone, never a node by its link: with what keys would it?
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firstbell.engine import swarm_read
from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import understood
from firstbell.engine.swarm_api import Json, SwarmApi
from firstbell.engine.swarm_config import LABEL_NAME
from firstbell.engine.swarm_files import FileStore
from firstbell.engine.swarm_keys import write_keys
from firstbell.link.keys import KEY_FILE, ClusterKeys
from firstbell.model.cluster import KeyRole
from firstbell.model.container import File
from firstbell.model.names import LABEL_COURSE, LABEL_ROLE, NODE_KEYS, Role
from firstbell.model.observed import NodeState

_ROLES: Mapping[str, KeyRole] = {Role.LINK: KeyRole.NODE, Role.HUB: KeyRole.HUB, Role.TUNNEL: KeyRole.TUNNEL}
_ORDER = (Role.LINK, Role.HUB, Role.TUNNEL)
"""All at once would be best: until the last has its new keys, hubs and tunnels reach no node."""


class Renewal:
    """What of a cluster holds keys, and its change."""

    def __init__(self, manager: DockerEngine) -> None:
        self._manager = manager
        self._api = SwarmApi(manager.api)
        self._files = FileStore(self._api)

    async def nodes(self) -> tuple[tuple[NodeState, ...], str]:
        """Every node, and the id of the manager's own."""
        entries = await self._api.listed("nodes")
        with understood("nodes"):
            return swarm_read.nodes(entries), (await self._manager.members.membership()).node_id

    async def holders(self) -> tuple[str, ...]:
        """The services that hold keys, as we call them, in the order in which they are given new ones."""
        return tuple(_name(service) for service in await self._services())

    async def keep(self, keys: ClusterKeys, image: str, node: NodeState) -> None:
        """Keep them on the manager's own node, and say so; keys that another manager keeps are old from now on."""
        await write_keys(self._manager, keys, image)
        nodes, _ = await self.nodes()
        for found in nodes:
            await self._label(found.id, "true" if found.id == node.id else "")

    async def hand_out(self, keys: ClusterKeys, holder: str) -> None:
        """Give a service the keys of its role; the Swarm starts its containers anew. One that is gone needs none."""
        service = next((one for one in await self._services() if _name(one) == holder), None)
        if service is None:
            return
        labels = service["Spec"]["Labels"]
        bundle = keys.of(_ROLES[labels[LABEL_ROLE]]).bundle
        old = next(_key_files(service))
        file = File(KEY_FILE, bundle, old["File"]["Mode"], int(old["File"]["UID"]), int(old["File"]["GID"]))
        (new,) = (await self._files.references(labels.get(LABEL_COURSE, ""), [file]))["Secrets"]

        def change(spec: dict[str, Any]) -> None:
            container = spec["TaskTemplate"]["ContainerSpec"]
            kept = [one for one in container["Secrets"] if one["File"]["Name"] != KEY_FILE]
            container["Secrets"] = [*kept, new]

        await self._api.update(f"services/{service['ID']}", change)

    async def unfinished(self) -> tuple[str, ...]:
        """The services of which a container with the old keys may still run."""
        states = {_name(one): (one.get("UpdateStatus") or {}).get("State") for one in await self._services()}
        return tuple(name for name, state in states.items() if state in {None, "updating"})

    async def _services(self) -> list[Json]:
        services = await self._api.listed("services", label=[LABEL_ROLE])
        with understood("services"):
            held = [service for service in services if _role(service) in _ROLES and any(_key_files(service))]
            return sorted(held, key=lambda one: (_ORDER.index(Role(_role(one))), _name(one)))

    async def _label(self, node: str, value: str) -> None:
        def change(spec: dict[str, Any]) -> None:
            labels = {**(spec.get("Labels") or {}), NODE_KEYS: value}
            spec["Labels"] = {key: content for key, content in labels.items() if content}

        await self._api.update(f"nodes/{node}", change)


def _key_files(service: Json) -> Any:
    held = service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Secrets") or ()
    return (secret for secret in held if secret["File"]["Name"] == KEY_FILE)


def _role(service: Json) -> str:
    return str(service["Spec"]["Labels"].get(LABEL_ROLE, ""))


def _name(service: Json) -> str:
    return str(service["Spec"]["Labels"].get(LABEL_NAME, service["Spec"]["Name"]))

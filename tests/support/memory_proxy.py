"""A proxy that only remembers its routes, for hubs that tests talk to directly."""

from __future__ import annotations

from typing import Any, ClassVar

from jupyterhub.proxy import Proxy


class MemoryProxy(Proxy):
    should_start = False
    routes: ClassVar[dict[str, Any]] = {}

    async def add_route(self, routespec: str, target: str, data: Any) -> None:
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec: str) -> None:
        self.routes.pop(routespec, None)

    async def get_all_routes(self) -> dict[str, Any]:
        return self.routes

    async def has_hub_route(self) -> bool:
        return True

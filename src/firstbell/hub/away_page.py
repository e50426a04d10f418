"""The page of somebody whose server is on a node that does not answer; it lets them in again by itself."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from jupyterhub.handlers.pages import ProxyErrorHandler

from firstbell.hub.pages import Page, Route

_UNREACHED = {502, 503, 504}


class UnreachedPage(ProxyErrorHandler, Page):
    """`/hub/error/503`: asked by the proxy, without anybody's login, for whoever's server it did not reach."""

    async def get(self, status_code_s: str) -> None:
        spawner = self._spawner() if int(status_code_s) in _UNREACHED else None
        cluster = self.firstbell.cluster
        if spawner is None or cluster is None or not cluster.nodes.is_away(spawner.node):
            await super().get(status_code_s)
            return
        left = round(cluster.leases.left(spawner.user.name)) if cluster.leases else None
        await self.show("away.html", node=spawner.node, since=cluster.nodes.since(spawner.node), left=left)

    def _spawner(self) -> Any:
        """The server that the proxy did not reach, by the address that was asked for; None if it is nobody's."""
        path = urlsplit(self.get_argument("url", "")).path
        name = owner_of(path, self.course.base_url)
        users = self.settings["firstbell_users"]() if name else {}
        return next(
            (s for user in users.values() if user.name == name for s in user.spawners.values() if s.ready), None
        )


def owner_of(path: str, base_url: str) -> str:
    """The user to whose server a path leads; empty for none."""
    prefix = f"{base_url}user/"
    return unquote(path.removeprefix(prefix).partition("/")[0]) if path.startswith(prefix) else ""


def away_handlers() -> list[Route]:
    """The route under the hub's prefix, before JupyterHub's own."""
    return [(r"/error/(\d+)", UnreachedPage)]

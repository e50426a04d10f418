"""The page of somebody whose server is on a node that does not answer; it lets them in again by itself."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from jupyterhub.handlers.base import UserUrlHandler
from jupyterhub.handlers.pages import ProxyErrorHandler

from firstbell.hub.pages.shared import Page, Route

_UNREACHED = {502, 503, 504}


class AwayPage(Page):
    """What the two pages below share."""

    def away_server(self, name: str) -> Any:
        """The server of that user, if it is on a node that is away; else None."""
        cluster = self.firstbell.cluster
        users = self.settings["firstbell_users"]() if name and cluster else {}
        spawners = (s for user in users.values() if user.name == name for s in user.spawners.values())
        return next((s for s in spawners if s.ready and cluster and cluster.nodes.is_away(s.node)), None)

    async def tell(self, spawner: Any, status: int) -> None:
        """Say which machine, since when, where the files are, and what becomes of it."""
        cluster = self.firstbell.cluster
        assert cluster is not None
        left = round(cluster.leases.left(spawner.user.name)) if cluster.leases else None
        names = {"node": spawner.node, "since": cluster.nodes.since(spawner.node), "left": left}
        await self.show("away.html", status=status, **names)


class UnreachedPage(ProxyErrorHandler, AwayPage):
    """`/hub/error/503`: asked by the proxy, without anybody's login, for whoever's server it did not reach."""

    async def get(self, status_code_s: str) -> None:
        path = urlsplit(self.get_argument("url", "")).path
        spawner = self.away_server(owner_of(path, self.course.base_url))
        if spawner is None or int(status_code_s) not in _UNREACHED:
            await super().get(status_code_s)
        else:
            await self.tell(spawner, 200)  # the proxy has its own status for it


class AwayServerPage(UserUrlHandler, AwayPage):
    """`/hub/user/NAME/…`: where a server's addresses lead as long as it has no route."""

    async def get(self, user_name: str, user_path: str) -> None:
        spawner = self.away_server(user_name) if self.current_user is not None else None
        if spawner is None:
            await super().get(user_name, user_path)
        elif (user_path or "").startswith("/api/"):
            self.set_status(503)
            self.finish({"message": f"The machine {spawner.node} does not answer; the server there is waited for."})
        else:
            await self.tell(spawner, 503)


def owner_of(path: str, base_url: str) -> str:
    """The user to whose server a path leads; empty for none."""
    prefix = f"{base_url}user/"
    return unquote(path.removeprefix(prefix).partition("/")[0]) if path.startswith(prefix) else ""


def away_handlers() -> list[Route]:
    """The routes under the hub's prefix, before JupyterHub's own."""
    return [(r"/error/(\d+)", UnreachedPage), (r"/user/(?P<user_name>[^/]+)(?P<user_path>/.*)?", AwayServerPage)]

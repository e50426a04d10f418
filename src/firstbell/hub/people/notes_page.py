"""Somebody's home page with what they are told, and where they say that they have read it."""

from __future__ import annotations

from typing import Any

from jupyterhub.handlers.pages import HomeHandler
from tornado import web

from firstbell.hub.idle.culler import IDLE
from firstbell.hub.pages.shared import Page, Route, SmallForm
from firstbell.hub.people.notes import number
from firstbell.plan.home_quota import home_stand


class HomePage(HomeHandler, Page):
    """`/hub/home`: as JupyterHub's, with what this person is told and how server and home stand."""

    @property
    def template_namespace(self) -> dict[str, Any]:
        """As every page's, with how one's own server and home stand."""
        user, care = self.current_user, self.settings.get(IDLE)
        use = self.firstbell.home_uses.of(user.name) if user else None
        return super().template_namespace | {
            "my_home": home_stand(use, self.course.homes) if use else None,
            "stands": care.stands(user.name) if care and user and user.spawner.ready else None,
        }


class ReadNotes(SmallForm):
    """`/hub/notes/read`: they have read them, up to the one named."""

    @web.authenticated
    async def post(self) -> None:
        """Back to the home page, which then shows what has come since."""
        self.firstbell.acts.read(self.current_user.name, number(self.get_argument("up_to", "")))
        self.redirect(self.hub_url("home"), status=303)


def notes_handlers() -> list[Route]:
    """Routes under the hub's prefix; before JupyterHub's own of the same paths."""
    return [(r"/home", HomePage), (r"/notes/read", ReadNotes)]

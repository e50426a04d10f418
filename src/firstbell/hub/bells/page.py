"""`/hub/bells`: how the bells stand, for staff, on a phone as well."""

from __future__ import annotations

from tornado import web

from firstbell.hub.bells.watch import reporter
from firstbell.hub.pages.shared import Page

BELLS_PAGE = "bells"
_EVERY = 15
"""Seconds after which the page asks again while a bell rings."""


class BellsPage(Page):
    """Staff only: whoever may see the admin page."""

    @web.authenticated
    async def get(self) -> None:
        """What comes, what rings, what was."""
        if "admin-ui" not in self.parsed_scopes:
            raise web.HTTPError(403, "The bells are for staff to look at.")
        report = reporter(self.firstbell, self.store.path.parent).report()
        await self.show("bells.html", report=report, refresh=_EVERY if report.ringing else 0)

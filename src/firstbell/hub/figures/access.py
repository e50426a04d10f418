"""Who may read the figures: a monitoring system with the course's token, staff, and `firstbell status`."""

from __future__ import annotations

import json
from typing import Any

from jupyterhub import orm

from firstbell.hub.figures.ask import HEADER, key_of
from firstbell.hub.logins import codes
from firstbell.hub.pages.shared import Page
from firstbell.model.course import Course

METRICS_SERVICE = "metrics"
FIGURES = "firstbell_figures"
"""Where the tornado settings have them."""


def metrics_service(course: Course) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A service that can do nothing but read figures and its role, where the course has a token for it; else none."""
    if course.metrics.token is None:
        return [], []
    service = {"name": METRICS_SERVICE, "api_token": course.metrics.token.reveal()}
    role = {
        "name": METRICS_SERVICE,
        "description": "Read the figures of the hub",
        "scopes": ["read:metrics"],
        "services": [METRICS_SERVICE],
    }
    return [service], [role]


def forget_old_tokens(db: Any, course: Course) -> None:
    """A token that is no longer in the course file is void: JupyterHub itself would go on taking it."""
    service = orm.Service.find(db, METRICS_SERVICE)
    if service is None:
        return
    present = course.metrics.token.reveal() if course.metrics.token else ""
    for token in list(service.api_tokens):
        if not present or not token.match(present):
            db.delete(token)
    db.commit()


class FiguresPage(Page):
    """`/hub/firstbell/figures`: for `firstbell.hub.control` alone, which has the key beside the hub's files."""

    def get_content_type(self) -> str:
        return "application/json"

    def get(self) -> None:
        """The snapshot; 403 without the key."""
        if not codes.same(self.request.headers.get(HEADER, ""), key_of(self.store)):
            self.set_status(403)
            return
        self.finish(json.dumps(self.settings[FIGURES].snapshot()))

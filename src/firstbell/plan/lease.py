"""Whether a course's servers need a lease: a home that every node can mount must have one writer at a time. Pure."""

from __future__ import annotations

from firstbell.model.cluster import LEASE_SECONDS
from firstbell.model.course import Course

LEASE_PATH = "firstbell/lease"
"""Where servers ask, under the hub's prefix."""


def lease_seconds(course: Course) -> float:
    """Seconds for which a server goes on without a word of its hub; 0 where it may do so for ever.

    On one machine there is one writer anyway, and a home that is a volume of one node stays on that node. A web
    application has nobody in its container to end it: its home is not given to another node before its own answers.
    """
    shared = course.engine.kind == "swarm" and course.homes.store != "volume"
    return LEASE_SECONDS if shared and not course.server.port else 0.0

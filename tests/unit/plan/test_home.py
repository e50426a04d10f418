"""Where people's files are."""

from __future__ import annotations

from firstbell.model import names
from firstbell.model.container import frozen
from firstbell.model.course import Course
from firstbell.model.observed import Observed, VolumeState
from firstbell.plan.home import seats_with_homes


def test_seats_that_have_files_are_found():
    """A seat's home is found by its volume's label or by its folder's name, and nobody else's is taken for one."""
    course = Course.model_validate({"name": "demo", "server": {"image": "x"}, "homes": {"store": "/srv/homes"}})
    volume = VolumeState("v", frozen(names.labels("demo", names.Role.HOME, "seat-002")))
    folders = [names.home("demo", "seat-007"), names.home("demo", "ada"), names.home("other", "seat-009"), "lost+found"]
    assert seats_with_homes(course, Observed("demo", volumes=(volume,)), folders) == {"seat-002", "seat-007"}

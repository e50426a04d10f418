"""One command at a time per course."""

from __future__ import annotations

import pytest

from firstbell.errors import CourseBusy
from firstbell.work.lock import course_lock


def test_second_command_is_told():
    """While one command holds a course another is refused at once, with the first one's process."""
    with course_lock("test-lock"), pytest.raises(CourseBusy, match="test-lock"), course_lock("test-lock"):
        pass


def test_courses_do_not_wait_for_each_other():
    """Two courses are two locks, and a lock is free again after its block."""
    with course_lock("test-lock-a"), course_lock("test-lock-b"):
        pass
    with course_lock("test-lock-a"):
        pass

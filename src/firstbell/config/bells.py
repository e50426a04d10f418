"""Whether a course's bells go with its login: what no single `[[bell]]` can tell by itself."""

from __future__ import annotations

from collections.abc import Iterator

from firstbell.config.problems import Problem
from firstbell.model.bell import Bell
from firstbell.model.course import Course


def bell_problems(course: Course) -> list[Problem]:
    """Each mistake at its key."""
    titles = [bell.title for bell in course.bells]
    twice = [
        Problem(("bell", index, "name" if bell.name else "at"), f'two bells are called "{bell.title}"', "name them")
        for index, bell in enumerate(course.bells)
        if bell.title in titles[:index]
    ]
    return twice + [
        Problem(("bell", index, key), what, right)
        for index, bell in enumerate(course.bells)
        for key, what, right in _of_login(bell, course)
    ]


def _of_login(bell: Bell, course: Course) -> Iterator[tuple[str, str, str]]:
    """(key, what is wrong, what would be right)."""
    login = course.access.login
    if login == "seminar":
        if "who" in bell.model_fields_set:
            yield "who", "a seminar's seats have no names", "write seats = 25, or leave both out for all of the room"
        if bell.seats and bell.seats > course.access.capacity:
            room = f"the room holds {course.access.capacity}"
            yield "seats", room, f"write seats = {course.access.capacity}, or raise capacity in [access]"
        return
    if bell.seats is not None:
        yield "seats", f"seats are a seminar's, and people log in with {login} here", 'write who = "everyone"'
    if login != "roster" and bell.section:
        yield "who", f"sections are a roster's, and people log in with {login} here", 'write who = "everyone"'
    if login != "roster" and not bell.section and not isinstance(course.access.allow, tuple | list):
        yield "who", "nobody knows beforehand who comes: allow names everyone", "name people in allow under [access]"
    elif login != "roster" and not bell.section and not course.access.allow:
        yield "who", "nobody knows beforehand who comes", "name people in allow under [access]"

"""Whether a course's rules for idle servers go with its login: what no single `[[idle]]` can tell by itself."""

from __future__ import annotations

from firstbell.config.problems import Problem
from firstbell.model.course import Course


def idle_problems(course: Course) -> list[Problem]:
    """Each mistake at its key."""
    login, whom = course.access.login, [rule.who for rule in course.idle_rules]
    twice = [
        Problem(("idle", index, "who"), f"two tables are for {who}", "keep one")
        for index, who in enumerate(whom)
        if who in whom[:index]
    ]
    return twice + [
        Problem(
            ("idle", index, "who"), f"sections are a roster's, and people log in with {login} here", 'write "staff"'
        )
        for index, rule in enumerate(course.idle_rules)
        if rule.section and login != "roster"
    ]

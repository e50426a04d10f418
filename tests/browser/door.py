"""Coming in at a class: by a personal link, or with the password that was chosen there."""

from __future__ import annotations

import re

from tests.browser.window import Window
from tests.support.course import RunningCourse

PASSWORD = "seven quiet herons"


def invitation(course: RunningCourse, user: str) -> str:
    """The path of a new personal link, from the command line."""
    link = re.search(r"http\S+?/(hub/invite/[\w-]+)", course.cli("people", "invite", user).stdout)
    assert link
    return link[1]


async def choose_password(person: Window, path: str) -> None:
    await person.open(path)
    await person.page.get_by_label("New password").fill(PASSWORD)
    await person.page.get_by_label("The same again").fill(PASSWORD)
    await person.page.get_by_role("button", name="Set password and enter").click()


async def log_in(person: Window, user: str, password: str) -> None:
    await person.open()
    await person.page.get_by_label("User name").fill(user)
    await person.page.get_by_label("Password").fill(password)
    await person.page.get_by_role("button", name="Log in").click()

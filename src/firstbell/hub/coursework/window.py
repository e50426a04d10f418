"""The counter as requests ask at it: what cannot be is told with a status and a sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from tornado import web

from firstbell.errors import CourseBusy, CourseFileError, FirstbellError
from firstbell.hub.coursework.counter import Counter, Opened
from firstbell.hub.pages.shared import SmallForm

Answer = TypeVar("Answer")


async def asked_of(counter: Counter | None, question: Callable[[Opened], Answer]) -> Answer:
    """The answer. Raises HTTPError: 404 in a course without coursework, 400, 409, 503."""
    if counter is None:
        raise web.HTTPError(404, "The course has no coursework.")
    try:
        return await counter.ask(question)
    except CourseBusy as error:
        raise web.HTTPError(409, words_of(error)) from error
    except CourseFileError as error:
        raise web.HTTPError(400, words_of(error)) from error
    except FirstbellError as error:
        raise web.HTTPError(503, words_of(error)) from error
    except (sqlite3.Error, OSError) as error:
        raise web.HTTPError(503, "The coursework cannot be read or written at present.") from error


def words_of(error: FirstbellError) -> str:
    """A sentence for a page: what happened, without the command line's next step."""
    return f"{error.what[:1].upper()}{error.what[1:]}."


class CourseworkForm(SmallForm):
    """A page of coursework."""

    async def ask(self, question: Callable[[Opened], Answer]) -> Answer:
        """See `asked_of`."""
        return await asked_of(self.firstbell.coursework, question)

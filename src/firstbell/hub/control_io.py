"""What the programs beside a hub have in common: where its files are, and how they answer."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstbell.errors import FirstbellError
from firstbell.hub.people.book import PeopleStore, open_store
from firstbell.model import runtime

if TYPE_CHECKING:
    from firstbell.model.course import Course


class HubFiles:
    """A hub's files, as its container sees them; each is read when it is first asked for."""

    def __init__(self, state: Path, course: Path, secrets: Path, made: Path) -> None:
        self.state = state
        self._course = course
        self._secrets = secrets
        self._runtime = made

    @classmethod
    def named(cls, arguments: argparse.Namespace) -> HubFiles:
        """Those of `control_arguments`."""
        return cls(arguments.state, arguments.course, arguments.secrets, arguments.runtime)

    @cached_property
    def course(self) -> Course:
        """The course."""
        from firstbell.config.wire import from_wire  # with it comes pydantic, which most verbs can do without

        return from_wire(self._course.read_bytes(), self._secrets.read_bytes())

    @cached_property
    def store(self) -> PeopleStore:
        """What the hub remembers of people."""
        return open_store(self.state)

    @cached_property
    def runtime(self) -> runtime.Runtime:
        """How the course was brought up."""
        from firstbell.config.wire import runtime_from_wire

        return runtime_from_wire(self._runtime.read_bytes())


def control_arguments(program: str, verbs: Iterable[str]) -> argparse.ArgumentParser:
    """A verb, words, and the files of a hub: those of the container without being named."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--state", type=Path, default=Path(runtime.STATE_DIR))
    parser.add_argument("--course", type=Path, default=Path(runtime.COURSE_FILE))
    parser.add_argument("--secrets", type=Path, default=Path(runtime.SECRETS_FILE))
    parser.add_argument("--runtime", type=Path, default=Path(runtime.RUNTIME_FILE))
    parser.add_argument("verb", choices=list(verbs))
    parser.add_argument("names", nargs="*")
    return parser


def print_answer(ask: Callable[[], Any]) -> int:
    """Print what `ask` answers, or its refusal, as JSON; exit code 0, or that of the error."""
    try:
        result, code = ask(), 0
    except FirstbellError as error:
        facts = {"what": error.what, "where": error.where, "next_step": error.next_step}
        result, code = {"error": facts}, error.exit_code
    json.dump(result, sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")
    return code

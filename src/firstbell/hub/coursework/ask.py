"""What may be asked of the coursework, by whom: for the command line, the pages and Lab alike.

Everything here only writes into the book; the desk does it. Who asks is who the hub has logged in, and the time is the
hub's clock.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

from firstbell.config.roster import normalise_username
from firstbell.coursework.book import DEADLINE, Book
from firstbell.coursework.layout import Layout
from firstbell.coursework.rights import Duty, Rank, Rights
from firstbell.coursework.store import settle
from firstbell.coursework.times import parse_moment, shown
from firstbell.errors import CourseBusy, CourseFileError
from firstbell.hub.coursework.people import Roll
from firstbell.hub.records.acts import COMMAND_LINE, ActsBook
from firstbell.model.course import Course
from firstbell.model.coursework import OPEN, Assignment, Kind, Task, Wish, folder_of, parse_assignment
from firstbell.model.roster import Person

BY_HAND_ACT = "grade by hand"
EVERYBODY = "everybody"
ACTS = (
    *(kind.value for kind in (Kind.RELEASE, Kind.COLLECT, Kind.GRADE, Kind.RETURN)),
    *("extend", "hand-in", BY_HAND_ACT),
)
"""What staff do here, as the record of acts calls it; its words begin with the assignment's name."""
MOST_HANDINS = 200
"""Of one person for one assignment: nobody works on it for as many evenings."""
_DUTIES = {
    Kind.RELEASE: Duty.RELEASE,
    Kind.COLLECT: Duty.COLLECT,
    Kind.GRADE: Duty.GRADE,
    Kind.RETURN: Duty.RETURN,
}


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody of the staff."""

    name: str = COMMAND_LINE
    rights: Rights = field(default_factory=lambda: Rights(Rank.OWNER))


class Coursework:
    """The coursework of a course, as one asks it."""

    def __init__(
        self,
        course: Course,
        layout: Layout,
        book: Book,
        roll: Roll,
        acts: ActsBook,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._course = course
        self._zone = ZoneInfo(course.time_zone)
        self._layout = layout
        self._book = book
        self._roll = roll
        self._acts = acts
        self._now = now

    def act(self, kind: Kind, wish: Wish, by: Asker) -> dict[str, Any]:
        """Have it released, collected, graded or returned; what was ordered, with the batch to follow it by.

        Raises CourseFileError for what cannot be, or what this person may not do.
        """
        found, now = self._known(wish.assignment), self._now()
        whom = self._whom(kind, wish, by)
        at = parse_moment(wish.at, self._zone, now) if wish.at else now
        if at < now:
            raise CourseFileError(f"{shown(at, self._zone)} is past", next_step="Leave out --at to have it done now.")
        due = parse_moment(wish.due, self._zone, now) if wish.due else None
        if due is not None and due <= at:
            raise CourseFileError("the deadline would be before it is handed out", next_step="Choose a later --due.")
        batch = "" if wish.dry_run else uuid.uuid4().hex[:12]
        if not wish.dry_run:
            words = f"{wish.assignment}, at {shown(at, self._zone)}" if at > now else wish.assignment
            with self._acts.noted(by.name, kind.value, _named(wish, whom), words):
                if due is not None:
                    self._set_due(found, whom, due, wish.to)
                elif kind is Kind.RELEASE:
                    self._collect_when_due(found, whom)
                self._book.ask(kind, wish.assignment, dict.fromkeys(whom, at), by=by.name, batch=batch, asked=now)
        return {
            "batch": batch,
            "kind": kind.value,
            "assignment": wish.assignment,
            "people": list(whom),
            "at": shown(at, self._zone) if at > now else "",
            "due": shown(due if due is not None else found.due, self._zone),
            "too_late": self._too_late(found, whom) if kind is Kind.RELEASE and due is None else [],
            "time_zone": self._course.time_zone,
        }

    def extend(self, wish: Wish, until: str, by: Asker) -> dict[str, Any]:
        """Give people another deadline. What they handed in until then counts; what is collected then, too."""
        self._known(wish.assignment)
        now = self._now()
        moment = parse_moment(until, self._zone, now)
        whom = self._whom(Kind.COLLECT, wish, by, Duty.EXTEND)
        if not wish.to:
            raise CourseFileError("nobody is named", next_step="For everybody: firstbell release NAME --due TIME")
        until_words = shown(moment, self._zone)
        if not wish.dry_run:
            with self._acts.noted(by.name, "extend", whom, f"{wish.assignment}, until {until_words}"):
                for user in whom:
                    self._book.extend(wish.assignment, user, moment)
                    settle(self._layout, self._book, wish.assignment, user)
                if moment > now:
                    self._book.ask(Kind.COLLECT, wish.assignment, dict.fromkeys(whom, moment), by=DEADLINE, asked=now)
        return {"assignment": wish.assignment, "people": list(whom), "until": until_words,
                "time_zone": self._course.time_zone}  # fmt: skip

    def hand_in_for(self, assignment: str, user: str, by: Asker) -> Task:
        """The same, for somebody by somebody of the staff."""
        with self._acts.noted(by.name, "hand-in", [user], assignment):
            return self.hand_in(assignment, user)

    def hand_in(self, assignment: str, user: str, asked: float | None = None) -> Task:
        """Take the folder of this very person as it is now; the task, whose receipt comes with its end.

        `user` is whom the hub has logged in, or whose server asks with its own token, and `asked` when it did so, by
        the hub's clock: never what a request says.
        """
        asked = self._now() if asked is None else asked
        self._known(assignment)
        folder_of(user)
        if self._roll.person(user) is None and user not in self._course.access.staff:
            raise CourseFileError(f"{user} is nobody of the course", next_step="See: firstbell people list")
        if any(t.kind is Kind.HAND_IN and t.state in OPEN for t in self._book.tasks(assignment, user)):
            raise CourseBusy("what you have just handed in is still being taken", next_step="Wait some seconds.")
        if sum(one.by == user for one in self._book.handins(assignment, user)) >= MOST_HANDINS:
            raise CourseFileError(f"{assignment} was handed in {MOST_HANDINS} times", next_step="Ask your teacher.")
        batch = self._book.ask(Kind.HAND_IN, assignment, {user: asked}, by=user, asked=asked)
        return self._book.batch(batch)[0]

    def _known(self, name: str) -> Assignment:
        try:
            parse_assignment(name)
        except ValueError as error:
            raise CourseFileError(str(error)) from None
        found = self._book.assignment(name)
        if found is None:
            raise CourseFileError(
                f"the hub has no assignment {name}",
                next_step=f"Hand it out: firstbell release {name}; those there are: firstbell assignments list",
            )
        return found

    def _whom(self, kind: Kind, wish: Wish, by: Asker, duty: Duty | None = None) -> Mapping[str, Person]:
        wanted = duty or _DUTIES[kind]
        if not by.rights.may(wanted):
            raise CourseFileError(f"{by.name} may not {wanted.value}", next_step="Ask an instructor of the course.")
        found = self._roll.whom(wish.to)
        whom = {name: person for name, person in found.items() if by.rights.may_do(wanted, person)}
        if wish.to and (outside := [name for name in found if name not in whom]):
            raise CourseFileError(f"{by.name} may not {wanted.value} for {', '.join(outside)}")
        if not whom:
            raise CourseFileError("the course has no students yet", next_step="See: firstbell people list")
        return whom

    def _too_late(self, found: Assignment, whom: Mapping[str, Person]) -> list[str]:
        """Those whose deadline is past."""
        own, now = self._book.extensions(found.name), self._now()
        return [user for user in whom if (due := own.get(user, found.due)) is not None and due <= now]

    def _set_due(self, found: Assignment, whom: Mapping[str, Person], due: float, named: tuple[str, ...]) -> None:
        """The assignment's deadline, or where people or sections are named, theirs; with the collecting at it."""
        if named:
            for user in whom:
                self._book.extend(found.name, user, due)
            times = dict.fromkeys(whom, due)
        else:
            self._book.keep(replace(found, due=due))
            own = self._book.extensions(found.name)
            times = {user: own.get(user, due) for user in whom}
        self._collect_at(found.name, times)

    def _collect_when_due(self, found: Assignment, whom: Mapping[str, Person]) -> None:
        """Who gets it only now, as they came to the course later, is collected at the deadline as everybody is."""
        own = self._book.extensions(found.name)
        times = {user: own.get(user, found.due) for user in whom}
        self._collect_at(found.name, {user: at for user, at in times.items() if at is not None})

    def _collect_at(self, assignment: str, times: Mapping[str, float]) -> None:
        open_times = {user: at for user, at in times.items() if at > self._now()}
        self._book.ask(Kind.COLLECT, assignment, open_times, by=DEADLINE)


def _named(wish: Wish, whom: Mapping[str, Person]) -> list[str]:
    """Whom a wish names, as the record of acts has it."""
    users = [(word, normalise_username(word)) for word in wish.to]
    return [user if user in whom else f"section {word.removeprefix('section:')}" for word, user in users] or [EVERYBODY]

"""Whose coursework it is: the people of the course as the hub knows them."""

from __future__ import annotations

from collections.abc import Iterable

from firstbell.config.roster import normalise_username, parse_roster
from firstbell.errors import CourseFileError
from firstbell.hub.people.book import PeopleStore
from firstbell.model.course import Course
from firstbell.model.roster import Person, PersonRole


class Roll:
    """The people of the course, from the roster or, without one, from who is allowed in and who has a home."""

    def __init__(self, course: Course, store: PeopleStore) -> None:
        self._course = course
        self._store = store
        self._text: str | None = None
        self._people: dict[str, Person] = {}

    def people(self) -> dict[str, Person]:
        """Everybody, by user name, in the roster's order."""
        access = self._course.access
        if access.login == "roster":
            return self._roster()
        allowed = () if isinstance(access.allow, str) else access.allow
        users = dict.fromkeys((*allowed, *sorted(self._store.home_nodes())))
        return {name: Person(name) for name in users}

    def person(self, user: str) -> Person | None:
        """Somebody of the course."""
        return self.people().get(user)

    def students(self) -> dict[str, Person]:
        """Those for whom assignments are."""
        staff = set(self._course.access.staff)
        return {
            name: person
            for name, person in self.people().items()
            if person.role is PersonRole.STUDENT and name not in staff
        }

    def whom(self, words: Iterable[str]) -> dict[str, Person]:
        """The students of these user names and sections; all without words. Raises CourseFileError for unknown ones.

        Staff who are named get it, too, for a try.
        """
        students, everybody, found, unknown = self.students(), self.people(), {}, []
        for word in words:
            section = word.removeprefix("section:")
            inside = {name: person for name, person in students.items() if person.section == section}
            user = normalise_username(word)
            if user in everybody or user in self._course.access.staff:
                found[user] = everybody.get(user) or Person(user, role=PersonRole.INSTRUCTOR)
            elif section and inside:
                found |= inside
            else:
                unknown.append(word)
        if unknown:
            raise CourseFileError(
                f"neither a person nor a section of the course: {', '.join(unknown)}",
                next_step="See who there is: firstbell people list",
            )
        return found if tuple(words) else students

    def ids(self, user: str) -> tuple[int, int]:
        """Uid and gid of somebody's files."""
        person, server = self.person(user), self._course.server
        uid, gid = (person.uid, person.gid) if person else (None, None)
        return (server.uid if uid is None else uid, server.gid if gid is None else gid)

    def _roster(self) -> dict[str, Person]:
        text = self._store.kept("roster") or ""
        if text != self._text:
            people = parse_roster(text, "the last good roster").people if text else ()
            self._text, self._people = text, {person.username: person for person in people}
        return self._people

"""`firstbell people`: who may enter."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from firstbell.cli import person
from firstbell.cli.cells import harmless, local, one_line
from firstbell.cli.common import (
    HERE,
    CourseArgument,
    JsonOption,
    YesOption,
    engine_of,
    load,
    names_and_course,
    write_new,
)
from firstbell.cli.people_limit import limit
from firstbell.cli.show import Terminal, plural
from firstbell.config.roster import email_problem, normalise_username, username_problem
from firstbell.coursework.times import parse_past
from firstbell.errors import CourseFileError
from firstbell.model.course import Course
from firstbell.model.roster import Person, PersonRole, Roster
from firstbell.plan.memory_room import size_words
from firstbell.work import people as work
from firstbell.work.cards import cards_page
from firstbell.work.people import Invitation
from firstbell.work.roster_file import add_people, import_people, need_roster, read_roster, remove_people

app = typer.Typer(help="Who may enter: the roster, invitations, cards to print.", no_args_is_help=True)
app.command()(limit)

Names = Annotated[list[str] | None, typer.Argument(metavar="[USERNAME]... [COURSE]", help="Nobody named means all.")]
SomeNames = Annotated[list[str], typer.Argument(metavar="USERNAME... [COURSE]", help="User names, then the course.")]
CourseOption = Annotated[
    Path | None, typer.Option("--course", "-c", help="The course, where its name could be taken for a person's.")
]


@app.command("list")
def list_(course: CourseArgument = HERE, json: JsonOption = False) -> None:
    """Show everybody, and how far they have come."""
    read, terminal = load(course), Terminal(json=json)
    lines, why = asyncio.run(_list(read))
    if json:
        terminal.data({"hub": why or "running", "people": [asdict(line) for line in lines]})
        return
    columns = ("username", "name", "e-mail", "role", "section", "state", "server", "home", "last seen", "memory")
    rows = [_row(line, ZoneInfo(read.time_zone)) for line in lines]
    shown = None if any(row[-1] for row in rows) else -1
    terminal.table(columns[:shown], [row[:shown] for row in rows])
    terminal.say(plural(len(lines), "person", "people"), style="dim")
    if why:
        terminal.note(f"Only the roster: {why}, so invitations and servers are not known.", style="yellow")


def _row(line: work.PersonLine, zone: ZoneInfo) -> tuple[str, ...]:
    """As a line of the table; the last cell is more memory than everybody has."""
    more = f"{size_words(line.memory or 0)} until {local(line.memory_until, zone)}" if line.memory_until else ""
    server, seen = "running" if line.running else "", _moment(line.last_seen)
    return line.username, line.name, line.email, line.role, line.section, line.state, server, line.home, seen, more


async def _list(course: Course) -> tuple[tuple[work.PersonLine, ...], str]:
    async with engine_of(course) as engine:
        return await work.list_people(engine, course)


@app.command()
def add(  # noqa: PLR0917 - typer makes parameters of them
    names: SomeNames,
    name: Annotated[str, typer.Option("--name", help="The person's name.")] = "",
    email: Annotated[str, typer.Option("--email", help="The person's e-mail address.")] = "",
    role: Annotated[PersonRole, typer.Option("--role", help="What they are in the course.")] = PersonRole.STUDENT,
    section: Annotated[str, typer.Option("--section", help="Their section.")] = "",
    course: CourseOption = None,
) -> None:
    """Put people on the roster; a running course lets them in within seconds."""
    given, place = names_and_course(names, course)
    if not given:
        raise typer.BadParameter("name at least one person")
    if len(given) > 1 and (name or email):
        raise typer.BadParameter("--name and --email go with one person")
    wrong = [p for p in [*(username_problem(normalise_username(n)) for n in given), email_problem(email)] if p]
    if wrong:
        raise CourseFileError("; ".join(wrong), next_step="Nothing was changed.")
    read = load(place)
    need_roster(read)
    people = [Person(normalise_username(n), name, email, role, section) for n in given]
    _changed(read, add_people(read, people), f"added {', '.join(p.username for p in people)}")


@app.command()
def remove(names: SomeNames, course: CourseOption = None, yes: YesOption = False) -> None:
    """Take people off the roster; their sessions and servers end within a minute, their files stay."""
    given, place = names_and_course(names, course)
    if not given:
        raise typer.BadParameter("name at least one person")
    read = load(place)
    need_roster(read)
    if not yes:
        Terminal().ask(f"Remove {', '.join(given)}? Their files stay.", "Add --yes to remove without being asked.")
    _changed(read, remove_people(read, given), f"removed {', '.join(given)}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file like the roster; only username is needed.")],
    course: CourseArgument = HERE,
) -> None:
    """Merge another list into the roster: new people are added, known ones get its values, nobody is removed."""
    read = load(course)
    need_roster(read)
    roster, added, changed = import_people(read, file)
    _changed(read, roster, f"{len(added)} added, {len(changed)} changed")


def _changed(course: Course, roster: Roster, words: str) -> None:
    """Bring the changed roster to the hub, and say so."""

    async def push() -> str:
        async with engine_of(course) as engine:
            return await work.push_roster(engine, course, roster)

    terminal = Terminal()
    terminal.say(f"{course.access.roster.name}: {words}; {plural(len(roster.people), 'person', 'people')}")
    why = asyncio.run(push())
    terminal.note(f"The hub was not told: {why}." if why else "The running course knows.", "yellow" if why else "dim")


@app.command()
def invite(
    names: Names = None,
    course: CourseOption = None,
    file: Annotated[Path | None, typer.Option("--csv", help="Write the links into this file, for mail merge.")] = None,
    json: JsonOption = False,
) -> None:
    """Make personal links, for those named or for all who have not joined. Their older links stop working."""
    given, place = names_and_course(names or [], course)
    read = load(place)
    _show_links(Terminal(json=json), _invitations(read, given), file)


@app.command()
def reset(names: SomeNames, course: CourseOption = None, yes: YesOption = False, json: JsonOption = False) -> None:
    """Void somebody's password and sessions, and make a new personal link. Files stay."""
    given, place = names_and_course(names, course)
    if not given:
        raise typer.BadParameter("name at least one person")
    read = load(place)
    need_roster(read)
    terminal = Terminal(json=json)
    if not yes:
        terminal.ask(f"Reset the password of {', '.join(given)}?", "Add --yes to reset without being asked.")

    async def act() -> tuple[Invitation, ...]:
        async with engine_of(read) as engine:
            return await work.reset(engine, read, given)

    _show_links(terminal, asyncio.run(act()), None)


@app.command()
def cards(
    names: Names = None,
    course: CourseOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write; only you may read it.")] = Path(
        "cards.html"
    ),
) -> None:
    """Make a page to print: a card with name, link and QR code for each. Makes new links, as invite does."""
    given, place = names_and_course(names or [], course)
    read = load(place)
    made = _invitations(read, given)
    terminal = Terminal()
    if not made:
        terminal.say("Everybody has joined already; name people to make cards for them anyway.")
        return
    write_new(out, cards_page(read.shown_title, made), again="Choose another file: --out FILE")
    terminal.say(f"Wrote {plural(len(made), 'card')} to {out}: open it in a browser, print it, delete it.")
    terminal.note("It holds personal links. Whoever has one is let in as that person.", style="yellow")


@app.command()
def acts(
    course: CourseArgument = HERE,
    since: Annotated[str, typer.Option("--since", help='"2026-11-21", "2026-11-21 14:05", "today", "3h", "2d".')] = "",
    user: Annotated[str, typer.Option("--user", help="What this person did, and what was done to them.")] = "",
    json: JsonOption = False,
) -> None:
    """Show what staff did, newest first: their part of `firstbell activity`."""
    read, terminal = load(course), Terminal(json=json)
    zone = ZoneInfo(read.time_zone)
    begin = parse_past(since, zone, time.time()) if since else 0.0

    async def ask() -> tuple[work.StaffAct, ...]:
        async with engine_of(read) as engine:
            return await work.acts(engine, read, begin, normalise_username(user) if user else "")

    found = asyncio.run(ask())
    if json:
        terminal.data({"acts": [asdict(act) for act in found]})
        return
    terminal.table(
        ("when", "who", "what", "whom", "words", "result"),
        [
            tuple(map(one_line, (local(a.at, zone), a.who, a.what, a.whom, a.words, a.result or "not known")))
            for a in found
        ],
    )
    terminal.note(f"{plural(len(found), 'act')}; times are those of {read.time_zone}.")


app.command()(person.export)
app.command()(person.erase)


def _invitations(course: Course, given: Sequence[str]) -> tuple[Invitation, ...]:
    need_roster(course)
    known = {p.username for p in read_roster(course).people} | set(course.access.staff)
    if unknown := [n for n in given if normalise_username(n) not in known]:
        raise CourseFileError(
            f"not on the roster: {', '.join(unknown)}",
            where=str(course.access.roster),
            next_step=f"Add them first: firstbell people add {' '.join(unknown)}",
        )

    async def act() -> tuple[Invitation, ...]:
        async with engine_of(course) as engine:
            return await work.invite(engine, course, [normalise_username(n) for n in given])

    return asyncio.run(act())


def _show_links(terminal: Terminal, made: Sequence[Invitation], file: Path | None) -> None:
    if file is not None:
        write_new(file, _csv(made), again="Choose another file: --csv FILE")
        terminal.note(f"Wrote {plural(len(made), 'personal link')} to {file}; only you may read it.", style="yellow")
    if terminal.is_json:
        terminal.data([asdict(i) for i in made])
    elif file is None:
        for invitation in made:
            terminal.say(f"{invitation.username}  {invitation.link}")
        if not made:
            terminal.say("Everybody has joined already; name people to invite them anyway.")


def _csv(made: Sequence[Invitation]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Invitation.__slots__)
    writer.writerows([harmless(str(cell)) for cell in asdict(i).values()] for i in made)
    return out.getvalue()


def _moment(stamp: str | None) -> str:
    return stamp[:16].replace("T", " ") if stamp else ""

"""`firstbell release`, `collect`, `grade`, `return`, `extend` and `assignments`: coursework from the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from firstbell.cli.common import HERE, CourseArgument, DryRunOption, JsonOption, engine_of, load
from firstbell.cli.show import Terminal, plural, size
from firstbell.errors import CourseFileError, FirstbellError
from firstbell.model.course import Course
from firstbell.model.coursework import Wish
from firstbell.work import coursework as work

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The assignment: a folder of assignments/.")]
ToOption = Annotated[
    list[str] | None,
    typer.Option("--to", metavar="WHO", help="A user name or a section; may be repeated. Everybody without it."),
]
AtOption = Annotated[
    str, typer.Option("--at", metavar="TIME", help="When, in the course's time zone; the hub does it then.")
]

_NAMED = 5
"""How many people a sentence names."""

assignments = typer.Typer(help="Assignments: how far they are, and everybody's part in them.", no_args_is_help=True)


def release(  # noqa: PLR0917 - typer makes parameters of them
    name: NameArgument,
    course: CourseArgument = HERE,
    to: ToOption = None,
    at: AtOption = "",
    due: Annotated[
        str, typer.Option("--due", metavar="TIME", help="The deadline, at which everybody's work is collected.")
    ] = "",
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Hand out an assignment: its folder into everybody's files, whether their server runs or not."""
    read = _load(course)
    brought = work.read_assignment(course if course.is_dir() else course.parent, name)
    wish = Wish(name, tuple(to or ()), at, due, dry_run)
    terminal = Terminal(json=json)

    async def act() -> tuple[dict[str, Any], dict[str, Any]]:
        async with engine_of(read) as engine:
            if dry_run:
                known = {row["name"] for row in (await work.ask(engine, read, "assignments"))["assignments"]}
                if name not in known:
                    return {"assignment": name, "kind": "release", "new": True, "files": len(brought.files)}, {}
            else:
                terminal.note(f"{name}: {plural(len(brought.files), 'file')}, {size(brought.size)}")
                await work.bring(engine, read, brought)
            return await _ordered(terminal, engine, read, "release", wish)

    _tell(terminal, *asyncio.run(act()), dry_run=dry_run, done="handed out to")


def collect(  # noqa: PLR0917 - typer makes parameters of them
    name: NameArgument,
    course: CourseArgument = HERE,
    to: ToOption = None,
    at: AtOption = "",
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Take a snapshot of everybody's folder of an assignment; nobody uploads anything."""
    _act("collect", Wish(name, tuple(to or ()), at, "", dry_run), course, Terminal(json=json), "collected from")


def grade(  # noqa: PLR0917 - typer makes parameters of them
    name: NameArgument,
    course: CourseArgument = HERE,
    to: ToOption = None,
    at: AtOption = "",
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Grade what was handed in: each submission by itself, without network, its points into nbgrader's grade book."""
    _act("grade", Wish(name, tuple(to or ()), at, "", dry_run), course, Terminal(json=json), "graded for")


def return_(  # noqa: PLR0917 - typer makes parameters of them
    name: NameArgument,
    course: CourseArgument = HERE,
    to: ToOption = None,
    at: AtOption = "",
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Put the feedback on an assignment into everybody's files."""
    _act("return", Wish(name, tuple(to or ()), at, "", dry_run), course, Terminal(json=json), "feedback returned to")


def extend(  # noqa: PLR0917 - typer makes parameters of them
    name: NameArgument,
    users: Annotated[list[str], typer.Argument(metavar="USER...", help="User names or sections.")],
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="The new deadline, in the course's time zone.")],
    course: Annotated[Path, typer.Option("--course", "-c", help="The course.", show_default=".")] = HERE,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Give people more time: what they hand in until then counts, and they are collected then."""
    read, terminal = _load(course), Terminal(json=json)

    async def act() -> dict[str, Any]:
        async with engine_of(read) as engine:
            return await work.extend(engine, read, Wish(name, tuple(users), dry_run=dry_run), until)

    done = asyncio.run(act())
    if json:
        terminal.data(done | {"dry_run": dry_run})
        return
    would = "would be" if dry_run else "is"
    terminal.say(f"{name} {would} due {done['until']} {done['time_zone']} for {', '.join(done['people'])}")


@assignments.command("list")
def list_(course: CourseArgument = HERE, json: JsonOption = False) -> None:
    """Show all assignments: when they are due, and how many people have come how far."""
    answer, terminal = asyncio.run(_ask(_load(course), "assignments")), Terminal(json=json)
    if json:
        terminal.data(answer)
        return
    rows = answer["assignments"]
    if not rows:
        terminal.say("There are no assignments yet. Make a folder assignments/NAME, then: firstbell release NAME")
        return
    columns = ("released", "handed_in", "late", "graded", "returned", "failed")
    terminal.table(
        ("assignment", "due", *(column.replace("_", " ") for column in columns), "next"),
        [(row["name"], row["due"], *(_of(row[c], row["students"], c) for c in columns), row["next"]) for row in rows],
    )
    terminal.note(f"Times are those of {answer['time_zone']}.")


@assignments.command()
def show(
    name: NameArgument,
    course: CourseArgument = HERE,
    user: Annotated[str, typer.Option("--user", help="One person's hand-ins, with their receipts.")] = "",
    json: JsonOption = False,
) -> None:
    """Show an assignment person by person, or one person's hand-ins of it."""
    terminal, read = Terminal(json=json), _load(course)
    if user:
        _show_receipts(terminal, asyncio.run(_ask(read, "receipts", name, user)), name, user)
        return
    answer = asyncio.run(_ask(read, "assignment", name))
    if json:
        terminal.data(answer)
        return
    columns = (
        "user",
        "name",
        "section",
        "due",
        "released",
        "opened",
        "handed_in",
        "kind",
        "graded",
        "returned",
        "problem",
    )
    terminal.table(
        [column.replace("_", " ") for column in columns],
        [[row[column] + ("*" if column == "due" and row["extended"] else "") for column in columns]
         for row in answer["people"]],
    )  # fmt: skip
    terminal.note(f"Times are those of {answer['time_zone']}; * is a deadline of one's own.")
    if without := [row["user"] for row in answer["people"] if not row["released"] and not row["under_way"]]:
        to = " ".join(f"--to {user}" for user in without[:_NAMED])
        more = f", and {len(without) - _NAMED} more" if len(without) > _NAMED else ""
        terminal.note(f"Not handed out to {', '.join(without[:_NAMED])}{more}: firstbell release {name} {to}")


def _show_receipts(terminal: Terminal, rows: Sequence[dict[str, Any]], name: str, user: str) -> None:
    if terminal.is_json:
        terminal.data(rows)
        return
    if not rows:
        terminal.say(f"{user} has handed in nothing of {name}, and nothing was collected.")
        return
    terminal.table(
        ("time", "kind", "counts", "files", "size", "not taken", "receipt"),
        [
            (row["time"], row["kind"], "yes" if row["counts"] else "", str(row["files"]), size(row["size"]),
             str(row["refused"] or ""), row["receipt"])
            for row in rows
        ],
    )  # fmt: skip


def _act(verb: str, wish: Wish, course: Path, terminal: Terminal, done: str) -> None:
    read = _load(course)

    async def act() -> tuple[dict[str, Any], dict[str, Any]]:
        async with engine_of(read) as engine:
            return await _ordered(terminal, engine, read, verb, wish)

    _tell(terminal, *asyncio.run(act()), dry_run=wish.dry_run, done=done)


async def _ordered(
    terminal: Terminal, engine: Any, course: Course, verb: str, wish: Wish
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Order it, and follow it to its end."""
    order = await work.act(engine, course, verb, wish)
    if wish.dry_run:
        return order, {}

    def report(now: dict[str, Any]) -> None:
        if now["ended"]:
            terminal.note(f"{now['ended']} of {now['all']}")

    return order, await work.follow(engine, course, order, report)


def _tell(terminal: Terminal, order: dict[str, Any], now: dict[str, Any], *, dry_run: bool, done: str) -> None:
    """What came of it, with every exception by name. Raises FirstbellError if somebody's has failed, or has to wait."""
    if terminal.is_json:
        terminal.data(order | {"dry_run": dry_run, "progress": now})
    elif dry_run:
        _tell_plan(terminal, order)
    else:
        _tell_end(terminal, order, now, done)
    if failed := now.get("states", {}).get("failed", 0):
        raise FirstbellError(
            f"{order['kind']} of {order['assignment']} failed for {failed} of {plural(now['all'], 'person', 'people')}",
            next_step="Correct what it says, then run the command again: it does only what is missing.",
        )
    if stuck := now.get("stuck", 0):
        of_all = f"{stuck} of {plural(now['all'], 'person', 'people')}"
        raise FirstbellError(
            f"{order['kind']} of {order['assignment']} has to wait for {of_all}",
            next_step=f"The hub goes on by itself as soon as it can: firstbell assignments show {order['assignment']}",
        )


def _tell_plan(terminal: Terminal, order: dict[str, Any]) -> None:
    if order.get("new"):
        terminal.say(f"would bring {order['assignment']} ({plural(order['files'], 'file')}) to the hub, as a new one")
        return
    when = f" at {order['at']} {order['time_zone']}" if order["at"] else ""
    due = f", due {order['due']}" if order["due"] else ""
    terminal.say(f"would {order['kind']} {order['assignment']}{when}{due} for {', '.join(order['people'])}")


def _tell_end(terminal: Terminal, order: dict[str, Any], now: dict[str, Any], done: str) -> None:
    for task in now["tasks"]:
        if (
            order["kind"] == "grade"
            or task["state"] in {"failed", "skipped"}
            or (task["state"] in {"due", "doing"} and task["words"])
            or "not taken" in task["words"]
            or "kept as" in task["words"]
        ):
            style = {"failed": "red", "skipped": "dim", "due": "yellow", "doing": "yellow"}.get(task["state"], "")
            terminal.say(f"  {task['user']}: {task['words']}", style=style)
    states, zone = now["states"], order["time_zone"]
    if states.get("done"):
        terminal.say(f"{order['assignment']}: {done} {plural(states['done'], 'person', 'people')}")
    if now["later"]:
        terminal.say(f"{order['assignment']}: at {now['next']} {zone} for {plural(now['later'], 'person', 'people')}")
    late = order.get("too_late")
    if order["due"] and order["kind"] == "release" and not late:
        terminal.say(f"Due {order['due']} {zone}; everybody's work is collected then.")
    if late:
        terminal.note(
            f"The deadline is past for {plural(len(late), 'person', 'people')}, whose work would be late; more time:"
            f" firstbell extend {order['assignment']} {' '.join(late[:_NAMED])} --until TIME"
        )
    if waiting := now["open"] - now["later"] - now["stuck"]:
        terminal.note(
            f"{plural(waiting, 'person', 'people')} still to come; the hub goes on: firstbell assignments show"
        )


def _of(count: int, everybody: int, column: str) -> str:
    return f"{count} of {everybody}" if column in {"released", "handed_in"} else str(count or "")


def _load(course: Path) -> Course:
    read = load(course)
    if read.coursework is None:
        raise CourseFileError(
            "the course has no coursework",
            where=str(course),
            next_step="Add [coursework] to the course file, then: firstbell up",
        )
    return read


async def _ask(course: Course, verb: str, *words: str) -> Any:
    async with engine_of(course) as engine:
        return await work.ask(engine, course, verb, *words)

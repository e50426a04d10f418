"""The hub's figures as lines of `firstbell status`."""

from __future__ import annotations

from firstbell.cli.show import plural
from firstbell.work.home_limits import unenforced_words
from firstbell.work.hub_figures import HubFigures, StageTimes

_CAUSES = {
    "memory": "out of memory", "image": "the image", "timeout": "not ready in time", "engine": "the Docker Engine",
    "home": "their files", "exited": "ended by themselves", "killed": "killed", "removed": "removed",
}  # fmt: skip


def figure_lines(figures: HubFigures) -> list[str]:
    """What a person wants to know: how long one waits, how the last starts went, for how many there is room."""
    homes = [unenforced_words(figures.homes_why)] if figures.homes_enforced is False else []
    disk = [f"The disk is nearly full, {figures.disk_low}; what takes it: firstbell doctor"] if figures.disk_low else []
    return [_queue(figures), *_starts(figures), *_room(figures), *homes, *disk]


def _queue(figures: HubFigures) -> str:
    bells = f" and {plural(figures.waiting_bell, 'start')} of a bell" if figures.waiting_bell else ""
    if not figures.waiting and not bells:
        return f"Nobody waits for a start; one takes about {_seconds(figures.estimate)}"
    people = plural(figures.waiting, "person", "people")
    return f"{people}{bells} in the queue; who clicks now waits about {_seconds(figures.estimate)}".capitalize()


def _starts(figures: HubFigures) -> list[str]:
    starts, within = figures.starts, f"in the last {figures.minutes} minutes"
    if not any(starts.values()):
        return [f"No starts {within}"]
    total = figures.stages.get("total")
    times = f": {_times(total)}" if total else ""
    stages = ", ".join(f"{name} {_times(t)}" for name, t in figures.stages.items() if t and name != "total")
    lines = [f"{plural(starts['ready'], 'start').capitalize()} {within}{times}"]
    lines += [f"  {stages}"] if stages else []
    if starts["failed"]:
        causes = ", ".join(f"{_CAUSES.get(cause, cause)} {n}" for cause, n in figures.causes.items())
        lines.append(f"{plural(starts['failed'], 'start')} failed ({causes}); see: firstbell logs hub")
    if starts["no_room"]:
        lines.append(f"{plural(starts['no_room'], 'start')} refused: the memory was full")
    if starts["given_up"]:
        lines.append(f"{plural(starts['given_up'], 'start')} given up by people who left the queue")
    return lines


def _room(figures: HubFigures) -> list[str]:
    seats = [] if figures.warm_seats is None else [f"{plural(figures.warm_seats, 'warm seat')} that nobody has taken"]
    if figures.room_for is None:
        return seats
    more = plural(figures.room_for, "more server")
    return [f"The memory has room for {more}", *(line.capitalize() for line in seats)]


def _times(times: StageTimes) -> str:
    return f"{times.p50:.1f} s (95 %: {times.p95:.1f} s)"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"

"""Which snapshots have had their time. Pure.

restic's own `--keep-*` would take a snapshot in which half of a home could not be read for that day's, and let the good
one of the morning go. Here only whole ones count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo

from firstbell.model.backup import Keep, Snapshot, Subject

_Period = Callable[[datetime], tuple[int, ...]]


def outdated(snapshots: Iterable[Snapshot], keep: Keep, zone: tzinfo) -> tuple[Snapshot, ...]:
    """Those to forget, the oldest first; each subject of each course by itself.

    Of each of the latest `hourly` hours (days, weeks, months) that have a whole snapshot, the last whole one stays. The
    last whole one of all stays whatever `keep` says, and what came after it, though it is not whole.
    """
    groups: dict[tuple[str, Subject], list[Snapshot]] = defaultdict(list)
    for snapshot in snapshots:
        groups[snapshot.course, snapshot.subject].append(snapshot)
    gone = [one for group in groups.values() for one in _outdated(group, keep, zone)]
    return tuple(sorted(gone, key=lambda one: (one.time, one.id)))


def _outdated(group: list[Snapshot], keep: Keep, zone: tzinfo) -> list[Snapshot]:
    good = sorted((one for one in group if one.is_whole), key=lambda one: (one.time, one.id), reverse=True)
    if not good:
        return []
    kept = {good[0].id}
    for number, period in _periods(keep):
        kept |= set(_last_of_each(good, number, period, zone))
    return [one for one in group if one.id not in kept and (one.is_whole or one.time < good[0].time)]


def _periods(keep: Keep) -> tuple[tuple[int, _Period], ...]:
    return (
        # By UTC: of the hour that a clock shows twice in autumn both stay.
        (keep.hourly, lambda when: (int(when.timestamp()) // 3600,)),
        (keep.daily, lambda when: (when.year, when.month, when.day)),
        (keep.weekly, lambda when: tuple(when.isocalendar()[:2])),
        (keep.monthly, lambda when: (when.year, when.month)),
    )


def _last_of_each(good: list[Snapshot], number: int, period: _Period, zone: tzinfo) -> list[str]:
    """The newest of each of the latest periods; `good` has the newest first."""
    newest: dict[tuple[int, ...], str] = {}
    for one in good:
        newest.setdefault(period(datetime.fromtimestamp(one.time, zone)), one.id)
    return list(newest.values())[:number]

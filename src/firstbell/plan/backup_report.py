"""What staff are told of a course's backups: the same words on pages, in `status` and by `doctor`. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from firstbell.model.backup_report import LATE, BackupReport
from firstbell.plan.doctor_facts import Finding, Level

MOST = 20
"""Subjects that a report names at most."""
_DAY = 86400.0
_WHERE = "[backup]"
_LOGS = "See what the keeper of the backups says: firstbell logs hub"


def backup_findings(report: BackupReport, now: float) -> Iterator[Finding]:
    """What there is to say, the most important first."""
    yield from _last_good(report, now)
    if report.lacking:
        names = ", ".join(report.lacking[:MOST])
        more = f" and {len(report.lacking) - MOST} more" if len(report.lacking) > MOST else ""
        yield Finding(Level.WARNING, f"without a good backup of late: {names}{more}", _WHERE, _LOGS)
    if report.check_failure:
        words = f"a check {ago(now - report.checked)} ago failed: {report.check_failure}"
        yield Finding(Level.PROBLEM, words, _WHERE, "Look again: firstbell backup check")
    yield from _drill(report, now)


def worst(findings: tuple[Finding, ...]) -> Level:
    """Of several."""
    return max((one.level for one in findings), key=list(Level).index, default=Level.OK)


def _last_good(report: BackupReport, now: float) -> Iterator[Finding]:
    age = report.age(now)
    wanted = f"one is made every {ago(report.every)}"
    last = f"the last good backup is {ago(age)} old" if age is not None else "there is no good backup yet"
    if report.is_late(now):
        why = f": {report.failure}" if report.failure else ""
        yield Finding(Level.PROBLEM, f"{last}, {wanted}{why}", _WHERE, _LOGS)
    elif report.failure:
        yield Finding(Level.WARNING, f"{last}, but the last run failed in part: {report.failure}", _WHERE, _LOGS)
    elif age is None:
        way = "is being made" if report.running else "is not there yet"
        yield Finding(Level.NOTE, f"the first backup {way}", _WHERE)
    else:
        yield Finding(Level.OK, f"{last}: {_people(report.homes)}, {_sizes(report)}", _WHERE)


def _drill(report: BackupReport, now: float) -> Iterator[Finding]:
    if report.drill_failure:
        words = (
            f"the drill {ago(now - report.drilled)} ago, to restore a home elsewhere, failed: {report.drill_failure}"
        )
        yield Finding(Level.PROBLEM, words, "[backup] drill", "Look at every byte: firstbell backup check")
    elif report.drill_every and report.drilled and now - report.drilled > LATE * report.drill_every:
        words = f"no home was restored for a trial since {ago(now - report.drilled)}"
        yield Finding(Level.WARNING, words, "[backup] drill", _LOGS)
    elif report.drilled:
        words = f"drill {ago(now - report.drilled)} ago: all {report.drilled_files} files of a home, restored elsewhere"
        yield Finding(Level.OK, f"{words}, came back bit for bit", "[backup] drill")


def _people(homes: int) -> str:
    return f"{homes} home{'' if homes == 1 else 's'}"


def _sizes(report: BackupReport) -> str:
    if report.grown is None:
        return f"{size(report.stored)} stored"
    if report.grown < 0:
        return f"{size(report.stored)} stored, {size(-report.grown)} less than a week ago"
    return f"{size(report.stored)} stored, {size(report.grown)} more than a week ago"


def size(count: float) -> str:
    """Bytes for eyes."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def ago(seconds: float) -> str:
    """A length of time for eyes."""
    seconds = max(0.0, seconds)
    for unit, length in (("day", _DAY), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length or (unit == "min" and seconds >= length):
            number = int(seconds // length)
            return f"{number} {unit}{'s' if unit == 'day' and number != 1 else ''}"
        if seconds == length:
            return "day" if unit == "day" else "hour"
    return f"{seconds:.0f} s"

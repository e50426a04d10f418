"""Times as people write them, in the course's zone. Pure."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

from firstbell.errors import CourseFileError
from firstbell.plan.bells import moment

_DATE_AND_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d{1,2}:\d\d(?::\d\d)?)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d)?")
_LATER = re.compile(r"\+(\d{1,9})([smhd])")
_AGO = re.compile(r"(\d{1,6})([mhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_moment(text: str, zone: ZoneInfo, now: float) -> float:
    """Unix seconds of `2026-11-21 14:05`, `14:05` (the next time it is), `+90m` or `now`. Raises CourseFileError.

    Seconds may follow the minutes.
    """
    text = text.strip()
    if text == "now":
        return now
    if later := _LATER.fullmatch(text):
        return now + int(later[1]) * _UNITS[later[2]]
    today = dt.datetime.fromtimestamp(now, zone).date()
    try:
        if _CLOCK.fullmatch(text):
            times = [moment(today + dt.timedelta(days=days), _padded(text), zone).timestamp() for days in (0, 1)]
            return next(time for time in times if time > now)
        if found := _DATE_AND_TIME.fullmatch(text):
            return moment(dt.date.fromisoformat(found[1]), _padded(found[2]), zone).timestamp()
    except ValueError as error:
        raise _unclear(text, str(error)) from None
    raise _unclear(text, "")


def _padded(clock: str) -> str:
    return clock.zfill(len("14:05" if clock.count(":") == 1 else "14:05:00"))


def parse_past(text: str, zone: ZoneInfo, now: float) -> float:
    """Unix seconds of `2026-11-21`, `2026-11-21 14:05`, `today`, or `90m`, `3h`, `2d` ago. Raises CourseFileError."""
    text = text.strip()
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _UNITS[ago[2]]
    day = dt.datetime.fromtimestamp(now, zone).date().isoformat() if text == "today" else text
    try:
        found = parse_moment(f"{day} 00:00" if _DATE.fullmatch(day) else day, zone, now)
        if found > now:
            raise CourseFileError(f'"{text}" is still to come')
        return found
    except CourseFileError as error:
        raise CourseFileError(
            error.what, next_step='Write for example "2026-11-21", "2026-11-21 14:05", "today", "3h" or "2d".'
        ) from None


def _unclear(text: str, why: str) -> CourseFileError:
    return CourseFileError(
        f'"{text}" is no time{f": {why}" if why else ""}',
        next_step='Write for example "2026-11-21 14:05", "14:05", "+90m" or "now"; times are those of the course.',
    )


def shown(at: float | None, zone: ZoneInfo) -> str:
    """A moment in the course's zone, to the minute; empty for none."""
    return dt.datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M") if at is not None else ""


def aside_name(name: str, at: float, zone: ZoneInfo) -> str:
    """The name under which an older folder is kept; without colons, which some file systems forbid."""
    return f"{name} (before {dt.datetime.fromtimestamp(at, zone):%Y-%m-%d %H.%M})"


def timestamp(at: float) -> bytes:
    """As nbgrader writes and reads it in `timestamp.txt`."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f %Z").encode()

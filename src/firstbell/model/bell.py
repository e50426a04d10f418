"""A bell: a time at which servers must already run."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from firstbell.model.fields import Seconds, Table

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of `date.weekday()`."""
EVERYONE = "everyone"
_SECTION = "section:"


def parse_day(value: object) -> str:
    """A day of the week. Raises ValueError."""
    if value not in DAYS:
        raise ValueError(f'"{value}" is no day; days are {", ".join(DAYS)}')
    return str(value)


def parse_date(value: object) -> str:
    """A date as ISO 8601 has it, from such a text or from TOML's own date. Raises ValueError."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        try:
            return dt.date.fromisoformat(value).isoformat()
        except ValueError as error:
            raise ValueError(f'there is no day "{value}": {error}') from None
    raise ValueError(f'"{value}" is no date; write for example "2026-10-14"')


def parse_clock(value: object) -> str:
    """A time of day as HH:MM, from such a text or from TOML's own time. Raises ValueError."""
    if isinstance(value, dt.time) and value.tzinfo is None:
        return value.strftime("%H:%M")
    match = re.fullmatch(r"(\d{1,2}):(\d\d)", value) if isinstance(value, str) else None
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError(f'"{value}" is no time of day; write for example "09:00"')
    return f"{int(match[1]):02}:{match[2]}"


def _whom(value: str) -> str:
    if value == EVERYONE or (value.startswith(_SECTION) and value.removeprefix(_SECTION).strip()):
        return value
    raise ValueError(f'"{value}" is nobody; write who = "everyone" or, for a part of the roster, who = "section:A"')


Day = Annotated[str, BeforeValidator(parse_day), WithJsonSchema({"enum": list(DAYS)})]
Date = Annotated[str, BeforeValidator(parse_date), WithJsonSchema({"type": "string", "format": "date"})]
Clock = Annotated[str, BeforeValidator(parse_clock), WithJsonSchema({"type": "string"})]


class Bell(Table):
    """One bell, perhaps one of every week. Times are those of the course's time zone."""

    name: Annotated[str, Field(max_length=60)] = Field(
        "", description="What it is called in lists and on pages.", examples=["lecture"]
    )
    days: tuple[Day, ...] = Field(
        (), description="The days of every week on which it rings: mon, tue, wed, thu, fri, sat, sun.",
        examples=[["mon", "wed"]],
    )  # fmt: skip
    dates: tuple[Date, ...] = Field((), description="Single days on which it rings.", examples=[["2026-10-14"]])
    exceptions: tuple[Date, ...] = Field(
        (), alias="except", description="Days on which it does not ring, holidays for example.",
        examples=[["2026-12-23", "2026-12-30"]],
    )  # fmt: skip
    at: Clock = Field(
        description="When it rings, in the course's time_zone: by then servers must run. A time that the change to "
        "summer time leaves out moves to the first that exists; one that occurs twice is the first.",
        examples=["09:00"],
    )
    lead: Annotated[Seconds, Field(ge=0)] | None = Field(
        None,
        description="How long before it the first server is started. Without it that follows from how many there are "
        "and how fast this machine starts them.",
        examples=["15m"],
    )
    who: Annotated[str, AfterValidator(_whom)] = Field(
        EVERYONE,
        description='Whose servers: "everyone" (the roster, or the names in allow), or "section:NAME" of the roster.',
        examples=["section:A"],
    )
    seats: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None,
        description="With login seminar: how many seats are kept ready for whoever comes. Without it, as many as the "
        "room's capacity.",
        examples=[25],
    )
    kernels: bool = Field(
        True, description="Whether a kernel is started beforehand, too, where the course has warm kernels.",
        examples=[False],
    )  # fmt: skip
    grace: Annotated[Seconds, Field(ge=0)] = Field(
        1200, description="How long after the bell a server waits for its person before it is stopped.",
        examples=["20m"],
    )  # fmt: skip

    @model_validator(mode="after")
    def _rings_at_all(self) -> Bell:
        if not self.days and not self.dates:
            raise ValueError('it never rings: say days = ["mon", "wed"] or dates = ["2026-10-14"]')
        if unused := sorted(set(self.dates) & set(self.exceptions)):
            raise ValueError(f"{unused[0]} is among both dates and except; keep one")
        return self

    @property
    def section(self) -> str:
        """The section of the roster it is for; empty where it is for everyone."""
        return self.who.removeprefix(_SECTION).strip() if self.who.startswith(_SECTION) else ""

    @property
    def title(self) -> str:
        """Its name, or when it rings and for whom: what tells it from the course's other bells."""
        when = ", ".join([*self.days, *self.dates])
        whom = f" for {self.section}" if self.section else f" for {self.seats} seats" if self.seats else ""
        return self.name or f"{when} {self.at}{whom}"

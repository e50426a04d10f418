"""When a server that nobody uses is ended: for a part of the people, where that differs from the course's."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from firstbell.model.fields import Seconds, Table

STAFF = "staff"
_SECTION = "section:"


def _whom(value: str) -> str:
    if value == STAFF or (value.startswith(_SECTION) and value.removeprefix(_SECTION).strip()):
        return value
    raise ValueError(f'"{value}" is nobody; write who = "staff" or, for a part of the roster, who = "section:A"')


class IdleRule(Table):
    """What holds for some instead of `[server]`'s idle, idle_notice and keep_most: the first that fits counts."""

    who: Annotated[str, AfterValidator(_whom)] = Field(
        description='For whom: "staff", or "section:NAME" of the roster.', examples=["staff"]
    )
    idle: Annotated[Seconds, Field(ge=0)] | None = Field(
        None, description="As idle in [server]; without it, that. 0 never ends theirs.", examples=["12h"]
    )
    idle_notice: Annotated[Seconds, Field(ge=0)] | None = Field(
        None, description="As idle_notice in [server]; without it, that.", examples=["10m"]
    )
    keep_most: Annotated[Seconds, Field(ge=0)] | None = Field(
        None, description="As keep_most in [server]; without it, that.", examples=["1d"]
    )

    @model_validator(mode="after")
    def _says_something(self) -> IdleRule:
        if self.idle is None and self.idle_notice is None and self.keep_most is None:
            raise ValueError('it changes nothing: say idle = "2h", or remove the table')
        return self

    @property
    def section(self) -> str:
        """The section of the roster; empty where it is for staff."""
        return self.who.removeprefix(_SECTION).strip() if self.who.startswith(_SECTION) else ""

"""`[records]`: for how long it is known who did what."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from firstbell.model.fields import Table


class Records(Table):
    """The record of logins, starts and ends of servers, and what staff did."""

    keep: Annotated[int, Field(ge=1, le=36_500)] = Field(
        365,
        description="Days after which entries leave the record, and messages with them. That they did, and where the "
        "record begins since then, stays in it.",
        examples=[180],
    )

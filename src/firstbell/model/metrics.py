"""`[metrics]`: who may read the figures of a course at work."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from firstbell.model.fields import SecretValue, Table
from firstbell.model.secret import Secret

_SHORTEST = 16


def _hard_to_guess(token: Secret | None) -> Secret | None:
    # An empty one was not read: the command does without secrets.
    if token is not None and 0 < len(token.reveal()) < _SHORTEST:
        raise ValueError(f"the token is shorter than {_SHORTEST} characters; make one with: openssl rand -hex 32")
    return token


class Metrics(Table):
    """Figures for a monitoring system."""

    token: Annotated[SecretValue | None, AfterValidator(_hard_to_guess)] = Field(
        None,
        description="What a Prometheus server shows to read /hub/metrics; it can do nothing else. env:NAME or "
        "file:PATH. Without it only staff who are logged in read the figures.",
        examples=["env:METRICS_TOKEN"],
    )

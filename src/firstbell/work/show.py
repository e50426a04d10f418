"""What work tells whoever watches it; the command line draws it, a test records it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from firstbell.model.image import Progress
from firstbell.model.steps import Step


class Show(Protocol):
    """Told what is planned, then each step as it begins, goes on and ends."""

    def on_plan(self, steps: Sequence[Step]) -> None:
        """All steps, before the first begins; none means that there is nothing to do."""
        ...

    def on_step(self, step: Step, index: int) -> None:
        """A step begins; `index` counts from 0."""
        ...

    def on_progress(self, progress: Progress) -> None:
        """A line of the step that runs."""
        ...

    def on_done(self, step: Step) -> None:
        """The step has ended well."""
        ...


class Silent:
    """A show for nobody."""

    def on_plan(self, steps: Sequence[Step]) -> None:
        """Nothing."""

    def on_step(self, step: Step, index: int) -> None:
        """Nothing."""

    def on_progress(self, progress: Progress) -> None:
        """Nothing."""

    def on_done(self, step: Step) -> None:
        """Nothing."""


def shown(steps: Sequence[Step], show: Show) -> Iterator[Step]:
    """Each step in turn, told as it begins and, where whoever carries it out comes back for the next, as done."""
    show.on_plan(steps)
    for index, step in enumerate(steps):
        show.on_step(step, index)
        yield step
        show.on_done(step)

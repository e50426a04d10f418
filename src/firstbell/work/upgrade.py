"""`upgrade` and `rollback`: observe, plan, show, act; whatever fails, somebody's hub runs in the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import firstbell
from firstbell.backup.orders import What
from firstbell.engine.base import Engine
from firstbell.engine.waiting import together
from firstbell.errors import FirstbellError
from firstbell.model.course import Course
from firstbell.model.image import Progress
from firstbell.model.steps import Step
from firstbell.model.upgrade_steps import BackUpFirst, BringBack, PruneSaved, PutBack, SaveState, SetAside, TryOut
from firstbell.plan import upgrade as plan
from firstbell.plan.services import Inputs
from firstbell.work import saved, trial
from firstbell.work.backups import order
from firstbell.work.carry_out import act as act_as_up
from firstbell.work.carry_out import settled
from firstbell.work.deploy import wait_for_course
from firstbell.work.gather import gather, observe_course
from firstbell.work.lock import course_lock
from firstbell.work.show import Show, shown


class UpgradeFailed(FirstbellError):
    """The new hub could not take the old one's place; the old one has it again."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade would do, or has done."""

    before: str
    """The version that ran."""
    after: str
    steps: tuple[Step, ...]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Since:
    """What has been written to a database since it was saved."""

    file: str
    is_kept: bool
    """Whether it stays; else all that was written since is in what is saved `after`, and nowhere else."""
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Rollback:
    """What going back would do, or has done."""

    before: str
    after: str
    """The version that one goes back to."""
    steps: tuple[Step, ...]
    since: tuple[Since, ...] = ()
    saved: str = ""
    """The name of what is brought back from; empty where nothing has to be."""
    seconds: float = 0.0


async def plan_upgrade(engine: Engine, course: Course) -> tuple[Inputs, Upgrade]:
    """What an upgrade to this Firstbell would do. Raises FirstbellError where there can be none."""
    inputs, observed = await together(gather(engine, course), observe_course(engine, course))
    plan.refuse_upgrade(course, observed, firstbell.__version__)
    storage = course.backup.to if course.backup else ""
    steps = plan.plan_upgrade(inputs, observed, firstbell.__version__, _stamp(), storage)
    hub = plan.hub_of(course, observed)
    return inputs, Upgrade(hub.version or plan.hub_aside(course, observed).version, firstbell.__version__, steps)


async def upgrade(engine: Engine, course: Course, show: Show) -> Upgrade:
    """Bring the course to this version. Raises TrialFailed, UpgradeFailed, or what else stood in the way.

    Killed anywhere, the next run goes on, or begins anew with the old hub running.
    """
    started = time.monotonic()
    with course_lock(course.name):
        inputs, planned = await plan_upgrade(engine, course)
        identity = next((step.identity for step in planned.steps if isinstance(step, SaveState)), "")
        is_switching = False
        try:
            for step in shown(planned.steps, show):
                is_switching |= isinstance(step, SetAside)
                await _act(engine, inputs, step, show)
            await wait_for_course(engine, course)
        except FirstbellError as error:
            if not is_switching:
                raise
            raise await _returned(engine, inputs, identity, error, show) from error
        await trial.clean_up(engine, course)
        if planned.steps:
            await saved.note(engine, course, "upgrade", f"from Firstbell {planned.before} to {planned.after}")
    return Upgrade(planned.before, planned.after, planned.steps, time.monotonic() - started)


async def _returned(engine: Engine, inputs: Inputs, identity: str, error: FirstbellError, show: Show) -> FirstbellError:
    """Let the old parts have their places again; the error that says so."""
    course = inputs.course
    show.on_progress(Progress("the new hub cannot take over; the old one comes back"))
    points = await saved.points(engine, course, inputs.hub_image.tag)
    try:
        for step in plan.plan_rollback(course, await engine.observe(course.name), points, f"{identity}-after"):
            await _act(engine, inputs, step, show)
    except FirstbellError as second:
        return UpgradeFailed(
            f"the new hub could not take over ({error.what}), and the old one does not answer either ({second.what})",
            where=second.where,
            evidence=(*error.evidence, *second.evidence),
            next_step="People's servers go on. Try again: firstbell rollback",
        )
    return UpgradeFailed(
        f"the new hub could not take over, so the old one runs again: {error.what}",
        where=error.where,
        evidence=error.evidence,
        next_step="Nobody's server was touched. See what the new one said above.",
    )


async def plan_rollback(engine: Engine, course: Course) -> Rollback:
    """What going back would do, and what it would cost. Raises FirstbellError where there is nothing to go back to."""
    observed = await engine.observe(course.name)
    hub, before = plan.hub_of(course, observed), plan.hub_aside(course, observed)
    image = plan.newest_image(course, observed)
    points = await saved.points(engine, course, image) if before.image else ()
    steps = plan.plan_rollback(course, observed, points, f"{_stamp()}-after")
    back = next((step.identity for step in steps if isinstance(step, PutBack)), "")
    rows: list[dict[str, Any]] = await saved.ask(engine, course, image, "compare", back) if back else []
    since = tuple(Since(row["file"], row["is_readable"], row["rows"]) for row in rows)
    return Rollback(hub.version, before.version or hub.version, steps, since, back)


async def rollback(engine: Engine, course: Course, show: Show) -> Rollback:
    """Go back to the version before the last upgrade. Killed anywhere, the next run goes on."""
    started = time.monotonic()
    with course_lock(course.name):
        planned = await plan_rollback(engine, course)
        image = plan.newest_image(course, await engine.observe(course.name))
        await saved.note(engine, course, "rollback", f"from Firstbell {planned.before} to {planned.after}")
        for step in shown(planned.steps, show):
            await _act_on_saved(engine, course, image, step, show)
        await wait_for_course(engine, course)
        await trial.clean_up(engine, course)
    seconds = time.monotonic() - started
    return Rollback(planned.before, planned.after, planned.steps, planned.since, planned.saved, seconds)


async def _act(engine: Engine, inputs: Inputs, step: Step, show: Show) -> None:
    match step:
        case TryOut(identity=identity):
            await trial.try_out(engine, inputs, identity, show)
        case BackUpFirst():
            await _back_up(engine, inputs.course, show)
        case _:
            await _act_on_saved(engine, inputs.course, inputs.hub_image.tag, step, show)


async def _back_up(engine: Engine, course: Course, show: Show) -> None:
    """A run of the course's backups, by the hub that runs: what must be had back if all else fails."""

    def tell(done: int, all_: int, words: str) -> None:
        show.on_progress(Progress(words, done, all_))

    await order(engine, course, What.BACKUP, {}, tell=tell, report=show.on_progress)


async def _act_on_saved(engine: Engine, course: Course, image: str, step: Step, show: Show) -> None:
    match step:
        case SaveState(identity=identity, kind=kind, version=version):
            facts = f'{{"kind": "{kind}", "version": "{version}"}}'
            await saved.ask(engine, course, image, "save", identity, facts)
        case PutBack(identity=identity):
            names = await saved.ask(engine, course, image, "put-back", identity)
            show.on_progress(Progress(f"brought back: {', '.join(names) or 'nothing, the older hub can read it all'}"))
        case PruneSaved(most=most):
            await saved.ask(engine, course, image, "prune", str(most))
        case SetAside(name=name, aside=aside, grace=grace):
            await engine.set_aside(name, aside, grace)
        case BringBack(spec=spec, aside=aside, must_answer=must_answer):
            await engine.bring_back(aside, spec.name)
            if must_answer:
                await settled(engine, course, spec, show)
        case _:
            await act_as_up(engine, course, step, show)


def changed(since: Sequence[Since]) -> tuple[Since, ...]:
    """Those in which something was written."""
    return tuple(one for one in since if one.rows or not one.is_kept)


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")

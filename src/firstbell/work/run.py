"""`firstbell run`: from a folder or an image to a Jupyter that answers."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace

import aiohttp
import bcrypt

from firstbell.engine.base import Engine
from firstbell.engine.waiting import until
from firstbell.errors import BuildFailed, FirstbellError, PortTaken, StartFailed
from firstbell.model import names
from firstbell.model.image import Progress
from firstbell.model.observed import ImageState, Observed, Phase
from firstbell.model.run import FIRST_PORT, Wish
from firstbell.model.secret import Secret
from firstbell.model.steps import EnsureVolume, StartContainer, Step
from firstbell.plan.accounts import GROUP, PASSWD, Accounts
from firstbell.plan.authorities import IMAGE_AUTHORITIES, joined
from firstbell.plan.launcher import launcher_files
from firstbell.plan.run import (
    SHADOW,
    RunImage,
    RunInputs,
    link,
    plan_start,
    run_spec,
)
from firstbell.work import build, runs
from firstbell.work.lock import run_lock
from firstbell.work.run_image import Told, act, image_steps, with_sudo
from firstbell.work.show import Show, shown

READY_DEADLINE = 120.0
"""Seconds a server may take to answer; it takes about two, on a slow disk ten."""
_PORTS_TRIED = 100
_TOKEN_BYTES = 24

Confirm = Callable[[str], None]
"""Asked before a run is replaced; raises Declined."""


@dataclass(frozen=True, slots=True)
class Started:
    """A run that answers."""

    name: str
    url: str = field(repr=False)
    image: str
    port: int
    steps: tuple[Step, ...] = ()
    """None where it was running so already."""


async def plan_run(engine: Engine, wish: Wish, told: Told) -> tuple[Step, ...]:
    """What `run` would do, as far as it can be known before the image is there."""
    steps = await image_steps(engine, told.image)
    image, sudo = await with_sudo(engine, wish, told)
    inputs = await _gather(engine, wish, told, image)
    return (*steps, *sudo, *plan_start(inputs, await engine.observe(names.RUNS)))


async def run(engine: Engine, wish: Wish, told: Told, show: Show, confirm: Confirm) -> Started:
    """Have it run as wished and answer. Raises FirstbellError; a server that does not come up is removed again."""
    with run_lock(wish.name):
        await _carry_out(engine, told, await image_steps(engine, told.image), show)
        image, sudo = await with_sudo(engine, wish, told)
        await _carry_out(engine, told, sudo, show)
        inputs = await _gather(engine, wish, told, image)
        observed = await engine.observe(names.RUNS)
        steps = plan_start(inputs, observed)
        await _permit(engine, inputs, observed, steps, confirm)
        inputs = await _start(engine, told, inputs, steps, show)
    url = link(wish.ip, inputs.port, inputs.token)
    return Started(wish.name, url, image, inputs.port, steps)


async def _gather(engine: Engine, wish: Wish, told: Told, image: str) -> RunInputs:
    """Everything a run is made from; what an older container of the name has is kept where nothing else is wished."""
    state = await engine.image(image)
    wanted = (PASSWD, GROUP, SHADOW, *((IMAGE_AUTHORITIES,) if told.authorities else ()))
    found = await engine.read_image_files(image, wanted) if state else {}
    text = {path: content.decode(errors="replace") for path, content in found.items()}
    kept = await runs.kept(engine, wish.name)
    return RunInputs(
        wish=wish,
        image=image,
        port=wish.port or kept.port or first_free_port(wish.ip),
        token=wish.token.reveal() if wish.token else kept.token or secrets.token_urlsafe(_TOKEN_BYTES),
        launcher=launcher_files(),
        has_project=_has_project(wish, told.image, state),
        accounts=Accounts(text.get(PASSWD, ""), text.get(GROUP, "")),
        shadow=text.get(SHADOW, ""),
        sudo_hash=await asyncio.to_thread(_hash, wish.sudo, kept.sudo_hash) if wish.sudo else "",
        network=told.network,
        authorities=joined(found.get(IMAGE_AUTHORITIES, b""), told.authorities),
    )


def _has_project(wish: Wish, image: RunImage, state: ImageState | None) -> bool:
    """Whether the image holds files for the home: one built from a folder by us, unless that folder is the home."""
    is_ours = image.build is not None or (state is not None and names.LABEL_HASH in state.labels)
    return is_ours and wish.home.place != wish.source


def _hash(password: Secret, kept: str) -> str:
    """The password as crypt(5) has it; the hash that is there, if it is this password's."""
    plain = password.reveal().encode()
    if kept and bcrypt.checkpw(plain, kept.encode()):
        return kept
    return bcrypt.hashpw(plain, bcrypt.gensalt()).decode()


async def _permit(
    engine: Engine, inputs: RunInputs, observed: Observed, steps: Sequence[Step], confirm: Confirm
) -> None:
    """Before a running server is replaced: would the new one run, and is its person willing?"""
    running = observed.container(names.run(inputs.wish.name)).phase is Phase.RUNNING
    if running and steps:
        await build.check_image(engine, inputs.image, names.RUNS)
        confirm(inputs.wish.name)


async def _carry_out(engine: Engine, told: Told, steps: Sequence[Step], show: Show) -> None:
    if not steps:
        return
    for step in shown(steps, show):
        await act(engine, told, step, show.on_progress)


async def _start(engine: Engine, told: Told, inputs: RunInputs, steps: Sequence[Step], show: Show) -> RunInputs:
    """Carry out what leads to the container, then start it and wait until it answers; the inputs it runs with."""
    if not steps:
        return inputs
    for step in shown(steps, show):
        if isinstance(step, StartContainer):
            async with _undone(engine, [s.spec.name for s in steps if isinstance(s, EnsureVolume)]):
                inputs = await _start_on_free_port(engine, inputs)
                show.on_progress(Progress("waiting for Jupyter"))
                await _answers(engine, inputs)
        else:
            await act(engine, told, step, show.on_progress)
    return inputs


@contextlib.asynccontextmanager
async def _undone(engine: Engine, new_homes: Sequence[str]) -> AsyncIterator[None]:
    """A home that was made for a server which then did not come up is removed: nobody has been in it."""
    try:
        yield
    except BaseException:
        for name in new_homes:
            with contextlib.suppress(FirstbellError):
                await asyncio.shield(engine.remove_volume(name))
        raise


async def _start_on_free_port(engine: Engine, inputs: RunInputs) -> RunInputs:
    """Start it; a port that somebody else took meanwhile is given up for the next, unless it was asked for."""
    for _ in range(_PORTS_TRIED):
        try:
            await engine.start(run_spec(inputs))
        except PortTaken as error:
            if inputs.wish.port:
                raise _port_taken(inputs.wish, error) from error
            inputs = replace(inputs, port=first_free_port(inputs.wish.ip, inputs.port + 1))
        else:
            return inputs
    raise _port_taken(replace(inputs.wish, port=inputs.port))


def first_free_port(ip: str, start: int = FIRST_PORT) -> int:
    """The first port from `start` on which nobody listens. Raises PortTaken after a hundred."""
    for port in range(start, min(start + _PORTS_TRIED, 65536)):
        with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((ip, port))
            except OSError:
                continue
            return port
    raise PortTaken(
        f"no port from {start} to {start + _PORTS_TRIED - 1} is free on {ip}", next_step="Name one: --port PORT."
    )


def _port_taken(wish: Wish, error: PortTaken | None = None) -> PortTaken:
    return PortTaken(
        f"port {wish.port} is taken by another program",
        where=f"{wish.ip}:{wish.port}",
        next_step="Leave out --port for the first free one; `ss -ltnp` shows who listens.",
        evidence=error.evidence if error else (),
    )


async def _answers(engine: Engine, inputs: RunInputs) -> None:
    """Wait until the server answers to its token. Raises StartFailed with the last lines of one that does not."""
    name = names.run(inputs.wish.name)
    url = link(inputs.wish.ip, inputs.port, "").partition("?")[0] + "api/status"
    headers = {"Authorization": f"token {inputs.token}"}

    async def answers() -> bool:
        if (await engine.state(name)).phase not in {Phase.RUNNING, Phase.UNKNOWN}:
            raise StartFailed("the server ended as soon as it had started")
        try:
            async with session.get(url, headers=headers, allow_redirects=False) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        try:
            await until(answers, deadline=READY_DEADLINE, first=0.05, longest=0.5)
        except (StartFailed, TimeoutError) as error:
            raise await _failed(engine, inputs, str(error)) from error
        except asyncio.CancelledError:
            await asyncio.shield(engine.stop(name, 1))
            raise


async def _failed(engine: Engine, inputs: RunInputs, what: str) -> StartFailed | BuildFailed:
    """Why it did not come up; the container is removed, the home stays."""
    name = names.run(inputs.wish.name)
    lines = tuple([line async for line in engine.logs(name, tail=15)])
    await engine.stop(name, 1)
    try:
        await build.check_image(engine, inputs.image, names.RUNS)
    except BuildFailed as error:
        return error
    return StartFailed(
        what or f"the server does not answer after {READY_DEADLINE:.0f} s",
        where=inputs.image,
        evidence=lines,
        next_step="Correct what the lines above say, then run the command again.",
    )

"""`firstbell run`: JupyterLab for one person on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import typer

from firstbell.cli import run_options as options
from firstbell.cli.common import DryRunOption, JsonOption, YesOption, asking, engine_of, show_plan
from firstbell.cli.run_wish import Words, explain_sudo, prepare_home, read_source, read_wish
from firstbell.cli.show import Terminal
from firstbell.engine.base import Engine
from firstbell.errors import CourseFileError, EngineUnavailable
from firstbell.model.container import Restart
from firstbell.model.run import LOOPBACK, RUN_LIMITS, HomeKind, Wish
from firstbell.model.secret import Secret
from firstbell.model.steps import Step
from firstbell.work import run as work
from firstbell.work import runs
from firstbell.work.machine import Ask, ensure_engine
from firstbell.work.run_image import Told

_MOST_PASSWORD = 72
"""Bytes of which bcrypt takes account."""
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(  # noqa: PLR0917 - typer makes parameters of them
    source: options.Source = ".",
    home: options.Home = "",
    ephemeral: options.Ephemeral = False,
    port: options.Port = 0,
    ip: options.Address = LOOPBACK,
    token: options.Token = None,
    detach: options.Detach = None,
    browser: options.Browser = False,
    name: options.Name = "",
    env: options.Env = None,
    memory: options.Memory = "",
    cpu: options.Cpu = 0.0,
    pids: options.Pids = RUN_LIMITS.pids,
    gpus: options.Gpus = "",
    restart: options.RestartPolicy = Restart.NO,
    uid: options.Uid = None,
    gid: options.Gid = None,
    sudo: options.Sudo = False,
    sudo_password: options.SudoPassword = "",
    base: options.Base = "",
    kernel: options.Kernels = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """JupyterLab on a folder or an image, for yourself: prints its link. Files last; `firstbell ps` shows what runs."""
    terminal = Terminal(json=json)
    words = Words(
        source, name, home, ephemeral, ip, port, token, uid, gid, tuple(env or ()), memory, cpu, pids, restart, gpus,
        base, tuple(kernel or ()),
    )  # fmt: skip
    stays = _stays(terminal, detach, restart)
    _refuse_other_machines()
    found, told, course = read_source(words, terminal)
    if dry_run:
        wish = read_wish(words, found, course, Secret("--sudo", "-") if sudo else None)
        show_plan(terminal, asyncio.run(_plan(wish, told)))
        return
    password = _password(terminal, words, sudo_password) if sudo or sudo_password else None
    wish = read_wish(words, found, course, password)
    prepare_home(wish, terminal)
    asyncio.run(_run(terminal, wish, told, asking(terminal, yes=yes), stays=stays, browser=browser))


def _stays(terminal: Terminal, detach: bool | None, restart: Restart) -> bool:
    """Whether the command stays until Ctrl-C."""
    if detach is None:
        return terminal.out.is_terminal and not terminal.is_json and restart is Restart.NO
    if not detach and (restart is not Restart.NO or terminal.is_json):
        raise typer.BadParameter("--attach ends the server with the command; --restart and --json do not go with it")
    return not detach


def _refuse_other_machines() -> None:
    """The link is one to this machine, and so are the folders: an engine elsewhere has neither."""
    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith("unix://"):
        raise EngineUnavailable(
            "the Docker Engine is another machine's, and what runs there is not reached here",
            where=f"DOCKER_HOST={host}",
            next_step="Run this command on that machine, or unset DOCKER_HOST.",
        )


async def _plan(wish: Wish, told: Told) -> tuple[Step, ...]:
    async with engine_of(None) as engine:
        return await work.plan_run(engine, wish, told)


async def _run(terminal: Terminal, wish: Wish, told: Told, ask: Ask, *, stays: bool, browser: bool) -> None:
    with terminal.steps() as show:
        await ensure_engine("", ask=ask, report=show.on_progress)
        async with engine_of(None) as engine:
            started = await work.run(engine, wish, told, show, _confirming(ask, wish))
    _tell(terminal, wish, started, stays=stays and bool(started.steps))
    if browser:
        terminal.open_browser(started.url)
    if stays and started.steps:
        async with engine_of(None) as engine:
            await _stay(terminal, engine, wish)


def _confirming(ask: Ask, wish: Wish) -> Callable[[str], None]:
    def confirm(name: str) -> None:
        lost = "its files are gone, for it keeps none" if wish.home.kind is HomeKind.NONE else "files stay"
        ask(
            f"{name} runs already, otherwise than is wished now. Replace it? What its notebooks compute ends; {lost}.",
            f"Add --yes to replace it; or stop it first: firstbell stop {name}",
        )

    return confirm


def _tell(terminal: Terminal, wish: Wish, started: work.Started, *, stays: bool) -> None:
    if terminal.is_json:
        terminal.data({
            "name": started.name, "url": started.url, "port": started.port, "image": started.image,
            "home": wish.home.place, "steps": [str(step) for step in started.steps], "was_running": not started.steps,
        })  # fmt: skip
        return
    terminal.say("Ready." if started.steps else "It runs already.", style="green")
    terminal.say(started.url, style="bold")
    kept = "" if wish.home.kind is HomeKind.NONE else f"Files are kept in {wish.home}. "
    terminal.note(kept + ("Ctrl-C stops it." if stays else f"Stop it: firstbell stop {wish.name}"))


async def _stay(terminal: Terminal, engine: Engine, wish: Wish) -> None:
    """Until the server ends, or somebody ends the command: then the server is stopped."""
    loop = asyncio.get_running_loop()
    watching = asyncio.ensure_future(runs.until_end(engine, wish.name))
    for ending in _ENDINGS:
        loop.add_signal_handler(ending, watching.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    finally:
        for ending in _ENDINGS:
            loop.remove_signal_handler(ending)
        terminal.note("Stopping …")
        await asyncio.shield(runs.stop_run(engine, wish.name))
    kept = "its files are gone." if wish.home.kind is HomeKind.NONE else f"files are kept in {wish.home}."
    terminal.say(f"Stopped; {kept}", style="green")


def _password(terminal: Terminal, words: Words, source: str) -> Secret:
    """Asked for twice, or from where the command line says. Raises CourseFileError, Declined."""
    explain_sudo(terminal, words)
    if not source:
        secret = Secret("terminal", terminal.ask_password("Password for sudo", "Add --sudo-password env:NAME"))
    else:
        secret = Secret(source, _read_secret(source))
    if not secret.reveal() or len(secret.reveal().encode()) > _MOST_PASSWORD:
        raise CourseFileError(
            f"the password for sudo must have 1 to {_MOST_PASSWORD} bytes",
            where=secret.source,
            next_step="Choose another.",
        )
    return secret


def _read_secret(source: str) -> str:
    kind, _, place = source.partition(":")
    try:
        if kind == "env":
            return os.environ[place]
        if kind == "file":
            return Path(place).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (KeyError, OSError, UnicodeDecodeError) as error:
        raise CourseFileError(
            f"the password for sudo cannot be read from {source}", where="--sudo-password", next_step="Correct it."
        ) from error
    raise CourseFileError(
        "a password is never written into the command itself, where others see it",
        where="--sudo-password",
        next_step="Write env:NAME or file:PATH; or leave it out to be asked.",
    )

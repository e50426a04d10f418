"""A Docker Engine that answers: found, started, or installed and started."""

from __future__ import annotations

import os
from collections.abc import Callable

import stamina

from firstbell.engine.base import Report
from firstbell.engine.waiting import until
from firstbell.errors import EngineUnavailable
from firstbell.model.image import Progress
from firstbell.work.local_system import SOCKET, Answer, CommandFailed, LocalSystem, System

LOG = "/var/log/firstbell-dockerd.log"
_UNIX = "unix://"
_PACKAGES = ("docker.io", "apparmor", "ca-certificates")
"""docker.io only recommends apparmor, but where the kernel has it the daemon does not start without its parser."""
_APT = ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3", "-o", "Dpkg::Use-Pty=0")
_ANSWER_DEADLINE = 90.0
"""Seconds; a first start that makes its storage takes about five."""
_BY_HAND = "See docs.docker.com/engine/install for how to install Docker Engine, then run the command again."

Ask = Callable[[str, str], None]
"""(question, what to type instead) → returns on yes, raises Declined."""


async def ensure_engine(host: str, *, ask: Ask, report: Report, system: System | None = None) -> bool:
    """See to it that an engine answers at `host` ("" for DOCKER_HOST or the local socket); whether it was brought up.

    Only a local engine is ever started, and only as root. `ask` is called before anything is installed. Raises
    Declined, or EngineUnavailable that says exactly what to do.
    """
    system = system or LocalSystem()
    address = host or os.environ.get("DOCKER_HOST", "") or _UNIX + SOCKET
    if not address.startswith(_UNIX):
        return False  # a remote engine: the first call to it tells
    socket = address.removeprefix(_UNIX)
    answer = await system.ask_engine(socket)
    if answer is Answer.YES:
        return False
    if answer is Answer.DENIED:
        raise _denied(system, socket)
    if socket not in {SOCKET, "/run/docker.sock"}:
        raise EngineUnavailable(
            "no Docker Engine answers", where=address, next_step="Start it, or correct [engine] host or DOCKER_HOST."
        )
    if not system.has("dockerd"):
        await _install(system, ask, report)
    elif not system.is_root():
        raise EngineUnavailable("the Docker Engine is installed but does not run", next_step=_start_by_hand(system))
    await _start(system, socket, report)
    return True


def _denied(system: System, socket: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"the account {system.user()} may not use the Docker Engine",
        where=socket,
        next_step=f"sudo usermod -aG docker {system.user()}, then log in again; or run this command with sudo.",
    )


def _start_by_hand(system: System) -> str:
    start = "sudo systemctl enable --now docker" if system.has_systemd() else "sudo dockerd &"
    return f"{start}, then run the command again."


async def _install(system: System, ask: Ask, report: Report) -> None:
    """docker.io by apt-get, asked for first."""
    distribution = system.distribution()
    family = {distribution.get("ID", ""), *distribution.get("ID_LIKE", "").split()}
    pretty = distribution.get("PRETTY_NAME") or "this system"
    if not family & {"debian", "ubuntu"} or not system.has("apt-get"):
        raise EngineUnavailable(
            f"there is no Docker Engine, and {pretty} is none it is installed on", next_step=_BY_HAND
        )
    command = f"apt-get update && apt-get install {' '.join(_PACKAGES)}"
    if not system.is_root():
        raise EngineUnavailable(
            "there is no Docker Engine, and only root can install it",
            next_step=f"sudo sh -c '{command}', then run the command again.",
        )
    ask(
        f"There is no Docker Engine. Install it now on {pretty} (packages {', '.join(_PACKAGES)})?",
        f"Add --yes to install it, or by hand: {command}",
    )
    for arguments in (("update",), ("install", "--yes", "--no-install-recommends", *_PACKAGES)):
        report(Progress(f"apt-get {' '.join(arguments)}"))
        await _apt(system, arguments, report)


async def _apt(system: System, arguments: tuple[str, ...], report: Report) -> None:
    """One apt-get, tried again with growing pauses: mirrors and name servers have bad moments."""
    try:
        async for attempt in stamina.retry_context(
            on=CommandFailed, attempts=4, timeout=900, wait_initial=2, wait_max=30
        ):
            with attempt:
                if attempt.num > 1:
                    report(Progress(f"apt-get {arguments[0]} failed; try {attempt.num} of 4"))
                await system.run([*_APT, *arguments], report, {"DEBIAN_FRONTEND": "noninteractive"})
    except CommandFailed as error:
        raise EngineUnavailable(
            f"the Docker Engine could not be installed: {error.what}",
            evidence=error.evidence,
            next_step="Check the network and the sources in /etc/apt, then run the command again.",
        ) from error


async def _start(system: System, socket: str, report: Report) -> None:
    """Start the daemon, unless it is starting already, and wait until it answers."""
    pid = 0
    if system.has_systemd():
        report(Progress("systemctl enable --now docker"))
        await system.run(["systemctl", "enable", "--now", "docker"], report)
    elif not system.engine_pid():
        pid = system.start_in_background(["dockerd"], LOG)
        report(Progress(f"dockerd runs in the background, process {pid}, log in {LOG}"))

    async def answers() -> bool:
        if await system.ask_engine(socket) is Answer.YES:
            return True
        if pid and not system.is_alive(pid) and not system.engine_pid():
            raise TimeoutError
        return False

    try:
        await until(answers, deadline=_ANSWER_DEADLINE, first=0.1, longest=1.0)
    except TimeoutError as error:
        raise EngineUnavailable(
            "the Docker Engine was started but does not answer",
            where=socket,
            evidence=await _last_words(system),
            next_step="journalctl -u docker" if system.has_systemd() else f"less {LOG}",
        ) from error


async def _last_words(system: System) -> tuple[str, ...]:
    if not system.has_systemd():
        return system.tail(LOG)
    try:
        return await system.run(["journalctl", "--no-pager", "-n", "15", "-u", "docker"], lambda _: None)
    except (CommandFailed, OSError):
        return ()

"""Whether a program runs in a terminal, in front or behind: as the kernel of the system knows it.

The shell of a terminal leads a session; each program that it starts is a process group of its own in it. The group in
front is the one that reads the keyboard. A shell in a shell, waiting at its prompt, is no program.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Iterable

_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "fish", "ksh", "tcsh", "csh", "ash", "busybox"})
_STILL = frozenset("TtZX")
"""States of /proc/PID/stat (man 5 proc): stopped, traced, dead. Stopped with Ctrl-Z, a program does nothing."""

_RESIDENT = 21
"""Where the resident pages are, counted from the state."""


@dataclass(frozen=True)
class Process:
    """A process as /proc has it."""

    pid: int
    state: str
    group: int
    session: int
    arguments: tuple[str, ...]
    parent: int = 0
    resident: int = 0  #: bytes


def is_any_busy(terminals: Iterable[Any], proc: str = "/proc") -> bool:
    """Of terminado's terminals."""
    shells = [pid for pid in (getattr(getattr(one, "ptyproc", None), "pid", 0) for one in terminals) if pid]
    return bool(shells) and any(is_busy(shell, found) for found in [processes(proc)] for shell in shells)


def is_busy(shell: int, found: Iterable[Process]) -> bool:
    """Whether a program runs in the session that this process leads; whatever it is if no shell leads it."""
    session = [one for one in found if one.session == shell and one.state not in _STILL]
    leader = next((one for one in session if one.pid == shell), None)
    if leader is not None and not waits_at_prompt(leader.arguments):
        return True
    # Of the shell's own group are what it runs for its prompt, and helpers that it keeps.
    return any(one.group != shell and not waits_at_prompt(one.arguments) for one in session)


def waits_at_prompt(arguments: tuple[str, ...]) -> bool:
    """Whether that is a shell without anything to carry out: no script, no command."""
    if not arguments or os.path.basename(arguments[0]).lstrip("-") not in _SHELLS:
        return False
    options = arguments[1:]
    return all(one.startswith("-") and (one.startswith("--") or "c" not in one) for one in options)


def processes(proc: str = "/proc") -> list[Process]:
    """Those that can be seen: in a container, the container's."""
    return [one for one in (_process(proc, name) for name in _names(proc) if name.isdigit()) if one is not None]


def _names(proc: str) -> list[str]:
    try:
        return os.listdir(proc)
    except OSError:
        return []


def _process(proc: str, name: str) -> Process | None:
    try:
        with open(os.path.join(proc, name, "stat"), encoding="utf-8", errors="replace") as file:
            # The name, in brackets, may hold anything, brackets and blanks among it.
            told = file.read().rpartition(")")[2].split()
        with open(os.path.join(proc, name, "cmdline"), encoding="utf-8", errors="replace") as file:
            arguments = file.read().rstrip("\0").split("\0")
        parent, group, session = (int(number) for number in told[1:4])
        resident = int(told[_RESIDENT]) * os.sysconf("SC_PAGE_SIZE") if len(told) > _RESIDENT else 0
        return Process(int(name), told[0], group, session, tuple(arguments), parent, resident)
    except (OSError, ValueError, IndexError):  # it ended meanwhile
        return None

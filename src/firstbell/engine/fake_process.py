"""What runs in the containers of the fake engine: small programs in place of processes."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

KILLED = 137
TERMINATED = 143
NOT_FOUND = 127


@dataclass(slots=True)
class Process:
    """One command at work: what it was given, what it printed, and whether it was told to end."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    stdin: bytes
    say: Callable[[str], None]
    """Called with each line of standard output."""
    complain: Callable[[str], None]
    """Called with each line of standard error."""
    read: Callable[[str], bytes]
    """The content of a file. Raises FileNotFoundError."""
    terminated: asyncio.Event = field(default_factory=asyncio.Event)
    oom_killed: bool = False


Program = Callable[[Process], Awaitable[int]]
"""Runs a process to its end and returns its exit code; should end soon after `terminated` is set."""


async def sleep(process: Process) -> int:
    """Until the time is over or the process is told to end."""
    try:
        async with asyncio.timeout(float(process.argv[1]) if process.argv[1] != "infinity" else None):
            await process.terminated.wait()
    except TimeoutError:
        return 0
    return TERMINATED


async def echo(process: Process) -> int:
    """One line."""
    process.say(" ".join(process.argv[1:]))
    return 0


async def cat(process: Process) -> int:
    """Standard input, or files."""
    for path in process.argv[1:]:
        try:
            process.say(process.read(path).decode(errors="replace"))
        except FileNotFoundError:
            process.complain(f"cat: can't open '{path}': No such file or directory")
            return 1
    if len(process.argv) == 1:
        process.say(process.stdin.decode(errors="replace").removesuffix("\n"))
    return 0


async def true(_: Process) -> int:
    """Success."""
    return 0


async def false(_: Process) -> int:
    """Failure."""
    return 1


async def exhaust_memory(process: Process) -> int:
    """Ends as a process does that the kernel kills for its memory; the contract's image has such a command."""
    process.oom_killed = True
    return KILLED


PROGRAMS: Mapping[str, Program] = {
    "sleep": sleep,
    "echo": echo,
    "cat": cat,
    "true": true,
    "false": false,
    "exhaust-memory": exhaust_memory,
}


async def shell(process: Process, programs: Mapping[str, Program]) -> int:
    """`sh -c` of commands joined by `;`, with `exec`, `exit N`, `>&2` and variables; no more than tests need."""
    code = 0
    for line in process.argv[2].split(";"):
        words = [_expanded(word, process.env) for word in shlex.split(line)]
        if not words:
            continue
        if words[0] == "exit":
            return int(words[1])
        words = words[1:] if words[0] == "exec" else words
        say = process.complain if words[-1] == ">&2" else process.say
        step = Process(
            tuple(word for word in words if word != ">&2"),
            process.env,
            process.stdin,
            say,
            process.complain,
            process.read,
            process.terminated,
        )
        code = await programs[step.argv[0]](step)
        process.oom_killed |= step.oom_killed
        if process.terminated.is_set():
            return TERMINATED
    return code


def _expanded(word: str, env: Mapping[str, str]) -> str:
    return env.get(word[1:], "") if word.startswith("$") else word

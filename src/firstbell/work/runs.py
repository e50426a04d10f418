"""The runs that there are: found by name or folder, looked at, ended."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from firstbell.engine import docker_tar
from firstbell.engine.base import Engine
from firstbell.engine.waiting import together
from firstbell.errors import CourseFileError, StartFailed
from firstbell.model import names
from firstbell.model.names import Role
from firstbell.model.observed import ContainerState, Phase, Usage
from firstbell.model.run import Run
from firstbell.model.runtime import SERVER_FILE
from firstbell.plan.run import SHADOW, USER, link

_LAST_LINES = 20


@dataclass(frozen=True, slots=True)
class Kept:
    """What a container of a run already has, so that its link stays the same; empty where there is none."""

    token: str = field(default="", repr=False)
    port: int = 0
    sudo_hash: str = field(default="", repr=False)


async def kept(engine: Engine, name: str) -> Kept:
    """What the container of the run `name` has."""
    state = await engine.state(names.run(name))
    if state.phase is Phase.MISSING:
        return Kept()
    shadow = await _read(engine, state.name, SHADOW)
    fields = [line.split(":") for line in shadow.decode(errors="replace").splitlines()]
    hashes = [words[1] for words in fields if words[0].startswith(USER) and words[1].startswith("$2b$")]
    return Kept(await _token(engine, state), _address(state)[1], hashes[-1] if hashes else "")


async def list_runs(engine: Engine) -> tuple[Run, ...]:
    """All runs, by name."""
    states = await _states(engine)
    running = [state.name for state in states if state.phase is Phase.RUNNING]
    usage = {found.name: found for found in await engine.usage(running)}
    return tuple(await together(*(_look(engine, state, usage) for state in states)))


async def find_run(engine: Engine, word: str) -> str:
    """The run of that name, unique beginning of a name, or folder. Raises StartFailed, CourseFileError."""
    found = matching([(state.user, _source(state)) for state in await _states(engine)], word)
    if len(found) > 1:
        raise CourseFileError(f"{word} may be {' or '.join(found)}", next_step="Name one of them.")
    if not found:
        raise StartFailed(f"nothing runs under the name or in the folder {word}", next_step="firstbell ps shows all.")
    return found[0]


def matching(known: Sequence[tuple[str, str]], word: str, *, by_beginning: bool = True) -> list[str]:
    """Of (name, source), the names that a word on the command line means: exactly, by folder, or by its beginning."""
    exact = [name for name, _ in known if name == word]
    folder = str(Path(word).resolve()) if word in {"", ".", ".."} or Path(word).is_dir() else word
    of_source = [name for name, source in known if source in {word, folder}]
    beginning = [name for name, _ in known if by_beginning and word and name.startswith(word)]
    return exact or of_source or beginning


async def stop_run(engine: Engine, name: str) -> None:
    """End a run; its home stays."""
    state = await engine.state(names.run(name))
    if state.phase is Phase.PAUSED:
        await engine.stop(state.name, 0)
    await engine.stop(names.run(name))


async def until_end(engine: Engine, name: str) -> None:
    """Wait until the run ends: by its own "Shut Down", or by another command.

    Raises StartFailed, with its last lines, for one that failed.
    """
    container = names.run(name)
    lines: deque[str] = deque(maxlen=_LAST_LINES)
    phase = Phase.RUNNING
    while phase not in {Phase.EXITED, Phase.MISSING}:
        async for line in engine.logs(container, tail=_LAST_LINES, follow=True):
            lines.append(line)
        state = await engine.state(container)
        phase = state.phase
    if phase is Phase.EXITED and state.exit_code:
        why = "it had no memory left" if state.oom_killed else f"exit code {state.exit_code}"
        raise StartFailed(
            f"the server ended: {why}", where=name, evidence=tuple(lines), next_step="Run the command again."
        )


async def _states(engine: Engine) -> tuple[ContainerState, ...]:
    return (await engine.observe(names.RUNS)).of_role(Role.RUN)


async def _look(engine: Engine, listed: ContainerState, usage: dict[str, Usage]) -> Run:
    state, token = await together(engine.state(listed.name), _token(engine, listed))
    is_running = state.phase is Phase.RUNNING
    ip, port = _address(state)
    return Run(
        name=listed.user,
        source=_source(listed),
        phase=state.phase.value,
        url=link(ip, port, token) if is_running and token else "",
        home=listed.labels.get(names.LABEL_HOME, ""),
        since=state.started_at if is_running else "",
        memory=usage[listed.name].memory if listed.name in usage else 0,
    )


def _source(state: ContainerState) -> str:
    return state.labels.get(names.LABEL_SOURCE, "")


def _address(state: ContainerState) -> tuple[str, int]:
    ip, _, port = state.labels.get(names.LABEL_ADDRESS, "").rpartition(":")
    return ip, int(port) if port.isdecimal() else 0


async def _token(engine: Engine, state: ContainerState) -> str:
    try:
        told: dict[str, Any] = json.loads(await _read(engine, state.name, SERVER_FILE))
    except ValueError:
        return ""
    return str(told.get("token", ""))


async def _read(engine: Engine, name: str, path: str) -> bytes:
    """A file of a container, running or not; empty if it is not there."""
    return await docker_tar.read_file(partial(engine.get, name), path) or b""

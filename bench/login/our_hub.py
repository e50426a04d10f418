"""Our hub as it is in its container, but for the engine: containers in memory, whose servers are in one process.

`python -m bench.login.our_hub ADDRESS PORT [PROFILE]`, with the places of a hub on a host in the environment.
"""

from __future__ import annotations

import cProfile
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tornado.httpclient import AsyncHTTPClient

from firstbell.engine.base import Stage, ignore
from firstbell.engine.fake import FakeEngine
from firstbell.engine.fake_process import Process
from firstbell.hub import app
from firstbell.model.container import ContainerSpec
from firstbell.model.observed import ContainerState, ImageState
from firstbell.model.runtime import SERVER_FILE

IMAGE = "bench/login"
BEGIN, END = signal.SIGRTMIN + 1, signal.SIGRTMIN + 2
"""JupyterHub has uses of its own for SIGUSR1 and SIGUSR2."""


class Housed(FakeEngine):
    """Starts servers in the process at `address`."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__()
        self._house, self._port = address, port
        self.images[IMAGE] = ImageState(IMAGE, "sha256:0")
        self.programs["python3"] = _run

    async def start(self, spec: ContainerSpec, stage: Stage = ignore) -> ContainerState:
        """As the fake engine does, then the server itself."""
        state = await super().start(replace(spec, network="none"), stage)
        told = next(file.content for file in spec.files if file.path == SERVER_FILE)
        await AsyncHTTPClient().fetch(f"http://{self._house}:{self._port}/start", method="POST", body=told)
        return replace(state, address=self._house)

    async def state(self, name: str) -> ContainerState:
        """Where the process is."""
        return replace(await super().state(name), address=self._house)


async def _run(process: Process) -> int:
    await process.terminated.wait()
    return 0


def count_statements(engine: Any) -> dict[str, int]:
    """Counts what an SQLAlchemy engine executes and commits."""
    from sqlalchemy import event

    counts = {"statements": 0, "commits": 0}

    def counter(what: str) -> Callable[..., None]:
        def count(*_: Any) -> None:
            counts[what] += 1

        return count

    event.listen(engine, "before_cursor_execute", counter("statements"))
    event.listen(engine, "commit", counter("commits"))
    return counts


def main(address: str, port: int, profile_path: str = "") -> None:
    """Run it; with a path BEGIN begins a profile, END ends it and writes it and the counts of statements."""

    async def connect(kind: str, host: str = "") -> Housed:
        del kind, host
        return Housed(address, port)

    vars(app)["connect"] = connect
    if profile_path:
        profile = cProfile.Profile()
        counters: list[dict[str, int]] = []

        def begin(*_: Any) -> None:
            if not counters:
                counters.append(count_statements(app.FirstbellHub.instance().session_factory.kw["bind"]))
            counters[0].update(dict.fromkeys(counters[0], 0))
            profile.enable()

        def end(*_: Any) -> None:
            profile.disable()
            profile.dump_stats(profile_path)
            with open(profile_path.replace(".profile", ".json"), "w") as file:  # noqa: PTH123
                json.dump(counters[0], file)

        signal.signal(BEGIN, begin)
        signal.signal(END, end)
    app.FirstbellHub.launch_instance([])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])

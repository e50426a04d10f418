"""Clearing away what a benchmark made, also where it was killed and could not.

Containers, networks and volumes carry labels of the benchmarks' own; processes end with the one that started them
(`with_parent`). A process beside the benchmark waits for its end, however that comes, and then removes what is left.
"""

from __future__ import annotations

import ctypes
import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.engine import Engine
from bench.side import ROOT, cache, prefix

_PR_SET_PDEATHSIG = 1
_ROUNDS = 3
"""A hub that is about to end may start one more container meanwhile."""


def courses() -> tuple[str, ...]:
    """Values of the label `firstbell.course` that only benchmarks give."""
    return (prefix(), f"firstbell-{prefix()}-peer")


def clean(engine: Engine) -> None:
    """Remove containers, volumes and networks of the benchmarks; images stay for the next run."""
    for _ in range(_ROUNDS):
        for course in courses():
            engine.remove_all(course)
        # The peer's spawner makes its volumes without labels.
        engine.remove_volumes(f"{courses()[-1]}-")
        if not any(engine.names(firstbell_course=course) for course in courses()):
            return


@contextmanager
def watched() -> Iterator[None]:
    """While the block runs, another process waits for this one's end to clean up after it."""
    command = [sys.executable, "-m", "bench.janitor"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True) as janitor:
        try:
            yield
        finally:
            if janitor.stdin:
                janitor.stdin.close()
            janitor.wait()


@contextmanager
def only_one_at_a_time() -> Iterator[None]:
    """Two runs would measure, and clear away, each other. Raises SystemExit where one is under way."""
    with (cache() / f"{prefix()}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit(f"another bench/run is under way here (it holds {file.name})") from None
        yield


def with_parent() -> None:
    """For `preexec_fn`: the process gets SIGTERM when the one that started it ends, in whatever way."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> None:
    """Wait until standard input ends, as it does with whoever holds its other side; then clean."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    clean(Engine())


if __name__ == "__main__":
    main()

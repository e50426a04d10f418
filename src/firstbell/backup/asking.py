"""Runs restic for the first word of a storage, and ends it where the storage does not give one. Stdlib alone.

restic asks a server that fails again and again, for a quarter of an hour. That is right in the middle of a backup, but
whoever waits for the first word of a storage is told sooner that it does not answer, or has no such bucket.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence

PATIENCE = 4
"""Failures that restic tells of until it is ended: after the fourth some ten seconds have passed (its waits double)."""
_FAILED = b"returned error, retrying after"
"""restic's words (internal/backend/retry) since 0.17; before that it gave up by itself after some seconds."""


def ask(command: Sequence[str], patience: int = PATIENCE) -> int:
    """Run the command, its words passed on; the exit code, 1 where it was ended."""
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda given, _: process.send_signal(given))
        assert process.stderr is not None
        if _has_failed(process.stderr, patience):
            process.terminate()
            process.stderr.close()
            process.wait()
            return 1
        return process.wait()


def _has_failed(lines: Iterable[bytes], patience: int) -> bool:
    failures = 0
    for line in lines:
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
        failures += _FAILED in line
        if failures == patience:
            return True
    return False


if __name__ == "__main__":
    code = ask(sys.argv[1:])
    # As a shell says it of a program that a signal ended.
    os._exit(code if code >= 0 else 128 - code)

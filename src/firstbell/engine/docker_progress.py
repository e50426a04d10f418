"""The daemon's progress messages as lines for people, and what they say of a failure."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from firstbell.errors import BuildFailed
from firstbell.model.image import Progress

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
KEPT_LINES = 20
"""Of a step's output, for the message if it fails."""
_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_CACHED = " ---> Using cache"
_NOISE = (" ---> ", "Removing intermediate container", "Successfully ")


class BuildProgress:
    """Of a build by the classic builder: its steps, their output, how each ended, and the failure's words."""

    def __init__(self, tag: str, log: IO[str] | None) -> None:
        self._tag = tag
        self._log = log
        self._step = Progress("")
        self._began = 0.0
        self._is_cached = False
        self._last: deque[str] = deque(maxlen=KEPT_LINES)
        self.image_id = ""
        self.error = ""

    def take(self, message: Mapping[str, Any]) -> Iterator[Progress]:
        """The lines of a message."""
        if "error" in message or "errorDetail" in message:
            self.error = error_of(message)
            write_log(self._log, f"{self.error}\n")
        self.image_id = str((message.get("aux") or {}).get("ID") or self.image_id)
        text = ANSI.sub("", str(message.get("stream") or message.get("status") or ""))
        write_log(self._log, text if text.endswith("\n") or not text else f"{text}\n")
        if step := _STEP.match(text):
            yield from self._end()
            self._step, self._began = Progress(step[3].strip(), int(step[1]), int(step[2])), time.monotonic()
            self._is_cached = False
            self._last.clear()
            yield self._step
        elif text.startswith("Successfully built"):
            yield from self._end()
        elif text.startswith(_NOISE):
            self._is_cached |= text.startswith(_CACHED)
        else:
            for line in filter(None, (part.rstrip() for part in re.split(r"[\r\n]+", text))):
                self._last.append(line)
                yield Progress(line, self._step.step, self._step.steps, is_output=True)

    def _end(self) -> Iterator[Progress]:
        if self._step.step:
            seconds = time.monotonic() - self._began
            yield replace(self._step, seconds=0.0 if self._is_cached else seconds, is_cached=self._is_cached)

    def failure(self) -> BuildFailed:
        """Which step failed, its last lines, and where all of them are."""
        error = self.error or "the build ended without an image"
        return build_failure(self._tag, self._step, (*self._last, error), self._log)


def build_failure(tag: str, step: Progress, evidence: Sequence[str], log: IO[str] | None) -> BuildFailed:
    """The error of a build that failed at `step`; the last line of `evidence` is the builder's own word."""
    at = f" at step {step.step} of {step.steps}: {step.text}" if step.step else ""
    whole = f"See the whole log with `less {log.name}`." if log else ""
    return BuildFailed(
        f"the image {tag} could not be built{at}",
        where=tag,
        next_step=f"{_help(evidence[-1])} {whole}".strip(),
        evidence=evidence,
    )


def write_log(log: IO[str] | None, text: str) -> None:
    """Add to the build's log, if there is one; a build does not fail for it."""
    if log:
        with contextlib.suppress(OSError):
            log.write(text)
            log.flush()


def _help(error: str) -> str:
    if "no space left on device" in error:
        return "Make room: `docker system df` shows what takes it."
    return "Correct the step, then run the command again: the steps before it are kept."


def error_of(message: Mapping[str, Any]) -> str:
    """The words of an error message in a stream."""
    detail = message.get("errorDetail")
    words = detail.get("message") if isinstance(detail, Mapping) else ""
    return str(words or message.get("error") or "unknown error")


@contextlib.contextmanager
def build_log(folder: Path | None, tag: str) -> Iterator[IO[str] | None]:
    """The file that keeps a build's whole log, readable by its owner alone; None where it cannot be written."""
    handle = None
    if folder is not None:
        path = folder / f"build-{re.sub(r'[^A-Za-z0-9._-]+', '-', tag)}.log"
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            handle = open(  # noqa: SIM115  (closed below)
                path, "w", encoding="utf-8", errors="replace", opener=_private
            )
    try:
        yield handle
    finally:
        if handle is not None:
            handle.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

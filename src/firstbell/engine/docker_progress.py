"""The daemon's progress messages as lines for people, and what they say of a failure."""

from __future__ import annotations

import contextlib
import os
import re
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from firstbell.errors import BuildFailed
from firstbell.model.image import Progress

_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_KEPT = 20


class PullProgress:
    """Of a pull or import: a line per layer that is complete, and per message without a layer."""

    def __init__(self, ref: str) -> None:
        self._ref = ref
        self._layers: set[str] = set()
        self._complete: set[str] = set()
        self.error = ""

    def take(self, message: Mapping[str, Any]) -> Progress | None:
        """What is worth showing of a message."""
        if "error" in message or "errorDetail" in message:
            self.error = error_of(message)
            return None
        status, layer = str(message.get("status", "")), str(message.get("id", ""))
        if not layer:
            return Progress(status) if status else None
        if status == "Pulling fs layer":
            self._layers.add(layer)
        elif status in {"Pull complete", "Already exists"}:
            self._layers.add(layer)
            self._complete.add(layer)
            return Progress(f"{self._ref}: layer {layer}", len(self._complete), len(self._layers))
        return None


class BuildProgress:
    """Of a build by the classic builder: its steps, their output, and the failure's words."""

    def __init__(self, tag: str, log: IO[str] | None) -> None:
        self._tag = tag
        self._log = log
        self._step = Progress("")
        self._last: deque[str] = deque(maxlen=_KEPT)
        self.image_id = ""
        self.error = ""

    def take(self, message: Mapping[str, Any]) -> Iterator[Progress]:
        """The lines of a message."""
        if "error" in message or "errorDetail" in message:
            self.error = error_of(message)
            self._write(f"{self.error}\n")
        self.image_id = str((message.get("aux") or {}).get("ID") or self.image_id)
        text = _ANSI.sub("", str(message.get("stream") or message.get("status") or ""))
        self._write(text if text.endswith("\n") or not text else f"{text}\n")
        if step := _STEP.match(text):
            self._step = Progress(step[3].strip(), int(step[1]), int(step[2]))
            self._last.clear()
            yield self._step
        elif not text.startswith((" ---> ", "Removing intermediate container", "Successfully ")):
            for line in re.split(r"[\r\n]+", text):
                if line.strip():
                    self._last.append(line.rstrip())
                    yield Progress(line.rstrip(), self._step.step, self._step.steps, is_output=True)

    def failure(self) -> BuildFailed:
        """Which step failed, its last lines, and where all of them are."""
        step = self._step
        at = f" at step {step.step} of {step.steps}: {step.text}" if step.step else ""
        log = f"See the whole log with `less {self._log.name}`." if self._log else ""
        return BuildFailed(
            f"the image {self._tag} could not be built{at}",
            where=self._tag,
            next_step=f"{_help(self.error)} {log}".strip(),
            evidence=(*self._last, self.error or "the build ended without an image"),
        )

    def _write(self, text: str) -> None:
        if self._log:
            with contextlib.suppress(OSError):
                self._log.write(text)
                self._log.flush()


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

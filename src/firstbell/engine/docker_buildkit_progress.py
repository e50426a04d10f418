"""What BuildKit says of a build (`--progress=plain`) as lines for people, and what it says of a failure."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from firstbell.engine.docker_progress import ANSI, KEPT_LINES, build_failure, write_log
from firstbell.errors import BuildFailed
from firstbell.model.image import BuildSpec, Progress

_SAID = re.compile(r"#(\d+) (.*)", re.DOTALL)
_STEP = re.compile(r"\[(?:\S+ +)?(\d+)/(\d+)\] (.*)", re.DOTALL)
_OUTPUT = re.compile(r"\d+\.\d+ ?(.*)", re.DOTALL)
_DONE = re.compile(r"DONE (\d+\.\d+)s")
_ERROR = re.compile(r"ERROR:? (.*)", re.DOTALL)
_EXIT_CODE = re.compile(r"exit code: (\d+)")
_WRAPPING = re.compile(
    r"(?:ERROR: |failed to build: |failed to solve(?: with frontend \S+)?: |failed to create LLB definition: "
    r"|rpc error: code = Unknown desc = |failed to compute cache key: |failed to calculate checksum of ref \S+: )+"
)
_LOST = re.compile(
    r"cannot connect to the docker daemon|error during connect|code = unavailable|closing transport|error reading "
    r"from server: eof|is the docker daemon running",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Vertex:
    """A piece of BuildKit's work: a step of the Dockerfile, or something about it."""

    step: Progress
    last: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))


class BuildKitProgress:
    """Of one build: its steps, their output, how each ended, and the failure's words."""

    def __init__(self, spec: BuildSpec, log: IO[str] | None) -> None:
        self._tag = spec.tag
        self._log = log
        self._vertices: dict[str, _Vertex] = {}
        self._failed: _Vertex | None = None
        self.error = ""

    @property
    def lost_engine(self) -> bool:
        """Whether the build ended because the daemon was not there, or went away."""
        return self._failed is None and bool(_LOST.search(self.error))

    def take(self, line: str) -> Iterator[Progress]:
        """What is worth showing of a line."""
        line = ANSI.sub("", line).rstrip("\r\n")
        write_log(self._log, f"{line}\n")
        said = _SAID.match(line)
        if said is None:
            if line.strip() and not line.startswith(("---", " > ", ">>>", " ")) and self._failed is None:
                self.error = _plain(line)  # the last one says why there is no image
            return
        known = self._vertices.get(said[1])
        if known is None:
            yield from self._begin(said[1], said[2])
        else:
            yield from self._go_on(known, said[2])

    def _begin(self, number: str, text: str) -> Iterator[Progress]:
        step = _STEP.match(text)
        shown = Progress(" ".join(step[3].split()), int(step[1]), int(step[2])) if step else Progress(text)
        self._vertices[number] = _Vertex(shown)
        if step or text.startswith("exporting to"):
            yield shown

    def _go_on(self, vertex: _Vertex, text: str) -> Iterator[Progress]:
        step = vertex.step
        if output := _OUTPUT.match(text):
            for part in filter(None, (piece.rstrip() for piece in output[1].split("\r"))):
                vertex.last.append(part)
                yield Progress(part, step.step, step.steps, is_output=True)
        elif failed := _ERROR.match(text):
            if self._failed is None:
                self._failed, self.error = vertex, _plain(failed[1])
        elif step.step and (text == "CACHED" or _DONE.match(text)):
            done = _DONE.match(text)
            yield Progress(
                step.text, step.step, step.steps, seconds=float(done[1]) if done else 0.0, is_cached=done is None
            )

    def failure(self) -> BuildFailed:
        """Which step failed, its last lines, and where all of them are."""
        failed = self._failed or _Vertex(Progress(""))
        return build_failure(self._tag, failed.step, (*failed.last, self.error), self._log)


def _plain(error: str) -> str:
    """The error without the names of what it passed through; of a step's command only how it ended."""
    ended = _EXIT_CODE.search(error)
    return f"the command returned a non-zero code: {ended[1]}" if ended else _WRAPPING.sub("", error)

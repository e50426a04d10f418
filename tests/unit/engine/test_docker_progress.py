"""What a build says, told to people."""

from __future__ import annotations

from pathlib import Path

from firstbell.engine.docker_progress import BuildProgress, build_log
from firstbell.model.image import Progress


def test_steps_and_output() -> None:
    """Steps are told with their number; lines of a step carry it and are marked as output; noise is left out."""
    progress = BuildProgress("t:1", None)
    said = [
        line
        for text in ("Step 1/2 : FROM x\n", " ---> abc\n", "Step 2/2 : RUN y\n", "\x1b[91mone\n\x1b[0m",
                     "two\r\nthree\n", "Removing intermediate container 1\n")
        for line in progress.take({"stream": text})
    ]  # fmt: skip
    assert [line for line in said if line.seconds is None] == [
        Progress("FROM x", 1, 2),
        Progress("RUN y", 2, 2),
        Progress("one", 2, 2, is_output=True),
        Progress("two", 2, 2, is_output=True),
        Progress("three", 2, 2, is_output=True),
    ]


def test_ends_of_steps() -> None:
    """Each step ends when the next begins, or the build; one whose result was kept took no time."""
    progress = BuildProgress("t:1", None)
    ends = [
        line
        for text in ("Step 1/2 : FROM x\n", " ---> abc\n", "Step 2/2 : RUN y\n", " ---> Using cache\n",
                     "Successfully built 1\n")
        for line in progress.take({"stream": text})
        if line.seconds is not None
    ]  # fmt: skip
    assert [(end.text, end.is_cached) for end in ends] == [("FROM x", False), ("RUN y", True)]
    assert ends[1].seconds == 0


def test_failure_names_step_and_log(tmp_path: Path) -> None:
    """The error has the step, its last lines and no earlier step's, and the file with all of them."""
    with build_log(tmp_path / "state", "t:1") as log:
        progress = BuildProgress("t:1", log)
        for text in ("Step 1/2 : RUN a\n", "earlier\n", "Step 2/2 : RUN b\n", "later\n"):
            list(progress.take({"stream": text}))
        list(progress.take({"error": "x", "errorDetail": {"message": "returned a non-zero code: 1"}}))
        failure = progress.failure()
    assert "step 2 of 2: RUN b" in failure.what
    assert failure.evidence == ("later", "returned a non-zero code: 1")
    path = tmp_path / "state" / "build-t-1.log"
    assert str(path) in failure.next_step
    assert "earlier" in path.read_text()
    assert path.stat().st_mode & 0o77 == 0


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    """A build does not fail for its log."""
    (tmp_path / "file").touch()
    with build_log(tmp_path / "file", "t:1") as log:
        assert log is None

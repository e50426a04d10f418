"""What BuildKit says, told to people, and the client that it is spoken to by."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbell.engine.docker_build import without_cache_mounts
from firstbell.engine.docker_buildkit import Client, environment, find_client
from firstbell.engine.docker_buildkit_progress import BuildKitProgress
from firstbell.model.container import frozen
from firstbell.model.image import BuildSpec, Progress

SPEC = BuildSpec("t:1", "FROM x\n")


def said(*lines: str) -> tuple[list[Progress], BuildKitProgress]:
    """What is told of the lines."""
    progress = BuildKitProgress(SPEC, None)
    return [told for line in lines for told in progress.take(f"{line}\n")], progress


def test_steps_and_output() -> None:
    """Steps are told once with their number, their output with it, and their ends with the time; no more than that."""
    told, _ = said(
        "#1 [internal] load remote build context",
        "#1 DONE 0.0s",
        "#4 [stage-0  1/10] FROM docker.io/library/x",
        "#4 CACHED",
        "",
        "#5 [stage-0  2/10] RUN a     && b",
        "#5 sha256:680c",
        "#5 0.042 one",
        "#5 0.050 \x1b[91mtwo\x1b[0m",
        "#5 [stage-0  2/10] RUN a     && b",
        "#5 DONE 1.5s",
        "#6 exporting to image",
        "#6 exporting layers 0.1s done",
        "#6 DONE 0.2s",
    )
    assert told == [
        Progress("FROM docker.io/library/x", 1, 10),
        Progress("FROM docker.io/library/x", 1, 10, seconds=0, is_cached=True),
        Progress("RUN a && b", 2, 10),
        Progress("one", 2, 10, is_output=True),
        Progress("two", 2, 10, is_output=True),
        Progress("RUN a && b", 2, 10, seconds=1.5),
        Progress("exporting to image"),
    ]


@pytest.mark.parametrize(
    "error",
    [
        "executor failed running [/bin/sh -c seq 2; exit 3]: exit code: 3",
        'process "/bin/sh -c seq 2; exit 3" did not complete successfully: exit code: 3',
    ],
    ids=["20.10", "newer"],
)
def test_failure_names_the_step(error: str) -> None:
    """The error has the step, its last lines, no other step's, and how its command ended."""
    _, progress = said(
        "#4 [1/2] RUN other",
        "#4 0.1 earlier",
        "#5 [2/2] RUN seq 2; exit 3",
        "#5 0.1 1",
        "#4 0.2 at the same time",
        "#5 0.2 2",
        f"#5 ERROR: {error}",
        "------",
        " > [2/2] RUN seq 2; exit 3:",
        "#5 0.1 1",
        "------",
        error,
    )
    failure = progress.failure()
    assert "step 2 of 2: RUN seq 2; exit 3" in failure.what
    assert failure.evidence[:2] == ("1", "2")
    assert failure.evidence[-1] == "the command returned a non-zero code: 3"
    assert not progress.lost_engine


def test_failure_before_any_step() -> None:
    """What is wrong with the Dockerfile itself is said without the names of what the error passed through."""
    _, progress = said(
        "#2 [internal] load build definition from Dockerfile",
        "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2: "
        "unknown instruction: RUNN",
    )
    assert progress.failure().evidence == ("dockerfile parse error line 2: unknown instruction: RUNN",)


def test_an_engine_that_goes_away() -> None:
    """A lost connection is told from a failed step."""
    _, progress = said(
        "#4 [1/2] RUN a", "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"
    )
    assert progress.lost_engine


def client(folder: Path, version: str, *, buildx: bool = False) -> Path:
    """A program that answers as a docker client of the version does."""
    folder.mkdir()
    program = folder / "docker"
    program.write_text(
        f'#!/bin/sh\ncase $1 in\n--version) echo "Docker version {version}, build 1" ;;\n'
        f"buildx) echo github.com/docker/buildx; exit {int(not buildx)} ;;\nesac\n"
    )
    program.chmod(0o755)
    return program


async def test_which_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first that can: an old one by itself, a new one with its plugin only."""
    monkeypatch.setattr("firstbell.engine.docker_buildkit._PLACES", ())
    bare = client(tmp_path / "bare", "28.2.2")
    old = client(tmp_path / "old", "20.10.24+dfsg1")
    new = client(tmp_path / "new", "29.1.0", buildx=True)
    assert await find_client(f"{tmp_path}/none:{bare.parent}") is None
    assert await find_client(f"{bare.parent}:{old.parent}:{new.parent}") == Client(str(old))
    assert await find_client(f"{bare.parent}:{new.parent}:{old.parent}") == Client(str(new), has_buildx=True)


def test_the_command_line() -> None:
    """Tag, labels, arguments and network are passed on; with the plugin, the engine's own builder is asked."""
    spec = BuildSpec("t:1", "", labels=frozen({"a": "b c"}), args=frozen({"X": "y"}), no_cache=True)
    words = Client("docker", has_buildx=True).command(spec)
    assert words[:6] == ("docker", "buildx", "build", "--builder", "default", "--load")
    assert {"--label", "a=b c", "--build-arg", "X=y", "--no-cache", "t:1", "host"} <= set(words)
    assert Client("docker").command(spec)[:2] == ("docker", "build")


def test_where_the_engine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is sent to the same engine, whatever context is chosen; to an address it cannot have it is not."""
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    here, there = environment(""), environment("http://127.0.0.1:2375")
    assert here
    assert there
    assert (here["DOCKER_HOST"], there["DOCKER_HOST"]) == ("unix:///var/run/docker.sock", "tcp://127.0.0.1:2375")
    assert "DOCKER_CONTEXT" not in here
    assert environment("https://127.0.0.1:2376") is None


def test_cache_mounts_are_left_out_for_the_classic_builder() -> None:
    """Only the mounts of caches go, since without any other one a step would not do the same."""
    text = "RUN --mount=type=cache,id=a,target=/b \\\n    x\nRUN --mount=type=bind,target=/c y\n"
    assert without_cache_mounts(BuildSpec("t:1", text)).dockerfile == (
        "RUN \\\n    x\nRUN --mount=type=bind,target=/c y\n"
    )

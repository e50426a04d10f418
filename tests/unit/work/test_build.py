"""Making sure that an image exists."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
import stamina

from firstbell.engine.fake import FakeEngine
from firstbell.errors import BuildFailed, CourseFileError
from firstbell.model.container import ContainerSpec, frozen
from firstbell.model.image import BuildSpec, Progress
from firstbell.model.kernel import Kernel
from firstbell.model.network import Network
from firstbell.model.observed import ImageState, Observed, RunResult
from firstbell.work.build import build, get_base
from firstbell.work.project import read_ca_bundle

SPEC = BuildSpec("firstbell/x:1", "FROM x")


class Failing(FakeEngine):
    """An engine whose builds and pulls fail with the given last lines, one after the other, then succeed."""

    def __init__(self, *lines: str) -> None:
        super().__init__()
        self.lines = list(lines)
        self.builds = 0

    async def build(self, spec: BuildSpec, report: object = None) -> ImageState:
        self.builds += 1
        if self.lines:
            raise BuildFailed("the image could not be built", evidence=(self.lines.pop(0),), next_step="See the log.")
        return ImageState(spec.tag, "sha256:1")

    async def pull(self, ref: str, report: object = None, credentials: object = None) -> ImageState:
        raise BuildFailed(f"{ref} could not be had", evidence=("no such host",))

    async def image(self, ref: str) -> ImageState | None:
        return ImageState(ref, "sha256:0") if ref == "firstbell/there:1" else None


@pytest.fixture(autouse=True)
def _no_pauses() -> object:
    with stamina.set_testing(True, attempts=3):
        yield


async def test_what_is_there_is_not_built() -> None:
    """An image of the tag is the image: nothing is built and nothing is said."""
    engine, said = Failing(), list[Progress]()
    found = await build(engine, BuildSpec("firstbell/there:1", "FROM x"), said.append)
    assert (found.id, engine.builds, said) == ("sha256:0", 0, [])


async def test_a_lost_network_gets_another_attempt() -> None:
    """Two failures of the network and a success are a success, and the person is told of each attempt."""
    engine, said = Failing("Temporary failure resolving 'm'", "ECONNRESET"), list[Progress]()
    assert (await build(engine, SPEC, said.append)).id == "sha256:1"
    assert engine.builds == 3
    assert ["attempt" in line.text for line in said] == [True, True]


async def test_a_network_that_stays_away_is_an_error_with_a_remedy() -> None:
    """After the last attempt the failing step's lines, what helps and where the log is are told."""
    engine = Failing(*["Temporary failure resolving 'm'"] * 9)
    with pytest.raises(BuildFailed) as failed:
        await build(engine, SPEC)
    assert engine.builds == 3
    assert "[network]" in failed.value.next_step
    assert failed.value.next_step.endswith("See the log.")
    assert failed.value.evidence == ("Temporary failure resolving 'm'",)


async def test_a_wrong_requirement_is_not_tried_again() -> None:
    """What another attempt cannot change fails at once."""
    engine = Failing("No solution found when resolving dependencies")
    with pytest.raises(BuildFailed, match="could not be built") as failed:
        await build(engine, SPEC)
    assert engine.builds == 1
    assert "requirements.txt" in failed.value.next_step


async def test_a_base_of_somebody_else_is_only_pulled() -> None:
    """Where no registry answers, an image that is no Debian's or Ubuntu's is an error, not something else."""
    with pytest.raises(BuildFailed, match=r"registry\.example\.org/base:1"):
        await get_base(Failing(), "registry.example.org/base:1", Network())


async def test_a_missing_bundle_is_named(tmp_path: Path) -> None:
    """A bundle of authorities that does not exist is an error with its path, and none is no error."""
    assert read_ca_bundle(Network()) == b""
    with pytest.raises(CourseFileError) as refused:
        read_ca_bundle(Network(ca_bundle=tmp_path / "gone.pem"))
    assert refused.value.where == str(tmp_path / "gone.pem")


class Verifying(FakeEngine):
    """An engine whose kernels fail; it has an image of the given steps."""

    def __init__(self, steps: str) -> None:
        super().__init__()
        self.there = ImageState("firstbell/x:0", "sha256:0", labels=frozen({"firstbell.steps": steps}))
        self.ran = 0

    async def observe(self, course: str = "") -> Observed:
        return replace(await super().observe(course), images=(self.there,))

    async def run(self, spec: ContainerSpec, stdin: bytes = b"", deadline: float = 600) -> RunResult:
        self.ran += 1
        return RunResult(1, b"no kernel")


@pytest.mark.parametrize(("steps", "runs"), [("same", 0), ("other", 1)])
async def test_kernels_are_verified_once_for_the_same_steps(steps: str, runs: int) -> None:
    """Another notebook does not have every kernel executed again; another step does, and a failing one fails it."""
    kernel = Kernel("go", "Go", "1", "somewhere", "go")
    spec = replace(SPEC, kernels=(kernel,), labels=frozen({"firstbell.steps": "same"}))
    engine = Verifying(steps)
    with contextlib.nullcontext() if not runs else pytest.raises(BuildFailed):
        await build(engine, spec)
    assert engine.ran == runs

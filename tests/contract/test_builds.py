"""Builds, by each builder: BuildKit, the classic one of the API, and the fake."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_buildkit import find_client
from firstbell.engine.waiting import until
from firstbell.errors import BuildFailed, EngineUnavailable
from firstbell.model.container import File, frozen
from firstbell.model.image import BuildSpec, Progress
from firstbell.model.names import LABEL_COURSE
from firstbell.model.observed import Phase

from .conftest import IMAGE, Lab, docker_labs, fake_lab

BUILDERS = ("buildkit", "classic")


@pytest.fixture(params=BUILDERS)
async def real(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    """The Docker Engine with one of its builders."""
    async for made in _real(request.param, tmp_path):
        yield made


@pytest.fixture(params=["fake", *BUILDERS])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    """Every builder."""
    labs = fake_lab() if request.param == "fake" else _real(request.param, tmp_path)
    async for made in labs:
        yield made


async def _real(builder: str, tmp_path: Path) -> AsyncIterator[Lab]:
    if builder == "buildkit" and await find_client() is None:
        pytest.skip("no docker client here can build by BuildKit")
    async for made in docker_labs(tmp_path, classic=builder == "classic"):
        yield made


def _spec(lab: Lab, dockerfile: str, **more: Any) -> BuildSpec:
    spec = BuildSpec(
        f"firstbell-test/{lab.course}:1", dockerfile, labels=frozen({LABEL_COURSE: lab.course}), network="none"
    )
    return replace(spec, **more)


async def test_build(lab: Lab) -> None:
    """A build reports its steps, and the image is there under its tag with its labels; removing it twice is fine."""
    lines: list[Progress] = []
    spec = _spec(lab, f"FROM {IMAGE}\nCOPY a /opt/\nENV A=1\n", files=(File("a", b"a"),))
    built = await lab.engine.build(spec, lines.append)
    assert built == await lab.engine.image(spec.tag)
    assert built.labels[LABEL_COURSE] == lab.course
    steps = [(line.step, line.text) for line in lines if line.step and not line.is_output and line.seconds is None]
    assert f"FROM {IMAGE}" in steps[0][1].replace("docker.io/", "")
    assert [step for step in steps if step[1] == "COPY a /opt/"] == [(2, "COPY a /opt/")]
    await lab.engine.remove_image(spec.tag)
    await lab.engine.remove_image(spec.tag)
    assert await lab.engine.image(spec.tag) is None


async def test_build_that_fails(lab: Lab) -> None:
    """A failing build names its step and shows the daemon's words; nothing of it remains."""
    spec = _spec(lab, f"FROM {IMAGE}\nRUN false\n")
    with pytest.raises(BuildFailed, match=r"step 2 of \d: RUN false") as caught:
        await lab.engine.build(spec)
    assert any("non-zero code" in line for line in caught.value.evidence)
    assert await lab.engine.image(spec.tag) is None


async def test_failing_build_shows_its_last_lines(real: Lab, tmp_path: Path) -> None:
    """The evidence is the end of the failing step's output alone, and the whole log is in the file that is named."""
    spec = _spec(real, f"FROM {IMAGE}\nRUN echo earlier\nRUN seq 100; exit 9\n")
    with pytest.raises(BuildFailed) as caught:
        await real.engine.build(spec)
    evidence = caught.value.evidence
    assert evidence[-2] == "100"
    assert len(evidence) == 21
    assert "earlier" not in evidence
    log = next(tmp_path.glob("build-*.log"))
    assert str(log) in caught.value.next_step
    assert "earlier" in log.read_text()
    assert log.stat().st_mode & 0o77 == 0
    left = [c for c in (await real.engine.observe(real.course)).containers if c.phase is not Phase.RUNNING]
    assert left == []


async def test_build_from_a_folder(real: Lab, tmp_path: Path) -> None:
    """The context is the folder without what it ignores, links as links, and our files above it."""
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text("a")
    (folder / "data" / "b.tmp").write_text("b")
    (folder / "Dockerfile").write_text("not this one")
    (folder / "ours").write_text("theirs")
    (folder / "link").symlink_to("data/a.csv")
    spec = _spec(
        real,
        f"FROM {IMAGE}\nARG WORD\nCOPY . /opt/\nRUN echo said $WORD\n",
        directory=str(folder),
        prefix="in",
        ignore=("**/*.tmp",),
        files=(File("ours", b"ours", 0o755),),
        args=frozen({"WORD": real.course}),
    )
    lines: list[Progress] = []
    try:
        await real.engine.build(spec, lines.append)
        assert f"said {real.course}" in [line.text for line in lines if line.is_output]
        shown = await real.engine.run(real.spec("sh", "-c", "cd /opt; ls -AR; cat in/link ours", image=spec.tag))
        words = shown.stdout.decode().split()
        assert {"a.csv", "link", "Dockerfile", "ours"} <= set(words)
        assert "b.tmp" not in words
        assert words[-1] == "aours"
        files = await real.engine.read_image_files(spec.tag, ["/opt/in/link", "/opt/in/Dockerfile"])
        assert files == {"/opt/in/link": b"a", "/opt/in/Dockerfile": b"not this one"}
    finally:
        await real.engine.remove_image(spec.tag)


async def test_history(lab: Lab) -> None:
    """The instructions are those of the Dockerfile, after those of the base, with what they added."""
    spec = _spec(lab, f"FROM {IMAGE}\nCOPY a /opt/\nENV A=1\n", files=(File("a", b"a" * 5000),))
    await lab.engine.build(spec)
    before = await lab.engine.history(IMAGE)
    added = (await lab.engine.history(spec.tag))[len(before) :]
    assert before
    assert added[0].instruction.startswith("COPY ")
    assert added[1].instruction == "ENV A=1"
    assert added[1].size == 0
    if lab.is_docker:
        assert 5000 <= added[0].size < 20_000
    assert await lab.engine.history("firstbell-test/none:1") == ()


async def test_how_long_each_step_took(real: Lab) -> None:
    """Each step ends with its time; the second time what was kept takes none, and without the cache it does again."""

    async def ends(spec: BuildSpec) -> list[Progress]:
        lines: list[Progress] = []
        await real.engine.build(spec, lines.append)
        return [line for line in lines if line.seconds is not None and line.text.startswith("RUN")]

    spec = _spec(real, f"FROM {IMAGE}\nRUN echo {real.course}; sleep 0.3\n")
    first, second, third = await ends(spec), await ends(spec), await ends(replace(spec, no_cache=True))
    assert [end.is_cached for end in (*first, *second, *third)] == [False, True, False]
    assert first[0].seconds
    assert first[0].seconds >= 0.3
    assert second[0].seconds == 0


async def test_a_cache_mount_is_no_hindrance(real: Lab) -> None:
    """The same Dockerfile serves both builders: the classic one builds without the mount it does not know."""
    mount = f"--mount=type=cache,id={real.course},target=/opt/cache"
    spec = _spec(real, f"FROM {IMAGE}\nRUN {mount} \\\n    mkdir -p /opt/cache && echo cached > /opt/cache/a\n")
    await real.engine.build(spec)
    history = [layer.instruction for layer in await real.engine.history(spec.tag)]
    assert "RUN mkdir -p /opt/cache && echo cached > /opt/cache/a" in history


async def test_a_mistake_in_the_dockerfile(real: Lab) -> None:
    """What no builder can read is said with its line or word."""
    with pytest.raises(BuildFailed) as caught:
        await real.engine.build(_spec(real, f"FROM {IMAGE}\nRUNN true\n"))
    assert "unknown instruction: RUNN" in caught.value.evidence[-1]


async def test_cancelled_build_ends(real: Lab, tmp_path: Path) -> None:
    """Ctrl-C ends the step in the engine too, makes no image, and the same build goes through afterwards."""
    ran = asyncio.Event()

    def report(line: Progress) -> None:
        if line.is_output and "waiting" in line.text:
            ran.set()

    word = f"{real.course}-sleeps"
    spec = _spec(real, f"FROM {IMAGE}\nARG HOW=600\nRUN echo waiting; sleep $HOW; echo {word}\n", args={"HOW": "600"})
    task = asyncio.create_task(real.engine.build(spec, report))
    await asyncio.wait_for(ran.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _no_process(word)
    assert await real.engine.image(spec.tag) is None
    assert await real.engine.build(replace(spec, args=frozen({"HOW": "0"})))


async def _no_process(word: str) -> None:
    """Wait until no process of a container has the word in its command line."""

    async def is_gone() -> bool:
        search = await asyncio.create_subprocess_exec("pgrep", "-f", f"echo {word}", stdout=subprocess.DEVNULL)
        return await search.wait() != 0

    await until(is_gone, deadline=60)


async def test_an_engine_that_is_away(tmp_path: Path) -> None:
    """A build without an engine is that, and no failed build."""
    async with DockerEngine(f"unix://{tmp_path}/none.sock") as engine:
        with pytest.raises(EngineUnavailable):
            await engine.build(BuildSpec("firstbell-test/none:1", f"FROM {IMAGE}\n"))

"""Images: looked up, read, built, imported, removed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firstbell.errors import BuildFailed
from firstbell.model.container import File, frozen
from firstbell.model.image import BuildSpec, Progress
from firstbell.model.names import LABEL_COURSE
from firstbell.model.observed import Phase

from .conftest import IMAGE, Lab


async def test_image(lab: Lab) -> None:
    """An image that is there tells what containers inherit; one that is not is None."""
    found = await lab.engine.image(IMAGE)
    assert found
    assert found.ref == IMAGE
    assert found.id.startswith("sha256:")
    assert found.env["GREETING"] == "hello"
    assert found.labels[LABEL_COURSE] == "test"
    assert await lab.engine.image("firstbell-test/none:1") is None
    assert IMAGE in {image.ref for image in (await lab.engine.observe()).images}


async def test_read_image_files(lab: Lab) -> None:
    """Files of an image can be read without running it; those that are not there are left out; nothing remains."""
    found = await lab.engine.read_image_files(IMAGE, ["/etc/passwd", "/etc/none", "/etc"])
    assert found == {"/etc/passwd": b"root:x:0:0:root:/:/bin/sh\n"}
    assert not [
        c for c in (await lab.engine.observe()).containers if c.image == IMAGE and c.name.startswith("firstbell-read-")
    ]


async def test_pull_of_what_does_not_exist(lab: Lab) -> None:
    """A pull that cannot succeed names the image and its registry, and the registry's words."""
    with pytest.raises(BuildFailed, match="127.0.0.1:9/none:1" if lab.is_docker else "none:1") as caught:
        await lab.engine.pull("127.0.0.1:9/none:1")
    assert caught.value.next_step


def _spec(lab: Lab, dockerfile: str, **more: object) -> BuildSpec:
    spec = BuildSpec(
        f"firstbell-test/{lab.course}:1", dockerfile, labels=frozen({LABEL_COURSE: lab.course}), network="none"
    )
    from dataclasses import replace

    return replace(spec, **more)  # type: ignore[arg-type]


async def test_build(lab: Lab) -> None:
    """A build reports its steps, and the image is there under its tag with its labels; removing it twice is fine."""
    lines: list[Progress] = []
    spec = _spec(lab, f"FROM {IMAGE}\nENV A=1\n")
    built = await lab.engine.build(spec, lines.append)
    assert built == await lab.engine.image(spec.tag)
    assert built.labels[LABEL_COURSE] == lab.course
    steps = [(line.step, line.text) for line in lines if line.step and not line.is_output]
    assert steps[:2] == [(1, f"FROM {IMAGE}"), (2, "ENV A=1")]
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


async def test_failing_build_shows_its_last_lines(docker_lab: Lab, tmp_path: Path) -> None:
    """The evidence is the end of the failing step's output alone, and the whole log is in the file that is named."""
    spec = _spec(docker_lab, f"FROM {IMAGE}\nRUN echo earlier\nRUN seq 100; exit 9\n")
    with pytest.raises(BuildFailed) as caught:
        await docker_lab.engine.build(spec)
    evidence = caught.value.evidence
    assert evidence[-2] == "100"
    assert len(evidence) == 21
    assert "earlier" not in evidence
    log = next(tmp_path.glob("build-*.log"))
    assert str(log) in caught.value.next_step
    assert "earlier" in log.read_text()
    assert log.stat().st_mode & 0o77 == 0
    left = [c for c in (await docker_lab.engine.observe(docker_lab.course)).containers if c.phase is not Phase.RUNNING]
    assert left == []


async def test_build_from_a_folder(docker_lab: Lab, tmp_path: Path) -> None:
    """The context is the folder without what it ignores, links as links, and our files above it."""
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text("a")
    (folder / "data" / "b.tmp").write_text("b")
    (folder / "Dockerfile").write_text("not this one")
    (folder / "ours").write_text("theirs")
    (folder / "link").symlink_to("data/a.csv")
    spec = _spec(
        docker_lab,
        f"FROM {IMAGE}\nARG WORD\nCOPY . /opt/\nRUN echo said $WORD\n",
        directory=str(folder),
        prefix="in",
        ignore=("**/*.tmp",),
        files=(File("ours", b"ours", 0o755),),
        args=frozen({"WORD": "hello"}),
    )
    lines: list[Progress] = []
    try:
        await docker_lab.engine.build(spec, lines.append)
        assert "said hello" in [line.text for line in lines if line.is_output]
        shown = await docker_lab.engine.run(
            docker_lab.spec("sh", "-c", "cd /opt; ls -AR; cat in/link ours", image=spec.tag)
        )
        words = shown.stdout.decode().split()
        assert {"a.csv", "link", "Dockerfile", "ours"} <= set(words)
        assert "b.tmp" not in words
        assert words[-1] == "aours"
        files = await docker_lab.engine.read_image_files(spec.tag, ["/opt/in/link", "/opt/in/Dockerfile"])
        assert files == {"/opt/in/link": b"a", "/opt/in/Dockerfile": b"not this one"}
    finally:
        await docker_lab.engine.remove_image(spec.tag)


async def test_import(lab: Lab) -> None:
    """A tar of a root file system becomes an image, from which files can be read."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("hello")
        member.size = 2
        tar.addfile(member, io.BytesIO(b"hi"))

    async def chunks() -> AsyncIterator[bytes]:
        yield buffer.getvalue()

    ref = f"firstbell-test/{lab.course}-import:1"
    try:
        made = await lab.engine.import_image(ref, chunks())
        assert made == await lab.engine.image(ref)
        if lab.is_docker:
            assert await lab.engine.read_image_files(ref, ["/hello"]) == {"/hello": b"hi"}
    finally:
        await lab.engine.remove_image(ref)

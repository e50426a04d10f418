"""Homes move out of a course and into it, whole or not at all."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firstbell.engine.docker import DockerEngine
from firstbell.errors import FirstbellError, HomeMissing
from firstbell.model import names
from firstbell.model.container import ContainerSpec, frozen
from firstbell.model.course import Course, Homes, Server
from firstbell.model.names import Role
from firstbell.model.observed import Phase
from firstbell.plan.home import home_mount
from firstbell.plan.place import course_place
from firstbell.work.homes import delete_home, export_home, import_home, list_homes

USER = "ada"
NOTE = b"what ada wrote"


@pytest.fixture
async def engine() -> AsyncIterator[DockerEngine]:
    async with DockerEngine() as engine:
        images = (await engine.observe()).images
        if not any(image.labels.get(names.LABEL_ROLE) == Role.HUB_IMAGE for image in images):
            pytest.skip("no hub image has been built yet")
        yield engine


@pytest.fixture(params=["volume", "directory"])
async def course(request: pytest.FixtureRequest, engine: DockerEngine) -> AsyncIterator[Course]:
    """A course with a home that its user has written in, in a volume or in a folder of this machine."""
    folder = Path("/tmp") / f"firstbell-homes-{uuid.uuid4().hex[:8]}"
    made = Course(
        name=f"test-homes-{uuid.uuid4().hex[:6]}",
        server=Server(image="none"),
        homes=Homes(store=str(folder) if request.param == "directory" else "volume"),
    )
    try:
        if request.param == "directory":
            folder.mkdir(mode=0o755)
        yield made
    finally:
        for container in (await engine.observe(made.name)).containers:
            await engine.stop(container.name, 0)
        for volume in (await engine.observe(made.name)).volumes:
            await engine.remove_volume(volume.name)
        if folder.exists():
            shutil.rmtree(folder)


def archive(path: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


async def test_there_and_back(engine: DockerEngine, course: Course, tmp_path: Path) -> None:
    """What is imported comes out bit for bit, belongs to the user, is listed with its size, and can be deleted."""
    big = os.urandom(9 * 1024 * 1024)
    source = archive(tmp_path / "in.tar", ("notes/a.txt", NOTE), ("big.bin", big))
    moved = await import_home(engine, course_place(course, USER, (1234, 1235)), source)
    assert (moved.files, moved.size) == (2, len(NOTE) + len(big))
    homes = await list_homes(engine, course, [USER])
    assert [(home.user, home.in_use) for home in homes] == [(USER, False)]
    assert homes[0].size >= len(big)

    out = tmp_path / "out.tar"
    assert await export_home(engine, course_place(course, USER), out) == moved
    assert out.stat().st_mode & 0o77 == 0
    with tarfile.open(out) as tar:
        files = {member.name: member for member in tar}
        assert {member.uid for member in files.values()} == {1234}
        note = tar.extractfile("jovyan/notes/a.txt")
        assert note
        assert note.read() == NOTE
        content = tar.extractfile("jovyan/big.bin")
        assert content
        assert content.read() == big
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []

    assert await import_home(engine, course_place(course, "grace"), out) == moved
    await delete_home(engine, course_place(course, USER))
    assert [home.user for home in await list_homes(engine, course, [USER, "grace"])] == ["grace"]
    assert (await engine.observe(course.name)).containers == ()


async def test_an_import_replaces_files_of_the_same_name_only(
    engine: DockerEngine, course: Course, tmp_path: Path
) -> None:
    """Files that the archive has not stay as they are."""
    await import_home(engine, course_place(course, USER), archive(tmp_path / "1.tar", ("a", b"old"), ("d/b", b"kept")))
    await import_home(engine, course_place(course, USER), archive(tmp_path / "2.tar", ("a", b"new"), ("d/c", b"more")))
    await export_home(engine, course_place(course, USER), tmp_path / "out.tar")
    with tarfile.open(tmp_path / "out.tar") as tar:
        found = {member.name: member.size for member in tar if member.isreg()}
    assert found == {"jovyan/a": 3, "jovyan/d/b": 4, "jovyan/d/c": 4}


async def test_a_missing_home(engine: DockerEngine, course: Course, tmp_path: Path) -> None:
    """A home that is not there is neither exported nor deleted, and none is made."""
    with pytest.raises(HomeMissing, match="nobody has no home"):
        await export_home(engine, course_place(course, "nobody"), tmp_path / "x.tar")
    with pytest.raises(HomeMissing):
        await delete_home(engine, course_place(course, "nobody"))
    assert await list_homes(engine, course) == ()
    assert list(tmp_path.glob("*x.tar*")) == []


async def test_a_running_server_keeps_its_home(engine: DockerEngine, course: Course, tmp_path: Path) -> None:
    """While the user's server runs, its home is neither overwritten nor deleted; the error tells how to stop it."""
    await import_home(engine, course_place(course, USER), archive(tmp_path / "in.tar", ("a", b"a")))
    hub = next(i for i in (await engine.observe()).images if i.labels.get(names.LABEL_ROLE) == Role.HUB_IMAGE)
    server = ContainerSpec(
        name=names.container(course.name, Role.SERVER, USER),
        image=hub.ref,
        command=("sleep", "infinity"),
        labels=frozen(names.labels(course.name, Role.SERVER, USER)),
        mounts=(home_mount(course, USER),),
    )
    await engine.start(server)
    for verb in (
        import_home(engine, course_place(course, USER), archive(tmp_path / "b.tar", ("a", b"b"))),
        delete_home(engine, course_place(course, USER)),
    ):
        with pytest.raises(FirstbellError, match="is running") as caught:
            await verb
        assert f"docker stop {server.name}" in caught.value.next_step
    assert [home.in_use for home in await list_homes(engine, course)] == [True]
    assert (await export_home(engine, course_place(course, USER), tmp_path / "live.tar")).files == 1
    assert (await engine.state(server.name)).phase is Phase.RUNNING

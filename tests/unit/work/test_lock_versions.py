"""Writing locks: which are due, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.errors import BuildFailed, CourseFileError
from firstbell.model.container import ContainerSpec
from firstbell.model.image import BuildSpec
from firstbell.model.observed import ImageState, RunResult
from firstbell.work.lock_versions import look, write_locks
from firstbell.work.project import Project, open_project
from firstbell.work.show import Silent


class Resolver(FakeEngine):
    """An engine with every image, whose helpers print what they are told to."""

    def __init__(self, printed: str = "numpy==2.0\n", code: int = 0) -> None:
        super().__init__()
        self.printed, self.code = printed, code
        self.removed: list[str] = []
        self.ran: list[ContainerSpec] = []

    async def image(self, ref: str) -> ImageState | None:
        return ImageState(ref, "sha256:0", digests=(f"{ref}@sha256:aa",))

    async def build(self, spec: BuildSpec, report: object = None) -> ImageState:
        return ImageState(spec.tag, "sha256:1")

    async def remove_image(self, ref: str) -> None:
        self.removed.append(ref)

    async def run(self, spec: ContainerSpec, stdin: bytes = b"", deadline: float = 600) -> RunResult:
        self.ran.append(spec)
        return RunResult(self.code, self.printed.encode(), b"" if not self.code else b"No solution found\n")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A folder that asks for numpy."""
    (tmp_path / "requirements.txt").write_text("numpy\n")
    return open_project(tmp_path, {})


async def test_a_lock_is_written_and_then_left_alone(project: Project) -> None:
    """The first time it is missing and written; the second time nothing is asked of the engine."""
    engine = Resolver()
    (lock,) = await write_locks(engine, project, Silent())
    assert (lock.file, lock.state, lock.packages) == ("requirements.lock", "missing", 1)
    written = (project.directory / "requirements.lock").read_text()
    assert written.endswith("numpy==2.0\n") and "sha256:aa" in written
    assert [ref.rpartition(":")[0] for ref in engine.removed] == [f"firstbell/{project.settings.name}-lock"]
    (again,) = await write_locks(engine, project, Silent())
    assert (again.state, again.is_due, len(engine.ran)) == ("fresh", False, 1)


async def test_a_stale_lock_is_written_anew_and_the_difference_told(project: Project) -> None:
    """After an edit the lock is due, and what moved is named."""
    await write_locks(Resolver(), project, Silent())
    (project.directory / "requirements.txt").write_text("numpy\nsix\n")
    assert [lock.state for lock in look(project)[1]] == ["stale"]
    (lock,) = await write_locks(Resolver("numpy==2.0\nsix==1.17.0\n"), project, Silent())
    assert [str(change) for change in lock.changes] == ["+ six 1.17.0"]


async def test_a_failed_resolution_leaves_the_old_lock(project: Project) -> None:
    """The resolver's words are the evidence, the file to edit is named, and the old lock is as it was."""
    await write_locks(Resolver(), project, Silent())
    before = (project.directory / "requirements.lock").read_bytes()
    (project.directory / "requirements.txt").write_text("numpy<0\n")
    with pytest.raises(BuildFailed, match=r"requirements\.txt") as failed:
        await write_locks(Resolver(code=1), project, Silent())
    assert failed.value.evidence == ("No solution found",)
    assert (project.directory / "requirements.lock").read_bytes() == before


async def test_a_write_that_fails_leaves_the_old_lock(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the old lock stays and no half one is left."""
    await write_locks(Resolver(), project, Silent())
    before = {path.name: path.read_bytes() for path in project.directory.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CourseFileError, match="no space left") as failed:
        await write_locks(Resolver("numpy==3.0\n"), project, Silent(), upgrade=True)
    assert "requirements.lock" in failed.value.where
    assert {path.name: path.read_bytes() for path in project.directory.iterdir()} == before


@pytest.mark.parametrize(
    ("files", "due"),
    [
        ({"requirements.txt": "x", "apt.txt": "git"}, ["requirements.lock", "apt.lock"]),
        ({"environment.yml": "dependencies: [x]", "requirements.txt": "x"}, ["environment.lock"]),
        ({"binder/requirements.txt": "x", "apt.txt": "git"}, ["requirements.lock"]),
        ({"pyproject.toml": "[project]\nname='x'\nversion='1'"}, ["requirements.lock"]),
    ],
)
async def test_the_folder_decides_which_locks_there_are(tmp_path: Path, files: dict[str, str], due: list[str]) -> None:
    """A lock for each file that a build installs from, beside it; none for a file that is not followed."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    written = await write_locks(Resolver(), open_project(tmp_path, {}), Silent())
    assert [lock.file for lock in written] == due
    folder = tmp_path / "binder" if "binder/requirements.txt" in files else tmp_path
    assert all((folder / name).is_file() for name in due)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.ipynb": "{}"}, "nothing here asks"),
        ({"Dockerfile": "FROM x", "requirements.txt": "x"}, "Dockerfile"),
        ({"pyproject.toml": "[project]\nname='x'\nversion='1'", "uv.lock": "version = 1"}, "uv.lock"),
    ],
)
def test_where_nothing_can_be_locked_it_is_said(tmp_path: Path, files: dict[str, str], words: str) -> None:
    """No empty lock is written: the person is told why, and what to do instead."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(CourseFileError, match=words) as refused:
        look(open_project(tmp_path, {}))
    assert refused.value.next_step

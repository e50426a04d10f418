"""Images that cannot be had, cannot be built, or cannot be used: the course that runs meanwhile is not touched."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.stories.bad_input.conftest import NAME, Write, left, refused
from tests.support.course import RunningCourse, write_course

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one notebook."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "start.ipynb").write_text("{}")
    return folder


def test_image_without_jupyter(course: Write) -> None:
    """An image in which no notebook server could run is refused with the line that its Dockerfile needs."""
    bare = course(server='image = "debian:trixie-slim"')
    refused(bare.cli("up", "--yes", check=False), 4, "debian:trixie-slim", "jupyter_server", "pip install jupyterlab")


@pytest.mark.parametrize(
    ("image", "registry"), [("firstbell-test/nowhere:1", "Docker Hub"), ("127.0.0.1:9/nowhere:1", "127.0.0.1:9")]
)
def test_image_that_cannot_be_pulled(course: Write, image: str, registry: str) -> None:
    """An image that is not here and cannot be pulled is told with its registry and the reason."""
    absent = course(server=f'image = "{image}"')
    refused(absent.cli("up", "--yes", check=False), 4, image, registry, "can be reached", "│")


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("requirements.txt", "firstbell-has-no-such-package==1\n", ("firstbell-has-no-such-package", "uv-pip")),
        ("apt.txt", "treee-of-firstbell\n", ("treee-of-firstbell", "apt")),
        ("Dockerfile", "FROM debian:trixie-slim\nRUN echo so far; exit 7\n", ("so far", "exit 7", "step 2")),
        ("Dockerfile", "FROM debian:trixie-slim\nRUNN true\n", ("RUNN",)),
        ("Dockerfile", "FROM debian:trixie-slim\nCOPY not-there /\n", ("not-there",)),
        ("Dockerfile", "FROM firstbell-test/nowhere:1\n", ("firstbell-test/nowhere",)),
    ],
    ids=["requirements", "apt", "step", "syntax", "copy", "from"],
)
def test_build_that_fails(course: Write, project: Path, file: str, text: str, words: tuple[str, ...]) -> None:
    """A failed build shows the failing step and its last lines, the file to change, and where all of it is kept."""
    (project / file).write_text(text)
    built = course(server=f'project = "{project}"')
    said = refused(built.cli("up", "--yes", check=False), 4, *words, "│", "less ")
    assert file == "Dockerfile" or f"Change {file}" in said
    log = said.split("less ", 1)[1].split()[0].rstrip(".,;`")
    assert words[0] in Path(log).read_text()


async def test_no_network(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without a way out, the step, what did not answer and the setting are told, after some attempts."""
    settings = {"pypi": f'pypi = "{NOWHERE}/simple"', "proxy": f'proxy = "{NOWHERE}"'}
    courses = []
    for setting, text in settings.items():
        folder = tmp_path_factory.mktemp(setting)
        (folder / "start.ipynb").write_text("{}")
        (folder / "apt.txt").write_text("hello\n" if setting == "proxy" else "")
        name = f"{NAME}-{setting}"
        url = write_course(folder, name, server='project = "."', rest=f"[network]\n{text}\n")
        courses.append(RunningCourse(folder, name, url))
    # Side by side: most of it is waiting.
    done = await asyncio.gather(*(asyncio.to_thread(c.cli, "up", "--yes", check=False) for c in courses))
    for setting, result in zip(settings, done, strict=True):
        refused(result, 4, "attempt 3 of 3", f"[network] {setting}", "127.0.0.1:9", "could not be built at step")
        assert left(f"{NAME}-{setting}") == []

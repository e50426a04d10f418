"""Images that cannot be had, cannot be built, or cannot be used: the course that runs meanwhile is not touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories.bad_input.conftest import Write, refused

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
    """An image that is not here and cannot be pulled is told with its registry, the reason, and how to see for oneself."""
    absent = course(server=f'image = "{image}"')
    refused(absent.cli("up", "--yes", check=False), 4, image, registry, f"docker pull {image}", "│")


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("requirements.txt", "firstbell-has-no-such-package==1\n", ("firstbell-has-no-such-package", "uv-pip")),
        ("apt.txt", "treee-of-firstbell\n", ("treee-of-firstbell", "apt")),
        ("Dockerfile", "FROM debian:trixie-slim\nRUN echo so far; exit 7\n", ("so far", "exit 7", "Step 2")),
        ("Dockerfile", "FROM debian:trixie-slim\nRUNN true\n", ("RUNN",)),
        ("Dockerfile", "FROM debian:trixie-slim\nCOPY not-there /\n", ("not-there",)),
        ("Dockerfile", "FROM firstbell-test/nowhere:1\n", ("firstbell-test/nowhere",)),
    ],
    ids=["requirements", "apt", "step", "syntax", "copy", "from"],
)
def test_build_that_fails(course: Write, project: Path, file: str, text: str, words: tuple[str, ...]) -> None:
    """A failed build shows the failing step and its last lines, the file to change, and where all of it is kept."""
    (project / file).write_text(text)
    said = refused(
        course(server=f'project = "{project}"').cli("up", "--yes", check=False), 4, *words, "│", file, "less "
    )
    log = said.split("less ", 1)[1].split()[0].rstrip(".,;`")
    assert words[0] in Path(log).read_text()


@pytest.mark.parametrize(
    ("setting", "file", "text", "words"),
    [
        (f'pypi = "{NOWHERE}/simple"', "requirements.txt", "tomli-w\n", ("127.0.0.1", "[network]")),
        (f'apt = "{NOWHERE}/debian"', "apt.txt", "tree\n", ("127.0.0.1", "[network]")),
        (f'proxy = "{NOWHERE}"', "apt.txt", "hello\n", ("127.0.0.1", "[network]")),
    ],
    ids=["pypi", "apt", "proxy"],
)
def test_no_network(
    course: Write, project: Path, setting: str, file: str, text: str, words: tuple[str, ...]
) -> None:
    """Without a way out the failing step, the host that did not answer and the setting are told, after some attempts."""
    (project / file).write_text(text)
    cut_off = course(server=f'project = "{project}"', rest=f"[network]\n{setting}\n")
    refused(cut_off.cli("up", "--yes", check=False), 4, *words, "attempt 3 of 3")

"""What the browser tests share: one Chromium, and the courses it visits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.window import PATIENCE
from tests.support.chromium import ARGUMENTS, CHROMIUM
from tests.support.course import RunningCourse, docker, running, running_example

HERE = Path(__file__).parent
expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One loop for all browser tests: the browser lives in it."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        await chromium.close()


@pytest.fixture(scope="session")
def seminar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """The seminar of the examples."""
    with running_example(tmp_path_factory.mktemp("seminar"), "seminar", "test-browser-seminar") as course:
        yield course


@pytest.fixture(scope="session")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """The class of the examples."""
    with running_example(tmp_path_factory.mktemp("class"), "class", "test-browser-class") as course:
        yield course


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A seminar with a single seat behind a passcode, in Jupyter Notebook instead of JupyterLab."""
    with running(
        tmp_path_factory.mktemp("full"),
        "test-browser-full",
        top='title = "The smallest seminar"',
        access='capacity = 1\npasscode = "env:WORD"',
        server='interface = "notebook"\nopen = "start.ipynb"\nmemory = "512M"',
        environment={"WORD": "open sesame"},
    ) as course:
        yield course


DYING_IMAGE = "firstbell-test/browser-dying:1"
DYING = """\
import os, sys
if "/opt/firstbell/singleuser" in sys.orig_argv and not os.path.exists(os.path.expanduser("~/repaired")):
    print("Licence check: the key expired on 31 October.", file=sys.stderr, flush=True)
    os._exit(3)
"""
"""Ends a server's Python as it starts, until there is a file named `repaired` in the home."""
DOCKERFILE = """\
FROM {base}
USER 0
COPY dying.py /tmp/
RUN cd "$(python3 -c 'import site; print(site.getsitepackages()[0])')" \\
    && cp /tmp/dying.py . && echo 'import dying' > dying.pth
"""


@pytest.fixture(scope="session")
def broken(full: RunningCourse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A seminar whose servers exit at once."""
    context = tmp_path_factory.mktemp("dying")
    base = docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"firstbell/{full.name}").splitlines()[0]
    (context / "dying.py").write_text(DYING)
    (context / "Dockerfile").write_text(DOCKERFILE.format(base=base))
    docker("build", "-q", "--network", "host", "-t", DYING_IMAGE, str(context))
    try:
        folder = tmp_path_factory.mktemp("broken")
        with running(folder, "test-browser-broken", server=f'image = "{DYING_IMAGE}"\nmemory = "512M"') as course:
            yield course
    finally:
        docker("rmi", DYING_IMAGE, check=False)

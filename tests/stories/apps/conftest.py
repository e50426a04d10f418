"""Courses whose servers are web applications that are no Jupyter."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstbell.engine.docker import DockerEngine
from firstbell.model.container import File
from firstbell.model.image import DEFAULT_BASE, BuildSpec
from firstbell.model.network import Network
from firstbell.plan.context import BUILD_DIR, content_tag, first_files, first_layers
from firstbell.work.build import build, get_base
from firstbell.work.project import read_ca_bundle
from tests.support.course import RunningCourse, running

PROGRAMS = Path(__file__).parent / "programs"
SMALL = 'memory = "512M"\nidle = 0\n'
DOCKERFILE = f"""\
{first_layers(DEFAULT_BASE)}
RUN python3 -m venv --without-pip /venv && {BUILD_DIR}/uv-pip --python /venv/bin/python3 shiny==1.* streamlit==1.*
ENV PATH=/venv/bin:/usr/bin:/bin STREAMLIT_BROWSER_GATHER_USAGE_STATS=false
WORKDIR /apps
COPY *.py ./
ENTRYPOINT ["shiny", "run", "--host", "0.0.0.0"]
CMD ["--port", "3838", "shell.py"]
"""
"""Two web applications of the world outside; Shiny is what the image starts by itself."""


@pytest.fixture(scope="session")
def app_image() -> str:
    """An image with Shiny and Streamlit, and a program of a few lines for each."""
    bundle = os.environ.get("SSL_CERT_FILE")
    network = Network(ca_bundle=Path(bundle) if bundle else None)
    programs = tuple(File(file.name, file.read_bytes()) for file in sorted(PROGRAMS.glob("*.py")))
    files = (*first_files(read_ca_bundle(network)), *programs)
    tag = content_tag("firstbell-test/apps", DOCKERFILE, files)

    async def make() -> None:
        async with DockerEngine() as engine:
            await get_base(engine, DEFAULT_BASE, network)
            await build(engine, BuildSpec(tag, DOCKERFILE, files))

    asyncio.run(make())
    return tag


@pytest.fixture(scope="module")
def shiny(app_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A seminar of Shiny: the image's own command, paths without the prefix."""
    server = f'image = "{app_image}"\nport = 3838\n{SMALL}'
    with running(tmp_path_factory.mktemp("shiny"), "test-shiny", server=server) as course:
        yield course


@pytest.fixture(scope="module")
def streamlit(app_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A seminar of Streamlit: a command of the course's, which is told the prefix; idle ones are stopped soon."""
    command = '["streamlit", "run", "hello.py", "--server.port={port}", "--server.baseUrlPath={prefix}"]'
    server = (
        f'image = "{app_image}"\nport = 8501\nprefix = "keep"\ncommand = {command}\nmemory = "512M"\nidle = "10s"\n'
    )
    with running(tmp_path_factory.mktemp("streamlit"), "test-streamlit", server=server) as course:
        yield course

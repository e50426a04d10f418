"""What these tests share: the engine as in the stories, and the image with every language."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from firstbell.engine.base import Engine
from firstbell.engine.connect import connect
from tests.browser.conftest import browser
from tests.support.course import FIRSTBELL

__all__ = ["browser"]
LAB = Path(__file__).parents[2] / "examples" / "languages"


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """The Docker Engine."""
    engine = await connect("docker")
    yield engine
    await engine.close()


@pytest.fixture(scope="session")
def built() -> dict[str, Any]:
    """What `firstbell build` says of the lab: every kernel has executed its smoke notebook, or it would have failed.

    The image stays, so that a second run is quick; `docker rmi` with its name removes it.
    """
    command = [str(FIRSTBELL), "build", str(LAB), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    said: dict[str, Any] = json.loads(done.stdout)
    return said

"""Where Docker is asked, as in the stories."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from firstbell.engine.base import Engine
from firstbell.engine.connect import connect


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """The Docker Engine."""
    engine = await connect("docker")
    yield engine
    await engine.close()

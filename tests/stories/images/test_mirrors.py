"""Builds behind mirrors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from firstbell.engine.base import Engine
from tests.stories.images.conftest import MakeCourse, built, run
from tests.support.mirror import Mirror, serving


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    """A mirror on loopback."""
    with serving(Mirror()) as server:
        yield server


async def test_all_comes_from_the_mirrors(engine: Engine, course: MakeCourse, project: Path, mirror: Mirror) -> None:
    """With [network] apt and pypi set, packages come from there, and nothing of them stays in the image."""
    (project / "apt.txt").write_text("tree\n")
    (project / "requirements.txt").write_text("tomli-w\n")
    spec = await built(engine, course(apt=f"{mirror.url}/debian", pypi=f"{mirror.url}/simple"))
    # Of the lists: what an earlier build has fetched of packages, the builder may have kept.
    assert [path for path in mirror.paths if path.startswith("/debian/dists/trixie/main/binary-")]
    assert {"/simple/jupyterlab/", "/simple/tomli-w/"} <= set(mirror.paths)
    look = f"env; grep -r {mirror.server_port} /etc/apt /etc/pip* /home 2>/dev/null; python3 -c 'import tomli_w'"
    result = await run(engine, spec.tag, "sh", "-c", look)
    assert result.exit_code == 0, result.lines
    assert str(mirror.server_port) not in result.stdout.decode()

"""Images by way of a mirror."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.errors import RegistryFailed
from firstbell.model.network import Network
from firstbell.model.observed import ImageState
from firstbell.work.fetch import fetch

MIRROR = Network(registry="https://mirror.example.org:5000/hub/")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return FakeEngine()


def offer(engine: FakeEngine, ref: str) -> None:
    engine.registry[ref] = ImageState(ref, f"sha256:{ref}")


async def test_a_mirror_is_asked_first(engine: FakeEngine) -> None:
    """An image of Docker Hub comes from the mirror, and has its own name alone afterwards."""
    offer(engine, "mirror.example.org:5000/hub/library/debian:13")
    offer(engine, "debian:13")
    assert (await fetch(engine, "debian:13", MIRROR)).id.endswith("library/debian:13")
    assert set(engine.images) == {"debian:13"}


async def test_a_mirror_without_the_image(engine: FakeEngine) -> None:
    """What the mirror has not is asked of the registry itself."""
    offer(engine, "lab/course:1")
    assert (await fetch(engine, "lab/course:1", MIRROR)).ref == "lab/course:1"


async def test_neither_has_it(engine: FakeEngine) -> None:
    """Where both refuse, both are heard, and the setting is named."""
    with pytest.raises(RegistryFailed) as caught:
        await fetch(engine, "lab/course:1", MIRROR)
    assert len(caught.value.evidence) == 2
    assert "[network] registry" in caught.value.next_step


@pytest.mark.parametrize("ref", ["other.example.org/course:1", "localhost:5000/course:1"])
async def test_other_registries_have_no_mirror(engine: FakeEngine, ref: str) -> None:
    """The mirror is Docker Hub's: an image with a registry in its name is asked of that."""
    offer(engine, ref)
    await fetch(engine, ref, MIRROR)
    assert [about for verb, about in engine.calls if verb == "pull"] == [ref]

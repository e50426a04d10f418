"""The daemon's messages about images on their way."""

from __future__ import annotations

from firstbell.engine.docker_transfer import Transfer
from firstbell.model.image import Progress


def _moving(status: str, layer: str, current: int, total: int) -> dict[str, object]:
    return {"status": status, "id": layer, "progressDetail": {"current": current, "total": total}}


def test_push() -> None:
    """Bytes of all layers are added up, complete layers are counted, and the digest is kept."""
    transfer = Transfer("r/i:1")
    said = [
        transfer.take(message)
        for message in (
            {"status": "The push refers to repository [r/i]"},
            {"status": "Preparing", "id": "a", "progressDetail": {}},
            {"status": "Preparing", "id": "b", "progressDetail": {}},
            _moving("Pushing", "a", 10, 100),
            {"status": "Layer already exists", "id": "b"},
            _moving("Pushing", "a", 130, 100),
            {"status": "Pushed", "id": "a"},
            {"progressDetail": {}, "aux": {"Tag": "1", "Digest": "sha256:d", "Size": 528}},
        )
    ]
    assert said == [
        Progress("The push refers to repository [r/i]"),
        None,
        None,
        Progress("layers:", 0, 2, done=10, total=100),
        Progress("r/i:1: layer b", 1, 2),
        Progress("layers:", 1, 2, done=100, total=100),
        Progress("r/i:1: layer a", 2, 2),
        None,
    ]
    assert transfer.digest == "sha256:d"


def test_pull() -> None:
    """A pull's lines are its complete layers; its digest comes as a status."""
    transfer = Transfer("i:1")
    assert transfer.take({"status": "Pulling from i", "id": "1"}) is None
    assert transfer.take({"status": "Pulling fs layer", "id": "a"}) is None
    assert transfer.take(_moving("Downloading", "a", 5, 9)) == Progress("layers:", 0, 1, done=5, total=9)
    assert transfer.take({"status": "Verifying Checksum", "id": "a"}) is None
    assert transfer.take(_moving("Extracting", "a", 5, 20)) is None
    assert transfer.take({"status": "Pull complete", "id": "a"}) == Progress("i:1: layer a", 1, 1)
    assert transfer.take({"status": f"Digest: sha256:{'0' * 64}"})
    assert transfer.digest == f"sha256:{'0' * 64}"


def test_the_daemons_own_attempts() -> None:
    """A layer that is tried again is told once, not at every second of the pause."""
    transfer = Transfer("i:1")
    said = [transfer.take({"status": f"Retrying in {n} seconds", "id": "a"}) for n in (5, 4, 3)]
    assert [line.text for line in said if line] == ["i:1: layer a did not get through; another attempt in 5 s"]
    assert transfer.has_retried
    transfer.take(_moving("Pushing", "a", 1, 2))
    assert transfer.take({"status": "Retrying in 10 seconds", "id": "a"})


def test_an_error_in_the_middle() -> None:
    """The words of an error that comes with status 200 are kept."""
    transfer = Transfer("i:1")
    assert transfer.take({"errorDetail": {"message": "denied"}, "error": "x"}) is None
    assert transfer.error == "denied"

"""Page files of an image on their way to the edge: what is taken, what is refused, what servers are told."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firstbell.hub.pages.static_files import StaticOffer, began_before
from firstbell.hub.static_take import Refused, take

FILES = {"lab/index.html": b"<html>", "lab/fonts/a.woff": b"font", "extensions/x/package.json": b"{}"}
PARTS = {"lab": {"dir": "/usr/share/jupyter/lab/static", "stamp": "a" * 32}, "extensions": {"stamp": "b" * 32}}


class Volumes:
    """Where the image's program puts files, and where the edge serves them."""

    def __init__(self, folder: Path) -> None:
        self.source, self.target = folder / "incoming", folder / "static"
        self.target.mkdir()
        self.lay_out(FILES)

    def lay_out(self, files: dict[str, bytes], **other: Any) -> None:
        for path, content in files.items():
            file = self.source / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
        self.say({"parts": PARTS, "without": {}, "files": digests} | other)

    def say(self, said: object) -> None:
        (self.source / "laid-out.json").write_text(json.dumps(said))

    def take(self) -> dict[str, Any]:
        return take(self.source, self.target, "sha256:1")

    @property
    def served(self) -> dict[str, bytes]:
        [folder] = (self.target / "www").iterdir()
        return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    return Volumes(tmp_path)


def test_what_is_laid_out_is_taken(volumes: Volumes) -> None:
    """The edge has the files, and servers are told where and by which stamps they know them."""
    folder = volumes.take()["folder"]
    assert volumes.served == FILES
    assert StaticOffer(volumes.target, "/_static").current() == {"url": f"/_static/{folder}", "parts": PARTS}


def test_the_same_content_has_the_same_url_and_another_another(volumes: Volumes) -> None:
    """An image built anew with the same Lab keeps the URL, so that nobody's browser asks again; a new Lab has a new."""
    offer = StaticOffer(volumes.target, "/_static")
    first = volumes.take()["folder"]
    assert volumes.take()["folder"] == first
    assert offer.current()["url"].endswith(first)
    volumes.lay_out(FILES | {"lab/index.html": b"<HTML>"})
    second = volumes.take()["folder"]
    assert second != first
    assert offer.current()["url"].endswith(second)
    assert {path.name for path in (volumes.target / "www").iterdir()} == {first, second}


def test_nothing_is_offered_before_anything_is_there(tmp_path: Path) -> None:
    """Without files, with rubbish in their place, or without a part, servers are told nothing."""
    offer = StaticOffer(tmp_path, "/_static")
    assert offer.current() == {}
    for rubbish in ("", "[]", '{"parts": {}}', '{"parts": {"lab": {}}, "folder": "gone"}'):
        (tmp_path / "current.json").write_text(rubbish)
        assert offer.current() == {}


def a_link(volumes: Volumes) -> None:
    secret = volumes.source.parent / "key.pem"
    secret.write_bytes(b"{}")
    (volumes.source / "extensions/x/package.json").unlink()
    (volumes.source / "extensions/x/package.json").symlink_to(secret)


def a_linked_folder(volumes: Volumes) -> None:
    (volumes.source / "extensions").rename(volumes.source.parent / "elsewhere")
    (volumes.source / "extensions").symlink_to(volumes.source.parent / "elsewhere")


def a_pipe(volumes: Volumes) -> None:
    (volumes.source / "lab/index.html").unlink()
    os.mkfifo(volumes.source / "lab/index.html")


def another_content(volumes: Volumes) -> None:
    (volumes.source / "lab/index.html").write_bytes(b"<evil>")


def a_path_that_leads_out(volumes: Volumes) -> None:
    (volumes.source / "key").write_bytes(b"{}")
    digest = hashlib.sha256(b"{}").hexdigest()
    volumes.say({"parts": PARTS, "without": {}, "files": {"lab/../../incoming/key": digest}})


def a_stamp_that_is_none(volumes: Volumes) -> None:
    volumes.lay_out(FILES, parts={"lab": {"stamp": "</script>"}})


@pytest.mark.parametrize(
    "trick", [a_link, a_linked_folder, a_pipe, another_content, a_path_that_leads_out, a_stamp_that_is_none]
)
def test_a_hostile_image_gets_nothing_of_the_edge(volumes: Volumes, trick: Any) -> None:
    """What is no plain file of the announced content is refused, and nothing of the try is left."""
    trick(volumes)
    with pytest.raises(Refused):
        volumes.take()
    assert not (volumes.target / "current.json").exists()
    assert not any((volumes.target / "www").glob("*"))


def test_a_full_disk_leaves_what_was_there(volumes: Volumes, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error half-way keeps the folder and the note of before, and removes what was begun."""
    folder = volumes.take()["folder"]
    volumes.lay_out({"lab/index.html": b"new", "lab/last.js": b"last"})

    def full(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        volumes.take()
    assert [path.name for path in (volumes.target / "www").iterdir()] == [folder]
    assert json.loads((volumes.target / "current.json").read_text())["folder"] == folder


def test_old_files_stay_for_old_servers() -> None:
    """A server that began before, or nobody knows when, may still want files of its own image."""
    now = datetime.now(UTC).timestamp()
    assert began_before("2020-01-01T00:00:00.123456789Z", now)
    assert began_before("", now)
    assert not began_before("2200-01-01T00:00:00.123456789Z", now)

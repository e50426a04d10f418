"""`push`, `pull`, `export bundle` as commands; what they do is tested with `work/share.py` and `work/bundle.py`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.model.observed import ImageState

from .conftest import Command

REF = "registry.example.org/lab/course:1"


@pytest.fixture(autouse=True)
def no_logins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))


@pytest.fixture
def image(engine: FakeEngine) -> str:
    """An image of this machine."""
    engine.images["mine:1"] = ImageState("mine:1", "sha256:1", size=5_000_000)
    return "mine:1"


def test_push_an_image(command: Command, engine: FakeEngine, image: str) -> None:
    """An image gets the registry's name and is sent; the digest is the result."""
    done = command("push", REF, image)
    assert done.code == 0
    assert f"{REF[:-2]}@sha256:" in done.out
    assert f"firstbell run {REF}" in done.err
    assert [call for call in engine.calls if call[0] in {"tag", "push"}] == [("tag", image), ("push", REF)]


def test_push_as_json(command: Command, image: str) -> None:
    """With --json stdout is one document."""
    said = json.loads(command("push", REF, image, "--json").out)
    assert said["image"] == REF
    assert said["digest"].startswith("sha256:")


def test_push_a_folder(command: Command, engine: FakeEngine, tmp_path: Path) -> None:
    """A folder is built, named and sent; --dry-run does nothing of it."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "a.ipynb").write_text("{}")
    planned = command("push", REF, "lab", "--dry-run")
    assert "would build firstbell/lab:" in planned.out
    assert f"would push {REF}" in planned.out
    assert not {"build", "tag", "push"} & {verb for verb, _ in engine.calls}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("push", "Registry/Name:1", "mine:1"), 2, "lower case"),
        (("push", REF, "./none"), 2, "no such folder"),
        (("push", REF, "none:1"), 4, "no such image"),
        (("push", f"a@sha256:{'0' * 64}", "mine:1"), 2, "a digest is what a push results in"),
        (("pull", REF), 4, "has no such image"),
        (("pull", "a b"), 2, "spaces"),
    ],
)
def test_what_cannot_be(command: Command, image: str, words: tuple[str, ...], code: int, said: str) -> None:
    """A wrong name, folder or image is one error with its exit code and the next thing to do."""
    done = command(*words)
    assert done.code == code
    assert said in done.err
    assert "next:" in done.err


def test_login_wanted(command: Command, engine: FakeEngine, image: str, tmp_path: Path) -> None:
    """A registry that wants a login gets the one of `docker login`; without one that command is named."""
    engine.logins["registry.example.org"] = ("ada", "pw")
    refused = command("push", REF, image)
    assert refused.code == 4
    assert "docker login registry.example.org" in refused.err
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text('{"auths": {"registry.example.org": {"auth": "YWRhOnB3"}}}')
    assert command("push", REF, image).code == 0


def test_pull(command: Command, engine: FakeEngine) -> None:
    """What the registry has is here afterwards."""
    engine.registry[REF] = ImageState(REF, "sha256:2", digests=(f"{REF[:-2]}@sha256:abc",))
    done = command("pull", REF)
    assert done.code == 0
    assert f"{REF[:-2]}@sha256:abc" in done.out
    assert REF in engine.images


def test_bundle(command: Command, engine: FakeEngine, tmp_path: Path) -> None:
    """A course is written with what it needs; what the other machine must set is told, and its plan can be had."""
    engine.images["debian:trixie-slim"] = ImageState("debian:trixie-slim", "sha256:0", size=80)  # else one is made
    text = 'name = "stats"\nurl = "http://127.0.0.1:8000"\n[access]\npasscode = "env:PASS"\n[server]\nproject = "lab"\n'
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "a.ipynb").write_text("{}")
    (tmp_path / "firstbell.toml").write_text(text)
    planned = command("export", "bundle", "--dry-run")
    assert "would write stats-bundle.tar with firstbell/hub:" in planned.out
    assert not (tmp_path / "stats-bundle.tar").exists()
    done = command("export", "bundle")
    assert done.code == 0
    assert "tar -xf stats-bundle.tar" in done.out
    assert "set PASS first" in done.err
    assert command("export", "bundle").code == 8
    assert json.loads(command("export", "bundle", "--yes", "--json").out)["secret_variables"] == ["PASS"]


def test_bundle_with_secrets(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets go in only if they are asked for, and then have to be there."""
    text = 'name = "stats"\nurl = "http://127.0.0.1:8000"\n[access]\npasscode = "env:PASS"\n[server]\nimage = "lab:1"\n'
    (tmp_path / "firstbell.toml").write_text(text)
    assert command("export", "bundle", "--secrets").code == 2
    monkeypatch.setenv("PASS", "correct horse")
    done = command("export", "bundle", "--secrets", "--dry-run")
    assert "would pull lab:1" in done.out

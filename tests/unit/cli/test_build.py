"""`firstbell build` on an engine in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firstbell.cli import build as command_module
from firstbell.engine.fake import FakeEngine
from firstbell.engine.fake_process import Process
from firstbell.model.observed import ImageState
from tests.unit.cli.conftest import Command


async def _imports_jupyter(process: Process) -> int:
    assert "import jupyter_server" in process.argv
    return 0


@pytest.fixture(autouse=True)
def _ready(engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ensured(host: str, **_: object) -> bool:
        return False

    monkeypatch.setattr(command_module, "ensure_engine", ensured)
    engine.images["debian:trixie-slim"] = ImageState("debian:trixie-slim", "sha256:0", size=80)
    engine.programs["python3"] = _imports_jupyter
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "start.ipynb").write_text("{}")


def test_json_has_the_layers(command: Command) -> None:
    """The result names the image and each layer; the second time nothing is built."""
    first = json.loads(command("build", "lab", "--json").out)
    second = json.loads(command("build", "lab", "--json").out)
    assert first["tag"].startswith("firstbell/lab:")
    assert (first["built"], second["built"]) == (True, False)
    assert any(layer["instruction"].startswith("COPY project/") for layer in first["layers"])
    assert first["tag"] == second["tag"]


def test_another_name(command: Command, engine: FakeEngine) -> None:
    """With --tag the image has that name too, and it is the one to run it by."""
    outcome = command("build", "lab", "--tag", "registry.example.org/a/lab")
    assert outcome.code == 0, outcome.err
    assert "firstbell run registry.example.org/a/lab:latest" in outcome.err
    assert "registry.example.org/a/lab:latest" in engine.images


@pytest.mark.parametrize("name", ["Lab:1", "a//b", "a:b c", "http://x.org/y", "a:-1", "a/" + "b" * 300])
def test_a_name_that_no_registry_takes(command: Command, engine: FakeEngine, name: str) -> None:
    """Such a name is refused with the rule, before anything is built."""
    outcome = command("build", "lab", "--tag", name)
    assert outcome.code == 2
    assert "no registry takes this name" in outcome.err
    assert not [call for call in engine.calls if "build" in str(call)]


def test_dry_run(command: Command, engine: FakeEngine) -> None:
    """What would be done is shown with the folder's largest files, and nothing is done."""
    outcome = command("build", "lab", "--dry-run")
    assert "would build firstbell/lab:" in outcome.out
    assert "start.ipynb" in outcome.out
    assert not [call for call in engine.calls if "build" in str(call)]
    shown = json.loads(command("build", "lab", "--dry-run", "--json").out)
    assert shown["up_to_date"] is False
    assert shown["largest"] == [{"path": "start.ipynb", "bytes": 2}]

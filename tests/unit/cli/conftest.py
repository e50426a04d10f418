"""A command line on an engine in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from firstbell.cli import common, main
from firstbell.engine.fake import FakeEngine


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """The engine that commands are connected to."""
    fake = FakeEngine()

    async def connect(kind: str, host: str = "", certificates: object = None) -> FakeEngine:
        return fake

    monkeypatch.setattr(common, "connect", connect)
    return fake


@pytest.fixture
def command(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run `firstbell WORDS…` in an empty folder, through its one entry."""
    monkeypatch.chdir(tmp_path)
    for name in ("SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str) -> Outcome:
        code = main.run(words)
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return run

"""A launcher that waits for its settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firstbell.singleuser import settings, standby
from firstbell.singleuser.stops import Stop

_WAIT = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from firstbell.singleuser import standby;"
    "print(standby.is_one(), flush=True);"
    "print(repr(standby.wait()) if standby.is_one() else '');"
    "print(repr(sys.stdin.read()))"
)


def waits(given: bytes | None, place: Path) -> list[str]:
    """What a process says that waits, whose standard input is `given`, or nothing."""
    command = [sys.executable, "-c", _WAIT, str(Path(settings.__file__).parents[2])]
    env = os.environ | {settings.PATH_VARIABLE: str(place)}
    pipe = subprocess.DEVNULL if given is None else subprocess.PIPE
    with subprocess.Popen(command, env=env, stdin=pipe, stdout=subprocess.PIPE) as process:
        said, _ = process.communicate(given, timeout=30)
        assert process.returncode == 0
    return said.decode().splitlines()


def test_it_waits_for_one_line_and_its_input_is_empty_then(tmp_path: Path) -> None:
    """What comes is the settings; programs that it starts later read nothing of it, nor of what came after."""
    assert waits(b'{"a": "\xc3\xb6"}\nmore', tmp_path / "none") == ["True", repr('{"a": "ö"}\n'), repr("")]


def test_it_ends_when_nobody_comes(tmp_path: Path) -> None:
    """Input that ends without a line, or in the middle of one, is the end of whoever would have told it."""
    assert waits(b"", tmp_path / "none") == ["True"]
    assert waits(b'{"half', tmp_path / "none") == ["True"]


def test_who_has_a_settings_file_or_no_input_does_not_wait(tmp_path: Path) -> None:
    """A server that is started in the usual way is never one."""
    there = tmp_path / "server.json"
    there.write_text("{}")
    assert waits(b"x\n", there)[0] == "False"
    assert waits(None, tmp_path / "none")[0] == "False"


def test_what_comes_is_read_as_the_file_would_be() -> None:
    """The same kinds, the same checks; nothing of it is in the errors."""
    assert standby.told('{"alone": true, "token": "s3cret"}\n') == settings.Alone(token="s3cret")
    for text in ("{s3cret", '{"env": {"JUPYTERHUB_API_TOKEN": "s3cret"}}'):
        with pytest.raises(Stop) as caught:
            standby.told(text)
        assert "s3cret" not in caught.value.message and "standard input" in caught.value.message


def test_what_is_left_for_a_start_script_is_its_owners_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script's server finds the settings as in any other start."""
    monkeypatch.setenv(settings.PATH_VARIABLE, "/nowhere")
    standby.leave_behind(json.dumps({"alone": True, "token": "t"}))
    path = Path(settings.place())
    try:
        assert path.stat().st_mode & 0o777 == 0o600
        assert settings.load() == settings.Alone(token="t")
    finally:
        path.unlink()

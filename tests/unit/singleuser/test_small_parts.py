"""Redaction, patience, packages, lean imports and the bootstrap: small parts, each with its promise."""

from __future__ import annotations

import ast
import asyncio
import importlib
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import time
import types
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from firstbell.singleuser import lean, packages, reports
from firstbell.singleuser.hub import CACHE_SIZE, Hub, HubTrouble, Refused
from firstbell.singleuser.redact import Redact
from firstbell.singleuser.settings import parse

PACKAGE = Path(lean.__file__).parent
ENV = {
    "JUPYTERHUB_API_TOKEN": "s3cret-s3cret-s3cret",
    "JUPYTERHUB_CLIENT_ID": "c",
    "JUPYTERHUB_API_URL": "http://hub/hub/api",
    "JUPYTERHUB_SERVICE_PREFIX": "/user/ada/",
    "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers"]',
}


@pytest.mark.parametrize(
    "text",
    [
        "GET /user/ada/api?token=abcdefgh12345678&x=1",
        "GET /user/ada/oauth_callback?code=abcdefgh12345678&state=abcdefgh12345678",
        "Authorization: token abcdefgh12345678",
        "Authorization: Bearer abcdefgh12345678",
        "anything abcdefgh12345678 anywhere",
    ],
)
def test_secrets_are_taken_out_of_log_lines(text: str) -> None:
    """Tokens, codes and states in URLs and headers, and known secrets anywhere, are replaced; the rest stays."""
    record = logging.LogRecord("x", 20, "f", 1, "%s", (text,), None)
    assert Redact("abcdefgh12345678" if "anything" in text else "").filter(record)
    assert "abcdefgh12345678" not in record.getMessage()
    assert "[secret]" in record.getMessage()


def test_secrets_are_taken_out_of_tracebacks() -> None:
    """An exception's text is cleaned too."""
    try:
        raise ValueError("/x?token=abcdefgh12345678")
    except ValueError:
        record = logging.LogRecord("x", 20, "f", 1, "failed", (), sys.exc_info())
    Redact().filter(record)
    assert "abcdefgh12345678" not in logging.Formatter().format(record)
    assert "[secret]" in logging.Formatter().format(record)


async def test_reports_are_repeated_until_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals and silence are waited out with growing pauses; one line is logged at first and one at last."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    troubles = [HubTrouble(503, "silent"), Refused("no"), HubTrouble(502, "odd")]

    async def send() -> None:
        if troubles:
            raise troubles.pop(0)

    log = logging.getLogger("patience")
    lines: list[str] = []
    monkeypatch.setattr(log, "warning", lambda text, *args: lines.append(text % args))
    monkeypatch.setattr(log, "info", lambda text, *args: lines.append(text % args))
    assert await reports.persist(send, log, "readiness")
    assert len(lines) == 2
    assert waits == sorted(waits)
    assert len(waits) == 3


class Kernels:
    def __init__(self, **states: str) -> None:
        self.states = states

    def list_kernel_ids(self) -> list[str]:
        return [*self.states, "gone"]

    def get_kernel(self, kernel_id: str) -> Any:
        return types.SimpleNamespace(execution_state=self.states[kernel_id])


def app(last: datetime, terminals: dict[str, Any] | None = None, **states: str) -> Any:
    settings = {"terminal_manager": types.SimpleNamespace(terminals=terminals or {})}
    web_app = types.SimpleNamespace(last_activity=lambda: last, settings=settings)
    return types.SimpleNamespace(web_app=web_app, kernel_manager=Kernels(**states))


def test_what_counts_as_activity() -> None:
    """A busy kernel is activity now; else the latest of API, kernels and terminals; a future time is now."""
    now = datetime.now(UTC)
    old = now - timedelta(hours=2)
    terminal = types.SimpleNamespace(last_activity=(now - timedelta(minutes=5)).replace(tzinfo=None))
    assert reports.last_activity(app(old, a="busy"), now) == now
    assert reports.last_activity(app(old, a="idle"), now) == old
    assert reports.last_activity(app(old, {"1": terminal}, a="idle"), now) == now - timedelta(minutes=5)
    assert reports.last_activity(app(now + timedelta(hours=1)), now) == now


def session(path: str, used: str, state: str = "idle", kind: str = "notebook") -> dict[str, Any]:
    return {"type": kind, "path": path, "kernel": {"last_activity": used, "execution_state": state}}


class Sessions:
    def __init__(self, *sessions: Any) -> None:
        self.sessions = list(sessions)

    async def list_sessions(self) -> list[Any]:
        return self.sessions


OLD, NEW = session("old.ipynb", "2026-11-21T10:00:00Z"), session("week1/new.ipynb", "2026-11-21T11:00:00Z")


@pytest.mark.parametrize(
    ("sessions", "path"),
    [
        ([], ""),
        ([OLD, NEW], "week1/new.ipynb"),
        ([session("busy.ipynb", "2026-11-21T09:00:00Z", "busy"), NEW], "busy.ipynb"),
        ([session("console-1", "2026-11-21T12:00:00Z", kind="console"), OLD], "old.ipynb"),
        ([{"type": "notebook", "path": "dead.ipynb", "kernel": None}], ""),
        ([session("x" * 1000 + ".ipynb", "2026-11-21T10:00:00Z")], "x" * (reports.LONGEST_PATH - 6) + ".ipynb"),
    ],
)
async def test_the_notebook_used_last(sessions: list[Any], path: str) -> None:
    """One whose cell runs, else the one whose kernel did something last; consoles are none."""
    assert await reports.used_notebook(types.SimpleNamespace(session_manager=Sessions(*sessions))) == path


async def test_another_notebook_is_told_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes with activity at once; by itself no sooner than a minute after the last report, and only once."""
    clock = types.SimpleNamespace(now=1000.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    made = app(datetime.now(UTC) - timedelta(hours=1))
    made.session_manager, made.log = Sessions(OLD), logging.getLogger("reports")
    told: list[tuple[float, str]] = []
    changes = {1030.0: [OLD, NEW], 1050.0: [OLD], 1100.0: [OLD, NEW]}

    async def post(_url: str, report: Any) -> None:
        assert set(report) == {"servers", "last_activity", "notebook"}
        told.append((clock.now, report["notebook"]))

    async def sleep(_seconds: float) -> None:
        clock.now += 10
        made.session_manager.sessions = changes.get(clock.now, made.session_manager.sessions)
        if clock.now > 1300:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    settings = types.SimpleNamespace(activity_url="x", activity_interval=10.0, server_name="")
    with pytest.raises(asyncio.CancelledError):
        await reports.keep_reporting(made, types.SimpleNamespace(post=post), settings)  # type: ignore[arg-type]
    assert told == [(1000.0, "old.ipynb"), (1100.0, "week1/new.ipynb")]


async def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tokens are tried, what is remembered of them is bounded, and long ones are not even asked about."""
    hub = Hub(parse({"env": ENV}, "f"))

    async def fetch(*_: object, **__: object) -> Any:
        return types.SimpleNamespace(code=403)

    monkeypatch.setattr(hub, "_fetch", fetch)
    for number in range(CACHE_SIZE + 50):
        assert await hub.user(str(number)) is None
    assert len(hub._seen) == CACHE_SIZE
    assert not hub._asking
    assert await hub.user("x" * 5000) is None
    assert len(hub._seen) == CACHE_SIZE


async def test_another_session_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same token with another hub session is another question: that is what makes logging out immediate."""
    hub, asked = Hub(parse({"env": ENV}, "f")), []

    async def fetch(*args: object, **__: object) -> Any:
        asked.append(args)
        await asyncio.sleep(0)
        return types.SimpleNamespace(code=200, body=b'{"name": "ada", "scopes": []}')

    monkeypatch.setattr(hub, "_fetch", fetch)
    await asyncio.gather(hub.user("t", "one"), hub.user("t", "one"))
    assert len(asked) == 1
    await hub.user("t", "two")
    assert len(asked) == 2


def test_the_home_comes_last_for_the_server() -> None:
    """The server looks into the home's packages last, whatever put them where."""
    assert packages.reorder(["", "/home/lib", "/image"], "/home/lib") == ["", "/image", "/home/lib"]


def test_an_overlay_is_made_once_and_follows_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second start changes nothing; a base Python that moved is followed."""
    monkeypatch.setattr(sys, "base_prefix", "/elsewhere")
    ways = packages.prepare(str(tmp_path))
    files = {path: os.lstat(path).st_mtime_ns for path in tmp_path.rglob("*") if not path.is_dir()}
    assert packages.prepare(str(tmp_path)) == ways
    assert files == {path: os.lstat(path).st_mtime_ns for path in tmp_path.rglob("*") if not path.is_dir()}
    Path(ways.python).unlink()
    Path(ways.python).symlink_to("/gone/python")
    packages.prepare(str(tmp_path))
    done = subprocess.run([ways.python, "-c", "import tornado, sys; print(sys.prefix)"], capture_output=True, text=True)
    assert done.stdout.strip().startswith(str(tmp_path)), done.stderr


def test_hidden_modules_are_hidden_for_a_moment_only() -> None:
    """Within, the import fails as for a module that is not there; afterwards it works."""
    sys.modules.pop("this_or_that", None)
    with lean._hidden(frozenset({"colorsys"})), pytest.raises(ModuleNotFoundError):
        sys.modules.pop("colorsys", None)
        importlib.import_module("colorsys")
    assert importlib.import_module("colorsys")


def test_a_later_module_loads_when_it_is_used() -> None:
    """The stand-in gives what the module has, and the module itself takes its place."""
    sys.modules.pop("colorsys", None)
    with lean._later("colorsys"):
        import colorsys

        assert isinstance(colorsys, lean._StandIn)
    assert "colorsys" not in sys.modules
    assert colorsys.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)
    assert not isinstance(sys.modules["colorsys"], lean._StandIn)


def test_language_servers_keep_jupyter_lsp(monkeypatch: pytest.MonkeyPatch) -> None:
    """jupyter_lsp is loaded where the image has a language server, and left out where it has none."""
    found = {"jupyter_lsp": True, "jupyterlab": True, "notebook_shim": True}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert lean.extensions(found) == {"jupyterlab": True}
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/" + name if name == "texlab" else None)
    assert "jupyter_lsp" in lean.extensions(found)
    assert "notebook_shim" in lean.extensions({**found, "nbclassic": True})


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: file.name)
def test_the_oldest_python_can_read_it(file: Path) -> None:
    """Every file parses as Python 3.8 and imports nothing but the standard library, Jupyter and itself."""
    tree = ast.parse(file.read_text(), feature_version=(3, 8))
    allowed = {*sys.stdlib_module_names, "jupyter_server", "jupyter_client", "jupyter_core", "tornado", "traitlets"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= allowed
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module
            assert node.module.partition(".")[0] in allowed


def test_the_directory_may_have_any_name_and_shadows_nothing(tmp_path: Path) -> None:
    """Run from a directory of another name, the launcher starts, and its files are not importable by their names."""
    copy = tmp_path / "some name"
    copy.mkdir()
    for file in PACKAGE.glob("*.py"):
        (copy / file.name).write_text(file.read_text())
    (copy / "run.py").write_text(
        "import importlib.util, sys\n"
        "def main():\n    print(importlib.util.find_spec('settings'), sys.path)\n    return 0\n"
    )
    done = subprocess.run([sys.executable, str(copy)], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.startswith("None "), done.stderr
    assert "some name" not in done.stdout


NO_ARGUMENTS = """
import sys
sys.path.insert(0, {src!r})
from firstbell.singleuser import lean
lean.begin()
lazy = {{name for name in ("websocket", "nbformat.v3") if name in sys.modules}}
from jupyter_server.serverapp import ServerApp
app = ServerApp()
app.parse_command_line([])
print(sorted(lazy), app.extra_args, dict(app.cli_config), app.argv)
app.parse_command_line(["--ServerApp.port=1", "/"])
print(app.port, app.extra_args)
import nbformat, websocket
old = nbformat.reads('{{"metadata": {{}}, "nbformat": 3, "nbformat_minor": 0, "worksheets": []}}', 4)
print(old.nbformat, nbformat.v3.nbformat, websocket.create_connection.__module__)
"""


def test_no_arguments_need_no_parser_and_arguments_get_one() -> None:
    """An empty command line leaves nothing, a full one is read as ever; what was put off comes when it is used."""
    code = NO_ARGUMENTS.format(src=str(PACKAGE.parents[1]))
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout.splitlines() == ["[] [] {} []", "1 ['/']", "4 3 websocket._core"], result.stderr

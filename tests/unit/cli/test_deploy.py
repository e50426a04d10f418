"""`up`, `down`, `status` as commands; what they do is tested with `work/deploy.py`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firstbell.cli import deploy
from firstbell.cli.show import Terminal
from firstbell.engine.fake import FakeEngine
from firstbell.errors import BuildFailed
from firstbell.model import names
from firstbell.model.container import ContainerSpec, NetworkSpec, VolumeSpec, frozen
from firstbell.model.image import Progress
from firstbell.model.names import Role
from firstbell.model.observed import ImageState
from firstbell.model.steps import EnsureNetwork, RemoveVolume, StopContainer
from firstbell.work import deploy as deploy_work
from firstbell.work import status as status_work
from firstbell.work.deploy import UpResult
from firstbell.work.hub_figures import HubFigures

from .conftest import Command
from .test_show_figures import QUIET

STOP = StopContainer("firstbell-stats-hub", "hub")


@pytest.fixture(autouse=True)
def course(command: Command):
    command("init", "stats", "--class")


def add_container(engine: FakeEngine, role: Role, user: str = "") -> None:
    engine.images["i"] = ImageState("i", "sha256:1")
    name = names.container("stats", role, user)
    spec = ContainerSpec(name, "i", ("sleep", "infinity"), frozen(names.labels("stats", role, user)))
    asyncio.run(engine.start(spec))


class Work:
    """Stands in for `work.deploy`: remembers what was asked, shows two steps."""

    def __init__(self, steps: tuple[Any, ...] = (STOP,), error: Exception | None = None) -> None:
        self.steps, self.error = steps, error
        self.calls: list[str] = []

    async def plan_up(self, engine: Any, course: Any) -> tuple[None, tuple[Any, ...]]:
        return None, self.steps

    async def plan_down(self, engine: Any, course: Any, *, delete_homes: bool) -> tuple[Any, ...]:
        return self.steps

    async def up(self, engine: Any, course: Any, show: Any) -> Any:
        return UpResult(course.public_url, await self._act("up", show), 3.2)

    async def down(self, engine: Any, course: Any, show: Any, *, delete_homes: bool) -> tuple[Any, ...]:
        return await self._act(f"down {delete_homes}", show)

    async def _act(self, call: str, show: Any) -> tuple[Any, ...]:
        self.calls.append(call)
        show.on_plan(self.steps)
        for index, step in enumerate(self.steps):
            show.on_step(step, index)
            show.on_progress(Progress("RUN uv", 2, 9))
            show.on_progress(Progress("some output", is_output=True))
            if self.error:
                raise self.error
            show.on_done(step)
        return self.steps


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    stand_in = Work()
    for verb in ("plan_up", "plan_down", "up", "down"):
        monkeypatch.setattr(deploy_work, verb, getattr(stand_in, verb))

    async def there(*_: Any, **__: Any) -> bool:
        return False

    monkeypatch.setattr(deploy, "ensure_engine", there)
    return stand_in


def test_up_shows_steps_and_ends_with_the_url(command: Command, work: Work):
    """Without a terminal each step is a line on stderr; the last line of stdout is the URL."""
    shown = command("up", "stats")
    assert shown.code == 0
    assert shown.err.splitlines() == ["1 step to do", "[1/1] stop firstbell-stats-hub (hub)", "      2/9 RUN uv"]
    assert shown.out.splitlines() == ["Ready after 3 s.", "http://127.0.0.1:8000/"]


def test_up_json(command: Command, work: Work):
    """With --json stdout is one document."""
    shown = command("up", "stats", "--json")
    assert json.loads(shown.out) == {
        "url": "http://127.0.0.1:8000/",
        "steps": ["stop firstbell-stats-hub (hub)"],
        "up_to_date": False,
        "seconds": 3.2,
    }


def test_up_to_date(command: Command, work: Work):
    """Nothing to do is said so."""
    work.steps = ()
    assert command("up", "stats").out.splitlines()[0] == "Up to date."


def test_dry_run_does_nothing(command: Command, work: Work):
    """A dry run shows the plan and acts on nothing."""
    for verb in ("up", "down"):
        assert command(verb, "stats", "--dry-run").out == "would stop firstbell-stats-hub (hub)\n"
    assert work.calls == []


def test_failing_step_shows_its_last_lines(command: Command, work: Work):
    """A failure names the step and, where the error brings no evidence, what the step printed last."""
    work.error = BuildFailed("it broke", next_step="mend it")
    shown = command("up", "stats")
    assert shown.code == 4
    assert "✗ [1/1] stop firstbell-stats-hub (hub) failed" in shown.err
    assert "  │ some output" in shown.err
    assert shown.err.splitlines()[-1] == "  next:  mend it"


def test_bad_roster_stops_up_before_anything(command: Command, work: Work):
    """A bad roster line is named before the engine is touched."""
    Path("stats/roster.csv").write_text("username\nok\n../x\n")
    shown = command("up", "stats")
    assert shown.code == 2
    assert "roster.csv:3" in shown.err
    assert work.calls == []


def test_down_keeps_homes(command: Command, work: Work):
    """Down asks nothing of a script, and keeps homes."""
    shown = command("down", "stats")
    assert shown.code == 0
    assert "Homes are kept" in shown.out
    assert work.calls == ["down False"]


@pytest.mark.parametrize("words", [(), ("--yes",), ("--yes", "--confirm", "other")])
def test_homes_are_not_deleted_by_accident(command: Command, work: Work, words: tuple[str, ...]):
    """Without the course's name nothing is deleted, --yes or not, and the way to say it is named."""
    work.steps = (RemoveVolume("v", "ada"),)
    shown = command("down", "stats", "--delete-homes", *words)
    assert shown.code == 8
    assert "--confirm stats" in shown.err
    assert work.calls == []


def test_homes_are_deleted_by_name(command: Command, work: Work):
    """With the course's name they are."""
    work.steps = (RemoveVolume("v", "ada"),)
    shown = command("down", "stats", "--delete-homes", "--confirm", "stats")
    assert (shown.code, shown.out) == (0, "It is down. 1 home deleted.\n")
    assert work.calls == ["down True"]


@pytest.mark.parametrize(("typed", "code"), [("stats\n", 0), ("y\n", 8), ("\n", 8)])
def test_name_is_typed(command: Command, work: Work, monkeypatch: pytest.MonkeyPatch, typed: str, code: int):
    """On a terminal the name itself must be typed; a mere yes deletes nothing."""
    work.steps = (RemoveVolume("v", "ada"),)
    monkeypatch.setattr(Terminal, "can_ask", property(lambda _: True))
    monkeypatch.setattr("builtins.input", lambda *_: typed.strip())
    assert command("down", "stats", "--delete-homes").code == code
    assert bool(work.calls) is (code == 0)


def test_home_made_after_the_question_stays(command: Command, work: Work):
    """Where there was no home to ask about, none is deleted."""
    assert command("down", "stats", "--delete-homes").code == 0
    assert work.calls == ["down False"]


def test_what_was_not_there_is_not_kept(command: Command, work: Work):
    """Whoever asks for homes to be deleted where there are none is not told that they stay."""
    shown = command("down", "stats", "--delete-homes", "--confirm", "stats")
    assert (shown.code, work.calls) == (0, ["down True"])
    assert "no homes" in shown.out and "kept" not in shown.out


def test_folders_of_homes_are_never_deleted(command: Command, work: Work):
    """Homes in a directory of the machine are not down's to delete."""
    with Path("stats/firstbell.toml").open("a") as file:
        file.write('[homes]\nstore = "/srv/homes"\n')
    shown = command("down", "stats", "--delete-homes", "--confirm", "stats")
    assert shown.code == 2
    assert "/srv/homes" in shown.err
    assert work.calls == []


def test_down_needs_no_secrets(command: Command, work: Work):
    """A course whose secret is not set can be taken down and looked at, but not brought up."""
    text = Path("stats/firstbell.toml").read_text().replace("[server]", 'passcode = "env:NOT_SET_HERE"\n[server]')
    Path("stats/firstbell.toml").write_text(text)
    assert command("down", "stats").code == 0
    assert "NOT_SET_HERE" in command("up", "stats").err


def test_status_of_a_course_that_is_down(command: Command, engine: FakeEngine):
    """A course that is down says so, counts its homes, and is code 5."""
    asyncio.run(engine.ensure_volume(VolumeSpec("v", frozen(names.labels("stats", Role.HOME, "ada")))))
    shown = command("status", "stats")
    assert shown.code == 5
    assert shown.out.splitlines()[1] == "It is down. 1 home kept."


def test_status_shows_parts_and_people(command: Command, engine: FakeEngine):
    """A running course shows each part and who is in; with --json the same as data."""
    for role in (Role.HUB, Role.PROXY, Role.EDGE, Role.GUARD):
        add_container(engine, role)
    add_container(engine, Role.SERVER, "ada")
    shown = command("status", "stats")
    assert shown.code == 0
    assert "1 of 40 in, no homes" in shown.out
    assert any(line.split()[:2] == ["ada", "running"] for line in shown.out.splitlines())
    facts = json.loads(command("status", "stats", "--json").out)
    assert facts["up"] is True
    assert [s["user"] for s in facts["servers"]] == ["ada"]
    assert facts["servers"][0]["memory_limit"] == 1024**3


def test_status_of_a_half_course(command: Command, engine: FakeEngine):
    """A missing part is shown as missing and is code 5."""
    add_container(engine, Role.HUB)
    shown = command("status", "stats")
    assert shown.code == 5
    assert any(line.split() == ["edge", "missing"] for line in shown.out.splitlines())


def test_status_says_why_a_node_takes_no_server(command: Command, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch):
    """What Swarm does not know the hub does: a node that waits for the course's image is not simply ready."""
    for name in ("node1", "node2"):
        engine.add_node(name)
    add_container(engine, Role.HUB)

    async def figures(*_: Any) -> HubFigures:
        return replace(QUIET, hindrances={"node2": "has not got the course's image"})

    monkeypatch.setattr(status_work, "hub_figures", figures)
    shown = {line.split()[0]: line for line in command("status", "stats").out.splitlines() if line.startswith("node")}
    assert "ready" in shown["node1"]
    assert "has not got the course's image" in shown["node2"]


def test_engine_away_is_code_3(command: Command, engine: FakeEngine):
    """An engine that does not answer is code 3."""
    engine.away = True
    assert command("status", "stats").code == 3


def test_logs_of_what_does_not_run(command: Command):
    """Logs of a part or a person that is not there say what to do."""
    assert "firstbell up" in command("logs", "hub", "stats").err
    shown = command("logs", "ada", "stats/firstbell.toml")
    assert shown.code == 5
    assert "firstbell status" in shown.err


def test_logs_print_lines_as_they_are(command: Command, engine: FakeEngine):
    """A log is printed as it is, markup and all."""
    engine.images["i"] = ImageState("i", "sha256:1")
    name = names.container("stats", Role.HUB)
    labels = frozen(names.labels("stats", Role.HUB))
    asyncio.run(engine.start(ContainerSpec(name, "i", ("echo", "[bold]x[/bold] " + "y" * 200), labels)))
    assert command("logs", "stats/firstbell.toml").out == "[bold]x[/bold] " + "y" * 200 + "\n"


def test_plain_steps_need_no_terminal(capsys: pytest.CaptureFixture[str]):
    """What runs in the steps' view and fails leaves the view closed and the step named."""
    step = EnsureNetwork(NetworkSpec("n", "b"))
    with pytest.raises(ValueError), Terminal().steps() as show:
        show.on_plan((step,))
        show.on_step(step, 0)
        raise ValueError
    assert "✗ [1/1] create network n failed" in capsys.readouterr().err


async def _node3_is_away(*_: Any) -> dict[str, tuple[str, ...]]:
    return {"node3": ("amira", "ben"), "node4": ()}


def test_down_says_what_stays_where_and_how_it_is_ended_later(
    command: Command, work: Work, monkeypatch: pytest.MonkeyPatch
):
    """A node that is away keeps its homes: whose, on which node, and what to type once it is back or lost, is said."""
    monkeypatch.setattr(deploy_work, "nodes_away", _node3_is_away)
    work.steps = (RemoveVolume("v", "ada"),)
    shown = command("down", "stats", "--delete-homes", "--confirm", "stats")
    assert shown.out == "It is down. 1 home deleted.\n"
    said = " ".join(shown.err.split())
    assert "node3 does not answer: what is there of stats stays (2 homes: amira, ben)." in said
    assert "node4 does not answer: what is there of stats stays (homes, if there are any)." in said
    assert "Once node3 and node4 are back: firstbell down --delete-homes" in said
    assert "firstbell nodes remove node3 --confirm node3" in said
    work.steps = ()
    assert json.loads(command("down", "stats", "--json").out)["away"] == {"node3": ["amira", "ben"], "node4": []}


def test_what_stays_is_said_before_the_question(command: Command, work: Work, monkeypatch: pytest.MonkeyPatch):
    """Whoever is asked for the course's name knows already which homes are not deleted."""
    monkeypatch.setattr(deploy_work, "nodes_away", _node3_is_away)
    work.steps = (RemoveVolume("v", "ada"),)
    refused = command("down", "stats", "--delete-homes")
    assert (refused.code, work.calls) == (8, [])
    assert "2 homes: amira, ben" in " ".join(refused.err.split())

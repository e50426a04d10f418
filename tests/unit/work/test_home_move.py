"""Homes that move, on nodes in memory, killed at every step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from firstbell.coursework.transport import HELPER_MARK
from firstbell.engine.fake import FakeEngine
from firstbell.errors import CourseFileError, FirstbellError, HomeMissing
from firstbell.hub.homes import control as home_control
from firstbell.hub.people.book import PeopleStore
from firstbell.model import names
from firstbell.model.container import ContainerSpec, File, frozen
from firstbell.model.course import Course
from firstbell.model.home import Transfer
from firstbell.model.names import Role
from firstbell.model.observed import EngineFacts, ImageState, NodeState, Observed
from firstbell.plan.home import home_volume
from firstbell.plan.home_moves import Move
from firstbell.work import home_copy, home_move

COURSE = Course.model_validate({"name": "demo", "server": {"image": "x"}, "engine": {"kind": "swarm"}})
MOVE = Move("ada", "a", "b")
HOME = home_volume(COURSE, "ada")


class Killed(BaseException):
    """The process is no more."""


@dataclass
class Machines:
    """A cluster of engines in memory, and the hub's record; `steps` counts down to where the process is killed."""

    store: PeopleStore
    engines: dict[str, FakeEngine] = field(default_factory=lambda: {name: FakeEngine() for name in "abc"})
    away: set[str] = field(default_factory=set)
    steps: int = 10**9
    running: set[str] = field(default_factory=set)
    stopped: list[str] = field(default_factory=list)

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise Killed

    async def on(self, node: str) -> Node:
        return Node(self, self.engines[node])

    async def observe(self, course: str) -> Observed:
        seen = [(name, await e.observe(course)) for name, e in self.engines.items() if name not in self.away]
        return Observed(
            course,
            engine=EngineFacts(nodes=tuple(self.node(name) for name in self.engines)),
            volumes=tuple(replace(v, node=name) for name, o in seen for v in o.volumes),
            containers=tuple(replace(c, node=name) for name, o in seen for c in o.containers),
        )

    def node(self, name: str) -> NodeState:
        there = name not in self.away
        return NodeState(name, name, "10.0.0.1", number=1, ready=there, linked=there)

    def files(self, node: str) -> dict[str, bytes]:
        """What is in ada's home on that node; nothing where there is none."""
        found = [files for state, files in self.engines[node]._volumes.values() if state.name == HOME.name]
        return {path: file.content or b"" for path, file in found[0].items()} if found else {}

    async def control(self, engine: Any, course: Any, verb: str, *words: str) -> Any:
        self.step()
        if verb == "list":
            return [{"username": user, "running": True, "last_seen": None} for user in self.running]
        return home_control.answer(self.store, verb, words)

    async def stop(self, engine: Any, course: Any, users: list[str]) -> None:
        self.stopped += users
        self.running -= set(users)

    async def copy(self, observed: Any, user: str, source: Any, target: Any, moved: Any) -> Transfer:
        self.step()
        files = self.files(source.node)
        place = self.engines[target.node]._volumes
        [key] = [key for key, (state, _) in place.items() if state.name == HOME.name]
        for path, content in files.items():
            self.step()
            place[key][1][path] = File(path, content)
        return Transfer(len(files), sum(map(len, files.values())))


@dataclass
class Node:
    """A node's own daemon; every call is a step."""

    machines: Machines
    engine: FakeEngine

    async def ensure_volume(self, spec: Any) -> bool:
        self.machines.step()
        return await self.engine.ensure_volume(spec)

    async def remove_volume(self, name: str) -> None:
        self.machines.step()
        await self.engine.remove_volume(name)

    async def stop(self, name: str, grace: int) -> None:
        self.machines.step()


FILES = {"one": b"1", "two": b"22", "three": b"333"}


@pytest.fixture
async def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machines]:
    """Ada's home is on a."""
    made = Machines(PeopleStore(tmp_path / "people.sqlite", b"k" * 32))
    made.store.record_home("ada", "a")
    await made.engines["a"].ensure_volume(HOME)
    place = made.engines["a"]._volumes
    [key] = place
    place[key][1].update({path: File(path, content) for path, content in FILES.items()})
    monkeypatch.setattr(home_move, "control", made.control)
    monkeypatch.setattr(home_move, "stop_servers", made.stop)
    monkeypatch.setattr(home_copy, "copy", made.copy)
    yield made
    for engine in made.engines.values():
        await engine.close()


async def moved(machines: Machines) -> Transfer:
    return await home_move.move_home(machines, COURSE, MOVE)  # type: ignore[arg-type]


async def is_only_on(machines: Machines, node: str) -> bool:
    """The whole home is on that node, the record says so, and nothing is anywhere else."""
    observed = await machines.observe("demo")
    places = [(v.role, v.node) for v in observed.volumes]
    return places == [("home", node)] and machines.files(node) == FILES and machines.store.home_node("ada") == node


async def test_a_home_moves(machines):
    """All files are on the target, the record has changed, nothing is left on the source, and the hold is over."""
    assert await moved(machines) == Transfer(3, 6)
    assert await is_only_on(machines, "b")
    home_control.refuse_while_moving(machines.store, "ada")


async def test_killed_at_every_step(machines, monkeypatch):
    """Wherever the command dies: the home that would be started is whole, and the next run ends with one home."""
    step = -1
    while True:
        step += 1
        machines.steps = step
        try:
            await moved(machines)
            break
        except Killed:
            pass
        machines.steps = 10**9
        live = machines.store.home_node("ada")
        assert machines.files(live) == FILES, f"killed at step {step}"
        monkeypatch.setattr(home_control, "HOLD_SECONDS", 0.0)  # what the dead command held is over
        home_control.refuse_while_moving(machines.store, "ada")
        monkeypatch.setattr(home_control, "HOLD_SECONDS", 90.0)
        machines.store.keep("moving-home:ada", "")
        await moved(machines)
        assert await is_only_on(machines, "b"), f"killed at step {step}"
        await home_move.move_home(machines, COURSE, Move("ada", "b", "a"))
        assert await is_only_on(machines, "a")
    assert step > 12


async def test_a_copy_that_fails_is_undone(machines, monkeypatch):
    """A full disk, or a copy that is not the same: the home stays, and the target keeps nothing."""

    async def fails(*_: Any) -> Transfer:
        raise FirstbellError("no space left")

    monkeypatch.setattr(home_copy, "copy", fails)
    with pytest.raises(FirstbellError, match="no space left"):
        await moved(machines)
    assert await is_only_on(machines, "a")
    home_control.refuse_while_moving(machines.store, "ada")


@pytest.mark.parametrize(("role", "end"), [(Role.SERVER, ""), (Role.HELPER, f"{HELPER_MARK}1a2b3c")])
async def test_whoever_writes_meanwhile_keeps_the_home(machines, monkeypatch, role, end):
    """What a server that was started, or coursework, writes would not be in the copy: the move is undone."""
    copy = home_copy.copy

    async def start_meanwhile(*words: Any) -> Transfer:
        made = await copy(*words)
        engine = machines.engines["a"]
        engine.images["i"] = ImageState("i", "sha256:1")
        labels = frozen(names.labels("demo", role, "ada"))
        spec = ContainerSpec(names.container("demo", role, "ada") + end, "i", ("sleep", "infinity"), labels)
        await engine.start(spec)
        return made

    monkeypatch.setattr(home_copy, "copy", start_meanwhile)
    monkeypatch.setattr(home_move, "_SERVER_ENDS", 0.1)
    with pytest.raises(FirstbellError, match="has not ended"):
        await moved(machines)
    assert await is_only_on(machines, "a")


async def test_what_is_planned(machines):
    """Who is moved where, who is stopped for it; nothing for a home that is there already."""
    machines.running = {"ada"}
    plan = home_move.plan_move
    assert await plan(machines, COURSE, "ada", "b") == (Move("ada", "a", "b", is_running=True),)
    assert await plan(machines, COURSE, "ada", "a") == ()
    assert await home_move.plan_moves(machines, COURSE, "a") == (Move("ada", "a", "b", is_running=True),)
    assert await home_move.plan_moves(machines, COURSE, "b") == ()
    await home_move.move_home(machines, COURSE, Move("ada", "a", "b", is_running=True))
    assert machines.stopped == ["ada"]


async def test_what_cannot_be(machines):
    """A node that is not there, or away; a source that is away; homes that every node has anyway."""
    plan = home_move.plan_move
    with pytest.raises(HomeMissing, match="no node z"):
        await plan(machines, COURSE, "ada", "z")
    with pytest.raises(HomeMissing, match="has no home"):
        await plan(machines, COURSE, "ben", "b")
    machines.away = {"a"}
    with pytest.raises(HomeMissing, match="on a, which does not answer"):
        await plan(machines, COURSE, "ada", "b")
    with pytest.raises(HomeMissing, match="a can take no homes"):
        await plan(machines, COURSE, "ada", "a")
    shared = COURSE.model_copy(update={"homes": COURSE.homes.model_copy(update={"store": "/mnt/homes"})})
    with pytest.raises(CourseFileError, match="every node has"):
        await plan(machines, shared, "ada", "b")


async def test_two_commands_at_once(machines):
    """One of them moves the home, the other is refused, and there is one home in the end."""
    ended = await asyncio.gather(moved(machines), moved(machines), return_exceptions=True)
    assert sorted(type(e).__name__ for e in ended) == ["CourseFileError", "Transfer"]
    assert await is_only_on(machines, "b")

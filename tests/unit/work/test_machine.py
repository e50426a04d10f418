"""Finding, starting and installing an engine, on a machine in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
import stamina

from firstbell.engine.base import Report
from firstbell.errors import Declined, EngineUnavailable
from firstbell.model.image import Progress
from firstbell.work import machine
from firstbell.work.local_system import Answer, CommandFailed
from firstbell.work.machine import ensure_engine

DEBIAN = {"ID": "debian", "PRETTY_NAME": "Debian 12"}


@dataclass
class FakeSystem:
    """A machine whose engine answers once it has been started."""

    answer: Answer = Answer.NONE
    installed: bool = False
    root: bool = True
    systemd: bool = False
    os: Mapping[str, str] = field(default_factory=lambda: DEBIAN)
    failures: int = 0
    dies: bool = False
    did: list[str] = field(default_factory=list)

    async def ask_engine(self, socket: str) -> Answer:
        return self.answer

    def is_root(self) -> bool:
        return self.root

    def user(self) -> str:
        return "ada"

    def has(self, program: str) -> bool:
        return program == "apt-get" or self.installed

    def has_systemd(self) -> bool:
        return self.systemd

    def distribution(self) -> Mapping[str, str]:
        return self.os

    async def run(self, argv: Sequence[str], report: Report, env: Mapping[str, str] | None = None) -> tuple[str, ...]:
        words = [w for w in argv if not w.startswith("-") and "::" not in w]
        self.did.append(" ".join(words))
        if self.failures:
            self.failures -= 1
            raise CommandFailed("`apt-get` failed", evidence=("E: mirror unreachable",))
        if argv[0] == "systemctl":
            self.answer = Answer.NONE if self.dies else Answer.YES
        return ("journal line",)

    def start_in_background(self, argv: Sequence[str], log: str) -> int:
        self.did.append(f"background {' '.join(argv)}")
        self.answer = Answer.NONE if self.dies else Answer.YES
        return 42

    def is_alive(self, pid: int) -> bool:
        return not self.dies

    def engine_pid(self) -> int:
        return 0

    def tail(self, file: str, lines: int = 15) -> tuple[str, ...]:
        return ("failed to start daemon: no iptables",)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "_ANSWER_DEADLINE", 0.3)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


def yes(question: str, otherwise: str) -> None:
    """Whoever agrees to everything."""


def no(question: str, otherwise: str) -> None:
    raise Declined("declined", next_step=otherwise)


async def bring_up(system: FakeSystem, ask: machine.Ask = yes, host: str = "") -> tuple[bool, list[str]]:
    told: list[Progress] = []
    done = await ensure_engine(host, ask=ask, report=told.append, system=system)
    return done, [p.text for p in told]


async def test_engine_that_answers_is_left_alone():
    """Nothing is asked, installed or started where an engine answers."""
    system = FakeSystem(Answer.YES)
    assert await bring_up(system, no) == (False, [])
    assert system.did == []


async def test_installs_after_a_yes_and_starts():
    """On Debian as root: apt-get update, install, start, and it answers."""
    system = FakeSystem()
    done, told = await bring_up(system)
    assert done
    assert system.did == ["apt-get update", "apt-get install docker.io apparmor ca-certificates", "background dockerd"]
    assert any("/var/log/firstbell-dockerd.log" in line for line in told)


async def test_no_leaves_everything_as_it_was():
    """A no changes nothing, and says what to type instead."""
    system = FakeSystem()
    with pytest.raises(Declined) as caught:
        await bring_up(system, no)
    assert "--yes" in caught.value.next_step
    assert "apt-get install docker.io" in caught.value.next_step
    assert system.did == []


async def test_installed_but_stopped_is_started_without_a_question():
    """An engine that is there but does not run is started, with systemd where that is process 1."""
    for systemd, did in ((True, "systemctl enable docker"), (False, "background dockerd")):
        system = FakeSystem(installed=True, systemd=systemd)
        assert (await bring_up(system, no))[0]
        assert system.did == [did]


async def test_apt_is_tried_again():
    """A mirror's bad moment does not end the installation."""
    system = FakeSystem(failures=2)
    assert (await bring_up(system))[0]
    assert system.did.count("apt-get update") == 3


async def test_apt_that_keeps_failing_shows_its_words():
    """After four tries the last lines of apt-get are shown."""
    with pytest.raises(EngineUnavailable) as caught:
        await bring_up(FakeSystem(failures=99))
    assert caught.value.evidence == ("E: mirror unreachable",)
    assert "/etc/apt" in caught.value.next_step


@pytest.mark.parametrize(("systemd", "words"), [(False, "no iptables"), (True, "journal line")])
async def test_daemon_that_does_not_come_up_shows_its_log(systemd: bool, words: str):
    """A daemon that ends, or never answers, is reported with its log's last lines."""
    with pytest.raises(EngineUnavailable, match="does not answer") as caught:
        await bring_up(FakeSystem(installed=True, systemd=systemd, dies=True))
    assert words in " ".join(caught.value.evidence)


@pytest.mark.parametrize(
    ("system", "words"),
    [
        (FakeSystem(Answer.DENIED), "sudo usermod -aG docker ada"),
        (FakeSystem(root=False), "sudo sh -c 'apt-get update && apt-get install docker.io"),
        (FakeSystem(root=False, installed=True), "sudo dockerd"),
        (FakeSystem(root=False, installed=True, systemd=True), "sudo systemctl enable --now docker"),
        (FakeSystem(os={"ID": "fedora", "PRETTY_NAME": "Fedora 43"}), "docs.docker.com/engine/install"),
    ],
)
async def test_what_it_cannot_do_it_says(system: FakeSystem, words: str):
    """Without the rights, or on another system, it says exactly what to do and touches nothing."""
    with pytest.raises(EngineUnavailable) as caught:
        await bring_up(system)
    assert words in caught.value.next_step
    assert system.did == []


async def test_engines_elsewhere_are_not_ours_to_start():
    """A remote engine is left to its first call; a socket of the person's own is never started by us."""
    assert not (await bring_up(FakeSystem(), host="tcp://h:2376"))[0]
    with pytest.raises(EngineUnavailable, match="no Docker Engine answers"):
        await bring_up(FakeSystem(), host="unix:///home/ada/docker.sock")

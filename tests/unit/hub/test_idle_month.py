"""A month of people who come, work, leave and forget: nobody busy is ended, nobody idle forgotten."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest

from firstbell.hub.idle import uses as uses_module
from firstbell.hub.idle.uses import Uses
from firstbell.plan import idle
from firstbell.plan.idle import Rule, Stand, next_word
from firstbell.singleuser.used import Watch

DAY, HOUR, MINUTE = 86400.0, 3600.0, 60.0
MONTH = 30 * DAY
PEOPLE = 220
STUDENT, SECTION, STAFF = Rule(HOUR, 5 * MINUTE, 12 * HOUR), Rule(30 * MINUTE, 5 * MINUTE, 0), Rule(0, 0, 0)
REQUEST = 15.0
"""Seconds that a server waits for the hub's answer."""


def rule(user: str) -> Rule:
    number = int(user[1:])
    return STAFF if number >= PEOPLE - 4 else SECTION if number % 3 == 0 else STUDENT


@dataclass
class Server:
    """What is true of a server, whatever the hub believes."""

    began: float
    watch: Watch
    work: list[float]
    """Moments of use to come, the latest first."""
    used: float
    stamp: float
    busy_until: float = 0.0
    kept_until: float = 0.0
    cut_until: float = 0.0
    hung: bool = False
    told: float | None = None
    touched: float = 0.0
    """When its person last said at this hub that they are there; one that is new does not know it,"""
    held: float = 0.0
    """but may find it overdue only since then."""

    @property
    def last(self) -> float:
        return max(self.used, self.busy_until, self.held)


@dataclass
class Month:
    """The machine, its clocks and its people. `hub_back` is when the hub next listens."""

    seed: int
    now: float = 0.0
    wall: float = 1.7e9
    hub_back: float = 0.0
    hub: Uses = field(init=False)
    servers: dict[str, Server] = field(default_factory=dict)
    agenda: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    count: int = 0
    ends: list[tuple[str, float, float, str]] = field(default_factory=list)
    trouble: list[tuple[float, float]] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    kept: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.new_hub()

    def new_hub(self) -> None:
        self.hub = Uses(rule, lambda: self.now, self)
        for server in self.servers.values():
            server.touched = 0.0

    def until(self, user: str) -> float:
        """What outlives a hub."""
        return self.kept.get(user, 0.0)

    def note(self, user: str, seconds: float) -> None:
        """They want it so."""
        self.kept[user] = self.now + seconds

    def at(self, moment: float, act: Callable[[], None]) -> None:
        self.count += 1
        heapq.heappush(self.agenda, (moment, self.count, act))

    def run(self) -> None:
        while self.agenda and self.agenda[0][0] < MONTH:
            moment, _, act = heapq.heappop(self.agenda)
            self.wall += moment - self.now
            self.now = moment
            act()

    # people

    def arrive(self, user: str) -> None:
        """Come, work for a while, perhaps leave something running or ask for the server to be kept."""
        dice = self.dice
        length = dice.choice((5, 20, 45, 90, 240)) * MINUTE
        moments = sorted((self.now + dice.uniform(0, length) for _ in range(int(length / 120))), reverse=True)
        server = self.servers.get(user)
        if server is None:
            self.hub.forget(user)
            server = Server(self.now, Watch(lambda: self.now), moments, self.now, self.wall)
            server.hung = dice.random() < 0.01
            self.servers[user] = server
            self.at(self.now, lambda: self.tell(user, server))
            self.at(self.now, lambda: self.use(user, server))
        else:
            server.work = sorted([*server.work, *moments], reverse=True)
            self.at(server.work[-1], lambda: self.use(user, server))

    def use(self, user: str, server: Server) -> None:
        if self.servers.get(user) is not server or server.hung:
            return  # nothing can be used through a launcher that hangs
        server.used, server.stamp = self.now, self.wall
        lot = self.dice.random()
        if lot < 0.03:
            server.busy_until = self.now + self.dice.choice((1, 30, 200, 1500)) * MINUTE
            self.seen["busy"] += 1
        elif lot < 0.035 and self.now >= self.hub_back:
            asked = self.dice.choice((2, 6, 30)) * HOUR
            server.kept_until = self.now + self.hub.keep(user, asked)
            assert server.kept_until <= self.now + rule(user).keep_most
            self.seen["kept"] += 1
        while server.work and server.work[-1] <= self.now:
            server.work.pop()
        if server.work:
            self.at(server.work[-1], lambda: self.use(user, server))

    # what the launcher does

    def tell(self, user: str, server: Server) -> None:
        if self.servers.get(user) is not server or server.hung:
            return
        busy = self.now < server.busy_until
        age = server.watch.look(server.stamp, busy)
        lost = self.now < max(self.hub_back, server.cut_until) or self.dice.random() < 0.02
        pause = 2 * MINUTE
        if lost:
            self.seen["lost"] += 1
            pause = REQUEST
        else:
            verdict = self.hub.word(user, age, busy=busy)
            pause = next_word(verdict, rule(user))
            self.heed(user, server, verdict.stand)
        if self.servers.get(user) is server:
            self.at(self.now + pause * self.dice.uniform(0.9, 1.1), lambda: self.tell(user, server))

    def heed(self, user: str, server: Server, stand: Stand) -> None:
        if stand is Stand.NOTICE:
            server.told = self.now if server.told is None else server.told
            if self.dice.random() < 0.02:
                self.hub.touch(user)
                server.touched = server.held = self.now
                self.seen["at the hub"] += 1
            elif self.dice.random() < 0.02:
                server.watch.touch()
                server.used = self.now
                self.seen["still here"] += 1
        elif stand is Stand.OVER:
            self.end(user, server, "word")
        else:
            server.told = None

    # what the machine does

    def sweep(self) -> None:
        if self.now >= self.hub_back:
            for user in self.hub.silent(list(self.servers)):
                self.end(user, self.servers[user], "silent")
        self.at(max(self.now, self.hub_back) + uses_module.LOOK_EVERY, self.sweep)

    def end(self, user: str, server: Server, how: str) -> None:
        of = rule(user)
        assert of.idle, f"{user} is never ended"
        assert self.now >= server.busy_until, f"{user} was busy"
        assert self.now >= server.kept_until - 1e-6, f"{user} was to be kept"
        assert self.now >= server.used + of.idle - 1e-6, f"{user} was in use"
        assert self.now >= server.touched + of.idle - 1e-6, f"{user} was at the hub"
        if how == "word":
            assert server.told is not None and self.now - server.told >= of.notice - 1e-6, f"{user} was not told"
        due = max(server.last + of.idle, server.kept_until)
        self.ends.append((user, due, self.now, how))
        del self.servers[user]
        self.hub.forget(user)

    def hub_restarts(self, away: float) -> None:
        self.trouble.append((self.now, self.now + away))
        self.hub_back = self.now + away
        self.new_hub()

    def hub_stands_still(self, length: float) -> None:
        """As a process that got no time: its memory stays, what was told meanwhile is lost."""
        self.trouble.append((self.now, self.now + length))
        self.hub_back = self.now + length

    def jump(self, seconds: float) -> None:
        self.wall += seconds

    def cut(self, length: float) -> None:
        """Some server does not reach the hub for a while."""
        if self.servers:
            self.servers[self.dice.choice(sorted(self.servers))].cut_until = self.now + length
            self.trouble.append((self.now, self.now + length))


def planned(seed: int) -> Month:
    month = Month(seed)
    dice = month.dice
    for day in range(30):
        for number in range(PEOPLE):
            user = f"u{number}"
            if dice.random() < 0.5:
                lecture = day * DAY + 9 * HOUR + dice.gauss(0, 2 * MINUTE)
                month.at(max(0.0, lecture), partial(month.arrive, user))
            if dice.random() < 0.15:
                month.at(day * DAY + dice.uniform(0, DAY), partial(month.arrive, user))
        jump = dice.choice((HOUR, -HOUR, DAY, -DAY, 20.0, 7 * DAY))
        month.at(day * DAY + dice.uniform(0, DAY), partial(month.jump, jump))
        for _ in range(20):
            month.at(day * DAY + dice.uniform(0, DAY), partial(month.cut, dice.uniform(60, 25 * MINUTE)))
    for _ in range(25):
        away = dice.choice((5.0, 90.0, 2 * HOUR, 5 * HOUR))
        month.at(dice.uniform(0, MONTH), partial(month.hub_restarts, away))
        still = dice.choice((30.0, 10 * MINUTE, 90 * MINUTE))
        month.at(dice.uniform(0, MONTH), partial(month.hub_stands_still, still))
    month.at(1.0, month.sweep)
    return month


@pytest.fixture(autouse=True)
def _fewer_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half as many words as servers really tell, and twice the patience with them; fewer looks."""
    monkeypatch.setattr(uses_module, "LOOK_EVERY", 55.0)
    monkeypatch.setattr(idle, "LONGEST_PAUSE", 2 * idle.LONGEST_PAUSE)
    monkeypatch.setattr(uses_module, "PATIENCE", 2 * uses_module.PATIENCE)


def test_a_month_ends_no_busy_server_and_forgets_no_idle_one() -> None:
    """220 people, clocks that jump, hubs that come and go, words that are lost: each end is right, told and in time."""
    month = planned(7)
    month.run()
    limited = [user for user in month.servers if rule(user).idle]
    assert len(month.ends) > 2000
    assert min(month.seen[kind] for kind in ("busy", "kept", "lost", "still here", "at the hub")) > 100
    for user, due, at, how in month.ends:
        away = sum(max(0.0, min(to, at) - max(since, due - HOUR)) for since, to in month.trouble)
        silence = 3 * uses_module.SILENCE if how == "silent" else 0.0
        assert at - due <= 8 * MINUTE + away + silence, (user, due, at, how)
    assert any(how == "silent" for *_, how in month.ends)
    overdue = [user for user in limited if month.now - month.servers[user].last > 3 * HOUR + 12 * HOUR]
    assert not overdue


def test_nobody_is_forgotten_once_all_have_left() -> None:
    """A day without arrivals after the month: nobody's server runs but those that are never ended."""
    month = planned(8)
    month.agenda = [one for one in month.agenda if one[0] < 3 * DAY]
    heapq.heapify(month.agenda)
    month.at(3 * DAY, month.sweep)
    month.run()
    assert all(not rule(user).idle for user in month.servers)

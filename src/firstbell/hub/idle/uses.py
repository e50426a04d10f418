"""What this hub knows of the use of each server that runs: in memory, by user. The clock is the steady one.

Gone with the hub: servers tell again within a minute. What people asked for outlives it (`kept_until.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from firstbell.plan import idle
from firstbell.plan.idle import Rule, Stand, Use, Verdict

LOOK_EVERY = 20.0
"""Seconds between two looks for servers that have fallen silent."""
PATIENCE = 180.0
"""Seconds without a word after which a server counts as silent: three of the longest pauses."""
_DEAF = 60.0
"""Seconds between two looks from which on it was the hub that heard nobody: it stood still."""
SILENCE, SILENCE_BUSY = 2 * 3600.0, 86400.0
"""Seconds of silence, at least, after which a server that used to tell is ended; one in which something ran then."""
_ALL_SILENT = 3
"""Times as much if all the others are silent, too."""


class Memory(Protocol):
    """What people wanted kept, beyond this hub's life: `KeptUntil`."""

    def until(self, user: str) -> float:
        """On the steady clock; 0 for nobody's wish."""
        ...

    def note(self, user: str, seconds: float) -> None:
        """From now on; 0 is no longer."""
        ...


class Uses:
    """`rule` says what holds for a user."""

    def __init__(
        self,
        rule: Callable[[str], Rule],
        clock: Callable[[], float] = time.monotonic,
        memory: Memory | None = None,
    ) -> None:
        self.rule = rule
        self._clock = clock
        self._memory = memory
        self._uses: dict[str, Use] = {}
        self._looked: float | None = None

    def word(self, user: str, age: float, *, busy: bool) -> Verdict:
        """A server's own word; what to do now is the answer."""
        now = self._clock()
        return self._judged(user, idle.told(self._use(user), now, age, busy=busy), now)

    def show(self, user: str) -> None:
        """An older server, which tells only when it is used, has just told so."""
        use = self._use(user)
        if not use.has_spoken:
            self._uses[user] = idle.told(use, self._clock(), 0.0, busy=False, speaks=False)

    def touch(self, user: str) -> None:
        """Its person is there. What is known of somebody without a server is forgotten at the next look."""
        self._uses[user] = idle.touched(self._use(user), self._clock())

    def keep(self, user: str, seconds: float) -> float:
        """Keep it that long, as far as the rule allows; for how long it is kept. 0 takes it back."""
        now = self._clock()
        use = self._uses[user] = idle.kept(self._use(user), now, seconds, self.rule(user))
        if self._memory:
            self._memory.note(user, use.kept - now)
        return use.kept - now

    def look(self, user: str) -> Verdict:
        """How a server stands, for its person's eyes."""
        now = self._clock()
        return self._judged(user, self._use(user), now)

    def kept(self, user: str) -> float:
        """Seconds for which it is kept; 0 where nobody asked."""
        use = self._uses.get(user)
        return max(0.0, use.kept - self._clock()) if use else 0.0

    def forget(self, user: str) -> None:
        """Another server begins, or this one is over."""
        self._uses.pop(user, None)

    def silent(self, running: Iterable[str], excused: Iterable[str] = ()) -> list[str]:
        """Of those that run, whose servers are to be ended without a word of theirs; `excused` cannot be heard."""
        now = self._clock()
        self._excuse_own_absence(now)
        present, away = set(running), set(excused)
        for user in self._uses.keys() - present:
            del self._uses[user]
        for user in present:
            use = self._use(user)
            if user in away:
                self._uses[user] = idle.deaf(use, now - use.heard)
        return [user for user in sorted(present - away) if self._is_over(user, now)]

    def _excuse_own_absence(self, now: float) -> None:
        gap = now - self._looked if self._looked is not None else 0.0
        self._looked = now
        if gap > _DEAF:
            self._uses = {user: idle.deaf(use, min(gap, now - use.heard)) for user, use in self._uses.items()}

    def _is_over(self, user: str, now: float) -> bool:
        use = self._uses[user]
        if now - use.heard <= PATIENCE:
            return False
        if use.has_spoken and now - use.heard < self._silence(use, self.rule(user), now):
            return False
        verdict = idle.judge(use, self.rule(user), now, is_silent=True)
        self._uses[user] = verdict.use
        return verdict.stand is Stand.OVER

    def _silence(self, use: Use, rule: Rule, now: float) -> float:
        """All at once fall silent where something between them and the hub is broken: no reason to end them so soon."""
        speaking = [one for one in self._uses.values() if one.has_spoken]
        all_silent = len(speaking) > 1 and all(now - one.heard > PATIENCE for one in speaking)
        return max(rule.idle, SILENCE_BUSY if use.busy else SILENCE) * (_ALL_SILENT if all_silent else 1)

    def _judged(self, user: str, use: Use, now: float) -> Verdict:
        verdict = idle.judge(use, self.rule(user), now)
        self._uses[user] = verdict.use
        return verdict

    def _use(self, user: str) -> Use:
        if user not in self._uses:
            until = self._memory.until(user) if self._memory else 0.0
            self._uses[user] = idle.begun(self._clock(), until)
        return self._uses[user]

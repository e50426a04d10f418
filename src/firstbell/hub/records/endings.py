"""Why a server ends, said by whoever ends it or sees it ended, for the hub's record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from firstbell.hub.starts.causes import Cause, of_end
from firstbell.model.observed import ContainerState, Phase


@dataclass(frozen=True, slots=True)
class Ending:
    """One word, who ended it (empty for nobody), and what else there is to say."""

    what: str
    who: str = ""
    words: str = ""


IDLE_RULE, A_BELL, THE_HUB = "idle rule", "a bell", "the hub"
"""Who is no person."""
IDLE = Ending("idle", IDLE_RULE)
UNTAKEN = Ending("untaken", A_BELL, "nobody came for it")
OFF_ROSTER = Ending("removed", THE_HUB, "its person may enter no more")
UNSEEN = Ending("unseen", words="it ended while no hub was there")
UNREACHED = Ending("unreached", words="it was started and could not be reached")
STOPPED = Ending("stopped")


def of_cause(cause: Cause) -> Ending:
    """An end that nobody asked for; the log lines that page shows are contents, and not for the record."""
    return Ending(cause.reason, words=cause.what)


def unseen(state: ContainerState, memory: int) -> Ending:
    """An end while no hub was there, as far as the container that is left says. `memory` is its limit in bytes."""
    if state.phase is not Phase.EXITED:
        return UNSEEN
    cause = of_end(state, (), memory)
    return Ending(cause.reason, words=f"{cause.what} No hub was there.")


def ends_by(spawner: Any, ending: Ending | None) -> None:
    """It is about to end; the first who says why is right. Of no spawner, or without a word, nothing is said."""
    if spawner is not None and ending is not None and getattr(spawner, "ending", None) is None:
        spawner.ending = ending

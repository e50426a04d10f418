"""`python3 -m firstbell.hub.control VERB …`: what the command line asks of a hub, run inside its container.

Prints JSON. A refusal is `{"error": {"what": …, "next_step": …}}` with the error's exit code. Each module named below
says what its verbs are; `figures` is how the queue, the starts of the last minutes and the memory are
(`figures/exporter.py`).
Bells and coursework have programs of their own, `bell_control.py` and `coursework_control.py`.

Each question begins a Python, on a machine that may be busy: it loads what its verb needs and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from firstbell.hub.control_io import HubFiles, control_arguments, print_answer

_PEOPLE = ("list", "invite", "reset", "forget-home", "stop", "active", "acts")
_RECORD = ("activity", "activity-check", "activity-plot")
_HOMES = ("home-nodes", "home-hold", "home-switch", "home-release")
_LIMITS = ("limit", "limit-clear")
_REHEARSAL = ("rehearse-open", "rehearse-close", "rehearse-state", "rehearse-end")
_VERBS = (*_PEOPLE, *_RECORD, *_HOMES, *_LIMITS, *_REHEARSAL, "figures")


def answer(hub: HubFiles, verb: str, words: Sequence[str]) -> Any:
    """What the verb answers. Raises FirstbellError."""
    if verb in _HOMES:
        from firstbell.hub.homes import control as home_control

        return home_control.answer(hub.store, verb, words)
    if verb in _REHEARSAL:
        from firstbell.hub.rehearsals import control as rehearsal_control

        return rehearsal_control.answer(hub.course, hub.store, hub.state, verb, words)
    if verb == "figures":
        from firstbell.hub.figures import ask as figures_ask

        return figures_ask.ask(hub.store, hub.runtime.hub_url, hub.course.base_url)
    if verb in _RECORD:
        from firstbell.hub.records import control as record_control

        return record_control.answer(hub, verb, words)
    if verb in _LIMITS:
        from firstbell.hub.memory import limit_control

        return limit_control.answer(hub, verb, words)
    from firstbell.hub.people import control as people_control

    return people_control.answer(hub, verb, words)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or that of the error."""
    arguments = control_arguments("firstbell.hub.control", _VERBS).parse_args(argv)
    return print_answer(lambda: answer(HubFiles.named(arguments), arguments.verb, arguments.names))


if __name__ == "__main__":
    sys.exit(main())

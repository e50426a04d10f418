"""What a hub knows of its servers' use: silence, absence, and what outlives it."""

from __future__ import annotations

import json

import pytest

from firstbell.hub.idle.culler import listed, open_words
from firstbell.hub.idle.kept_until import NAME, KeptUntil
from firstbell.hub.idle.uses import LOOK_EVERY, PATIENCE, SILENCE, SILENCE_BUSY, Uses
from firstbell.plan.idle import NEVER, Rule, Stand

RULE = Rule(3600, 0, 7200)


class Machine:
    """Its clock, and a hub that looks every twenty seconds."""

    def __init__(self, rule: Rule = RULE) -> None:
        self.now = 1000.0
        self.uses = Uses(lambda _: rule, lambda: self.now)

    def look(self, seconds: float, *running: str, away: tuple[str, ...] = ()) -> list[str]:
        """Whom it would end without a word in that time."""
        ended: list[str] = []
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + LOOK_EVERY)
            ended += self.uses.silent(running, away)
        return ended


def test_who_falls_silent_is_given_time() -> None:
    """Hours where nothing ran, a day where something did; others go on telling meanwhile."""
    for busy, patience in ((False, SILENCE), (True, SILENCE_BUSY)):
        machine = Machine()
        machine.uses.word("ada", 0, busy=busy)
        ended: list[str] = []
        while not ended:
            machine.uses.word("bob", 0, busy=False)
            ended = machine.look(PATIENCE / 2, "ada", "bob")
            assert machine.now < 1000 + patience + 2 * PATIENCE
        assert set(ended) == {"ada"}
        assert machine.now >= 1000 + patience


def test_when_all_fall_silent_it_is_the_way_to_the_hub() -> None:
    """Three times as long; and not for ever."""
    machine = Machine()
    for user in ("ada", "bob"):
        machine.uses.word(user, 0, busy=False)
    assert machine.look(3 * SILENCE - 60, "ada", "bob") == []
    assert set(machine.look(120, "ada", "bob")) == {"ada", "bob"}


def test_an_older_server_that_tells_only_its_uses_ends_after_its_idle_time() -> None:
    """One that was started before the hub learnt to ask: silence is all that it says of not being used."""
    machine = Machine()
    machine.uses.show("ada")
    assert machine.look(3000, "ada") == []
    machine.uses.show("ada")
    assert machine.look(3599, "ada") == []
    assert machine.look(30, "ada")


def test_a_hub_that_stood_still_blames_nobody() -> None:
    """An hour without processor or in a suspended machine is no silence of the servers'."""
    machine = Machine()
    machine.uses.show("ada")
    machine.look(60, "ada")
    machine.now += 86400
    assert machine.uses.silent(["ada"]) == []
    assert machine.look(3400, "ada") == []
    assert machine.look(300, "ada")


def test_on_a_node_that_is_away_nobody_is_silent() -> None:
    """Until it is back, and then as long as anybody."""
    machine = Machine()
    machine.uses.show("ada")
    assert machine.look(86400, "ada", away=("ada",)) == []
    assert machine.look(3590, "ada") == []
    assert machine.look(60, "ada")


def test_a_new_server_begins_anew_and_nobody_else_s_is_known() -> None:
    """Whoever runs no longer is forgotten; whose rule is never stays, silent or not."""
    machine = Machine()
    machine.uses.word("ada", 3000, busy=False)
    machine.look(20)
    assert machine.uses.look("ada").left == 3600
    assert Machine(NEVER).look(3 * SILENCE_BUSY, "ada") == []


def test_a_person_who_was_seen_before_their_server_told_anything_counts() -> None:
    """Still here, said to a hub that has just started, holds against the first word's old use."""
    machine = Machine()
    machine.uses.touch("ada")
    assert machine.uses.word("ada", 9999, busy=False).stand is Stand.IN_USE


class Store:
    """One text."""

    def __init__(self, text: str | None = None) -> None:
        self.text = text

    def kept(self, name: str) -> str | None:
        assert name == NAME
        return self.text

    def keep(self, name: str, value: str) -> None:
        assert name == NAME
        self.text = value


def test_what_was_promised_outlives_the_hub_and_the_clocks() -> None:
    """By the steady clock on the same machine, whatever the time of day has done; elsewhere by the time of day."""
    store = Store()
    KeptUntil(store, lambda: 1000, lambda: 5e8, "boot").note("ada", 7200)
    assert KeptUntil(store, lambda: 1100, lambda: 9e8, "boot").until("ada") == 8200
    assert KeptUntil(store, lambda: 10, lambda: 5e8 + 100, "another").until("ada") == 7110
    kept = KeptUntil(store, lambda: 1100, lambda: 9e8, "boot")
    kept.note("bob", 60)
    kept.note("ada", 0)
    assert list(json.loads(store.text or "")) == ["bob"]
    assert KeptUntil(store, lambda: 1100, lambda: 9e8, "boot").until("ada") == 0
    late = KeptUntil(store, lambda: 9999, lambda: 9e8, "boot")
    late.note("eve", 60)
    assert list(json.loads(store.text or "")) == ["eve"]


@pytest.mark.parametrize("text", ["", "x", "[]", '{"ada": 3}', '{"ada": [1]}', '{"ada": ["", "x", "y"]}', "null"])
def test_nonsense_in_the_store_is_nothing(text: str) -> None:
    """Whatever stands there, nobody's start fails for it."""
    assert KeptUntil(Store(text)).until("ada") == 0


def test_what_was_open_is_named_and_cleaned() -> None:
    """A handful of notebooks on one line, terminals counted; what is no such thing is left out."""
    assert listed([]) == "" and listed(["a"]) == "a" and listed(["a", "b", "c"]) == "a, b and c"
    assert open_words({"notebooks": ["a\nb.ipynb", 3, ""], "terminals": 1}) == "a b.ipynb and 1 terminal"
    assert open_words({"notebooks": "x", "terminals": -1}) == ""
    assert open_words({"notebooks": [f"{n}.ipynb" for n in range(9)], "terminals": "2"}).count("ipynb") == 5

"""To whom a lease is given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm

from firstbell.hub.homes.lease_page import LeaseDesk
from firstbell.hub.homes.leases import Leases
from firstbell.hub.starts.under_way import Starts


class Database:
    """Tokens with their owners; counts the questions."""

    def __init__(self) -> None:
        self.tokens: dict[str, Any] = {}
        self.asked = 0

    def find(self, _: Any, token: str) -> Any:
        self.asked += 1
        return self.tokens.get(token)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    made = Database()
    made.tokens["running"] = SimpleNamespace(user=SimpleNamespace(name="ada", id=7), id=70)
    monkeypatch.setattr(orm.APIToken, "find", made.find)
    return made


@pytest.fixture
async def hub(database: Database) -> SimpleNamespace:
    clock = [0.0]
    leases, starts = Leases(25, lambda: clock[0]), Starts()
    spawner = SimpleNamespace(active=True, is_given_up=False, token_id=70, api_token="")
    context: Any = SimpleNamespace(cluster=SimpleNamespace(leases=leases), starts=starts)
    users = {7: SimpleNamespace(spawners={"": spawner})}
    desk = LeaseDesk(lambda: users, lambda: None)
    return SimpleNamespace(
        leases=leases, spawner=spawner, starts=starts, clock=clock, ask=lambda token: desk.renew(context, token)
    )


async def test_the_present_server_goes_on_and_costs_one_query(hub, database):
    """Asked every few seconds for hours, the database is asked once."""
    hub.clock[0] = 100.0
    assert all(hub.ask("running") for _ in range(50))
    assert database.asked == 1
    assert hub.leases.left("ada") == 30


async def test_a_superseded_server_ends_at_once(hub):
    """Once another server, or none, is the user's, its token is refused, known as it was."""
    assert hub.ask("running")
    hub.spawner.token_id = 71
    assert not hub.ask("running")


async def test_a_superseded_server_ends_though_its_tokens_number_is_used_again(hub):
    """The database numbers the next token as the one that was deleted: the token itself decides."""
    assert hub.ask("running")
    hub.spawner.api_token = "next"
    assert not hub.ask("running")


async def test_a_server_that_was_given_up_gets_no_more(hub):
    """From the moment in which another may be started, nothing prolongs the first one's life."""
    assert hub.ask("running")
    hub.spawner.is_given_up = True
    left = hub.leases.left("ada")
    assert not hub.ask("running")
    assert hub.leases.left("ada") == left


async def test_a_server_that_is_starting_is_the_one(hub, database):
    """It asks before it has reported."""
    database.tokens["fresh"] = SimpleNamespace(user=SimpleNamespace(name="bob", id=8), id=80)
    assert not hub.ask("fresh")
    start = hub.starts.begin("bob", ("c",), "fresh")
    assert hub.ask("fresh")
    hub.starts.end(start)
    assert not hub.ask("fresh")


async def test_nobody_else_gets_one(hub):
    """A token of nobody's is refused."""
    assert not hub.ask("guessed")

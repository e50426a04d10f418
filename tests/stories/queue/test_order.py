"""Real servers, more at once than the machine can start: in order, and every wait explained."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import AsyncExitStack
from typing import Any

from tests.stories.conftest import stop_server
from tests.support.visitor import Visitor

PEOPLE = 9


async def _start(visitor: Visitor) -> list[dict[str, Any]]:
    """Open the spawn page and follow it to the server: its events."""
    page = await visitor.open("hub/spawn")
    events = [event async for event in visitor.progress(page)] if "/spawn-pending/" in page.path else []
    await visitor.server()
    return events


async def test_a_cold_crowd_starts_in_order_and_knows_why_it_waits(seminar):
    """Nine click one after the other: they are called in that order, each reads a place that never goes up, and a time.

    Afterwards `status` tells how the starts went.
    """
    async with AsyncExitStack() as stack:
        visitors = [await stack.enter_async_context(Visitor(seminar.url)) for _ in range(PEOPLE)]
        starts = []
        for visitor in visitors:
            await visitor.enter()
            starts.append(asyncio.create_task(_start(visitor)))
        told = await asyncio.gather(*starts)
        for visitor in visitors:
            stack.push_async_callback(stop_server, visitor)

        waited = [events for events in told if any("place" in event for event in events)]
        assert waited, "more came than can start at once"
        for events in waited:
            places = [event["place"] for event in events if "place" in event]
            assert places == sorted(places, reverse=True)
            assert all(
                re.fullmatch(r"about (a minute|\d+ (seconds|minutes))", e["wait"]) for e in events if "place" in e
            )
            assert not any("place" in event for event in events[[e["progress"] > 5 for e in events].index(True) :])

        users = [visitor.user for visitor in visitors]
        created = {s["Config"]["Labels"]["firstbell.user"]: s["Created"] for s in seminar.servers()}
        order = sorted(users, key=lambda user: created[user])
        # Of those that start side by side any may be made first: nobody is further from their place than the slots.
        assert all(abs(order.index(user) - place) <= 3 for place, user in enumerate(users)), (order, users)

    recent = json.loads(seminar.cli("status", "--json").stdout)["figures"]
    assert recent["starts"]["ready"] >= PEOPLE
    assert recent["stages"]["boot"]["p50"] > 0
    assert recent["room_for"] > 0

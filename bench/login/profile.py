"""Where the hub's time of a login goes: `python -m bench.login.profile [PEOPLE]`. Counts SQL statements, too."""

from __future__ import annotations

import asyncio
import json
import os
import pstats
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from bench.login import our_hub, sides
from bench.login.visitor import Visitor

_SHOWN = 45
_DEADLINE = 30.0


async def _log_in(side: sides.Side, people: list[Visitor], profile: Path) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        for visitor in [*people, *people]:
            await visitor.come(http, known=not visitor.kept)
        os.kill(side.hub, our_hub.BEGIN)
        for visitor in people:
            hops = await visitor.come(http, known=False)
        os.kill(side.hub, our_hub.END)
    until = time.monotonic() + _DEADLINE
    while not profile.with_suffix(".json").exists():
        if time.monotonic() > until:
            raise TimeoutError(f"the hub wrote no {profile}")
        await asyncio.sleep(0.1)
    print("\n".join(hops))


def main(count: int) -> None:
    """Walk-ins whose servers run, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "login.profile"
        with sides.ours({"login": "seminar", "capacity": 10 * count}, profile=str(profile)) as side:
            asyncio.run(_log_in(side, [Visitor(side.url) for _ in range(count)], profile))
        counts = json.loads(profile.with_suffix(".json").read_text())
        print({what: number / count for what, number in counts.items()}, "per login")
        pstats.Stats(str(profile)).strip_dirs().sort_stats("cumulative").print_stats(_SHOWN)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)

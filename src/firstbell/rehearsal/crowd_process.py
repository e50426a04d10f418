"""`python -m firstbell.rehearsal.crowd_process`: one client process of a crowd.

Reads what to do as a line of JSON; says as lines of JSON who has reached which stage, how each visit went, and last how
busy this process was. It ends when its stdin does, so that no crowd outlives the command that sent it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from dataclasses import asdict
from typing import Any

from firstbell.rehearsal.load import LoadMeter
from firstbell.rehearsal.page_files import PageFiles
from firstbell.rehearsal.visit import Person, Script
from firstbell.rehearsal.visitor import Visitor


def main() -> None:
    """Until all have gone."""
    order: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    asyncio.run(_drive(order))


def _end_with_stdin() -> None:
    # Read below sys.stdin, whose lock would be in the way when this process ends by itself.
    while os.read(0, 1024):
        pass
    os._exit(1)


async def _drive(order: dict[str, Any]) -> None:
    given = order["script"]
    script = Script(**(given | {"cells": tuple(given["cells"])}))
    people = [Person(**person) for person in order["people"]]
    files, meter, began = PageFiles(), LoadMeter(), order["began"]
    watch = asyncio.create_task(meter.watch())

    async def come(person: Person) -> None:
        await asyncio.sleep(max(0.0, began + person.arrives - time.time()))
        visit = await Visitor(script, person, files, _tell).visit()
        _say({"visit": asdict(visit)})

    await asyncio.gather(*map(come, people))
    watch.cancel()
    _say({"load": asdict(meter.load())})


def _tell(number: int, stage: str, seconds: float) -> None:
    _say({"number": number, "stage": stage, "seconds": seconds})


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

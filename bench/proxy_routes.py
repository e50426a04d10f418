"""What configurable-http-proxy needs per route: its memory, and its CPU per request and per reading of the whole table.

By hand: `python -m bench.proxy_routes HUB_IMAGE`. The proxy of that image runs on this machine's loopback; every route
leads to one small server of this process. CPU seconds, as the machine may be busy.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from pathlib import Path

import aiohttp
from aiohttp import web

from bench.swarm_manager import cpu_seconds, resident
from firstbell.engine.waiting import until
from tests.support.listening import free_port

_SIZES = (100, 1000, 5000, 10000)
_REQUESTS = 2000
_READINGS = 20
_NAME = f"firstbell-bench-routes-{os.getpid()}"


def proxy_pid() -> int:
    """The node process of the proxy's container."""
    said = subprocess.run(["docker", "top", _NAME, "-eo", "pid,comm"], capture_output=True, text=True, check=True)
    return max((int(line.split()[0]) for line in said.stdout.splitlines()[1:]), key=resident)


def docker(*words: str) -> None:
    """The docker command."""
    subprocess.run(["docker", *words], check=True, stdout=subprocess.DEVNULL)


async def measure(session: aiohttp.ClientSession, pid: int, port: int, api: int, routes: int) -> str:
    """A line of CSV."""
    gate = asyncio.Semaphore(8)

    async def get(number: int) -> None:
        path = f"/user/person-{number * 7919 % routes}/api/status"
        async with gate, session.get(f"http://127.0.0.1:{port}{path}") as response:
            assert response.status == 200
            await response.read()

    before = cpu_seconds(pid)
    await asyncio.gather(*(get(n) for n in range(_REQUESTS)))
    each = (cpu_seconds(pid) - before) * 1000 / _REQUESTS
    before, size = cpu_seconds(pid), 0
    for _ in range(_READINGS):
        async with session.get(f"http://127.0.0.1:{api}/api/routes") as response:
            size = len(await response.read())
    table = (cpu_seconds(pid) - before) * 1000 / _READINGS
    return f"{routes},{resident(pid)},{each:.2f},{table:.1f},{size // 1024}"


async def main(image: str) -> None:
    """Print one line of CSV per size."""
    app = web.Application()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="{}" * 200)

    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    target, port, api = free_port(), free_port(), free_port()
    await web.TCPSite(runner, "127.0.0.1", target).start()
    command = ["configurable-http-proxy", "--ip=127.0.0.1", f"--port={port}", "--api-ip=127.0.0.1", f"--api-port={api}",
               "--default-target=http://127.0.0.1:1", "--log-level=error"]  # fmt: skip
    path = "PATH=/opt/firstbell/proxy/node_modules/.bin:/opt/firstbell/venv/bin:/usr/bin:/bin"
    docker("run", "-d", "--rm", "--network=host", "--name", _NAME, "-e", path, image, *command)
    try:
        async with aiohttp.ClientSession() as session:
            await _measure_all(session, port, api, target)
    finally:
        docker("rm", "-f", _NAME)
        await runner.cleanup()


async def _measure_all(session: aiohttp.ClientSession, port: int, api: int, target: int) -> None:
    async def answers() -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get(f"http://127.0.0.1:{api}/api/routes") as response:
                return response.status == 200
        return False

    await until(answers, deadline=60)
    pid, made = proxy_pid(), 0
    print("routes,resident_mib,request_cpu_ms,table_cpu_ms,table_kib")
    for size in _SIZES:
        for number in range(made, size):
            body = {"target": f"http://127.0.0.1:{target}", "user": f"person-{number}"}
            async with session.post(f"http://127.0.0.1:{api}/api/routes/user/person-{number}", json=body) as response:
                assert response.status == 201
        made = size
        print(await measure(session, pid, port, api, size), flush=True)


if __name__ == "__main__":
    assert Path("/proc").is_dir()
    asyncio.run(main(sys.argv[1]))

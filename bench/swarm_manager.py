"""What a manager of a Swarm needs per server that it keeps: services like ours, which no node may run.

By hand: `python -m bench.swarm_manager unix:///SOCKET PID [COUNT]`, with the pid of that manager's dockerd. It makes
COUNT services of one task, each with a config of its own, in steps; a constraint that no node fulfils keeps them from
starting, so only the manager works. All are removed in the end. CPU seconds, as the machine may be busy.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

from firstbell.engine.docker_api import Api

_MARK = "firstbell.bench"
_AT_ONCE = 4
_STEP = 200
_FILE = 6000
"""Bytes of a config: about what a server's settings take."""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, in seconds of 100 ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def resident(pid: int) -> int:
    """MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 // 1024**2


def service(number: int, config: str) -> dict[str, Any]:
    """Like a user's server: one task, never restarted, one file of its own, some labels and environment."""
    name = f"firstbell-bench-{number}"
    file = {"Name": "/opt/firstbell/settings.json", "UID": "0", "GID": "0", "Mode": 0o444}
    return {
        "Name": name,
        "Labels": {_MARK: "1", "firstbell.user": f"person-{number}", "firstbell.spec": "0" * 64},
        "Mode": {"Replicated": {"Replicas": 1}},
        "EndpointSpec": {"Mode": "dnsrr"},
        "TaskTemplate": {
            "RestartPolicy": {"Condition": "none"},
            "Placement": {"Constraints": ["node.labels.firstbell.bench==nobody"]},
            "ContainerSpec": {
                "Image": "none:1",
                "Command": ["python3", "-I", "-m", "firstbell.singleuser"],
                "Env": [f"VARIABLE_{n}=value of variable {n}" for n in range(12)],
                "Labels": {_MARK: "1"},
                "Configs": [{"ConfigID": config, "ConfigName": name, "File": file}],
            },
        },
    }


async def make(api: Api, number: int, gate: asyncio.Semaphore) -> None:
    """One service and its config."""
    async with gate:
        data = base64.b64encode(bytes(f"{number:06}", "ascii") * (_FILE // 6)).decode()
        labels = {_MARK: "1"}
        config = await api.json(
            "POST", "configs/create", body={"Name": f"firstbell-bench-{number}", "Labels": labels, "Data": data}
        )
        await api.json("POST", "services/create", body=service(number, config["ID"]))


async def remove_all(api: Api) -> int:
    """Whatever carries the mark; how many services that were."""
    marked = {"filters": json.dumps({"label": [_MARK]})}
    gate = asyncio.Semaphore(_AT_ONCE)

    async def remove(path: str) -> None:
        async with gate:
            await api.json("DELETE", path)

    services = await api.json("GET", "services", params=marked)
    await asyncio.gather(*(remove(f"services/{one['ID']}") for one in services))
    configs = await api.json("GET", "configs", params=marked)
    await asyncio.gather(*(remove(f"configs/{one['ID']}") for one in configs))
    return len(services)


async def costs(api: Api, pid: int, path: str, times: int = 5) -> tuple[float, int]:
    """CPU milliseconds of the manager per request, and bytes of its answer."""
    before, size = cpu_seconds(pid), 0
    for _ in range(times):
        size = len(json.dumps(await api.json("GET", path)))
    return (cpu_seconds(pid) - before) * 1000 / times, size


async def main(host: str, pid: int, most: int) -> None:
    """Print one line of CSV per step."""
    api, gate = Api(host), asyncio.Semaphore(_AT_ONCE)
    print("services,cpu_ms_per_service,seconds,resident_mib,list_cpu_ms,list_kib,tasks_cpu_ms,one_task_cpu_ms")
    try:
        for start in range(0, most, _STEP):
            cpu, began = cpu_seconds(pid), time.monotonic()
            await asyncio.gather(*(make(api, n, gate) for n in range(start, start + _STEP)))
            spent, took = (cpu_seconds(pid) - cpu) * 1000 / _STEP, time.monotonic() - began
            listed, size = await costs(api, pid, "services")
            tasks, _ = await costs(api, pid, "tasks")
            one, _ = await costs(api, pid, f'tasks?filters={{"service":["firstbell-bench-{start}"]}}', 20)
            count = start + _STEP
            print(
                f"{count},{spent:.1f},{took:.1f},{resident(pid)},{listed:.0f},{size // 1024},{tasks:.0f},{one:.1f}",
                flush=True,
            )
    finally:
        cpu = cpu_seconds(pid)
        gone = await remove_all(api)
        print(
            f"# removed {gone}: {(cpu_seconds(pid) - cpu) * 1000 / max(gone, 1):.1f} CPU ms each, {resident(pid)} MiB"
        )
        await api.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1000))

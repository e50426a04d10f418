"""The little of the Docker API that measuring needs: what a container used, and when things happened to it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import httpx

from bench import cgroup
from bench.cgroup import Usage

_API = "http://docker/v1.41"
_LISTENING = ("is running at", "firstbell: serving")
"""What jupyter_server and our launcher log when they begin to serve."""


class Engine:
    """The local daemon. Raises httpx.HTTPError where it does not answer."""

    def __init__(self) -> None:
        self._http = _client(timeout=60)

    def call(self, method: str, path: str, **query: Any) -> Any:
        """The decoded answer; None where there is none."""
        answer = self._http.request(method, _API + path, params=_encoded(query))
        answer.raise_for_status()
        return answer.json() if answer.content.strip() else None

    def names(self, **labels: str) -> list[str]:
        """Containers that carry all the labels, stopped ones too."""
        wanted = [f"{key.replace('_', '.')}={value}" for key, value in labels.items()]
        found = self.call("GET", "/containers/json", all=True, filters={"label": wanted})
        return sorted(c["Names"][0].lstrip("/") for c in found)

    def usage(self, container: str) -> Usage:
        """What the container has used until now, from its control group (the API's figures are up to a second old)."""
        pid = self.call("GET", f"/containers/{container}/json")["State"]["Pid"]
        return cgroup.usage(pid)

    def resident(self, container: str) -> int:
        """The sum of its processes' resident sets in bytes; pages they share count for each."""
        top = self.call("GET", f"/containers/{container}/top", ps_args="-eo pid,rss")
        column = top["Titles"].index("RSS")
        return sum(int(process[column]) for process in top["Processes"]) * 1024

    def processes(self, container: str) -> int:
        """How many run in it, its init included."""
        return len(self.call("GET", f"/containers/{container}/top")["Processes"])

    def image_with(self, **labels: str) -> str:
        """The reference of the newest image that carries all the labels."""
        wanted = [f"{key.replace('_', '.')}={value}" for key, value in labels.items()]
        found = self.call("GET", "/images/json", filters={"label": wanted})
        tagged = [image for image in found if image["RepoTags"]]
        return str(max(tagged, key=lambda image: image["Created"])["RepoTags"][0])

    def listening_at(self, container: str) -> float | None:
        """When its log first said that it listens (seconds since the epoch); None if it never did."""
        answer = self._http.get(
            f"{_API}/containers/{container}/logs", params={"stdout": "1", "stderr": "1", "timestamps": "1"}
        )
        for line in answer.text.splitlines():
            if any(words in line for words in _LISTENING):
                stamp = line[line.index("20") :].split(" ", 1)[0]
                return datetime.fromisoformat(stamp[:26] + "+00:00").timestamp()
        return None

    def remove_all(self, course: str) -> None:
        """Containers, volumes and networks that carry the course's label."""
        label = {"label": [f"firstbell.course={course}"]}
        for name in self.names(firstbell_course=course):
            self._gone("DELETE", f"/containers/{name}", force=True)
        for volume in self.call("GET", "/volumes", filters=label)["Volumes"] or []:
            self._gone("DELETE", f"/volumes/{volume['Name']}")
        for network in self.call("GET", "/networks", filters=label):
            self._gone("DELETE", f"/networks/{network['Id']}")

    def remove_volumes(self, beginning: str) -> None:
        """Those whose names begin so, labelled or not."""
        for volume in self.call("GET", "/volumes")["Volumes"] or []:
            if volume["Name"].startswith(beginning):
                self.remove_volume(volume["Name"])

    def remove_volume(self, name: str) -> None:
        """Remove a volume; none is fine."""
        self._gone("DELETE", f"/volumes/{name}")

    def make_network(self, name: str) -> str:
        """Make a bridge that carries its name as the course's label; its gateway."""
        body = {"Name": name, "CheckDuplicate": True, "Labels": {"firstbell.course": name}}
        self._http.post(f"{_API}/networks/create", json=body).raise_for_status()
        return str(self.call("GET", f"/networks/{name}")["IPAM"]["Config"][0]["Gateway"])

    def stream(self, course: str) -> Iterator[dict[str, Any]]:
        """What happens to the course's containers from now on, without an end."""
        filters = {"filters": {"type": ["container"], "label": [f"firstbell.course={course}"]}}
        with _client(timeout=None) as http, http.stream("GET", f"{_API}/events", params=_encoded(filters)) as answer:
            for line in answer.iter_lines():
                if line.strip():
                    yield json.loads(line)

    def _gone(self, method: str, path: str, **query: Any) -> None:
        try:
            self.call(method, path, **query)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise


class Events:
    """What happens to a course's containers while the `with` block runs: (seconds since the epoch, action)."""

    def __init__(self, course: str) -> None:
        self.seen: list[tuple[float, str]] = []
        self._course = course
        self._since = time.time()
        self._http = _client(timeout=None)

    def at(self, action: str) -> float | None:
        """When an action was first seen."""
        return next((when for when, what in self.seen if what == action), None)

    def fetch(self) -> None:
        """Read what has happened until now; the daemon keeps the last thousand or so events."""
        query = {"since": f"{self._since:.6f}", "until": f"{time.time():.6f}"}
        filters = {"filters": {"type": ["container"], "label": [f"firstbell.course={self._course}"]}}
        text = self._http.get(f"{_API}/events", params=query | _encoded(filters)).text
        events = [json.loads(line) for line in text.splitlines() if line.strip()]
        self.seen = [(event["timeNano"] / 1e9, event["Action"].split(":")[0]) for event in events]


def wait_until(condition: Callable[[], bool], what: str, deadline: float = 60, pause: float = 0.1) -> None:
    """Ask until it is so; TimeoutError names `what` after `deadline` seconds."""
    end, never = time.monotonic() + deadline, threading.Event()
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"after {deadline:.0f} s still waiting for {what}")
        never.wait(pause)


def _client(timeout: float | None) -> httpx.Client:
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://"):
        raise SystemExit(f"bench/run measures on the engine's own machine, over its Unix socket; DOCKER_HOST is {host}")
    return httpx.Client(transport=httpx.HTTPTransport(uds=host.removeprefix("unix://")), timeout=timeout)


def _encoded(query: dict[str, Any]) -> dict[str, str]:
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in query.items()}

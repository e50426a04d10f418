"""Takes leave of a cluster from a container on the node that goes: runs there with its Docker socket, alone.

It waits until what the Swarm runs for courses has ended, lets the node leave the Swarm (but for `--stay`), and removes
networks and images of ours. Standard library only.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from urllib.parse import quote

_SOCKET = "/var/run/docker.sock"
_DEADLINE = 600.0
"""Seconds; past them something keeps running, and nothing is removed under it."""
_PAUSE = 0.5
_OF_A_SERVICE = ("firstbell.course", "com.docker.swarm.service.id")


class _Daemon(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(_SOCKET)


def ask(method: str, path: str) -> tuple[int, object]:
    """The daemon's answer."""
    connection = _Daemon("docker")
    try:
        connection.request(method, f"/v1.41/{path}")
        response = connection.getresponse()
        body = response.read()
        return response.status, json.loads(body) if body.strip() else None
    finally:
        connection.close()


def ours(path: str, *labels: str) -> list[dict[str, str]]:
    """What carries all of the labels; networks, whose own labels may lie with the manager, by their names, too."""
    found = ask("GET", f"{path}filters={quote(json.dumps({'label': list(labels)}))}")[1]
    return found if isinstance(found, list) else []


def wait_until_alone() -> bool:
    """Until no service of ours has a container here."""
    until = time.monotonic() + _DEADLINE
    while time.monotonic() < until:
        if not ours("containers/json?", *_OF_A_SERVICE):
            return True
        time.sleep(_PAUSE)
    return False


def main(arguments: list[str]) -> int:
    """Leave; 0 where everything of ours that could go has gone."""
    if not wait_until_alone():
        sys.stdout.write("containers of courses are still here; nothing was removed\n")
        return 1
    failed = int("--stay" not in arguments and ask("POST", "swarm/leave")[0] >= 400)
    for container in ours("containers/json?all=1&", *_OF_A_SERVICE):  # ended ones, that a Swarm keeps for a while
        ask("DELETE", f"containers/{container['Id']}?force=1")
    networks = ask("GET", "networks")[1]
    for network in networks if isinstance(networks, list) else []:
        if "firstbell.course" in (network.get("Labels") or {}):
            failed += ask("DELETE", f"networks/{network['Id']}")[0] >= 400
    for image in ours("images/json?", "firstbell.role"):
        ask("DELETE", f"images/{image['Id']}?force=0")  # one that is in use stays: this program's own
    sys.stdout.write(f"done, {failed} refused\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

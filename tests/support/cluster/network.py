"""The network of a cluster: a bridge on this machine, and a namespace with one cable to it for each node."""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from signal import SIGKILL

_PREFIX = "fbc-"
_POOL = [IPv4Network(f"10.77.{number}.0/24") for number in range(80, 250)]
_HOST_END = 254


def command(*words: str | Path, check: bool = True) -> str:
    """Output of a command of this machine."""
    result = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert not check or result.returncode == 0, f"{' '.join(map(str, words))}\n{result.stdout}{result.stderr}"
    return result.stdout


@dataclass(frozen=True)
class Network:
    """The network of the cluster `name`; members are numbered from 1."""

    name: str
    subnet: IPv4Network

    @property
    def bridge(self) -> str:
        """The bridge's name, which is also the mark of this cluster's firewall rules."""
        return f"{_PREFIX}{self.name}"

    def address(self, number: int) -> str:
        """Of a member."""
        return str(self.subnet[number])

    def space(self, number: int) -> str:
        """Name of a member's network namespace, and of this machine's end of its cable."""
        return f"{_PREFIX}{self.name}-{number}"

    def make(self) -> None:
        """The bridge, and the way through it and out."""
        host = self.address(_HOST_END)
        command("ip", "link", "add", self.bridge, "mtu", _mtu(), "type", "bridge")
        command("ip", "addr", "add", f"{host}/{self.subnet.prefixlen}", "dev", self.bridge)
        command("ip", "link", "set", self.bridge, "up")
        mark = ("-m", "comment", "--comment", self.bridge)
        # A Docker Engine on this machine sets the policy of FORWARD to DROP.
        for way in ("-i", "-o"):
            command("iptables", "-w", "-I", "FORWARD", way, self.bridge, *mark, "-j", "ACCEPT")
        subnet = str(self.subnet)
        command("iptables", "-w", "-t", "nat", "-A", "POSTROUTING", "-s", subnet, "!", "-d", subnet, *mark,
                "-j", "MASQUERADE")  # fmt: skip

    def connect(self, number: int) -> None:
        """A namespace for a member, and its cable."""
        space = self.space(number)
        command("ip", "netns", "add", space)
        peer = ("peer", "name", "eth0", "mtu", _mtu(), "netns", space)
        command("ip", "link", "add", space, "mtu", _mtu(), "type", "veth", *peer)
        command("ip", "link", "set", space, "master", self.bridge, "up")
        command("ip", "-n", space, "link", "set", "lo", "up")
        command("ip", "-n", space, "addr", "add", f"{self.address(number)}/{self.subnet.prefixlen}", "dev", "eth0")
        command("ip", "-n", space, "link", "set", "eth0", "up")
        command("ip", "-n", space, "route", "add", "default", "via", self.address(_HOST_END))

    def disconnect(self, number: int) -> None:
        """Take cable and namespace away; both may be gone already."""
        space = self.space(number)
        end(space)
        command("ip", "link", "del", space, check=False)
        command("ip", "netns", "del", space, check=False)

    def plug(self, number: int, *, is_in: bool) -> None:
        """Pull a member's cable out, or put it in; at this machine's end, so that the member keeps its routes."""
        command("ip", "link", "set", self.space(number), "up" if is_in else "down")


def remove(name: str) -> None:
    """Everything of the cluster's network, and whatever runs in its namespaces; nothing left to do is fine."""
    bridge = f"{_PREFIX}{name}"
    for space in spaces(name):
        end(space)
        command("ip", "link", "del", space, check=False)
        command("ip", "netns", "del", space, check=False)
    command("ip", "link", "del", bridge, check=False)
    for table in ("filter", "nat"):
        for rule in command("iptables", "-w", "-t", table, "-S").splitlines():
            if re.search(rf'--comment "?{re.escape(bridge)}"?( |$)', rule):
                command("iptables", "-w", "-t", table, "-D", *rule.replace('"', "").split()[1:])


def spaces(name: str) -> list[str]:
    """Namespaces that exist for the cluster."""
    pattern = re.compile(rf"{re.escape(_PREFIX + name)}-\d+")
    with suppress(FileNotFoundError):
        return sorted(path.name for path in Path("/run/netns").iterdir() if pattern.fullmatch(path.name))
    return []


def end(space: str) -> None:
    """SIGKILL for every process of a namespace; the first of a process namespace takes all of it along."""
    try:
        own = Path("/run/netns", space).stat()
    except FileNotFoundError:
        return
    for process in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            pid = int(process.name)
            found = (process / "ns/net").stat()
            if (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino):
                os.kill(pid, SIGKILL)


def free_subnet() -> IPv4Network:
    """A /24 to which this machine has no route of its own yet."""
    routes = json.loads(command("ip", "-j", "route"))
    taken = [IPv4Network(route["dst"], strict=False) for route in routes if route["dst"] != "default"]
    return next(trial for trial in _POOL if not any(trial.overlaps(other) for other in taken))


def _mtu() -> str:
    """That of this machine's way out: larger packets of a node might not get anywhere."""
    routes = json.loads(command("ip", "-j", "route", "show", "default"))
    return Path("/sys/class/net", routes[0]["dev"], "mtu").read_text().strip() if routes else "1500"

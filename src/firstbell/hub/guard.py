"""The guard: keeps the packet filter of the servers' bridge in place.

Runs in a container of the host's network with NET_ADMIN and nothing else, reads the rules that `plan/network.py`
wrote, applies them in one transaction, and puts them back should a firewall reload have swept them away. On a node of a
cluster it makes the bridge, too (`hub/bridge.py`), behind rules that stand already.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

from firstbell.hub import bridge
from firstbell.model.runtime import HUB_ROOT

RULES_FILE = f"{HUB_ROOT}/rules.nft"
_RECHECK = 10.0
"""Seconds between two looks; a reload of another firewall leaves the bridge open at most this long."""


def _nft(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["nft", *arguments], capture_output=True, text=True, timeout=10, check=False)


def _apply() -> None:
    result = _nft("-f", RULES_FILE)
    if result.returncode != 0:
        sys.exit(f"The packet filter refused the rules; does this kernel have nf_tables?\n{result.stderr}")


def in_place(table: str) -> bool:
    """Whether the table stands."""
    return _nft("list", "table", "inet", table).returncode == 0


def keep(table: str, device: str = "", address: str = "") -> None:
    """Apply the rules, then look after them until SIGTERM. They stay when the guard goes.

    With a `device` the bridge of that name is kept with `address` (`172.18.0.1/20`), and stays, too.
    """
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    _apply()
    print("rules in place", flush=True)  # noqa: T201 - the container's log
    if device:
        bridge.make(device, address)
    while not stopped.wait(_RECHECK):
        if not in_place(table):
            print("rules were gone; putting them back", flush=True)  # noqa: T201
            _apply()
        if device and not bridge.has(device, address):
            print("the bridge was gone; making it anew", flush=True)  # noqa: T201
            bridge.make(device, address)


def _stand(table: str, device: str = "", address: str = "") -> bool:
    return in_place(table) and (not device or bridge.has(device, address))


def _remove(table: str, device: str = "") -> None:
    if in_place(table):
        _nft("delete", "table", "inet", table)
    if device:
        bridge.remove(device)


def main() -> None:
    """`TABLE` keeps the rules, `--check TABLE` exits 0 if they stand, `--remove TABLE` takes them away.

    Each on a cluster with the bridge behind the table: `DEVICE ADDRESS`, for `--remove` `DEVICE`.
    """
    match sys.argv[1:]:
        case ["--check", *what] if len(what) in {1, 3}:
            sys.exit(0 if _stand(*what) else 1)
        case ["--remove", *what] if len(what) in {1, 2}:
            _remove(*what)
        case [table, *bridged] if not table.startswith("-") and len(bridged) in {0, 2} and Path(RULES_FILE).is_file():
            keep(table, *bridged)
        case _:
            sys.exit("usage: python3 -m firstbell.hub.guard [--check|--remove] TABLE [DEVICE [ADDRESS]]")


if __name__ == "__main__":
    main()

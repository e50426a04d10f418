"""Sockets of a node: made in its network, used from here."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from pathlib import Path

from tests.support.cluster.node import Node

_CLONE_NEWNET = 0x40000000
"""linux/sched.h."""


def connected(node: Node, address: str, port: int, timeout: float = 30.0) -> socket.socket:
    """A connection that somebody on that node has opened. Raises OSError."""
    sock = inside(node)
    sock.settimeout(timeout)
    try:
        sock.connect((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def inside(
    node: Node, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, protocol: int = 0
) -> socket.socket:
    """A socket of that node's network: a thread goes there, makes it, and ends."""
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def go() -> None:
        space = os.open(Path("/run/netns", node.net.space(node.number)), os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(space, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket(family, kind, protocol))
        except OSError as error:
            failed.append(error)
        finally:
            os.close(space)

    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]

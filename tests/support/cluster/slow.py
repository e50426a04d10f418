"""Holds back and loses the packets that the firewall hands to queue 77 of this network namespace.

    python slow.py DELAY_MS LOSS_PERCENT

Netem would do it, but is not in every kernel. Packets stay in the kernel; only their numbers pass here. When this
program ends, the rule's `--queue-bypass` lets packets pass as if there was no rule.
"""

from __future__ import annotations

import collections
import random
import select
import socket
import struct
import sys
import time

QUEUE = 77
_NETFILTER = 12  # NETLINK_NETFILTER
_SUBSYSTEM = 3 << 8  # NFNL_SUBSYS_QUEUE
_PACKET, _VERDICT, _CONFIG = 0, 1, 2
_DROP, _ACCEPT = 0, 1
_HEADER = struct.Struct("=LHHLL")
_PLACE = struct.pack(">BBH", 0, 0, QUEUE)  # nfgenmsg: family, version, queue
_LONGEST_QUEUE = 100_000
_ROOM = 16 * 1024**2
_SO_RCVBUFFORCE = 33


def main() -> None:
    """Serve until killed."""
    delay, loss = float(sys.argv[1]) / 1000, float(sys.argv[2]) / 100
    link = _bound()
    print("ready", flush=True)
    held: collections.deque[tuple[float, bytes]] = collections.deque()
    while True:
        pause = max(0.0, held[0][0] - time.monotonic()) if held else None
        if select.select([link], [], [], pause)[0]:
            now = time.monotonic()
            for packet in _packets(_received(link)):
                if random.random() < loss:
                    _decide(link, packet, _DROP)
                else:
                    held.append((now + delay, packet))
        now = time.monotonic()
        while held and held[0][0] <= now:
            _decide(link, held.popleft()[1], _ACCEPT)


def _bound() -> socket.socket:
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
    link.bind((0, 0))
    link.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
    bind = struct.pack(">BBH", 1, 0, socket.AF_INET)
    copy_nothing = struct.pack(">LB", 0, 1)
    take_large_ones = struct.pack(">L", 1 << 2)  # NFQA_CFG_F_GSO: no packet is split for our sake
    for attributes in (
        _attribute(1, bind),
        _attribute(2, copy_nothing) + _attribute(3, struct.pack(">L", _LONGEST_QUEUE)),
        _attribute(4, take_large_ones) + _attribute(5, take_large_ones),
    ):
        _send(link, _CONFIG, attributes, is_answered=True)
        (error,) = struct.unpack_from("=l", link.recv(4096), _HEADER.size)
        if error:
            raise OSError(-error, "the kernel gives no packet queue")
    return link


def _packets(data: bytes) -> list[bytes]:
    """The numbers (4 bytes, network order) of packets in a message of the kernel."""
    found, at = [], 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind == _SUBSYSTEM | _PACKET:
            # after nfgenmsg, the first attribute is the packet's header, which begins with its number
            start = at + _HEADER.size + len(_PLACE) + 4
            found.append(data[start : start + 4])
        at += max(length + 3 & ~3, _HEADER.size)
    return found


def _received(link: socket.socket) -> bytes:
    try:
        return link.recv(65536)
    except OSError:  # the kernel had more to say than there was room for: those packets are lost
        return b""


def _decide(link: socket.socket, packet: bytes, verdict: int) -> None:
    _send(link, _VERDICT, _attribute(2, struct.pack(">L", verdict) + packet))


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _send(link: socket.socket, kind: int, attributes: bytes, *, is_answered: bool = False) -> None:
    flags = 1 | (4 if is_answered else 0)  # NLM_F_REQUEST, NLM_F_ACK
    link.send(
        _HEADER.pack(_HEADER.size + len(_PLACE) + len(attributes), _SUBSYSTEM | kind, flags, 0, 0) + _PLACE + attributes
    )


if __name__ == "__main__":
    main()

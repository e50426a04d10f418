"""The bridge device of a course on a node of a cluster, with the gateway's address.

A Swarm makes a node's part of a network when its first task comes, and so would make the gateway only then; but hub and
link listen there before. Docker takes a device that exists as it is, and leaves it when the network goes.
The kernel's own requests (netdevice(7), linux/if_bridge.h, linux/sockios.h), so that no other program is needed.
"""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
from ipaddress import IPv4Interface

_ADD_BRIDGE, _REMOVE_BRIDGE = 0x89A0, 0x89A1
_GET_ADDRESS, _SET_ADDRESS, _SET_NETMASK = 0x8915, 0x8916, 0x891C
_GET_FLAGS, _SET_FLAGS = 0x8913, 0x8914
_UP = 0x1


def _named(name: str, rest: bytes = b"") -> bytes:
    """A `struct ifreq`: sixteen bytes of the device's name, then what is said of it."""
    return struct.pack("16s24s", name.encode(), rest)


def _address(address: str) -> bytes:
    return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))


def _set_flags(asking: socket.socket, name: str, *, up: bool) -> None:
    flags = struct.unpack_from("=H", fcntl.ioctl(asking, _GET_FLAGS, _named(name)), 16)[0]
    fcntl.ioctl(asking, _SET_FLAGS, _named(name, struct.pack("=H", flags | _UP if up else flags & ~_UP)))


def has(name: str, address: str) -> bool:
    """Whether the device is there with that address (`172.18.0.1/20`)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, _GET_ADDRESS, _named(name))
        except OSError:
            return False
    return socket.inet_ntoa(answer[20:24]) == str(IPv4Interface(address).ip)


def make(name: str, address: str) -> None:
    """Make it if it is missing. Raises OSError."""
    interface = IPv4Interface(address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            fcntl.ioctl(asking, _ADD_BRIDGE, name.encode() + b"\0")
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
        if not has(name, address):
            fcntl.ioctl(asking, _SET_ADDRESS, _named(name, _address(str(interface.ip))))
            fcntl.ioctl(asking, _SET_NETMASK, _named(name, _address(str(interface.netmask))))
        _set_flags(asking, name, up=True)


def remove(name: str) -> None:
    """Remove it; nothing to do if there is none. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            _set_flags(asking, name, up=False)
            fcntl.ioctl(asking, _REMOVE_BRIDGE, name.encode() + b"\0")
        except OSError as error:
            if error.errno not in {errno.ENODEV, errno.ENXIO}:
                raise

"""What `up` reads of the machine."""

from __future__ import annotations

from pathlib import Path

from firstbell.work.gather import machine_resolvers


def test_resolvers_behind_a_stub_are_found(tmp_path: Path) -> None:
    """Where systemd-resolved is the machine's resolver, those that Docker gives to containers are let through, too."""
    stub, upstream = tmp_path / "resolv.conf", tmp_path / "upstream.conf"
    stub.write_text("# by systemd-resolved\nnameserver 127.0.0.53\noptions edns0\n")
    upstream.write_text("nameserver 192.168.1.1\nnameserver fe80::1%eth0\nnameserver 192.168.1.1\n")
    assert machine_resolvers((stub, upstream, tmp_path / "none")) == ("127.0.0.53", "192.168.1.1", "fe80::1")

"""A directory that all nodes of a cluster share: GlusterFS over FUSE, its server a machine of its own. Needs root."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.cluster import Cluster, Node
from tests.support.cluster.node import wait

NUMBER = 100
"""The file server's number in the cluster's network, above those of all nodes."""
PORT = 49152
"""Where GlusterFS has its first brick."""
HOMES = Path("/mnt/homes")
_SERVER = """\
volume disk
  type storage/posix
  option directory {directory}
end-volume
volume locks
  type features/locks
  subvolumes disk
end-volume
volume homes
  type performance/io-threads
  subvolumes locks
end-volume
volume server
  type protocol/server
  option transport-type tcp
  option transport.socket.listen-port {port}
  option transport.address-family inet
  option auth.addr.homes.allow *
  subvolumes homes
end-volume
"""
_CLIENT = """\
volume remote
  type protocol/client
  option transport-type tcp
  option remote-host {address}
  option remote-port {port}
  option remote-subvolume homes
  option ping-timeout {patience}
end-volume
volume homes
  type performance/write-behind
  subvolumes remote
end-volume
"""
_MOUNT = """\
mountpoint -q {parent} || mount -t tmpfs tmpfs {parent}
mkdir -p {place}
glusterfs --volfile {client} --log-file {log} {place}
"""
_PING_SECONDS = 10
"""Twice these without an answer, and the server is given up; GlusterFS's own 42 s are long for a test."""


@dataclass(frozen=True)
class FileServer:
    """The machine with the disk; `directory` is what is on it, seen from here."""

    cluster: Cluster
    place: Path

    @property
    def folder(self) -> Path:
        """Of the server's own things."""
        return self.cluster.manager.folder.parent / "files"

    @property
    def directory(self) -> Path:
        """The disk; reading it here does not need the server. Write through the nodes."""
        return self.folder / "disk"

    @property
    def address(self) -> str:
        """In the cluster's network."""
        return self.cluster.manager.net.address(NUMBER)

    @property
    def pid(self) -> int:
        """The server's process; 0 when it is stopped."""
        with suppress(OSError, ValueError):
            pid = int((self.folder / "pid").read_text())
            return pid if "glusterfsd" in Path(f"/proc/{pid}/cmdline").read_text() else 0
        return 0

    def make(self) -> None:
        """The machine, its disk and its description; then start it."""
        self.cluster.manager.net.connect(NUMBER)
        self.directory.mkdir(parents=True)
        (self.folder / "server.vol").write_text(_SERVER.format(directory=self.directory, port=PORT))
        client = _CLIENT.format(address=self.address, port=PORT, patience=_PING_SECONDS)
        (self.folder / "client.vol").write_text(client)
        self.start()

    def start(self) -> None:
        """Serve, as before."""
        space = self.cluster.manager.net.space(NUMBER)
        serve = ("glusterfsd", "--no-daemon", f"--volfile={self.folder}/server.vol", f"--log-file={self.folder}/log")
        started = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{space}", *serve], stdin=subprocess.DEVNULL, start_new_session=True
        )
        (self.folder / "pid").write_text(str(started.pid))
        wait(self._answers, "the file server answers")

    def stop(self) -> None:
        """End it without a word; whatever the nodes read or write there fails until it is started."""
        if pid := self.pid:
            os.kill(pid, signal.SIGKILL)
            wait(lambda: not self.pid, "the file server ends")

    def cut(self) -> None:
        """Pull its cable; whatever the nodes read or write there hangs, and fails after about twenty seconds."""
        self.cluster.manager.net.plug(NUMBER, is_in=False)

    def heal(self) -> None:
        """Cable in."""
        self.cluster.manager.net.plug(NUMBER, is_in=True)

    def mount(self, node: Node) -> None:
        """Let the node have the directory, now and whenever it boots."""
        log = self.folder / f"{node.name}.log"
        client = self.folder / "client.vol"
        script = _MOUNT.format(parent=self.place.parent, place=self.place, client=client, log=log)
        node.at_boot.write_text(script)
        node.run("sh", node.at_boot)
        wait(lambda: self.is_mounted(node), f"{self.place} is mounted on {node.name}: see {log}")

    def unmount(self, node: Node) -> None:
        """Take it away, now and at its next boots; what containers have open stays with them."""
        node.at_boot.unlink(missing_ok=True)
        if node.pid:
            node.run("umount", "--lazy", self.place, check=False)

    def is_mounted(self, node: Node) -> bool:
        """Whether it is, and answers there."""
        return node.run("stat", "--file-system", "--format=%T", self.place, check=False).stdout.strip() == "fuseblk"

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((self.address, PORT), timeout=1):
            return True
        return False


@contextmanager
def shared_files(cluster: Cluster, place: Path = HOMES) -> Iterator[FileServer]:
    """A file server whose directory every node has at `place`; removed with all files at the end."""
    made = FileServer(cluster, place)
    _remove(made)
    try:
        made.make()
        for node in cluster.nodes:
            made.mount(node)
        yield made
    finally:
        for node in cluster.nodes:
            made.unmount(node)
        _remove(made)


def _remove(made: FileServer) -> None:
    made.cluster.manager.net.disconnect(NUMBER)
    shutil.rmtree(made.folder, ignore_errors=True)

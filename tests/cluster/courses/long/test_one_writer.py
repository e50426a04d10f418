"""Two servers never write one shared home at once, also through a partition: the lease, with real containers."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firstbell import singleuser
from firstbell.hub.homes.leases import Leases
from tests.support.cluster import Cluster, Node
from tests.support.cluster.node import wait
from tests.support.cluster_files import HOMES, FileServer

LEASE = 6.0
PORT = 18987
HUB = f"""
import http.server, time
class Hub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        print(self.path, flush=True)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", {PORT}), Hub).serve_forever()
"""
WRITER = """
import os, sys, time
with open("/home/jovyan/log", "a") as log:
    while True:
        log.write("%s %.6f\\n" % (sys.argv[1], time.clock_gettime(time.CLOCK_BOOTTIME)))
        log.flush()
        os.fsync(log.fileno())
"""
SERVER = f"""
import subprocess, sys
sys.path.insert(0, "/launcher")
from singleuser.lease import Lease, Question, end_all
subprocess.Popen([sys.executable, "-c", {WRITER!r}, sys.argv[1]])
Lease({LEASE}, Question(sys.argv[2] + "/" + sys.argv[1], "token"), end_all).keep()
"""


class Hub:
    """Answers leases on the manager, and counts them as the hub does."""

    def __init__(self, node: Node) -> None:
        self.url = f"http://{node.address}:{PORT}"
        self.leases = Leases(LEASE)
        self._process = subprocess.Popen(node.inside("python3", "-c", HUB), stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.leases.grant(line.strip().strip("/"))

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def server(node: Node, image: str, hub: Hub) -> Iterator[str]:
    """A launcher that keeps its lease, with a program that writes without end; its container's name."""
    name = f"one-writer-{node.name}"
    launcher = Path(singleuser.__file__).parent
    mounts = ("-v", f"{HOMES}/writer:/home/jovyan", "-v", f"{launcher}:/launcher/singleuser:ro")
    words = ("--init", "--network", "host", "--user", "1000:1000", *mounts, image, "python3", "-c", SERVER)
    node.docker("run", "--detach", "--name", name, *words, node.name, hub.url)
    try:
        yield name
    finally:
        node.docker("rm", "--force", name, check=False)


@contextmanager
def without_hub(node: Node, hub: Node) -> Iterator[None]:
    """The node reaches everything, the file server too, but not its hub."""
    rule = ("OUTPUT", "--destination", hub.address, "--jump", "DROP")
    node.run("iptables", "-w", "-I", *rule)
    try:
        yield
    finally:
        node.run("iptables", "-w", "-D", *rule)


def test_a_node_that_lost_its_hub_writes_no_more_when_another_does(
    cluster: Cluster, files: FileServer, image: str
) -> None:
    """Cut from the hub, but not from the files, a server writes on until its lease ends; the next one begins later."""
    one, two = cluster.workers
    one.run("install", "-d", "-o", "1000", "-g", "1000", HOMES / "writer")
    log, hub = files.directory / "writer" / "log", Hub(cluster.manager)

    def times(node: Node) -> list[float]:
        lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
        return [float(words[1]) for words in lines if len(words) == 2 and words[0] == node.name]

    try:
        with server(one, image, hub) as first:
            wait(lambda: len(times(one)) > 50, "the first one writes")
            with without_hub(one, cluster.manager):
                cut = time.clock_gettime(time.CLOCK_BOOTTIME)
                wait(lambda: hub.leases.left(one.name) == 0, "the lease is over")
                with server(two, image, hub):
                    wait(lambda: len(times(two)) > 50, "the second one writes")
                    running = one.docker("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", first)
            wait(lambda: one.run("true").returncode == 0, "healed")
    finally:
        hub.end()
    before, after = times(one), times(two)
    assert running == "exited 75"
    assert max(before) > cut + LEASE / 5, "it wrote on after the cut, so that the test means something"
    assert max(before) < min(after)
    print(f"{len(before)} and {len(after)} lines; {min(after) - max(before):.1f} s between the two writers")

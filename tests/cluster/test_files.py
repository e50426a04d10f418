"""The directory that the nodes of a cluster share is one for containers, too, and outlives its server's trouble."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.cluster import Cluster, Node
from tests.support.cluster.node import wait
from tests.support.cluster_files import HOMES, FileServer

WRITER = """\
i=0
while :; do
    i=$((i+1))
    busybox dd if=/dev/urandom of=$HOME/new bs=64k count=4 conv=fsync 2>/dev/null || continue
    sum=$(busybox sha256sum < $HOME/new) || continue
    busybox mv $HOME/new $HOME/$i.bin && echo $i $sum
done
"""
"""Says number and hash of each file that it has written, once it is safely there."""


def container(node: Node, image: str, *words: str) -> str:
    """What a container with the shared directory says, on that node."""
    return node.docker("run", "--rm", "--volume", f"{HOMES}:{HOMES}", image, *words)


@contextmanager
def writer(node: Node, image: str) -> Iterator[str]:
    """A container that writes on that node; its name."""
    name = f"writer-{node.name}"
    words = ("--env", f"HOME={HOMES}/{node.name}", "--volume", f"{HOMES}:{HOMES}", image, "sh", "-c", WRITER)
    node.run("mkdir", "-p", HOMES / node.name)
    node.docker("run", "--detach", "--name", name, *words)
    try:
        yield name
    finally:
        node.docker("rm", "--force", name)


def written(node: Node, name: str) -> dict[str, str]:
    """Number → hash of what a writer has written."""
    lines = [line.split() for line in node.docker("logs", name).splitlines()]
    return {words[0]: words[1] for words in lines}


def test_what_a_container_writes_on_one_node_a_container_reads_on_another(
    cluster: Cluster, files: FileServer, busybox: str
) -> None:
    """A file written on node2 is read on node3, and a lock held on one is seen on the other."""
    _, second, third = cluster.nodes
    container(second, busybox, "sh", "-c", f"echo hello > {HOMES}/greeting")
    assert container(third, busybox, "cat", f"{HOMES}/greeting") == "hello"
    lock = str(HOMES / "lock")
    holder = subprocess.Popen(
        second.inside("flock", lock, "sh", "-c", "echo held; read _"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout and holder.stdin and holder.stdout.readline()
    assert third.run("flock", "--nonblock", lock, "true", check=False).returncode == 1
    holder.communicate(b"\n")
    assert third.run("flock", "--wait", "10", lock, "true", check=False).returncode == 0


def test_no_written_file_is_lost_or_changed_when_the_file_server_ends_under_load(
    cluster: Cluster, files: FileServer, busybox: str
) -> None:
    """Two nodes write while the server is killed twice: whatever was written has its hash, and writing goes on."""
    with ExitStack() as stack:
        writers = {node: stack.enter_context(writer(node, busybox)) for node in cluster.workers}

        def more(count: int) -> None:
            start = {node: len(written(node, name)) for node, name in writers.items()}
            wait(lambda: all(len(written(n, w)) >= start[n] + count for n, w in writers.items()), "more is written")

        more(5)
        for _ in range(2):
            files.stop()
            _refuses(cluster.workers[0])
            started = time.monotonic()
            files.start()
            more(5)
            print(f"writing again after {time.monotonic() - started:.1f} s")
        all_written = {node: written(node, name) for node, name in writers.items()}
    for node, sums in all_written.items():
        for number, expected in sums.items():
            assert _sha256(files.directory / node.name / f"{number}.bin") == expected, (node.name, number)
    print("files written:", *(len(sums) for sums in all_written.values()))


def test_a_node_that_boots_has_the_directory_before_its_containers(
    mended: Cluster, files: FileServer, busybox: str
) -> None:
    """After a power cut the node mounts it again before its daemon starts anything."""
    node = mended.workers[1]
    container(mended.workers[0], busybox, "sh", "-c", f"echo there > {HOMES}/after-boot")
    node.kill()
    node.start()
    assert container(node, busybox, "cat", f"{HOMES}/after-boot") == "there"


def _refuses(node: Node) -> None:
    wait(lambda: node.run("touch", HOMES / "x", check=False).returncode != 0, "writing fails")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

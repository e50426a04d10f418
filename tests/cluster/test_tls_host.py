"""A real daemon that answers on TCP only to whoever shows a certificate (`dockerd --tlsverify`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from firstbell.engine.connect import connect
from firstbell.errors import EngineUnavailable
from firstbell.model.container import ContainerSpec
from firstbell.model.image import BuildSpec
from tests.support.cluster import Cluster
from tests.support.docker_certificates import write_certificates

PORT = 2376


@pytest.fixture(scope="module")
def guarded(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, Path]]:
    """The last node's daemon, which listens on TCP as well: its address, a good client's folder, a stranger's."""
    node, folder = cluster.nodes[-1], tmp_path_factory.mktemp("tls")
    daemon, client = write_certificates(folder / "ours", node.address)
    _, stranger = write_certificates(folder / "theirs", node.address)
    files = f"--tlscacert {daemon}/ca.pem --tlscert {daemon}/cert.pem --tlskey {daemon}/key.pem"
    node.stop()
    node.at_boot.write_text(f'dockerd() {{ command dockerd "$@" --host tcp://0.0.0.0:{PORT} --tlsverify {files}; }}\n')
    node.start()
    try:
        yield f"tcp://{node.address}:{PORT}", client, stranger
    finally:
        node.stop()
        node.at_boot.unlink()
        node.start()


async def test_everything_goes_through_tls(guarded: tuple[str, Path, Path], busybox: str) -> None:
    """Facts, a helper whose input ends and whose answer is complete, and a build: as with a socket."""
    address, client, _ = guarded
    engine = await connect("docker", address, client)
    try:
        assert (await engine.facts()).version
        spec = ContainerSpec("test-tls-cat", busybox, ("cat",))
        given = bytes(range(256)) * 4000
        assert (await engine.run(spec, stdin=given)).stdout == given
        built = await engine.build(BuildSpec("firstbell-test/tls:1", f"FROM {busybox}\nLABEL a=b\n"))
        assert built.labels["a"] == "b"
        await engine.remove_image("firstbell-test/tls:1")
    finally:
        await engine.close()


async def test_a_certificate_of_somebody_else_is_refused_in_words(guarded: tuple[str, Path, Path]) -> None:
    """Who is not known to the daemon is told that TLS was refused, where, and how to see for themselves."""
    address, _, stranger = guarded
    engine = await connect("docker", address, stranger)
    try:
        with pytest.raises(EngineUnavailable, match=r"certificate|tls"):
            await engine.facts()
    finally:
        await engine.close()

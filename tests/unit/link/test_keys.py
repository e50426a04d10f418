"""The keys of a cluster: who is believed to be whom, and for how long."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from firstbell.errors import FirstbellError
from firstbell.link import authority, tls
from firstbell.link.keys import ClusterKeys, KeyPair, RoleKeys
from firstbell.model.cluster import KeyRole, Purpose

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(scope="module")
def keys() -> ClusterKeys:
    return authority.make(NOW)


def _shake(client: ssl.SSLObject, server: ssl.SSLObject) -> None:
    for _ in range(6):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    try:
        server.read(1)
    except ssl.SSLWantReadError:
        return


def handshake(client: RoleKeys, server: RoleKeys, purpose: Purpose) -> ssl.SSLObject:
    """The server's side of a link made in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = tls.client_context(client, purpose).wrap_bio(to_client, to_server, server_hostname=tls.LINK_NAME)
    answering = tls.server_context(server).wrap_bio(to_server, to_client, server_side=True)
    _shake(asking, answering)
    return answering


@pytest.mark.parametrize("role", KeyRole)
def test_a_role_is_known_by_its_certificate(keys: ClusterKeys, role: KeyRole) -> None:
    """A link knows who connects, and what for."""
    ours = handshake(keys.of(role), keys.of(KeyRole.NODE), Purpose.SERVER)
    assert tls.role_of(ours.getpeercert()) is role
    assert ours.version() == "TLSv1.3"
    assert ours.selected_alpn_protocol() == Purpose.SERVER.value


@pytest.mark.parametrize("role", [KeyRole.HUB, KeyRole.TUNNEL])
def test_only_a_node_passes_for_a_link(keys: ClusterKeys, role: KeyRole) -> None:
    """With a hub's or tunnel's keys nobody can pose as a link."""
    with pytest.raises(ssl.SSLError):
        handshake(keys.of(KeyRole.HUB), keys.of(role), Purpose.DOCKER)


def test_another_cluster_is_refused(keys: ClusterKeys) -> None:
    """Keys of another cluster open nothing, in either direction."""
    strange = authority.make(NOW)
    with pytest.raises(ssl.SSLError):
        handshake(strange.of(KeyRole.HUB), keys.of(KeyRole.NODE), Purpose.DOCKER)
    mixed = RoleKeys(KeyRole.HUB, keys.authority.certificate, strange.pairs[KeyRole.HUB])
    with pytest.raises(ssl.SSLError):
        handshake(mixed, keys.of(KeyRole.NODE), Purpose.DOCKER)


def test_a_node_may_reach_hubs_and_registry_only(keys: ClusterKeys) -> None:
    """A worker's keys open neither a daemon nor a server of another node, a tunnel's nothing but servers."""
    peer = handshake(keys.of(KeyRole.NODE), keys.of(KeyRole.NODE), Purpose.HUB).getpeercert()
    may = {purpose for purpose in Purpose if tls.allowed(peer, purpose.value)}
    assert may == {Purpose.HUB, Purpose.REGISTRY}
    tunnel = handshake(keys.of(KeyRole.TUNNEL), keys.of(KeyRole.NODE), Purpose.SERVER).getpeercert()
    assert {p for p in Purpose if tls.allowed(tunnel, p.value)} == {Purpose.SERVER, Purpose.NODES, Purpose.PING}
    assert tls.allowed(tunnel, None) is None
    assert tls.allowed(tunnel, "http/1.1") is None
    assert tls.allowed(None, Purpose.SERVER.value) is None


def test_files_and_bundle_come_back_as_they_were(keys: ClusterKeys) -> None:
    """What was written to the volume, or handed out as a secret, is read back the same; half a volume is none."""
    assert ClusterKeys.read(keys.files) == keys
    own = keys.of(KeyRole.TUNNEL)
    assert RoleKeys.read(KeyRole.TUNNEL, own.bundle) == own
    assert keys.authority.key not in own.bundle
    assert ClusterKeys.read({"hub.crt": b"x", "hub.key": b"y"}) is None
    with pytest.raises(FirstbellError, match="cannot be read"):
        RoleKeys.read(KeyRole.HUB, b"nonsense")


def test_no_key_is_printed(keys: ClusterKeys) -> None:
    """A private key is in no text that a log could take."""
    assert "PRIVATE" not in repr(keys)


def test_renewal_keeps_the_authority_and_what_is_good(keys: ClusterKeys) -> None:
    """Years later a new pair of the same authority works beside the old ones; before that nothing changes."""
    assert authority.renewed(keys, NOW + timedelta(days=365)) == keys
    later = NOW + timedelta(days=authority.ROLE_DAYS - authority.RENEW_DAYS + 1)
    new = authority.renewed(keys, later)
    assert new.authority == keys.authority
    assert all(new.pairs[role] != keys.pairs[role] for role in KeyRole)
    soon = NOW - timedelta(days=authority.ROLE_DAYS - 1)
    replaced = authority.renewed(authority.make(soon), NOW)
    assert tls.role_of(handshake(replaced.of(KeyRole.HUB), replaced.of(KeyRole.NODE), Purpose.PING).getpeercert())


def test_a_missing_role_is_made(keys: ClusterKeys) -> None:
    """Keys that an older version made get the roles that it did not know."""
    old = ClusterKeys.read({name: content for name, content in keys.files.items() if not name.startswith("tunnel")})
    assert old is not None
    assert set(authority.stale(old, NOW)) == {KeyRole.TUNNEL}
    assert isinstance(authority.renewed(old, NOW).pairs[KeyRole.TUNNEL], KeyPair)


def test_a_clock_that_is_behind_does_no_harm(keys: ClusterKeys) -> None:
    """Certificates are good on a machine whose clock is some days behind."""
    for pair in (keys.authority, *keys.pairs.values()):
        certificate = x509.load_pem_x509_certificate(pair.certificate)
        assert certificate.not_valid_before_utc <= NOW - timedelta(days=7)


def test_days_until_keys_end(keys: ClusterKeys) -> None:
    """Pairs end after ten years, their authority after thirty; what is missing has ended."""
    assert authority.days_left(keys, NOW) == authority.ROLE_DAYS
    assert authority.authority_days_left(keys, NOW) == authority.AUTHORITY_DAYS
    assert authority.days_left(keys, NOW + timedelta(days=authority.ROLE_DAYS + 1)) < 0
    lacking = ClusterKeys(keys.authority, {KeyRole.HUB: keys.pairs[KeyRole.HUB]})
    assert authority.days_left(lacking, NOW) < 0

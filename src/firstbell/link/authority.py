"""Makes and renews the keys of a cluster: an authority of its own, and a pair for each role.

Pure but for chance and the clock that is handed in. Addresses change, so no certificate names one: each is for the
fixed name of its role. Trust ends where the authority ends; there is no list of revoked certificates. Whoever fears
that a key was seen makes new keys of everything (`make`; `firstbell nodes renew-keys`), which ends every link once.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from firstbell.link.keys import ClusterKeys, KeyPair
from firstbell.link.tls import name_of
from firstbell.model.cluster import KeyRole

AUTHORITY_DAYS = 30 * 365
ROLE_DAYS = 10 * 365
RENEW_DAYS = 5 * 365
"""A role's pair with less left is made anew by the next `up`: it never runs out between two uses of a course."""
_BEFORE = timedelta(days=7)
"""Valid from so long before it was made, for machines whose clock is behind."""


def make(now: datetime) -> ClusterKeys:
    """New keys of everything."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Firstbell cluster")])
    builder = _begun(name, key.public_key(), now, AUTHORITY_DAYS).issuer_name(name)
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority = _pair(certificate, key)
    return ClusterKeys(authority, MappingProxyType({role: _role_pair(role, authority, now) for role in KeyRole}))


def renewed(keys: ClusterKeys, now: datetime) -> ClusterKeys:
    """The same keys, with new pairs of the same authority for roles whose own is missing or soon out of date.

    Old pairs stay good until they end, so programs can be handed the new ones one after another.
    """
    old = set(stale(keys, now))
    pairs = {role: _role_pair(role, keys.authority, now) if role in old else keys.pairs[role] for role in KeyRole}
    return ClusterKeys(keys.authority, MappingProxyType(pairs))


def stale(keys: ClusterKeys, now: datetime) -> Collection[KeyRole]:
    """Roles that `renewed` would give a new pair."""
    return tuple(role for role in KeyRole if _days_left(keys, role, now) < RENEW_DAYS)


def days_left(keys: ClusterKeys, now: datetime) -> int:
    """Days until the first of the roles' pairs ends; negative where one has ended or is missing."""
    return min(_days_left(keys, role, now) for role in KeyRole)


def authority_days_left(keys: ClusterKeys, now: datetime) -> int:
    """Days until the authority ends, and with it all that it has signed."""
    return (x509.load_pem_x509_certificate(keys.authority.certificate).not_valid_after_utc - now).days


def _days_left(keys: ClusterKeys, role: KeyRole, now: datetime) -> int:
    if role not in keys.pairs:
        return -1
    certificate = x509.load_pem_x509_certificate(keys.pairs[role].certificate)
    return (certificate.not_valid_after_utc - now).days


def _role_pair(role: KeyRole, authority: KeyPair, now: datetime) -> KeyPair:
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    issuer_key = serialization.load_pem_private_key(authority.key, None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"the authority's key is {type(issuer_key).__name__}")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role.value),
            x509.NameAttribute(NameOID.COMMON_NAME, name_of(role)),
        ]
    )
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if role is KeyRole.NODE else [])]
    certificate = (
        _begun(name, key.public_key(), now, ROLE_DAYS)
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name_of(role))]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return _pair(certificate, key)


def _begun(name: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, days: int) -> x509.CertificateBuilder:
    # The serial number is chance (RFC 5280 wants it unique per issuer), so nothing has to be remembered.
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> KeyPair:
    return KeyPair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )

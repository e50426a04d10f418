"""Certificates as Docker's own page has them made: an authority, a daemon's and a client's, each as a folder of PEM."""

from __future__ import annotations

import datetime as dt
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = dt.timedelta(days=1)


def write_certificates(folder: Path, address: str) -> tuple[Path, Path]:
    """`ca.pem`, `cert.pem` and `key.pem` for a daemon at `address` (IP) and for its client; the two folders."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("authority of a test")
    authority = (
        _begun(name, name, key).add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
    for which, use in (("daemon", ExtendedKeyUsageOID.SERVER_AUTH), ("client", ExtendedKeyUsageOID.CLIENT_AUTH)):
        own = ec.generate_private_key(ec.SECP256R1())
        begun = _begun(_name(which), name, own).add_extension(x509.ExtendedKeyUsage([use]), False)
        certificate = begun.add_extension(names, False).sign(key, hashes.SHA256())
        (folder / which).mkdir(parents=True)
        (folder / which / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
        (folder / which / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / which / "key.pem").write_bytes(
            own.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return folder / "daemon", folder / "client"


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _begun(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )

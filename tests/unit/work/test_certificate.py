"""Certificates as a browser would judge them."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from firstbell.model.course import CertificateFiles
from firstbell.work.certificate import judge


def make(folder: Path, *, host: str = "a.example.org", days: int = 30, name: str = "c") -> CertificateFiles:
    files = CertificateFiles(cert=folder / f"{name}.pem", key=folder / f"{name}.key")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", str(days), "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"),
            *("-keyout", str(files.key), "-out", str(files.cert)),
        ],
        check=True,
        capture_output=True,
    )
    return files


def test_good_certificate(tmp_path: Path):
    """A certificate for the name, valid today, with its key, is good until it ends."""
    found = judge(make(tmp_path), "a.example.org")
    assert found.refusal == ""
    assert found.expires is not None
    assert abs(found.expires - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=5)
    assert not found.lacks_chain


@pytest.mark.parametrize(
    ("asked", "certified", "good"),
    [
        ("b.example.org", "a.example.org", False),
        ("b.example.org", "*.example.org", True),
        ("x.b.example.org", "*.example.org", False),
    ],
)
def test_name(tmp_path: Path, asked: str, certified: str, good: bool):
    """The name must be in it, wildcards as browsers read them."""
    refusal = judge(make(tmp_path, host=certified), asked).refusal
    assert (refusal == "") is good
    assert good or "mismatch" in refusal.lower()


def test_expired(tmp_path: Path):
    """A certificate of yesterday is refused as expired."""
    files = CertificateFiles(cert=tmp_path / "c.pem", key=tmp_path / "c.key")
    make(tmp_path)
    subprocess.run(
        [
            *("openssl", "x509", "-in", str(files.cert), "-signkey", str(files.key), "-days", "-1"),
            *("-copy_extensions", "copyall", "-out", str(tmp_path / "old.pem")),
        ],
        check=True,
        capture_output=True,
    )
    assert "expired" in judge(CertificateFiles(cert=tmp_path / "old.pem", key=files.key), "a.example.org").refusal


def test_key_of_another(tmp_path: Path):
    """A key that belongs to another certificate is refused."""
    one, two = make(tmp_path), make(tmp_path, name="d")
    assert "mismatch" in judge(CertificateFiles(cert=one.cert, key=two.key), "a.example.org").refusal


@pytest.mark.parametrize(
    "content", [None, b"", b"no pem", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate(tmp_path: Path, content: bytes | None):
    """Missing, empty and broken files are refused in words, never with an exception."""
    files = CertificateFiles(cert=tmp_path / "c.pem", key=tmp_path / "c.key")
    if content is not None:
        files.cert.write_bytes(content)
        files.key.write_bytes(content)
    assert judge(files, "a.example.org").refusal

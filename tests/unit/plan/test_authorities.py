"""Whom a server trusts."""

from __future__ import annotations

from firstbell.plan.authorities import joined


def pem(name: str) -> bytes:
    """Something of a certificate's shape."""
    return f"-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----".encode()


def test_the_images_own_authorities_stay_trusted() -> None:
    """A course's authority is added to those of the image, each once."""
    both = joined(b"# public\n" + pem("a") + b"\n" + pem("b"), pem("own") + b"\n" + pem("b") + b"\n")
    assert [both.count(pem(name)) for name in ("a", "b", "own")] == [1, 1, 1]


def test_nothing_is_said_where_nothing_is_named() -> None:
    """Without authorities of the course, the image is left to its own."""
    assert joined(pem("a"), b"") == b""


def test_an_image_without_authorities() -> None:
    """What the course names is there also where the image has none."""
    assert pem("own") in joined(b"", pem("own"))

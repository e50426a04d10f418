"""Names of images as registries take them."""

from __future__ import annotations

import pytest

from firstbell.errors import CourseFileError
from firstbell.model.registry import Credentials, Reference, parse_reference
from firstbell.model.secret import Secret


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("debian", Reference("", "debian", "latest")),
        ("debian:trixie-slim", Reference("", "debian", "trixie-slim")),
        ("library/debian:1", Reference("", "library/debian", "1")),
        ("lab/course:2026", Reference("", "lab/course", "2026")),
        ("localhost/course", Reference("localhost", "course", "latest")),
        ("registry.example.org/a/b-c/d__e:1.0_x", Reference("registry.example.org", "a/b-c/d__e", "1.0_x")),
        ("127.0.0.1:5000/course:1", Reference("127.0.0.1:5000", "course", "1")),
        ("[2001:db8::1]:5000/course:1", Reference("[2001:db8::1]:5000", "course", "1")),
        ("a@sha256:" + "0" * 64, Reference("", "a", "", "sha256:" + "0" * 64)),
    ],
)
def test_a_name_is_taken_apart(text: str, parts: Reference) -> None:
    """What stands before the first slash is a registry if it has a dot or port, as Docker has it."""
    assert parse_reference(text) == parts


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("registry.example.org/Course:1", "lower case"),
        ("Course", "lower case"),
        ("https://registry.example.org/course", "not with http"),
        ("registry.example.org/", "the image's own name"),
        ("registry.example.org/a//b", '""'),
        ("registry.example.org/a b", "spaces"),
        ("registry.example.org/-a", '"-a"'),
        ("registry.example.org/a__-b", '"a__-b"'),
        ("registry.example.org/a:", 'the tag ""'),
        ("registry.example.org/a:.b", 'the tag ".b"'),
        ("registry.example.org/a:b:c", 'the tag "b:c"'),
        ("registry.example.org:port/a", "is no host with a port"),
        ("-registry.example.org/a", "is no host"),
        ("a@sha256:0", "no digest"),
        ("a/" * 150 + "a", "longer than 255"),
        ("", "the image's own name"),
        ("registry.example.org/übung", '"übung"'),
    ],
)
def test_a_name_that_no_registry_takes(text: str, rule: str) -> None:
    """A name that breaks a rule is refused with the rule, before anything is built or sent."""
    with pytest.raises(CourseFileError) as caught:
        parse_reference(text)
    assert rule in caught.value.what
    assert caught.value.next_step


@pytest.mark.parametrize("text", ["a:latest", "localhost:5000/a/b:1", "x.y/z@sha256:" + "a" * 64])
def test_a_name_prints_as_it_was(text: str) -> None:
    """A reference is the text it was made from."""
    assert str(parse_reference(text)) == text


def test_a_login_never_prints() -> None:
    """Neither the text nor the representation of a login holds its secret."""
    login = Credentials("registry.example.org", "ada", Secret("file:x", "correct horse"))
    assert "correct horse" not in f"{login} {login!r}"

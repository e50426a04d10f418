"""What registries say, in words for people."""

from __future__ import annotations

import pytest

from firstbell.engine.docker_share_failure import is_definite, of_registry
from firstbell.model.registry import Credentials
from firstbell.model.secret import Secret

LOGIN = Credentials("r.example.org", "ada", Secret("file:x", "pw"))


@pytest.mark.parametrize(
    ("words", "what", "next_step"),
    [
        ("no basic auth credentials", "who is not logged in", "docker login r.example.org"),
        ("denied: requested access to the resource is denied", "refuses", "docker login r.example.org"),
        ("manifest for r/x:1 not found: manifest unknown", "has no such image", "Check the name"),
        ('Get "https://r/v2/": http: server gave HTTP response to HTTPS client', "speaks HTTP", "insecure-registries"),
        ('Get "https://r/v2/": x509: certificate signed by unknown authority', "certificate", "certs.d/r.example.org"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", "other machines", "architecture"),
        ("toomanyrequests: You have reached your pull rate limit", "for a while", "docker login"),
    ],
)
def test_definite_answers(words: str, what: str, next_step: str) -> None:
    """What asking again does not change is not asked again, and says what helps."""
    error = of_registry("pull", "r.example.org/x:1", None, words)
    assert is_definite(words)
    assert what in error.what
    assert next_step in error.next_step
    assert error.evidence == (words,)


@pytest.mark.parametrize(
    "words",
    ['Get "https://r/v2/": dial tcp: lookup r: no such host', "unexpected EOF", "connection reset by peer", "whatever",
     "nothing moved for 300 s", "received unexpected HTTP status: 503 Service Unavailable"],
)  # fmt: skip
def test_worth_another_attempt(words: str) -> None:
    """A cut connection, and what nobody knows, is tried again."""
    assert not is_definite(words)


def test_a_refused_login_names_the_user() -> None:
    """With a login it is the login that is refused, by the user's name and never by the password."""
    error = of_registry("push", "r.example.org/x:1", LOGIN, "unauthorized: incorrect username or password")
    assert "refuses the login of ada" in error.what
    assert "pw" not in str(error).replace("ada", "")


def test_docker_hub_has_no_host() -> None:
    """For a name without a host the registry is called by its own name, and `docker login` needs none."""
    error = of_registry("pull", "lab/x:1", None, "pull access denied for lab/x, repository does not exist")
    assert "Docker Hub" in error.what
    assert "`docker login`" in error.next_step

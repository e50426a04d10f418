"""What a failed build's words mean."""

from __future__ import annotations

import pytest

from firstbell.plan.build_advice import advice, is_network_failure


@pytest.mark.parametrize(
    "line",
    [
        "Err:1 http://mirror/debian trixie InRelease: Temporary failure resolving 'mirror'",
        "E: Failed to fetch http://mirror/debian/pool/x.deb  Hash Sum mismatch",
        "  Caused by: dns error: failed to lookup address information: Name or service not known",
        "error: Request failed after 5 retries",
        "npm error code ECONNRESET",
        "HTTP error 503 Service Unavailable",
        "curl: (56) Recv failure: Connection reset by peer",
    ],
)
def test_failures_of_the_network_are_worth_another_attempt(line: str) -> None:
    """Words of apt, uv, npm and curl about a lost network are taken as such, and the course file's table is named."""
    assert is_network_failure(["step 3", line])
    assert "[network]" in advice([line])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("  × No solution found when resolving dependencies:", "requirements.txt"),
        ("Because nonesuch was not found in the package registry", "requirements.txt"),
        ("E: Unable to locate package graphvizz", "apt.txt"),
        ("invalid peer certificate: UnknownIssuer", "ca_bundle"),
        ("error: command 'gcc' failed: No such file or directory", "python3-dev"),
        ("the --mount option requires BuildKit", "install buildx"),
        ("dockerfile parse error line 2: Unknown flag: link", "too old"),
        ("write /x: no space left on device", "disk is full"),
    ],
)
def test_failures_of_the_folder_are_named(line: str, words: str) -> None:
    """What the person has to change is said, and no time is lost with another attempt."""
    assert words in advice(["something", line])
    assert not is_network_failure([line])


def test_unknown_words_get_no_advice() -> None:
    """Where nothing is known, nothing is said."""
    assert advice(["make: *** [all] Error 2"]) == ""

"""Exports of file servers, as people write them."""

from __future__ import annotations

import pytest

from firstbell.model.nfs import NfsExport


def test_what_the_engines_driver_is_asked():
    """The address goes into the options, where the daemon resolves it; writes wait, nothing is set-uid."""
    assert NfsExport.parse("nfs://files.example.org/export/homes/").driver_options("ada") == {
        "type": "nfs",
        "o": "addr=files.example.org,nosuid,nodev,hard,vers=4.2",
        "device": ":/export/homes/ada",
    }


@pytest.mark.parametrize(
    ("text", "options", "device"),
    [
        ("nfs://10.0.0.5/e?vers=3&nolock", "addr=10.0.0.5,nosuid,nodev,hard,vers=3,nolock", ":/e"),
        ("nfs://10.0.0.5/e?nfsvers=4.1,rsize=65536", "addr=10.0.0.5,nosuid,nodev,hard,nfsvers=4.1,rsize=65536", ":/e"),
        ("nfs://[fd00::1]/", "addr=fd00::1,nosuid,nodev,hard,vers=4.2", ":/"),
    ],
)
def test_options_of_ones_own(text, options, device):
    """They come last; a version of one's own replaces ours; the root of a server is an export, too."""
    made = NfsExport.parse(text).driver_options()
    assert (made["o"], made["device"]) == (options, device)
    assert NfsExport.parse(str(NfsExport.parse(text))) == NfsExport.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nfs://server", "absolute path"),
        ("nfs:///export", "must be a server"),
        ("nfs://server:2049/export", "must be a server"),
        ("nfs://server/a/../b", "neither `..`"),
        ("nfs://server/a%20b", "white space"),
        ("nfs://server/e?soft", "cut short"),
        ("nfs://server/e?addr=10.0.0.9", "server's name"),
        ("nfs://[::1/e", "no address"),
    ],
)
def test_what_is_no_export(text, words):
    """Each mistake is told, and what would lose files is refused."""
    with pytest.raises(ValueError, match=r"nfs://|leave it out") as caught:
        NfsExport.parse(text)
    assert words in str(caught.value)

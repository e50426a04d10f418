"""What a course file names beside itself."""

from __future__ import annotations

from pathlib import Path

from firstbell.config.mentions import mentions

TEXT = """\
name = "stats"
url = "https://stats.example.org"
[access]
login = "github"
roster = "people.csv"
options = { client_id = "file:not-one-of-ours", client_secret = "env:GITHUB_SECRET", keys = ["file:a.key", "env:B"] }
[server]
project = "../lab"
environment = { PLAIN = "env:NO_SECRET" }
[tls]
cert = "/etc/tls/chain.pem"
key = "~/key.pem"
"""


def test_paths_and_secrets_as_written(tmp_path: Path) -> None:
    """Files keep the words by which they are named; secrets are told by kind; other texts are not taken for one."""
    (tmp_path / "firstbell.toml").write_text(TEXT)
    found = mentions(tmp_path / "firstbell.toml")
    assert dict(found.paths) == {
        ("access", "roster"): "people.csv",
        ("server", "project"): "../lab",
        ("tls", "cert"): "/etc/tls/chain.pem",
        ("tls", "key"): "~/key.pem",
    }
    assert found.secret_files == ("not-one-of-ours", "a.key")
    assert found.variables == ("GITHUB_SECRET", "B")

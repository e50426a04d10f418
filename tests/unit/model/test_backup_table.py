"""`[backup]` in the course file."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbell.config.mentions import mentions
from firstbell.config.reader import read_course
from firstbell.config.wire import from_wire, to_wire
from firstbell.errors import CourseFileError
from firstbell.model.backup import Keep

HEAD = 'name = "demo"\n[server]\nimage = "x"\n[backup]\n'
S3 = """\
to = "s3:https://storage.example.org/demo"
password = "env:WORD"
environment = { AWS_ACCESS_KEY_ID = "env:KEY", AWS_SECRET_ACCESS_KEY = "file:key.txt" }
every = "2h"
[backup.keep]
daily = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A course with all of it."""
    (tmp_path / "firstbell.toml").write_text(HEAD + S3)
    (tmp_path / "key.txt").write_text("much secret\n")
    return tmp_path


def test_where_how_often_and_how_long(folder: Path) -> None:
    """What the file says is what restic and the retention are told; what it leaves out has a good value."""
    backup = read_course(folder, {"WORD": "w", "KEY": "k"}).backup
    assert backup is not None and (backup.every, backup.drill) == (7200, 7 * 86400)
    assert backup.keep.counts == Keep(daily=3)
    assert backup.storage.to == "s3:https://storage.example.org/demo" and backup.storage.password.reveal() == "w"
    assert {name: value.reveal() for name, value in backup.storage.environment.items()} == {
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "much secret",
    }


def test_secrets_go_apart_and_are_named_in_a_bundle(folder: Path) -> None:
    """None of them is in what describes the course; each file and variable is known by its name."""
    course = read_course(folder, {"WORD": "the word", "KEY": "the key"})
    plain, secrets = to_wire(course)
    assert not any(word in plain for word in (b"the word", b"the key", b"much secret"))
    assert from_wire(plain, secrets) == course
    found = mentions(folder / "firstbell.toml")
    assert (set(found.variables), found.secret_files) == ({"WORD", "KEY"}, ("key.txt",))


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('password = "plain"\nto = "/b"', "must not stand in the course file"),
        ('password = "env:WORD"\nto = "backups"', "no place for backups"),
        ('password = "env:WORD"\nto = "sftp:a@host:/b"', "sftp needs two keys"),
        ('password = "env:WORD"\nto = "/b"\nssh_key = "env:WORD"', "go with to"),
        ('password = "env:WORD"', "to"),
        ('to = "/b"', "password"),
        ('to = "/b"\npassword = "env:MISSING"', "MISSING is not set"),
        ('to = "/b"\npassword = "env:WORD"\nenvironment = { KEY = "plain" }', "must not stand in the course file"),
        (
            'to = "/b"\npassword = "env:WORD"\nenvironment = { "a;b" = "env:WORD" }',
            "no name of an environment variable",
        ),
        ('to = "/b"\npassword = "env:WORD"\nenvironment = { RESTIC_PASSWORD = "env:WORD" }', "set by to and password"),
        ('to = "/b"\npassword = "env:WORD"\nevery = "1s"', "every"),
    ],
)
def test_what_cannot_be_is_refused_at_its_key(tmp_path: Path, line: str, word: str) -> None:
    """With the words that help, and never with a secret's own."""
    (tmp_path / "firstbell.toml").write_text(HEAD + line)
    with pytest.raises(CourseFileError) as caught:
        read_course(tmp_path, {"WORD": "w"})
    assert word in str(caught.value)

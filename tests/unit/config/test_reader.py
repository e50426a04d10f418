"""From a file to a course, and from a wrong file to words that help."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbell.config.reader import read_course
from firstbell.errors import CourseFileError
from firstbell.model.secret import Secret

GOOD = 'name = "stats"\n[server]\nproject = "project"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "firstbell.toml").write_text(GOOD)
    return tmp_path


def refusal(folder: Path, text: str, env: dict[str, str] | None = None) -> CourseFileError:
    (folder / "firstbell.toml").write_text(text)
    with pytest.raises(CourseFileError) as caught:
        read_course(folder, env or {})
    return caught.value


def test_folder_and_file_are_the_same(folder: Path):
    """A folder means the firstbell.toml in it."""
    assert read_course(folder, {}) == read_course(folder / "firstbell.toml", {})


def test_paths_are_absolute(folder: Path):
    """Relative paths count from the file's folder, defaults included, from wherever the command is run."""
    course = read_course(folder, {})
    assert course.server.project == folder / "project"
    assert course.access.roster == folder / "roster.csv"


def test_missing_file_says_how_to_write_one(tmp_path: Path):
    """Without a file the next command is `firstbell init` for that folder, also if the folder is not there."""
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(CourseFileError) as caught:
            read_course(place, {})
        assert caught.value.next_step == f"Write one with: firstbell init {place}"
        assert caught.value.where == str(place / "firstbell.toml")


def test_syntax_error_names_line_and_column(folder: Path):
    """What is no TOML is refused with its line and column; what may be a secret without quotes is not repeated."""
    error = refusal(folder, 'name = "stats"\ntitle = Statistik\n')
    assert error.where == f"{folder}/firstbell.toml:2:9"
    assert error.evidence == ("title = ", "        ^")
    assert "Statistik" not in str(error)


def test_unclosed_string_at_the_end_names_the_last_line(folder: Path):
    """A mistake at the end of the file has a line, too."""
    assert refusal(folder, 'name = """\nstats').where.startswith(f"{folder}/firstbell.toml:2")


@pytest.mark.parametrize(
    "text", ["", "=", "[", "a =", "\n\na = [1,\n", "\t= 1", "a = 1\r\nb\r\n", 'a = "', "a = '''", "a\x0b", "\u2028="]
)
def test_any_broken_text_is_refused_in_words(folder: Path, text: str):
    """However a file is broken, the answer is a message with a place, never a crash."""
    assert refusal(folder, text).where.startswith(str(folder / "firstbell.toml"))


def test_not_utf8_names_the_line(folder: Path):
    """A file in another encoding is refused with the line of the first such byte."""
    (folder / "firstbell.toml").write_bytes(b'name = "a"\ntitle = "Gr\xfc\xdfe"\n')
    with pytest.raises(CourseFileError, match="not UTF-8") as caught:
        read_course(folder, {})
    assert caught.value.where == f"{folder}/firstbell.toml:2"


def test_byte_order_mark_is_fine(folder: Path):
    """Windows editors begin files with a mark; that is no mistake."""
    (folder / "firstbell.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert read_course(folder, {}).name == "stats"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('titel = "x"', "titel: is an unknown key; did you mean title?"),
        ("capacity = 3", "capacity: is an unknown key here; capacity belongs into [access]"),
        ('[acess]\nlogin = "roster"', "acess: is an unknown key; did you mean [access]?"),
        ('[access]\ntitle = "x"', "title belongs at the top of the file, before the first [table]"),
        ("[access]\nmemmory = 3", "access.memmory: is an unknown key; did you mean memory, into [server]?"),
        ("[access]\nxyzzy = 3", "known in [access] are login, roster"),
        ("[access]\ncapacity = 0", "access.capacity: must be at least 1; write for example capacity = 30"),
        ("[access]\ncapacity = true", "access.capacity: must be a number"),
        ("[access]\ncapacity = 'many'", "access.capacity: must be a whole number, but is a text"),
        ('tls = "none"', 'tls: "none" is neither "auto" nor "internal" nor a list or table'),
        ("title = 5", 'title: must be a text in quotes, but is a number; write for example title = "Statistics I"'),
        ('time_zone = "Mars"', '"Mars" is no time zone'),
        ('url = "jupyter.example.org"', "must begin with http:// or https://"),
        ('url = "http://127.0.0.1:99999"', "a port that cannot be"),
        ('[network]\nsubnet = "10.1.1.1/20"', "is no subnet (10.1.1.1/20 has host bits set)"),
        ('[network]\nsubnet = "fd00::/64"', "must be an IPv4 subnet"),
        ('homes = "volume"', "homes: must be a table, but is a text"),
        ('[homes]\nstore = "homes"', "neither"),
        ('[access]\nlogin = "github"', "nobody could enter"),
        ('[access]\nlogin = "github"\noptions = { allow_all = true }', "allow_all in the options lets everybody in"),
    ],
)
def test_wrong_key_or_value(folder: Path, line: str, words: str):
    """Each kind of mistake says which key, what is wrong, and what would be right."""
    text = line + "\n" + GOOD if not line.startswith("[") else GOOD + line + "\n"
    error = refusal(folder, text)
    assert words in str(error)
    assert error.where.startswith(f"{folder}/firstbell.toml:")


def test_server_values_are_explained_in_the_files_own_units(folder: Path):
    """Bounds of amounts and times are told as one would write them."""
    error = refusal(folder, GOOD + 'memory = "1M"\nidle = -5\ntimeout = "1s"\n')
    assert "server.memory: must be at least 128M" in str(error)
    assert "server.idle: must be at least 0" in str(error)
    assert "server.timeout: must be at least 5s" in str(error)


def test_environment_values_need_quotes(folder: Path):
    """A number as an environment variable is answered with the line as it should be."""
    assert 'write THREADS = "2"' in str(refusal(folder, GOOD + "[server.environment]\nTHREADS = 2\n"))


def test_all_mistakes_at_once_in_order(folder: Path):
    """Every mistake of a file is told in one go, by line."""
    error = refusal(folder, 'nam = "x"\n[server]\nmemory = "x"\nproject = "nowhere"\n[access]\npasscode = "sesame"\n')
    lines = [int(text.split(":")[1]) for text in error.evidence]
    assert len(lines) == 5
    assert lines == sorted(lines)
    assert "sesame" not in str(error)


def test_missing_server_table(folder: Path):
    """A file that says nothing of servers is told which table to write."""
    assert "write [server] and project" in str(refusal(folder, 'name = "stats"\n'))


def test_certificate_table_is_judged_as_a_table(folder: Path):
    """Where a word or a table may stand, only the mistakes of what was written are told."""
    error = refusal(folder, 'url = "https://a.example"\ntls = { cert = "none.pem" }\n' + GOOD)
    assert "tls.key: is missing" in str(error)
    assert "there is no file" in str(error)
    assert "neither" not in str(error)


def test_secrets_from_environment_and_file(folder: Path):
    """Secrets are read, lose one line end, and do not print."""
    (folder / "secret.txt").write_text("from file\n")
    text = GOOD + '[access]\nlogin="github"\nallow=["a"]\npasscode="env:WORD"\n'
    text += '[access.options]\nclient_secret="file:secret.txt"\nlist=["env:WORD"]\nclient_id="plain"\n'
    (folder / "firstbell.toml").write_text(text)
    course = read_course(folder, {"WORD": "sesame"})
    assert course.access.passcode == Secret("env:WORD", "sesame")
    assert course.access.options["client_secret"].reveal() == "from file"
    assert course.access.options["list"][0].reveal() == "sesame"
    assert course.access.options["client_id"] == "plain"
    assert "sesame" not in repr(course)
    assert "from file" not in repr(course)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("sesame", 'a secret must not stand in the course file; write passcode = "env:PASSCODE"'),
        ("env:NOT_SET", "the environment variable NOT_SET is not set; export NOT_SET=…"),
        ("env:EMPTY", "the environment variable EMPTY is empty"),
        ("file:nowhere.txt", "nowhere.txt: no such file or directory"),
        ("file:empty.txt", "empty.txt is empty"),
        ("file:project", "is a directory"),
    ],
)
def test_secret_that_cannot_be_had(folder: Path, value: str, words: str):
    """A secret in plain text, unset, missing or empty is refused with how to do it; a plain one is not repeated."""
    (folder / "empty.txt").write_text("\n")
    error = refusal(folder, GOOD + f'[access]\npasscode = "{value}"\n', {"EMPTY": ""})
    assert words in str(error)
    assert "sesame" not in str(error)
    assert error.where.endswith(":5")


def test_looking_needs_no_secrets(folder: Path):
    """A course whose secrets and folders are not there can still be looked at and taken down."""
    (folder / "firstbell.toml").write_text('name="a"\n[server]\nproject="gone"\n[access]\npasscode="env:GONE"\n')
    assert read_course(folder, {}, complete=False).name == "a"


def test_environment_fills_the_network(folder: Path):
    """Proxy and authorities of the environment are followed where the file names none, and only there."""
    bundle = folder / "ca.pem"
    bundle.write_text("x")
    env = {"SSL_CERT_FILE": str(bundle), "https_proxy": "http://p:1", "NO_PROXY": "localhost"}
    network = read_course(folder, env).network
    assert (network.ca_bundle, network.proxy, network.no_proxy) == (bundle, "http://p:1", "localhost")
    (folder / "firstbell.toml").write_text(GOOD + '[network]\nproxy = "http://mine:1"\n')
    assert read_course(folder, env).network.proxy == "http://mine:1"


def test_missing_bundle_of_the_environment_is_told(folder: Path):
    """SSL_CERT_FILE that names nothing is a mistake to hear of now, not in the middle of a build."""
    with pytest.raises(CourseFileError, match="SSL_CERT_FILE"):
        read_course(folder, {"SSL_CERT_FILE": "/nowhere/ca.pem"})

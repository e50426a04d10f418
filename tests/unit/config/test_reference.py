"""The generated reference."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from firstbell.config import shape
from firstbell.config.reader import read_course
from firstbell.config.reference import reference_markdown, reference_schema, reference_toml

COMMITTED = Path(__file__).parents[3] / "docs" / "reference"


def keys_written(text: str) -> set[tuple[str, ...]]:
    """Every key of a reference file as a path, those behind a # included."""
    opened = re.sub(r"^#(?=\w+ = )", "", text, flags=re.MULTILINE)
    found: set[tuple[str, ...]] = set()
    table: tuple[str, ...] = ()
    for line in opened.splitlines():
        if header := re.fullmatch(r"#?\[?\[([\w.]+)\]\]?", line):
            table = tuple(header[1].split("."))
            found.add(table)
        elif pair := re.match(r"(\w+) = ", line):
            found.add((*table, pair[1]))
            found |= {(*table, pair[1], inner) for inner in re.findall(r"[{,] (\w+) = ", line)}
    return found


def test_every_key_is_in_the_file():
    """No key of the models is missing in the annotated file."""
    assert {k.path for k in shape.all_keys()} <= keys_written(reference_toml())


def test_every_key_is_on_the_page_and_in_the_schema():
    """No key of the models is missing on the documentation page or in the schema."""
    page, schema = reference_markdown(), json.loads(reference_schema())
    tables = [schema, *schema["$defs"].values()]
    described = {name for table in tables for name in table["properties"]}
    for key in shape.all_keys():
        assert key.name in page
        assert key.name in described


def test_every_key_has_words_and_an_example():
    """No key goes without a description, and none that takes a value without an example."""
    for key in shape.all_keys():
        assert key.field.description, key.path
        assert key.is_table or key.example is not None, key.path


def test_the_file_itself_is_a_course(tmp_path: Path):
    """The reference file parses as it stands."""
    (tmp_path / "project").mkdir()
    (tmp_path / "firstbell.toml").write_text(reference_toml())
    assert read_course(tmp_path, {}).name == "statistics"


REPEATED = {("bell",), ("idle",)}
SINGLE = [k for k in shape.all_keys() if not k.is_table and len(k.path) < 3 and k.table not in REPEATED]


@pytest.mark.parametrize("key", SINGLE, ids=lambda k: ".".join(k.path))
def test_every_example_is_accepted(tmp_path: Path, key: shape.Key):
    """Each key's example, uncommented in the reference file, is a good value."""
    text, _, _ = reference_toml().partition("#[[")
    if key.path in {("tls", "cert"), ("tls", "key")}:
        return
    if key.path == ("server", "image"):
        text = text.replace('\nproject = "project"', "")
    if key.path in {("server", "command"), ("server", "prefix")}:
        text = re.sub(r"^#port", "port", text, flags=re.MULTILINE)
    if key.path == ("tls",):
        text = re.sub(r"^#url", "url", text, flags=re.MULTILINE)
    text = text.replace("#[coursework]", "[coursework]")
    if key.table == ("backup",):
        text = re.sub(r"^#(?=\[backup\]|to = |password = )", "", text, flags=re.MULTILINE)
    if key.name in {"ssh_key", "host_key"}:
        text = re.sub(r"^#(?=ssh_key|host_key)", "", text, flags=re.MULTILINE)
        text = text.replace('to = "/srv/backup"', 'to = "sftp:user@host:/path"')
    head, _, rest = text.partition(f"[{key.table[0]}]") if key.table else ("", "", text)
    rest = re.sub(rf"^#({key.name} = )", r"\1", rest, count=1, flags=re.MULTILINE)
    (tmp_path / "firstbell.toml").write_text(head + (f"[{key.table[0]}]" if key.table else "") + rest)
    read_course(tmp_path, {"SEMINAR_PASSCODE": "x", "GITHUB_SECRET": "x"}, complete=False)


@pytest.mark.parametrize("name", [k.name for k in shape.all_keys() if k.table == ("bell",)])
def test_every_example_of_a_bell_is_accepted(tmp_path: Path, name: str):
    """So is each of a bell, beside the keys that every bell needs."""
    text = reference_toml()
    if name == "who":
        text = text.replace('#login = "roster"', 'login = "roster"')
    head, header, rest = text.partition("#[[bell]]")
    rest = re.sub(rf"^#((?:at|days|{name}) = )", r"\1", rest, flags=re.MULTILINE)
    (tmp_path / "firstbell.toml").write_text(head + header[1:] + rest)
    [bell] = read_course(tmp_path, {}, complete=False).bells
    assert bell.at == "09:00"


@pytest.mark.parametrize("name", [k.name for k in shape.all_keys() if k.table == ("idle",)])
def test_every_example_of_an_idle_rule_is_accepted(tmp_path: Path, name: str):
    """So is each of a rule for idle servers."""
    head, header, rest = reference_toml().partition("#[[idle]]")
    rest = re.sub(rf"^#((?:who|idle|{name}) = )", r"\1", rest.partition("#[[bell]]")[0], flags=re.MULTILINE)
    (tmp_path / "firstbell.toml").write_text(head + header[1:] + rest)
    [rule] = read_course(tmp_path, {}, complete=False).idle_rules
    assert (rule.who, rule.idle) == ("staff", 43200)


def test_schema_takes_what_the_file_may_say():
    """An editor with the schema accepts amounts and times as texts, and refuses unknown keys and plain secrets."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(reference_schema())
    course = tomllib.loads('name="a"\n[server]\nproject="p"\nmemory="2G"\nidle="1h"\n[access]\npasscode="env:A"\n')
    jsonschema.validate(course, schema)
    for wrong in (course | {"nam": 1}, course | {"access": {"passcode": "plain"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("firstbell.toml", reference_toml()),
        ("firstbell.schema.json", reference_schema()),
        ("course-file.md", reference_markdown()),
    ],
)
def test_committed_files_are_up_to_date(name: str, text: str):
    """What is committed is what the models say now; `firstbell reference` writes it anew."""
    assert (COMMITTED / name).read_text() == text

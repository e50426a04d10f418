"""Answers that are computed once: the same as JupyterLab's own, and never older than the files they come from."""

from __future__ import annotations

import importlib
import itertools
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from firstbell.singleuser import remembered

handlers, settings_handler, settings_utils, translation_utils, translations_handler = (
    importlib.import_module(f"jupyterlab_server.{name}")
    for name in ("handlers", "settings_handler", "settings_utils", "translation_utils", "translations_handler")
)

factory = importlib.import_module("jupyter_client.provisioning.factory")

PLUGIN = "@lab/things:plugin"
SCHEMA = {"title": "Things", "type": "object", "properties": {"size": {"type": "number", "default": 3}}}


class Lab:
    """Schemas, settings and extensions in a folder, and what Lab answers of them."""

    def __init__(self, folder: Path) -> None:
        self.schemas, self.own, self.extensions = (folder / name for name in ("schemas", "own", "extensions"))
        for place in (self.schemas / "@lab/things", self.own, self.extensions):
            place.mkdir(parents=True)
        self.write(SCHEMA)
        self.reads = 0

    def write(self, schema: dict[str, Any]) -> None:
        (self.schemas / "@lab/things/plugin.json").write_text(json.dumps(schema))

    def ask(self, name: str = "", *, ids_only: bool = False) -> Any:
        result, _ = settings_handler.get_settings(
            "", str(self.schemas), str(self.own), labextensions_path=[str(self.extensions)], schema_name=name,
            overrides={}, translator=translation_utils.translator.translate_schema, ids_only=ids_only,
        )  # fmt: skip
        return json.loads(settings_handler.json.dumps(result))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Lab with what is remembered; as before afterwards."""
    own: tuple[tuple[ModuleType, str], ...] = (
        (settings_utils, "get_settings"), (settings_handler, "get_settings"), (settings_handler, "json"),
        (settings_utils, "_get_version"), (settings_utils, "_get_overrides"), (settings_utils, "is_valid_locale"),
        (handlers, "SettingsHandler"), (translation_utils, "entry_points"), (factory, "entry_points"),
        (translation_utils, "is_valid_locale"), (translation_utils, "get_display_name"),
        (translations_handler, "get_language_pack"), (translations_handler, "get_language_packs"),
        (translations_handler, "is_valid_locale"),
    )  # fmt: skip
    for module, name in own:
        monkeypatch.setattr(module, name, getattr(module, name))
    made = Lab(tmp_path)
    original = settings_utils._get_schema

    def counted(*args: Any, **kwargs: Any) -> Any:
        made.reads += 1
        return original(*args, **kwargs)

    monkeypatch.setattr(settings_utils, "_get_schema", counted)
    remembered.begin()
    return made


def test_the_same_list_is_not_made_twice(lab: Lab) -> None:
    """The second page costs no reading of schemas, and gets the same."""
    first = lab.ask()
    assert first["settings"][0]["schema"]["properties"]["size"]["default"] == 3
    assert lab.reads == 1
    assert lab.ask() == first
    assert lab.reads == 1
    assert lab.ask(ids_only=True) == {"settings": [{"id": PLUGIN}]}


def test_a_saved_setting_shows_at_once(lab: Lab) -> None:
    """What is saved, changed and removed again is what is answered, in the list and by name."""
    assert lab.ask(PLUGIN)["settings"] == lab.ask()["settings"][0]["settings"] == {}
    file = lab.own / "@lab/things/plugin.jupyterlab-settings"
    for size in (4, 5):
        settings_utils.save_settings(str(lab.schemas), str(lab.own), PLUGIN, f'{{"size": {size}}}', {})
        assert lab.ask(PLUGIN)["settings"] == lab.ask()["settings"][0]["settings"] == {"size": size}
    file.unlink()
    assert lab.ask(PLUGIN)["settings"] == lab.ask()["settings"][0]["settings"] == {}


def test_the_names_come_from_the_list(lab: Lab) -> None:
    """Names alone are those of the list that is remembered, in its order, and of the folder once that has changed."""
    others = [lab.schemas / f"@lab/things/{name}.json" for name in ("a", "z")]
    for other in others:
        other.write_text(json.dumps(SCHEMA))
    asked_first = lab.ask(ids_only=True)
    listed = [one["id"] for one in lab.ask()["settings"]]
    (lab.own / "anything").write_text("")
    lab.ask()
    assert [one["id"] for one in lab.ask(ids_only=True)["settings"]] == listed
    assert asked_first == lab.ask(ids_only=True)
    others[0].unlink()
    assert [one["id"] for one in lab.ask(ids_only=True)["settings"]] == [one for one in listed if one[-2:] != ":a"]


def test_an_override_shows_at_once(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place of overrides is looked at for every question; what was answered belongs to whoever asked."""
    config, app = tmp_path / "config", tmp_path / "app"
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(config))
    places = [
        app / "overrides.json", app / "overrides.d/some.json", app / "overrides.json5",
        config / "labconfig/default_setting_overrides.json", config / "labconfig/default_setting_overrides.d/some.json",
    ]  # fmt: skip
    before = settings_utils._get_overrides(str(app))
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        for size in (1, 22):
            place.write_text(json.dumps({PLUGIN: {"size": size}}))
            for _ in range(2):
                found, error = settings_utils._get_overrides(str(app))
                assert (found[PLUGIN], error) == ({"size": size}, "")
                found[PLUGIN]["size"] = "somebody's own"
        place.unlink()
    assert settings_utils._get_overrides(str(app)) == before


def test_broken_overrides_are_told_each_time(lab: Lab, tmp_path: Path) -> None:
    """A file that cannot be read is an error for every question until it is mended."""
    (tmp_path / "overrides.json").write_text("{")
    for _ in range(2):
        assert settings_utils._get_overrides(str(tmp_path))[1]
    (tmp_path / "overrides.json").write_text("{}")
    assert not settings_utils._get_overrides(str(tmp_path))[1]


def test_a_version_is_read_once_for_a_package(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """All schemas of a package have its version, which is read anew once its file has changed."""
    for name in ("a", "z"):
        (lab.schemas / f"@lab/things/{name}.json").write_text(json.dumps(SCHEMA))
    (lab.schemas / "@lab/none").mkdir()
    (lab.schemas / "@lab/none/plugin.json").write_text(json.dumps(SCHEMA))
    file = lab.schemas / "@lab/things/package.json.orig"
    for version in ("1.0", "1.0.1"):
        file.write_text(json.dumps({"version": version}))
        assert {one["id"].split(":")[0]: one["version"] for one in lab.ask()["settings"]} == {
            "@lab/things": version,
            "@lab/none": "N/A",
        }
        assert lab.ask(PLUGIN)["version"] == version
    file.unlink()
    assert lab.ask(PLUGIN)["version"] == "N/A"
    monkeypatch.setattr(remembered, "_look", lambda path: 1 / 0)
    with pytest.raises(Exception, match="Settings not found"):
        settings_utils._get_version(str(lab.schemas), "no colon")


def test_links_and_their_ends_are_evidence(tmp_path: Path) -> None:
    """A schema behind a link counts as it is read; a link to nowhere, or a folder that is none, does no harm."""
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "elsewhere/plugin.json"
    file.write_text("{}")
    roots = tmp_path / "schemas"
    roots.mkdir()
    (roots / "linked").symlink_to(tmp_path / "elsewhere")
    (roots / "nowhere").symlink_to(tmp_path / "missing")
    before = list(remembered._looks([str(roots), "", str(tmp_path / "missing")]))
    assert str(roots / "linked/plugin.json") in {path for path, _, _ in before}
    file.write_text('{"title": "Other"}')
    assert list(remembered._looks([str(roots), "", str(tmp_path / "missing")])) != before


def test_another_schema_shows_at_once(lab: Lab) -> None:
    """An upgraded schema, and that of an extension just installed or removed, are in the next answer."""
    lab.ask()
    lab.write(SCHEMA | {"title": "Many things"})
    assert lab.ask()["settings"][0]["schema"]["title"] == "Many things"
    mine = lab.extensions / "mine/schemas/mine"
    mine.mkdir(parents=True)
    (mine / "plugin.json").write_text(json.dumps(SCHEMA))
    assert {entry["id"] for entry in lab.ask()["settings"]} == {PLUGIN, "mine:plugin"}
    shutil.rmtree(lab.extensions / "mine")
    assert {entry["id"] for entry in lab.ask(ids_only=True)["settings"]} == {PLUGIN}


def test_failures_are_not_remembered(lab: Lab) -> None:
    """A broken schema fails as ever, and works once it is mended."""
    (lab.schemas / "@lab/things/plugin.json").write_text("{")
    for _ in range(2):
        with pytest.raises(Exception, match="Failed parsing schema"):
            lab.ask()
    lab.write(SCHEMA)
    assert lab.ask()["settings"]


def test_languages_are_the_same(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The languages are those that Lab finds itself, and packages are read once for all the questions."""
    expected = translation_utils.get_language_packs("en")
    assert translations_handler.get_language_packs("en") == expected
    assert translations_handler.get_language_pack("en") == translation_utils.get_language_pack("en")
    monkeypatch.setattr(translation_utils, "_get_installed_language_pack_locales", lambda: 1 / 0)
    assert translations_handler.get_language_packs("en") == expected


def test_evidence_decides() -> None:
    """An answer is made anew for other evidence, and only then."""
    memory, numbers = remembered.Memory(), itertools.count()
    answers = [memory.answer("key", (evidence,), lambda: next(numbers)) for evidence in (1, 1, 2, 2, 1)]
    assert answers == [0, 0, 1, 1, 2]


def test_nobody_is_asked_to_build_what_they_may_not_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lab in the image is not asked about at each page; one that somebody has built in their home is."""
    own, image = ({"staticDir": str(tmp_path), "buildCheck": True} for _ in range(2))
    remembered.unasked(own)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    remembered.unasked(image)
    assert (own["buildCheck"], image["buildCheck"]) == (True, False)

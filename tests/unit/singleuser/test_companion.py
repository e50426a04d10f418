"""The companion: its one file, how it gets into a page, what its words say, and what the launcher passes on."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from firstbell.plan.static_files import PARTS
from firstbell.singleuser import companion_talk, room, static_layout
from firstbell.singleuser.companion_page import NAME, add, script, stamp
from firstbell.singleuser.hub import Hub, HubTrouble
from firstbell.singleuser.settings import parse
from scripts.build_companion import SOURCE, TARGET, Twice, bundle

PREFIX = "/user/ada/"
OWN = f"{PREFIX}firstbell/companion/{stamp()}.js"
MOST_BYTES = 15_000
NODE = shutil.which("node") or shutil.which("node", path=str(Path(__file__).parents[3] / ".venv/bin"))
ENV = {
    "JUPYTERHUB_API_TOKEN": "s3cret",
    "JUPYTERHUB_CLIENT_ID": "c",
    "JUPYTERHUB_API_URL": "http://hub/hub/api",
    "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
    "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers"]',
}


# -- the file


def test_the_file_is_made_from_its_modules() -> None:
    """What is committed is what `python -m scripts.build_companion` makes of the modules."""
    assert bundle() == TARGET.read_text()


def test_the_file_is_light() -> None:
    """Whoever opens a page for the first time loads it: compressed it stays below 15 kB."""
    plain, packed = script()
    assert gzip.decompress(packed) == plain == TARGET.read_bytes()
    assert len(packed) < MOST_BYTES


def test_a_name_stands_for_one_thing(tmp_path: Path) -> None:
    """Two modules with the same name at their outermost level are refused: in one file they would be one."""
    for file in SOURCE.iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "talk.js").write_text((tmp_path / "talk.js").read_text() + "\nfunction look() {}\n")
    with pytest.raises(Twice, match="look"):
        bundle(tmp_path)


# -- into the page


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("jupyterlab")
    module.__version__ = "4.0.0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jupyterlab", module)
    return module


def page(base: str = "/user/ada/lab/extensions") -> dict[str, Any]:
    return {"federated_extensions": [{"name": "theirs", "load": "static/x.js"}], "fullLabextensionsUrl": base}


def asked(config: dict[str, Any]) -> str:
    """The path that a browser asks for, as the page joins it."""
    [entry] = [one for one in config["federated_extensions"] if one["name"] == NAME]
    assert entry["extension"] == "./extension"
    return urljoin("/", f"{config['fullLabextensionsUrl']}/{entry['name']}/{entry['load']}")


@pytest.mark.parametrize("base", ["/user/ada/lab/extensions", "/_static/abc/extensions", "/deep/er/lab/extensions/"])
def test_a_page_asks_its_own_server(lab: Any, base: str) -> None:
    """Wherever a page's extensions come from, the companion's path leads to the server, beside those of others."""
    config = page(base)
    add(config, {}, PREFIX)
    assert asked(config) == OWN
    assert config["federated_extensions"][0]["name"] == "theirs"


def test_a_page_asks_the_edge_where_that_has_the_same(lab: Any) -> None:
    """The edge's file is taken when it is the very same one; after an update of Firstbell it is not."""
    for known, path in ((stamp(), "/_static/abc/companion/companion.js"), ("0" * 32, OWN)):
        config = page("/_static/abc/extensions")
        add(config, {"url": "/_static/abc", "parts": {"companion": {"stamp": known}}}, PREFIX)
        assert asked(config) == path


@pytest.mark.parametrize("version", ["3.6.8", "", "odd"])
def test_an_old_lab_is_left_alone(lab: Any, version: str) -> None:
    """A page of JupyterLab before 4 is as it was."""
    lab.__version__ = version
    config = page()
    add(config, {}, PREFIX)
    assert config == page()


@pytest.mark.parametrize("base", ["https://cdn.example/extensions", "//cdn.example/extensions", None])
def test_extensions_from_another_host_are_left_alone(lab: Any, base: Any) -> None:
    """From another host no path leads back to the server."""
    config = page(base)
    add(config, {}, PREFIX)
    assert config == page(base)


def test_it_is_there_once(lab: Any) -> None:
    """A page whose settings already name it does not load it twice."""
    config = page()
    add(config, {}, PREFIX)
    add(config, {}, PREFIX)
    assert len(config["federated_extensions"]) == 2


def test_the_edge_gets_it_with_the_images_files(tmp_path: Path) -> None:
    """What is laid out for the edge holds the companion, under the stamp by which a page knows it."""
    done = static_layout.lay_out(str(tmp_path))
    assert "companion" in PARTS
    assert done["parts"]["companion"] == {"stamp": stamp()}
    assert (tmp_path / "companion/companion.js").read_bytes() == TARGET.read_bytes()


# -- its words


def said(expression: str) -> Any:
    """What a function of `words.js` answers."""
    source = f"import * as words from {json.dumps((SOURCE / 'words.js').as_uri())};"
    run = [
        str(NODE),
        "--no-warnings",
        "--input-type=module",
        "-e",
        f"{source} console.log(JSON.stringify({expression}))",
    ]
    return json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not NODE, reason="needs node")
def test_words() -> None:
    """Folders, times, sizes, addresses and versions are read as people mean them; what is odd is shown or dropped."""
    of = "[{name: 'lab1'}, {name: 'lab10'}]"
    expressions = {
        f"(words.holding('assignments/lab1/task.ipynb', {of}) ?? {{}}).name": "lab1",
        f"(words.holding('RTC:lab10/deep/er/x.py', {of}) ?? {{}}).name": "lab10",
        f"words.holding('lab1', {of}) ?? null": None,
        f"words.holding('lab1 (before 2026-11-21)/x.py', {of}) ?? null": None,
        f"words.holding(undefined, {of}) ?? null": None,
        "words.left(7_530_000)": "2 h 5 min",
        "words.left(30_000)": "0 min",
        "words.left(-1)": "",
        "words.left(undefined)": "",
        "words.left(864_000_000)": "10 days",
        "words.soon(1)": "Nobody seems to use your Jupyter. It ends in 1 min; your files are kept.",
        "words.timed([{left: 60}, {due: ''}], 1000)": [{"left": 60, "until": 61000}, {"due": ""}],
        "words.next([{until: 90}, {until: 50, handed_in: 'x'}, {until: 60}, {}, {until: 9e9}], 0).until": 60,
        "words.signed({text: 'Ada: hello', by: 'Ada'})": "Ada: hello",
        "words.signed({text: '<b>', by: 'Ada'})": "Ada: <b>",
        "words.sizes({used: 412 * 1048576, limit: 1073741824})": "412 of 1024 MB",
        "words.counted(1) + words.counted(['a', 'b']) + words.counted(undefined)": "1 file2 files",
        "words.address('javascript:alert(1)', 'http://hub/')": "",
        "words.address('none:', 'http://hub/')": "",
        "words.address('/hub/home', 'http://hub/user/ada/lab')": "http://hub/hub/home",
        "['4.10.0', '4.9.1', '4.9.1-rc', '3.99'].sort(words.byVersion)[3]": "4.10.0",
    }
    assert said(f"[{', '.join(expressions)}]") == list(expressions.values())


# -- what is passed on


async def test_the_hub_is_asked_with_the_servers_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question goes to the hub's API as this server; status and words of a no come back, nonsense does not."""
    hub, sent = Hub(parse({"env": ENV}, "f")), []
    answers = [(202, b'{"task": 4}'), (204, b""), (409, b'{"message": "wait"}'), (502, b"<html>"), (200, b"[]")]

    async def fetch(*asked: object) -> Any:
        sent.append(asked)
        code, body = answers[len(sent) - 1]
        return types.SimpleNamespace(code=code, body=body)

    monkeypatch.setattr(hub, "_fetch", fetch)
    assert await hub.call("POST", "/companion/hand-in", {"assignment": "lab1"}) == (202, {"task": 4})
    assert await hub.call("POST", "/companion/read", {"ids": [1]}) == (204, {})
    assert await hub.call("GET", "/companion") == (409, {"message": "wait"})
    assert (await hub.call("GET", "/companion"))[0] == 502
    with pytest.raises(HubTrouble):
        await hub.call("GET", "/companion")
    url, token = "http://hub/hub/api/companion", "s3cret"
    assert sent[0] == ("POST", url + "/hand-in", token, '{"assignment": "lab1"}', "application/json")
    assert sent[2] == ("GET", url, token, None, "")


@pytest.mark.skipif(not NODE, reason="needs node")
def test_the_notice_before_the_end() -> None:
    """Shown once, kept up to date, answered by a click; what is changed is saved once; gone once somebody is there."""
    source = f"""
    globalThis.document = {{ signs: {{}}, addEventListener(sign, act) {{ this.signs[sign] = act; }} }};
    const {{ Idle }} = await import({json.dumps((SOURCE / "idle.js").as_uri())});
    const {{ share }} = await import({json.dumps((SOURCE / "shared.js").as_uri())});
    share({{ '@jupyterlab/docmanager': {{ '4.0.0': {{ get: async () => () => ({{ IDocumentManager: 'docs' }}) }} }} }});
    const log = [], told = [];
    const page = (dirty) => ({{ model: {{ dirty }}, save: async () => log.push('save ' + dirty) }});
    const Notification = {{
      emit(text, kind, {{ actions }}) {{ this.actions = actions; log.push(text); return 'id'; }},
      update: ({{ message }}) => log.push('again: ' + message), dismiss: () => log.push('gone'),
      manager: {{ has: () => true }}
    }};
    const docs = {{ contextForWidget: one => one }};
    const app = {{ resolveOptionalService: async () => docs, shell: {{ widgets: () => [page(true), page(false)] }} }};
    const dialogs = {{ choose: async (title, label, items) => (log.push(items.join()), '18:00') }};
    const answer = {{ left: 3600, notice: false, offers: [{{ label: '18:00', seconds: 7200 }}] }};
    const talk = {{ ask: async (path, what) => (told.push([path, what]), {{ status: 200, answer }}) }};
    const idle = new Idle(app, {{ Notification }}, dialogs, talk, async () => undefined);
    const done = () => new Promise(go => setTimeout(go, 0));
    idle.show({{ ...answer, left: 299, notice: true }}); await done();
    idle.show({{ ...answer, left: 61, notice: true }}); await done();
    log.push(idle.question());
    Notification.actions[0].callback(); await done();
    idle.show({{ ...answer, left: 299, notice: true }}); await done();
    Notification.actions[1].callback(); await done();
    document.signs.keydown();
    const asked = idle.question();
    log.push(asked, idle.question());
    idle.unanswered(asked);
    log.push(idle.question());
    console.log(JSON.stringify([log, told]));
    """
    run = [str(NODE), "--no-warnings", "--input-type=module", "-e", source]
    log, told = json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    notice = "Nobody seems to use your Jupyter. It ends in {} min; your files are kept."
    shown = [notice.format(5), "save true", "again: " + notice.format(2), "", "gone", notice.format(5), "18:00", "gone"]
    assert log == [*shown, "?used=1", "", "?used=1"]
    assert told == [["/idle", {"still": True}], ["/idle", {"keep": 7200}]]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"memory.max": "1000", "memory.current": "700", "memory.stat": "anon 1\ninactive_file 100\n"}, (600, 1000)),
        ({"memory.max": "max", "memory.current": "700", "memory.stat": "inactive_file 0\n"}, (700, 0)),
        (
            {
                "memory/memory.limit_in_bytes": str(2**63 - 4096),
                "memory/memory.usage_in_bytes": "700",
                "memory/memory.stat": "inactive_file 5\ntotal_inactive_file 50\n",
            },
            (650, 0),
        ),
    ],
)
def test_memory_is_what_the_kernel_counts(tmp_path: Path, files: dict[str, str], found: tuple[int, int]) -> None:
    """Use without what the kernel gives back when asked, and the limit where there is one; both cgroup versions."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert room.used(str(tmp_path)) == found


def test_the_limit_of_the_moment_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the control group has, which may be more for a time; where it says nothing the course's, by the hub."""
    with pytest.raises(OSError, match="control group"):
        room.used(str(tmp_path))
    monkeypatch.setattr(room, "used", lambda: (600, 1000))
    assert companion_talk.memory({"memory": {"limit": 900}}) == {"used": 600, "limit": 1000}
    monkeypatch.setattr(room, "used", lambda: (600, 0))
    assert companion_talk.memory({"memory": {"limit": 900}}) == {"used": 600, "limit": 900}
    assert companion_talk.memory({"memory": {"limit": "much"}}) == {"used": 600}

    def silent() -> Any:
        raise OSError

    monkeypatch.setattr(room, "used", silent)
    assert companion_talk.memory({"memory": {"limit": 900}}) == {"limit": 900}
    assert companion_talk.memory({}) == {}

"""Events without `yaml` and `jsonschema`: the same events, the same errors, and nothing loaded for plain ones."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import jupyter_events
import jupyter_server
import pytest
import yaml
from jsonschema import ValidationError  # type: ignore[import-untyped]
from jupyter_events import EventLogger

from firstbell.singleuser import events, plain_yaml

OWN = sorted((Path(jupyter_server.__file__).parent / "event_schemas").glob("*/*.yaml"))
METASCHEMAS = sorted((Path(jupyter_events.__file__).parent / "schemas").glob("*.yml"))
ACTIONS = "https://events.jupyter.org/jupyter_server/kernel_actions/v1"


@pytest.mark.parametrize("path", OWN + METASCHEMAS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_schema_is_read_as_yaml_reads_it(path: Path) -> None:
    """Jupyter's own files are read, and equal what `yaml` makes of them."""
    said = plain_yaml.read(path.read_text())
    assert said == yaml.safe_load(path.read_text()) or (said is None and path in METASCHEMAS)


@pytest.mark.parametrize(
    "text",
    ["a: 1.0", "a: no", "a: [1]", "a: &x b", "a: 'b'", "a: >\n  b", "a: b # c", "- a", "a:\n  b", "a: 2001-01-01", "a:",
     "a: b\n c: d", "a: ~", "a: 010", "yes: b", "a: b\na: c", "a: 1_0", "a: |-\n  b", "a: b: c", "a:\n- - b", "a: b:"],
)  # fmt: skip
def test_more_of_yaml_is_left_to_yaml(text: str) -> None:
    """What is not in the subset is "not known" or, where it is read all the same, is what `yaml` says."""
    said = plain_yaml.read(text)
    assert said is None or said == yaml.safe_load(text)


def logger_with(*schemas: Path) -> Any:
    logger = events.logger_like(EventLogger)()
    for schema in schemas:
        logger.register_event_schema(schema)
    return logger


async def heard(logger: Any, data: dict[str, Any]) -> list[dict[str, Any]]:
    """What a listener to all events hears of one."""
    told: list[dict[str, Any]] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        told.append(data)

    logger.add_listener(listener=listen)
    logger.emit(schema_id=ACTIONS, data=data)
    await asyncio.gather(*logger._active_listeners)
    return [{key: value for key, value in one.items() if key != "__timestamp__"} for one in told]


@pytest.mark.parametrize(
    "data",
    [
        {"action": "start", "msg": "started", "kernel_id": "k"},
        {"action": "start", "msg": "failed", "status": "error"},
        {"action": "shutdown", "msg": "gone", "kernel_id": "k", "kernel_name": "python3", "status_code": 200},
    ],
)
async def test_a_listener_hears_what_it_would_have_heard(data: dict[str, Any]) -> None:
    """An event reaches its listeners as with jupyter_events' own logger."""
    plain = EventLogger()
    for schema in OWN:
        plain.register_event_schema(schema)
    assert await heard(logger_with(*OWN), data) == await heard(plain, data) != []


@pytest.mark.parametrize(
    "data", [{"action": "start"}, {"action": "dance", "msg": ""}, {"action": "restart", "msg": ""}]
)
async def test_a_wrong_event_is_refused_with_the_real_error(data: dict[str, Any]) -> None:
    """An event that breaks its schema raises jsonschema's own error."""
    with pytest.raises(ValidationError):
        await heard(logger_with(*OWN), data)


def test_a_schema_of_an_extension_is_checked_when_it_is_registered() -> None:
    """Once the server's own are in, a mistake in another schema is an error at once."""
    logger = logger_with(*OWN)
    logger.settled = True
    with pytest.raises(ValidationError):
        logger.register_event_schema({"$id": "http://x/y", "version": "1", "title": "t", "properties": {"__a": {}}})
    logger.register_event_schema(
        {"$id": "http://x/z", "version": "1", "title": "t", "type": "object", "properties": {}}
    )
    assert {"http://x/z", ACTIONS} <= set(logger.schemas.schema_ids)


def test_a_light_schema_answers_as_the_real_one() -> None:
    """What it cannot answer itself, it asks the real object."""
    schema = logger_with(*OWN).schemas.get(ACTIONS)
    assert schema.version == "1"
    assert repr(schema).startswith("{\n")
    assert schema._validator.is_valid({"action": "start", "msg": "", "kernel_id": ""})


LEAN = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {src!r})
from firstbell.singleuser import events, lean
lean.begin()
from jupyter_server import serverapp
logger = events.logger_like(serverapp.EventLogger)()
for path in {own!r}:
    logger.register_event_schema(Path(path))
async def listen(logger, schema_id, data): print(data["action"])
async def main():
    logger.add_listener(listener=listen)
    logger.emit(schema_id={actions!r}, data={{"action": "start", "msg": "", "kernel_id": ""}})
    await asyncio.gather(*logger._active_listeners)
asyncio.run(main())
from jupyterlab_server.settings_utils import Validator
Validator.check_schema({{"type": "object"}})
from jupyter_client.kernelspec import KernelSpecManager
lean_dirs = KernelSpecManager().kernel_dirs
from jupyter_server.services.contents import filemanager
print(asyncio.run(filemanager.run_sync(len, "four")))
print(sorted(name for name in ("yaml", "jsonschema", "IPython", "anyio") if name in sys.modules))
import IPython
print(KernelSpecManager().kernel_dirs == lean_dirs)
try: Validator.check_schema({{"type": "objekt"}})
except Exception as error: print(type(error).__name__, type(error).__module__)
"""


def test_the_first_page_and_its_events_load_none_of_it() -> None:
    """With the Jupyter of this environment: events, settings, kernels' folders and files without the four packages."""
    src = str(Path(events.__file__).parents[2])
    code = textwrap.dedent(LEAN.format(src=src, own=[str(path) for path in OWN], actions=ACTIONS))
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    expected = ["start", "4", "[]", "True", "SchemaError jsonschema.exceptions"]
    assert result.stdout.splitlines() == expected, result.stderr

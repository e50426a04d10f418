"""Jupyter's event logger without `yaml` and `jsonschema`, as long as its events are those of jupyter_server itself.

JupyterLab listens to all events from its first page on, so each server would load both (5 MB, 0.1 s of CPU with the
checking of the schemas) to send "a folder was listed" to one browser. Here jupyter_server's own three schemas are read
by ``plain_yaml`` when first asked for and are not checked (they come with the version of jupyter_server that uses
them), and events are checked by ``quick_schema``. Anything else, an extension's schema, an event that is not plainly
valid, a question that only the real object can answer, is given to `jupyter_events` unchanged.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import PurePath
from typing import Any, Dict, Iterator, Optional

from . import later, plain_yaml, quick_schema

_OF_AN_EVENT: Dict[str, Any] = {
    "type": "object",
    "required": ["__metadata_version__", "__schema__", "__schema_version__", "__timestamp__"],
    "properties": {
        "__metadata_version__": {"type": "number", "const": 1},
        "__schema__": {"type": "string"},
        "__schema_version__": {"type": "string"},
        "__timestamp__": {"type": "string"},
    },
}
"""What jupyter_events 0.5 to 0.12 demand of every event's envelope, which they make themselves (event-core-schema.yml;
its format "datetime" is known to nobody and checks nothing)."""


@contextlib.contextmanager
def later_in(serverapp: Any) -> Iterator[None]:
    """Within, the event logger that the module ``jupyter_server.serverapp`` makes reads its schemas later."""
    logger = getattr(serverapp, "EventLogger", None)
    if not isinstance(logger, type):
        yield
        return
    serverapp.EventLogger = logger_like(logger)
    try:
        yield
    finally:
        serverapp.EventLogger = logger


def logger_like(logger: type) -> type:
    """A kind of ``jupyter_events.EventLogger`` that reads its schemas when they are first asked for.

    Meant for jupyter_server's own three. Once ``settled`` is set, a schema is read and checked when it is registered,
    so that an extension learns at once of a mistake in its own.
    """
    from traitlets import default

    _check_envelopes(sys.modules.get(logger.__module__))

    class EventsLater(logger):  # type: ignore[misc,valid-type,unused-ignore]
        settled = False

        def register_event_schema(self, schema: Any) -> None:
            if self.settled:
                _refuse_known(self.schemas, schema)
                super().register_event_schema(schema)
            else:
                self.__dict__.setdefault("_unread", []).append(schema)

        @default("schemas")
        def _read(self) -> Any:
            self.settled = True
            registry = self.traits()["schemas"].klass()
            for schema in self.__dict__.pop("_unread", []):
                known = _add(registry, schema)
                for kept in (self._modifiers, self._modified_listeners, self._unmodified_listeners):
                    kept.setdefault(known, set())
            return registry

    return EventsLater


def _refuse_known(registry: Any, schema: Any) -> None:
    """Raises SchemaRegistryException as the registry does, before the real schema is read to no end: each kernel's
    manager comes with the schema of its events and expects that.
    """
    light = _light(schema)
    if light is not None and hasattr(registry, "_add") and light.id in registry.schema_ids:
        registry._add(light)


def _add(registry: Any, schema: Any) -> str:
    """Adds a schema to the registry, a light one where it can be; its id."""
    light = _light(schema)
    if light is not None and hasattr(registry, "_add"):
        registry._add(light)
        return light.id
    return str(registry.register(schema).id)


def _light(schema: Any) -> Optional[LightSchema]:
    if not isinstance(schema, PurePath):
        return None
    try:
        with open(schema, encoding="utf-8") as file:
            said = plain_yaml.read(file.read())
    except (OSError, UnicodeDecodeError):
        return None
    if not said or type(said.get("version")) is not str or not isinstance(said.get("properties"), dict):
        return None
    return LightSchema(schema, said) if type(said.get("$id")) is str else None


class LightSchema:
    """An ``EventSchema`` as far as sending plainly valid events needs one; behind it the real one, when it is asked."""

    def __init__(self, source: PurePath, said: Dict[str, Any]) -> None:
        self._source, self._schema = source, said
        self.id: str = said["$id"]
        self.version: str = said["version"]
        self.properties: Dict[str, Any] = said["properties"]

    def validate(self, data: Any) -> None:
        """Raises jsonschema's ValidationError where the event is not as the schema says."""
        if not quick_schema.surely_valid(self._schema, data):
            self._real().validate(data)

    def _real(self) -> Any:
        if "_loaded" not in self.__dict__:
            schema: Any = importlib.import_module("jupyter_events.schema")
            self._loaded = schema.EventSchema(self._source)
        return self._loaded

    def __repr__(self) -> str:
        return repr(self._real())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_loaded":
            raise AttributeError(name)
        return getattr(self._real(), name)


class _Envelope:
    """In the place of the validator that looks at each event's envelope."""

    def __init__(self, real: Any) -> None:
        self._validator = real

    def validate(self, capsule: Any) -> None:
        if not quick_schema.surely_valid(_OF_AN_EVENT, capsule):
            self._validator.validate(capsule)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._validator, name)


def _check_envelopes(module: Any) -> None:
    """Only where the real validator still waits to be loaded: then nobody has it yet."""
    real = getattr(module, "JUPYTER_EVENTS_CORE_VALIDATOR", None)
    if later.waits(real):
        module.JUPYTER_EVENTS_CORE_VALIDATOR = _Envelope(real)

"""How an image's way to or from a registry or file goes on: the daemon's messages, layer by layer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from firstbell.engine.docker_progress import error_of
from firstbell.model.image import Progress

_BEGUN = {"Preparing", "Waiting", "Pulling fs layer"}
_MOVING = {"Pushing", "Downloading", "Loading layer"}
_ARRIVED = {"Download complete", "Verifying Checksum", "Extracting"}
_COMPLETE = re.compile(
    r"Pushed|Pull complete|Layer already exists|Already exists|Mounted from .*|Skipped foreign layer"
)
_RETRYING = re.compile(r"Retrying in (\d+) seconds?")
_DIGEST = re.compile(r"Digest: (sha256:[0-9a-f]{64})")


class Transfer:
    """Of a push, pull, load or import: a line per layer that is complete, and how many bytes have moved meanwhile."""

    def __init__(self, ref: str) -> None:
        self._ref = ref
        self._moved: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._layers: set[str] = set()
        self._complete: set[str] = set()
        self._waiting: set[str] = set()
        self.digest = ""
        self.error = ""
        self.has_retried = False
        """The daemon itself has asked the registry again, with growing pauses."""

    def take(self, message: Mapping[str, Any]) -> Progress | None:
        """What is worth showing of a message."""
        if "error" in message or "errorDetail" in message:
            self.error = error_of(message)
            return None
        self.digest = str((message.get("aux") or {}).get("Digest") or self.digest)
        status, layer = str(message.get("status", "")), str(message.get("id", ""))
        if digest := _DIGEST.fullmatch(status):
            self.digest = digest[1]
        if not layer:
            return Progress(status) if status else None
        return self._of_layer(layer, status, message.get("progressDetail") or {})

    def _of_layer(self, layer: str, status: str, detail: Mapping[str, Any]) -> Progress | None:
        if retrying := _RETRYING.fullmatch(status):
            self.has_retried = True
            is_new = layer not in self._waiting
            self._waiting.add(layer)
            what = f"{self._ref}: layer {layer} did not get through; another attempt in {retrying[1]} s"
            return Progress(what) if is_new else None
        self._waiting.discard(layer)
        if status in _BEGUN:
            self._layers.add(layer)
        elif status in _MOVING:
            self._layers.add(layer)
            self._sizes[layer] = int(detail.get("total") or self._sizes.get(layer, 0))
            self._moved[layer] = min(int(detail.get("current") or 0), self._sizes[layer] or 2**63)
            return self._line("layers:", is_moving=True)
        elif status in _ARRIVED:
            self._moved[layer] = self._sizes.get(layer, 0)
        elif _COMPLETE.fullmatch(status):
            self._layers.add(layer)
            self._complete.add(layer)
            self._moved[layer] = self._sizes.get(layer, 0)
            return self._line(f"{self._ref}: layer {layer}")
        return None

    def _line(self, text: str, *, is_moving: bool = False) -> Progress:
        done, total = (sum(self._moved.values()), sum(self._sizes.values())) if is_moving else (0, 0)
        return Progress(text, len(self._complete), len(self._layers), done=done, total=total)

"""What a build made, layer by layer: the image's own history put together with what the builder told. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from firstbell.model.image import Layer, Progress
from firstbell.plan.context import BUILD_DIR

_OPTION = re.compile(r"--(?:mount|network|security|link|chown|chmod|from)(?:=\S+)? ")
_VARIABLE = re.compile(r"\\?\$(?:\\?\{\w+\\?\}|\w+)")


def built_layers(history: Sequence[Layer], told: Iterable[Progress]) -> tuple[Layer, ...]:
    """The history, each instruction that the builder told the end of with its time.

    From the last instruction backwards: of a Dockerfile with several stages only the last stage's are in the history.
    """
    ends = sorted((line for line in told if line.seconds is not None), key=lambda line: line.step)
    layers = []
    for layer in reversed(history):
        end = next((end for end in reversed(ends) if _is_of(end, layer)), None)
        if end is not None:
            ends.remove(end)
            layer = replace(layer, seconds=end.seconds, is_cached=end.is_cached)  # noqa: PLW2901
        layers.append(layer)
    return tuple(reversed(layers))


def _is_of(end: Progress, layer: Layer) -> bool:
    """Whether this is the instruction's end; BuildKit tells variables by their values."""
    if not layer.instruction:
        return False
    pattern = _VARIABLE.sub(".*", re.escape(_plain(layer.instruction)))
    return re.fullmatch(pattern, _plain(end.text)) is not None


def _plain(instruction: str) -> str:
    """The instruction without options, which histories leave out, and in one line."""
    return _OPTION.sub("", " ".join(instruction.replace("\\\n", " ").split()))


def short(instruction: str, width: int = 72) -> str:
    """An instruction for a table: our scripts by name alone, cut to `width` characters."""
    text = _plain(instruction).replace(f"{BUILD_DIR}/", "")
    return text if len(text) <= width else f"{text[: width - 1]}…"

"""The steps of `firstbell build`, and what a Dockerfile begins from. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from firstbell.model.image import BuildSpec
from firstbell.model.steps import BuildImage, CheckImage, PullImage, Step, TagImage

_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class BuildInputs:
    """What `plan_build` needs to know."""

    spec: BuildSpec
    is_there: bool
    """The engine has an image of the tag."""
    missing: tuple[str, ...] = ()
    """Bases that the engine has not."""
    new: str = ""
    """Another name that the image is to have."""


def plan_build(inputs: BuildInputs) -> tuple[Step, ...]:
    """What there is to do; nothing where the image is there under its names. An image is always checked."""
    steps: list[Step] = []
    if inputs.spec.no_cache or not inputs.is_there:
        steps += [PullImage(ref, "the base") for ref in inputs.missing]
        steps.append(BuildImage(inputs.spec, "without any cache" if inputs.spec.no_cache else ""))
    steps.append(CheckImage(inputs.spec.tag))
    if inputs.new:
        steps.append(TagImage(inputs.spec.tag, inputs.new))
    return tuple(steps)


def bases(dockerfile: str) -> tuple[str, ...]:
    """The images that a Dockerfile begins from, as far as they are named without variables."""
    return tuple(dict.fromkeys(_bases(dockerfile)))


def _bases(dockerfile: str) -> Iterator[str]:
    stages = {"scratch"}
    for ref, stage in _FROM.findall(dockerfile):
        if ref.lower() not in stages and "$" not in ref:
            yield ref
        stages.add(stage.lower())

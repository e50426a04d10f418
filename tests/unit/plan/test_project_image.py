"""The steps of a build."""

from __future__ import annotations

from dataclasses import replace

from firstbell.model.image import BuildSpec
from firstbell.plan.project_image import BuildInputs, bases, plan_build

SPEC = BuildSpec("firstbell/lab:1", "FROM debian:trixie-slim\n")


def words(inputs: BuildInputs) -> list[str]:
    """The steps as they are shown."""
    return [str(step) for step in plan_build(inputs)]


def test_what_is_there_is_only_checked() -> None:
    """An image that is there is not built again, nor its base fetched, unless the cache is not to be used."""
    there = BuildInputs(SPEC, is_there=True, missing=("debian:trixie-slim",))
    assert words(there) == ["check firstbell/lab:1"]
    anew = replace(there, spec=replace(SPEC, no_cache=True))
    assert words(anew) == [
        "pull debian:trixie-slim (the base)",
        "build firstbell/lab:1 (without any cache)",
        "check firstbell/lab:1",
    ]


def test_another_name_is_given_last() -> None:
    """Only an image that was checked gets the name by which it may be pushed."""
    assert words(BuildInputs(SPEC, is_there=False, new="lab/a:2"))[-2:] == [
        "check firstbell/lab:1",
        "tag firstbell/lab:1 as lab/a:2",
    ]


def test_bases_of_a_dockerfile() -> None:
    """Images it begins from, without its own stages, variables and the empty image."""
    text = (
        "FROM --platform=linux/amd64 a:1 AS one\nfrom b:2 as TWO\nFROM one\nFROM two\nFROM $X\nFROM scratch\nFROM a:1\n"
    )
    assert bases(text) == ("a:1", "b:2")

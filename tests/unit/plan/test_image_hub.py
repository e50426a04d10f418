"""The image of hub, proxy and edge."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

from firstbell.model.course import Course
from firstbell.plan.hub_image import hub_build

GOLDEN = Path(__file__).parent / "golden"
NAME = "firstbell-0.1.0-py3-none-any.whl"


def course(name: str = "stats") -> Course:
    """A course of an image."""
    return Course.model_validate({"name": name, "server": {"image": "x"}})


def test_dockerfile_is_as_written_down() -> None:
    """The hub's Dockerfile is exactly the one that is kept beside this test."""
    assert hub_build(course(), b"wheel", NAME).dockerfile == (GOLDEN / "hub.Dockerfile").read_text()


def test_courses_share_one_hub_image() -> None:
    """Two courses of one Firstbell on one base have the same hub image; another Firstbell makes another."""
    one = hub_build(course(), b"wheel", NAME)
    assert hub_build(course("physics"), b"wheel", NAME, b"PEM").tag == one.tag
    assert hub_build(course(), b"newer", NAME).tag != one.tag
    assert re.fullmatch(r"firstbell/hub:[0-9a-f]{12}", one.tag)


def test_first_layers_are_those_of_course_images() -> None:
    """Hub and course images begin alike, so that the second to be built finds its first layers made."""
    lines = [
        [line for line in (GOLDEN / f"{name}.Dockerfile").read_text().splitlines() if not line.startswith("# Made")]
        for name in ("hub", "requirements")
    ]
    shared = [one for one, other in zip(*lines, strict=False) if one == other]
    assert any("apt-install ca-certificates python3" in line for line in shared)


def test_the_proxy_is_locked_without_a_registry() -> None:
    """Every npm package has its checksum, and none the address it came from, so that any mirror serves."""
    lock = json.loads((files("firstbell.hub") / "image" / "package-lock.json").read_text())
    packages = {path: entry for path, entry in lock["packages"].items() if path}
    assert "node_modules/configurable-http-proxy" in packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not any("resolved" in entry for entry in packages.values())


def test_python_is_locked_with_checksums() -> None:
    """Every line of the locks that names a package pins it and is followed by a checksum."""
    locks = [
        files("firstbell.hub") / "image" / "requirements.lock",
        files("firstbell.plan") / "recipe" / "server.lock",
        files("firstbell.plan") / "recipe" / "uv.lock",
    ]
    for lock in locks:
        entries = re.findall(r"^([a-z0-9][^ \\\n]*)[^\n]*\n(.*)$", lock.read_text(), re.MULTILINE)
        assert entries
        assert all("==" in name and "--hash=sha256:" in following for name, following in entries)

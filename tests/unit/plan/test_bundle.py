"""What the command of a bundle relies on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_hubs_image_can_run_the_command_line() -> None:
    """Everything that Firstbell itself depends on is in the hub's image, where a bundle runs its command."""
    locked = (ROOT / "src/firstbell/hub/image/requirements.lock").read_text()
    there = {match[1].lower() for match in re.finditer(r"^([\w.-]+)==", locked, re.MULTILINE)}
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {re.split(r"[^\w.-]", name)[0].lower() for name in wanted} - there == set()

"""A folder pushed here runs on a machine that has nothing but a Docker Engine."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.stories.share.conftest import Cli
from tests.support.course import FIRSTBELL, PROJECT, docker
from tests.support.machine import machine
from tests.support.registry import Registry

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces")


def test_somebody_else_runs_it(cli: Cli, shop: Registry, tmp_path: Path) -> None:
    """The image of a folder, pushed here, is pulled and run there: the same id and digest, and Jupyter answers."""
    ref = f"{shop.address}/share/course:1"
    pushed = json.loads(cli("push", ref, str(PROJECT), "--json").stdout)
    with machine(tmp_path) as there:
        there.share(shop.port)
        pulled = json.loads(there.run(FIRSTBELL, "pull", ref, "--json").stdout)
        assert (pulled["id"], pulled["digest"]) == (pushed["id"], pushed["digest"])
        ran = json.loads(there.run(FIRSTBELL, "run", ref, "--ephemeral", "--json").stdout)
        answer = there.run("curl", "-sS", re.sub(r"(:\d+)/[^?]*", r"\1/api/status", ran["url"])).stdout
        assert "started" in json.loads(answer)
        assert docker("ps", "-q", "--filter", f"ancestor={ref}") == ""
        there.run(FIRSTBELL, "stop", ran["name"])

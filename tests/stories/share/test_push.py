"""Pushing an image: what is told, what is refused, and what a cut connection costs."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

from firstbell.engine.docker import DockerEngine
from firstbell.model.network import Network
from firstbell.work.fetch import fetch
from tests.stories.bad_input.conftest import refused
from tests.stories.share.conftest import PASSWORD, USER, Cli
from tests.support.course import docker
from tests.support.cut import Cut
from tests.support.registry import IMAGE, Registry

HELPER = f"""\
#!/bin/sh
read -r server
echo '{{"ServerURL":"'$server'","Username":"{USER}","Secret":"{PASSWORD}"}}'
"""


def test_a_small_image_there_and_back(cli: Cli, shop: Registry) -> None:
    """An image is pushed, removed here, and pulled: it is the same, and both commands print the same digest."""
    ref = f"{shop.address}/share/there:1"
    assert "tag" in cli("push", ref, IMAGE, "--dry-run").stdout
    assert docker("images", "-q", ref) == ""
    pushed = cli("push", ref, IMAGE)
    digest = re.search(rf"^{re.escape(ref[:-2])}@(sha256:[0-9a-f]{{64}})$", pushed.stdout, re.MULTILINE)
    assert digest
    assert "1/" in pushed.stderr  # its layers, one by one
    docker("rmi", ref)
    pulled = json.loads(cli("pull", ref, "--json").stdout)
    assert (pulled["digest"], pulled["id"]) == (digest[1], docker("inspect", "-f", "{{.Id}}", IMAGE))


def test_refused_until_logged_in(cli: Cli, locked_shop: Registry, tmp_path: Path) -> None:
    """Without a login the command to log in is named; with one, as Docker's client keeps it, the image is taken."""
    ref = f"{locked_shop.address}/share/locked:1"
    login = f"docker login {locked_shop.address}"
    refused(cli("push", ref, IMAGE, check=False), 4, "who is not logged in", login)
    refused(cli("pull", ref, check=False), 4, "who is not logged in", login)
    _write(tmp_path, f"{USER}:wrong", locked_shop)
    said = refused(cli("push", ref, IMAGE, check=False), 4, f"refuses the login of {USER}", login)
    assert "wrong" not in said
    _write(tmp_path, f"{USER}:{PASSWORD}", locked_shop)
    made = cli("push", ref, IMAGE)
    assert PASSWORD not in made.stdout + made.stderr


def test_a_login_in_a_store(cli: Cli, locked_shop: Registry, tmp_path: Path) -> None:
    """A login that a program of Docker's credential store keeps is used like one in its file."""
    program = tmp_path / "docker-credential-test"
    program.write_text(HELPER)
    program.chmod(0o755)
    (tmp_path / "docker" / "config.json").write_text('{"credsStore": "test"}')
    ref = f"{locked_shop.address}/share/store:1"
    cli("push", ref, IMAGE, PATH=f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin")


def _write(folder: Path, both: str, shop: Registry) -> None:
    auth = base64.b64encode(both.encode()).decode()
    (folder / "docker" / "config.json").write_text(json.dumps({"auths": {shop.address: {"auth": auth}}}))


@pytest.mark.parametrize(
    ("name", "word"), [("Share:1", "lower case"), ("share/-a:1", '"-a"'), ("share: 1", "spaces"), ("a:b:c", "the tag")]
)
def test_a_name_that_no_registry_takes(cli: Cli, name: str, word: str) -> None:
    """A name that breaks a rule is refused by that rule before anything is built."""
    said = refused(cli("push", f"registry.example.org/{name}", check=False), 2, word)
    assert "step" not in said


def test_push_cut_half_way(cli: Cli, shop: Registry) -> None:
    """A push whose connection is cut for good says so; the same command completes it and sends no layer twice."""
    with Cut(shop.port, word=b"/manifests/") as way:
        ref = f"{way.address}/share/cut:1"
        refused(cli("push", ref, IMAGE, check=False), 4, f"the way to {way.address} is cut", "run the command again")
        assert way.cuts > 1
        way.word = b""
        way.allowance = 100_000  # far less than a layer
        assert f"{way.address}/share/cut@sha256:" in cli("push", ref, IMAGE).stdout


def test_a_registry_that_is_not_there(cli: Cli) -> None:
    """A registry that does not answer is named, with the way to see why."""
    refused(cli("pull", "127.0.0.1:9/share:1", check=False), 4, "the way to 127.0.0.1:9 is cut", "can be reached")
    refused(cli("push", "127.0.0.1:9/share:1", "test-share/none:1", check=False), 4, "no such image on this machine")


async def test_a_mirror_of_docker_hub(shop: Registry) -> None:
    """What Docker Hub would be asked for is had from the mirror that the course names, under its own name."""
    mine, there = "test-share-mirrored:1", f"{shop.address}/hub/library/test-share-mirrored:1"
    async with DockerEngine() as engine:
        try:
            await engine.tag(IMAGE, there)
            await engine.push(there)
            await engine.remove_image(there)
            made = await fetch(engine, mine, Network(registry=f"{shop.address}/hub"))
            assert (made.ref, made.id) == (mine, docker("inspect", "-f", "{{.Id}}", IMAGE))
            assert await engine.image(there) is None
        finally:
            await engine.remove_image(mine)

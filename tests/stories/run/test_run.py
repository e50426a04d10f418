"""`firstbell run` on the real engine: the link, the second time, the end, and what goes wrong."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
from pathlib import Path

from tests.support.course import FIRSTBELL, docker
from tests.support.listening import free_port
from tests.support.local_hub import wait_for

from .conftest import Runner, Server


def test_the_link_lets_in_and_nothing_else(runner: Runner):
    """The link opens Lab; without its token, or with another, nobody gets in; the token is in no inspection."""
    server = runner.run("link")
    page = server.get(f"?token={server.token}", token="", follow_redirects=True)
    assert page.status_code == 200
    assert "jupyter-config-data" in page.text
    assert server.get("api/contents").status_code == 200
    assert server.get("api/contents", token="").status_code == 403
    assert server.get("api/contents", token="x" * 32).status_code == 403
    assert "/login" in str(server.get("lab", token="", follow_redirects=True).url)
    seen = json.dumps(server.inspect())
    assert server.token not in seen
    assert server.token not in docker("logs", server.container)
    assert [entry["name"] for entry in server.get("api/contents").json()["content"]] == ["start.ipynb"]


def test_how_it_is_closed(runner: Runner):
    """Loopback only, no capabilities, no new privileges, bounded processes, a network where runs do not meet."""
    one, two = runner.run("one"), runner.run("two", "--memory", "512M", "--cpu", "0.5", "--pids", "300")
    seen = one.inspect()
    host = seen["HostConfig"]
    assert seen["NetworkSettings"]["Ports"]["8888/tcp"][0]["HostIp"] == "127.0.0.1"
    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], [])
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["RestartPolicy"]["Name"] == "no"
    limits = two.inspect()["HostConfig"]
    assert (limits["Memory"], limits["NanoCpus"], limits["PidsLimit"]) == (512 * 1024**2, 500_000_000, 300)
    address = next(iter(two.inspect()["NetworkSettings"]["Networks"].values()))["IPAddress"]
    reach = f"import socket; socket.create_connection(('{address}', 8888), 3)"
    assert "timed out" in one.sh(f'python3 -c "{reach}" 2>&1', check=False)


def test_twice_and_after_the_end(runner: Runner):
    """The second time shows the same link; ps shows it; the end keeps files, and the next run has them."""
    first = runner.run("twice")
    first.write("mine.txt", "kept")
    again = runner.cli("run", str(runner.folder), "--name", first.name)
    assert f"{first.url}?token={first.token}" in again.stdout
    assert "It runs already" in again.stdout
    (shown,) = [run for run in json.loads(runner.cli("ps", "--json").stdout) if run["name"] == first.name]
    assert shown["url"] == f"{first.url}?token={first.token}"
    assert shown["source"] == str(runner.folder)
    assert shown["memory"] > 0
    assert "serving" in runner.cli("logs", f"run:{first.name}").stdout

    stopped = runner.cli("stop", ".")
    assert "files are kept in plain-" in stopped.stdout
    assert docker("ps", "-aq", "--filter", f"name={first.container}") == ""
    assert runner.run("twice").read("mine.txt") == "kept"


def test_another_form_is_asked_for(runner: Runner):
    """A running server is not replaced unasked; with --yes it is, under the same link."""
    first = runner.run("form")
    before = first.inspect()["Id"]
    refused = runner.cli("run", str(runner.folder), "--name", first.name, "--restart", "unless-stopped", check=False)
    assert refused.returncode == 8
    assert first.inspect()["Id"] == before
    again = runner.run("form", "--restart", "unless-stopped", "--yes")
    assert (again.url, again.token) == (first.url, first.token)
    assert again.inspect()["Id"] != before
    assert again.inspect()["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


def test_ports(runner: Runner):
    """A taken port is passed over when none was named, and told when it was."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        refused = runner.cli("run", str(runner.folder), "--name", "test-run-port", "--port", str(port), check=False)
        assert refused.returncode == 5
        assert f"port {port} is taken" in refused.stderr
        assert "--port" in refused.stderr
    one, two = runner.run("port-a"), runner.run("port-b")
    assert one.url != two.url
    assert docker("ps", "-aq", "--filter", "name=firstbell_run_test-run-port$") == ""


def test_an_image(runner: Runner, image: str):
    """An image that is there runs by its name, with the token that is given."""
    server = runner.run("image", source=image, environment={"JUPYTER_TOKEN": "my-own-token"})
    assert server.token == "my-own-token"
    assert server.get("api/status").status_code == 200
    assert server.read("start.ipynb")


def test_what_cannot_run(runner: Runner):
    """No Jupyter, no graphics card: told in words with what to do; no container and no home are left."""
    bare = runner.cli("run", "debian:trixie-slim", "--name", "test-run-bare", check=False)
    assert bare.returncode == 4
    assert "cannot import jupyter_server" in bare.stderr
    assert "pip install jupyterlab" in bare.stderr
    if not Path("/dev/nvidiactl").exists():
        cards = runner.cli("run", str(runner.folder), "--name", "test-run-gpu", "--gpus", "all", check=False)
        assert cards.returncode == 5
        assert "knows no graphics card" in cards.stderr
    assert docker("ps", "-aq", "--filter", "name=firstbell_run_test-run-") == ""
    assert "debian" not in docker("volume", "ls", "-q", "--filter", "name=firstbell_home_debian")


def test_control_c(runner: Runner):
    """On a terminal the command stays; Ctrl-C stops the server, says where files are, and is no failure."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [FIRSTBELL, "run", str(runner.folder), "--name", "test-run-stay"],
        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    os.set_blocking(controller, False)
    said = ""

    def has_said(words: str) -> bool:
        nonlocal said
        try:
            said += os.read(controller, 65536).decode(errors="replace")
        except (BlockingIOError, OSError):
            pass
        return words in said

    try:
        wait_for(lambda: has_said("Ctrl-C stops it"), 120)
        found = re.search(r"(http://127\.0\.0\.1:\d+/)\?token=([\w-]+)", said)
        assert found
        assert Server("test-run-stay", found[1], found[2]).get("api/status").status_code == 200
        os.killpg(process.pid, signal.SIGINT)
        wait_for(lambda: has_said("files are kept in the home plain-"), 60)
        assert process.wait(30) == 0
    finally:
        process.kill()
        os.close(controller)
    assert docker("ps", "-aq", "--filter", "name=firstbell_run_test-run-stay") == ""

"""Root in the container, for whoever asks for it, and for nobody else."""

from __future__ import annotations

from tests.support.course import docker

from .conftest import Runner

PASSWORD = "correct horse battery"


def test_sudo(runner: Runner):
    """With the password one becomes root in the container, without it not; the password is in no inspection."""
    environment = {"FIRSTBELL_TEST_PASSWORD": PASSWORD}
    words = ("--sudo-password", "env:FIRSTBELL_TEST_PASSWORD")
    server = runner.run("sudo", *words, environment=environment)
    try:
        assert server.sh("id -u") == "1000"
        assert server.sh(f"echo '{PASSWORD}' | sudo -S -p '' id -u") == "0"
        assert server.sh("sudo -k; echo wrong | sudo -S -p '' id -u", check=False) == ""
        assert server.sh(f"echo '{PASSWORD}' | sudo -S -p '' sh -c 'touch /usr/local/mine && echo done'") == "done"
        assert PASSWORD not in str(server.inspect())
        assert "$2b$" not in str(server.inspect())
        assert server.sh("cat /etc/shadow", check=False) == ""
        host = server.inspect()["HostConfig"]
        assert host["Privileged"] is False
        assert "SYS_ADMIN" not in host["CapAdd"]

        again = runner.run("sudo", *words, environment=environment)
        assert again.inspect()["Id"] == server.inspect()["Id"], "the same password is no other form"
    finally:
        image = str(server.inspect()["Config"]["Image"])
        runner.cli("stop", server.name)
        docker("image", "rm", image)


def test_without(runner: Runner):
    """Without --sudo nothing in the container gains rights, whatever the image brings."""
    server = runner.run("plain-user")
    assert "1" in server.sh("grep NoNewPrivs /proc/self/status")
    assert server.sh("grep CapBnd /proc/self/status").split()[-1] == "0" * 16

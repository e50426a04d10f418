"""A real course, brought up by the real command, on a port of its own; taken down with all that was in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstbell.model.names import is_standby
from tests.support.listening import free_port

FIRSTBELL = Path(sys.executable).parent / "firstbell"
EXAMPLES = Path(__file__).parents[2] / "examples"
PROJECT = Path(__file__).parent / "project"
"""A project of one notebook and no packages: plain Jupyter, the same image for every story."""


@dataclass(frozen=True)
class RunningCourse:
    """A course folder whose course is up."""

    folder: Path
    name: str
    url: str

    def cli(
        self, *words: str, check: bool = True, stdin: str = "", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `firstbell WORDS` in the course's folder."""
        result = subprocess.run(
            [FIRSTBELL, *words],
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            env={**os.environ, **(environment or {})},
            timeout=900,
            check=False,
        )
        assert not check or result.returncode == 0, f"firstbell {' '.join(words)}\n{result.stdout}\n{result.stderr}"
        return result

    def up(self) -> None:
        """Bring it up (again)."""
        self.cli("up", "--yes")

    def container(self, role: str) -> str:
        """The container of hub, proxy, edge or guard."""
        return f"firstbell-{self.name}-{role}"

    def servers(self) -> list[dict[str, Any]]:
        """`docker inspect` of every server, but for those that end in this moment, and those that wait for somebody."""
        found = docker("ps", "-a", "--format", "{{.Names}}", "--filter", f"label=firstbell.course={self.name}",
                       "--filter", "label=firstbell.role=server").split()  # fmt: skip
        names = [name for name in found if not is_standby(self.name, name)]
        return json.loads(docker("inspect", *names, check=False)) if names else []

    def server_of(self, user: str) -> dict[str, Any]:
        """`docker inspect` of a user's server."""
        return next(s for s in self.servers() if s["Config"]["Labels"]["firstbell.user"] == user)

    def proxy_token(self) -> str:
        """The token of the proxy's API."""
        return docker("exec", self.container("hub"), "cat", "/srv/firstbell/shared/proxy.token")

    def pid(self, role: str, program: str) -> int:
        """The process, as this machine numbers it, of a part's program (its init is another)."""
        rows = docker("top", self.container(role), "-eo", "pid,args").splitlines()[1:]
        return next(int(row.split()[0]) for row in rows if program in row and "docker-init" not in row)


def docker(*words: str, check: bool = True) -> str:
    """The docker command; its output."""
    result = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=120, check=False)
    assert not check or result.returncode == 0, f"docker {' '.join(words)}\n{result.stderr}"
    return result.stdout.strip()


def write_course(folder: Path, name: str, *, top: str = "", access: str = "", server: str = "", rest: str = "") -> str:
    """Write a firstbell.toml for the plain project; the course's URL.

    Nothing waits for the next visitor unless `access` says so: stories count what there is.
    """
    url = f"http://127.0.0.1:{free_port()}"
    project = "" if "image =" in server or "project =" in server else f'project = "{PROJECT}"\n'
    address = "" if "url =" in top else f'url = "{url}"\n'
    access = access if "standby" in access else f"standby = 0\n{access}"
    (folder / "firstbell.toml").write_text(
        f'name = "{name}"\n{address}{top}\n[access]\n{access}\n[server]\n{project}{server}\n{rest}\n'
    )
    return url


@contextmanager
def running(
    folder: Path, name: str, *, environment: Mapping[str, str] | None = None, **tables: str
) -> Iterator[RunningCourse]:
    """A course brought up and, at the end, removed with its homes; what a killed test left is removed first."""
    with _running(RunningCourse(folder, name, write_course(folder, name, **tables)), environment) as course:
        yield course


@contextmanager
def running_example(folder: Path, example: str, name: str) -> Iterator[RunningCourse]:
    """A copy of one of the examples, under another name and on a port of its own, as it stands otherwise."""
    shutil.copytree(EXAMPLES / example, folder, dirs_exist_ok=True)
    file = folder / "firstbell.toml"
    url = f"http://127.0.0.1:{free_port()}"
    text = re.sub(r'^name = ".*?"', f'name = "{name}"', file.read_text(), count=1, flags=re.MULTILINE)
    file.write_text(re.sub(r'^url = ".*?"', f'url = "{url}"', text, count=1, flags=re.MULTILINE))
    with _running(RunningCourse(folder, name, url)) as course:
        yield course


@contextmanager
def _running(course: RunningCourse, environment: Mapping[str, str] | None = None) -> Iterator[RunningCourse]:
    remove(course.name)
    try:
        course.cli("up", "--yes", environment=environment)
        yield course
    finally:
        course.cli("down", "--delete-homes", "--confirm", course.name, check=False, environment=environment)
        remove(course.name)


def remove(name: str) -> None:
    """Everything that carries the course's label, images excepted."""
    label = f"label=firstbell.course={name}"
    for _ in range(2):  # a hub still alive in the first round could start one more
        if containers := docker("ps", "-aq", "--filter", label).split():
            docker("rm", "-f", *containers, check=False)
    if networks := docker("network", "ls", "-q", "--filter", label).split():
        docker("network", "rm", *networks, check=False)
    if volumes := docker("volume", "ls", "-q", "--filter", label).split():
        docker("volume", "rm", *volumes, check=False)

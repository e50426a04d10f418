"""Firstbell, brought up by its own command from a course file like anybody's."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.engine import Engine, wait_until
from bench.side import ROOT, only

COURSE = "bench"
FIRSTBELL = str(Path(sys.executable).parent / "firstbell")
_SERVICES = ("hub", "proxy", "edge")
_FILE = """\
name = "{name}"
url = "{url}"

[access]
login = "seminar"
capacity = 500

[server]
project = "{project}"
memory = "1G"
"""


@dataclass(frozen=True, slots=True)
class OurSide:
    """Firstbell, running."""

    url: str
    engine: Engine
    name: str = "firstbell"
    course: str = COURSE

    def fields(self, visitor: int) -> Mapping[str, str]:
        """A seminar asks for nothing."""
        del visitor
        return {}

    def server(self) -> str:
        """The container of the one server that runs now."""
        return only(self._servers())

    def image(self) -> str:
        """The course's image."""
        return self.engine.image_with(firstbell_course=COURSE, firstbell_role="image")

    def service_cpu(self) -> float:
        """Of hub, proxy and edge."""
        return sum(self.engine.usage(f"firstbell-{COURSE}-{service}").cpu for service in _SERVICES)

    def forget(self, server: str, user: str) -> None:
        """The home stays, as homes do, until the course goes."""
        del user
        wait_until(lambda: server not in self._servers(), f"{server} to be removed")

    def _servers(self) -> list[str]:
        return self.engine.names(firstbell_course=COURSE, firstbell_role="server")


@contextmanager
def running(engine: Engine) -> Iterator[OurSide]:
    """`firstbell up` on a course of the seminar example's project; `firstbell down --delete-homes` at the end."""
    with tempfile.TemporaryDirectory(prefix="firstbell-bench-") as folder:
        url = f"http://127.0.0.1:{_free_port()}"
        text = _FILE.format(name=COURSE, url=url, project=ROOT / "examples/seminar/project")
        (Path(folder) / "firstbell.toml").write_text(text)
        engine.remove_all(COURSE)
        try:
            subprocess.run([FIRSTBELL, "up", folder, "--yes"], check=True)
            yield OurSide(url, engine)
        finally:
            down = [FIRSTBELL, "down", folder, "--delete-homes", "--yes", "--confirm", COURSE]
            ended = subprocess.run(down, check=False, capture_output=True, text=True)
            if ended.returncode:
                print(ended.stderr, flush=True)
            engine.remove_all(COURSE)


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])

"""Firstbell, brought up by its own command from a course file like anybody's."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.engine import Engine, wait_until
from bench.side import ROOT, only, prefix
from firstbell.model.names import is_standby
from tests.support.listening import free_port

FIRSTBELL = str(Path(sys.executable).parent / "firstbell")
_SERVICES = ("hub", "proxy", "edge")
_LOADS, _CALM = 2.0, 0.5
"""Seconds for a container that waits to load Jupyter's modules; after one was ended."""
NO_KERNELS = "warm_kernels = false\n"
"""For the end of `[server]`: nothing but Jupyter itself, as the peer has it."""
_FILE = """\
name = "{name}"
url = "{url}"

[access]
login = "seminar"
capacity = {room}

[server]
project = "{project}"
memory = "1G"
"""


@dataclass(frozen=True, slots=True)
class OurSide:
    """Firstbell, running."""

    url: str
    engine: Engine
    folder: Path
    """Where the course file is."""
    name: str = "firstbell"

    @property
    def course(self) -> str:
        """The course's name, which is the label, too."""
        return prefix()

    def cli(self, *words: str) -> str:
        """Run `firstbell WORDS` in the course's folder; its output. Raises CalledProcessError."""
        command = [FIRSTBELL, *words]
        return subprocess.run(command, cwd=self.folder, check=True, stdout=subprocess.PIPE, text=True).stdout

    def fields(self, visitor: int) -> Mapping[str, str]:
        """A seminar asks for nothing."""
        del visitor
        return {}

    def server(self) -> str:
        """The container of the one server that runs now."""
        return only(self.servers())

    def image(self) -> str:
        """The course's image."""
        return self.engine.image_with(firstbell_course=self.course, firstbell_role="image")

    def service_cpu(self) -> float:
        """Of hub, proxy and edge."""
        return sum(self.engine.usage(f"firstbell-{self.course}-{service}").cpu for service in _SERVICES)

    def forget(self, server: str, user: str) -> None:
        """The home stays, as homes do, until the course goes."""
        del user
        wait_until(lambda: server not in self.servers(), f"{server} to be removed")

    def before_click(self) -> None:
        """Somebody's click as it is: a container waits for the next visitor, by the course's default."""

        def one_waits() -> bool:
            found = self.engine.names(firstbell_course=self.course, firstbell_role="server")
            return any(is_standby(self.course, name) for name in found)

        if not one_waits():
            wait_until(one_waits, "a container to wait for the next visitor")
            time.sleep(_LOADS)

    def servers(self) -> list[str]:
        """The containers of all servers."""
        found = self.engine.names(firstbell_course=self.course, firstbell_role="server")
        return [name for name in found if not is_standby(self.course, name)]


@dataclass(frozen=True, slots=True)
class Unprepared(OurSide):
    """The same course, for somebody for whom no container waits."""

    name: str = "unprepared"

    def before_click(self) -> None:
        """End the container that waits for the next visitor, as if somebody else had taken it a moment ago."""
        found = self.engine.names(firstbell_course=self.course, firstbell_role="server")
        for name in found:
            if is_standby(self.course, name):
                self.engine.call("DELETE", f"/containers/{name}", force=True)
        time.sleep(_CALM)


@contextmanager
def running(engine: Engine, more: str = "", *, room: int = 500) -> Iterator[OurSide]:
    """`firstbell up` on a course of the seminar example's project; `firstbell down --delete-homes` at the end.

    `more` is put at the end of the course file, which is in `[server]`; `room` is the course's capacity.
    """
    name = prefix()
    with tempfile.TemporaryDirectory(prefix="firstbell-bench-") as folder:
        url = f"http://127.0.0.1:{free_port()}"
        text = _FILE.format(name=name, room=room, url=url, project=ROOT / "examples/seminar/project")
        (Path(folder) / "firstbell.toml").write_text(text + more)
        engine.remove_all(name)
        try:
            subprocess.run([FIRSTBELL, "up", folder, "--yes"], check=True)
            yield OurSide(url, engine, Path(folder))
        finally:
            down = [FIRSTBELL, "down", folder, "--delete-homes", "--yes", "--confirm", name]
            ended = subprocess.run(down, check=False, capture_output=True, text=True)
            if ended.returncode:
                print(ended.stderr, flush=True)
            engine.remove_all(name)

"""A backup of 100 homes with 100 000 files in all while 30 people work: what they feel of it, beside restic by hand."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import homes, machine
from bench.at_work import PeopleAtWork
from bench.backups_report import Stored, record
from bench.backups_watch import BY_HAND, Watch
from bench.engine import Engine
from bench.options import Options
from bench.our_side import FIRSTBELL
from bench.record import Record
from bench.side import prefix
from firstbell.model import names
from firstbell.model.names import Role
from firstbell.rehearsal.visit import Person
from tests.support.course import PROJECT
from tests.support.listening import free_port


@dataclass(frozen=True, slots=True)
class Size:
    """Of one run."""

    homes: int
    files: int
    """Of each home."""
    people: int
    every: float
    """Seconds between two cells of a person."""
    usual: float
    """Seconds at first in which nothing but work is done,"""
    between: float
    """and between two backups."""


_WHOLE = Size(homes=100, files=1000, people=30, every=4.0, usual=100, between=30)
_QUICK = Size(homes=10, files=1000, people=5, every=1.0, usual=20, between=8)
_SECRET, _LOGIN = "BENCH_BACKUP_PASSWORD", "three unrelated words"
_FILE = """\
name = "{name}"
url = "{url}"

[access]
login = "roster"
standby = 0

[server]
project = "{project}"
memory = "512M"

[homes]
quota = "2G"

[backup]
to = "{store}"
password = "env:{secret}"
every = "30d"
drill = 0
"""
_BACK_UP = """\
[ -e /store/config ] || restic init --quiet
exec restic backup --quiet --no-cache --host class {place}
"""
_MEASURE = """\
import sys
sys.path.insert(0, "/opt/firstbell")
from singleuser import home_walk
print(1000 * home_walk.walk("/home/jovyan", lambda: False).cost)
"""
"""What one look at its home costs a server, in milliseconds of a core."""


@dataclass(frozen=True, slots=True)
class Term:
    """A course in the middle of a term, up."""

    engine: Engine
    folder: Path
    url: str
    users: tuple[str, ...]

    def cli(self, *words: str) -> Any:
        """A command with --json in the course's folder."""
        command = [FIRSTBELL, *words, "--json"]
        done = subprocess.run(command, cwd=self.folder, env=_environment(), check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    def fill(self, *words: str) -> None:
        """Write into all homes, as a program of a container that has them."""
        _docker("run", "-i", "--rm", "--network=none", "--user=0", *_label(), *self._homes(""), "--entrypoint=python3",
                self.engine.image_with(firstbell_course=prefix(), firstbell_role="image"), "-", *words,
                stdin=Path(homes.__file__).read_text())  # fmt: skip

    def back_up(self) -> None:
        """By Firstbell: `backup now`, as the hub's keeper does it. Raises RuntimeError where a home is left out."""
        done = self.cli("backup", "now")
        if done["bad"] or done["homes"] != len(self.users):
            raise RuntimeError(f"not everything is backed up: {done}")

    def back_up_by_hand(self) -> None:
        """By the same restic, all homes as one snapshot, with the machine's whole strength."""
        told = ("-e", "RESTIC_REPOSITORY=/store", "-e", "RESTIC_PASSWORD=by hand", "-v", f"{self.folder}/hand:/store")
        name = f"firstbell-{prefix()}{BY_HAND}"
        _docker("run", "--rm", "--network=none", "--user=0", "--name", name, *_label(), *told, *self._homes(":ro"),
                "--entrypoint=sh", self._restic(), "-c", _BACK_UP.format(place=homes.PLACE))  # fmt: skip

    def stored(self) -> Stored:
        """Bytes in both storages."""
        said = self._in_storages("du", "-sb", "/stores/ours", "/stores/hand").split()
        return Stored(int(said[0]), int(said[2]))

    def clear(self) -> None:
        """Empty the storages, which are root's."""
        self._in_storages("find", "/stores/ours", "/stores/hand", "-mindepth", "1", "-delete")

    def workers(self, count: int) -> list[Person]:
        """So many of them, from among all, each with their invitation."""
        chosen = self.users[:: max(1, len(self.users) // count)][:count]
        told = self.cli("people", "invite", *chosen)
        fields = {"password": _LOGIN, "again": _LOGIN}
        return [Person(number, door=one["link"], fields=fields) for number, one in enumerate(told)]

    def measuring(self) -> tuple[float, ...]:
        """What measuring its home costs each of some servers, in milliseconds of a core."""
        servers = self.engine.names(firstbell_course=prefix(), firstbell_role="server")
        return tuple(float(_docker("exec", server, "python3", "-c", _MEASURE)) for server in servers[:3])

    def _in_storages(self, *words: str) -> str:
        return _docker("run", "--rm", "--network=none", "--user=0", *_label(), "-v", f"{self.folder}:/stores",
                       f"--entrypoint={words[0]}", self._restic(), *words[1:])  # fmt: skip

    def _restic(self) -> str:
        return self.engine.image_with(firstbell_role="vault-image")

    def _homes(self, rights: str) -> list[str]:
        mounts = [f"{names.home(prefix(), user)}:{homes.PLACE}/{user}{rights}" for user in self.users]
        return [word for mount in mounts for word in ("-v", mount)]


def run(engine: Engine, options: Options) -> Record:
    """People work; a first backup of all homes, one after a day of classes, the same by hand, calm between them."""
    size = _QUICK if options.quick else _WHOLE
    people = options.crowd(size.people)
    with _up(engine, size) as term, PeopleAtWork(term.url, term.workers(people), size.every) as at_work:
        watch = Watch(engine, at_work)
        watch.calm(size.usual)
        watch.phase("first", term.back_up)
        watch.calm(size.between)
        watch.phase("first, by hand", term.back_up_by_hand)
        first = term.stored()
        term.fill("day")
        watch.calm(size.between)
        watch.phase("after a day", term.back_up)
        watch.calm(size.between)
        watch.phase("after a day, by hand", term.back_up_by_hand)
        watch.calm(size.between)
        stored, measuring = (first, term.stored()), term.measuring()
    return record(
        watch.phases, at_work.cells, stored, measuring=measuring, said=_said(size, people), facts=machine.facts(engine)
    )


def _said(size: Size, people: int) -> str:
    return (
        f"{size.homes} homes with {size.files} files each; {people} people with a server and a notebook each, a cell "
        f"every {size.every:g} s. The hub was told `backup now`, so that it rested for nobody; by hand is the same "
        "restic with nothing that holds it back, all homes in one snapshot."
    )


@contextmanager
def _up(engine: Engine, size: Size) -> Iterator[Term]:
    """The course, with homes of which nobody has logged in yet."""
    name, users = prefix(), tuple(f"s{number:03}" for number in range(1, size.homes + 1))
    with tempfile.TemporaryDirectory(prefix="firstbell-bench-") as made:
        folder, url = Path(made), f"http://127.0.0.1:{free_port()}"
        for store in ("ours", "hand"):
            (folder / store).mkdir()
        text = _FILE.format(name=name, url=url, project=PROJECT, store=folder / "ours", secret=_SECRET)
        (folder / "firstbell.toml").write_text(text)
        rows = [f"{user},,,student," for user in users]
        (folder / "roster.csv").write_text("\n".join(["username,name,email,role,section", *rows, ""]))
        engine.remove_all(name)
        term = Term(engine, folder, url, users)
        try:
            subprocess.run([FIRSTBELL, "up", made, "--yes"], check=True, env=_environment())
            # The hub's own first run, of a course that nobody has a home in, is over then.
            term.cli("backup", "now")
            _make_homes(term, size.files)
            yield term
        finally:
            term.clear()
            down = [FIRSTBELL, "down", made, "--delete-homes", "--yes", "--confirm", name]
            subprocess.run(down, check=False, capture_output=True, env=_environment())
            engine.remove_all(name)


def _make_homes(term: Term, files: int) -> None:
    began = time.monotonic()
    for user in term.users:
        labels = names.labels(prefix(), Role.HOME, user)
        marks = [word for pair in labels.items() for word in ("--label", "=".join(pair))]
        _docker("volume", "create", *marks, names.home(prefix(), user))
    term.fill("fill", str(files))
    print(f"  {len(term.users)} homes with {files} files each in {time.monotonic() - began:.0f} s", flush=True)


def _environment() -> dict[str, str]:
    return {**os.environ, _SECRET: "a password of the benchmark"}


def _label() -> tuple[str, str]:
    return "--label", f"firstbell.course={prefix()}"


def _docker(*words: str, stdin: str = "") -> str:
    done = subprocess.run(["docker", *words], input=stdin, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()

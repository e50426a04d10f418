"""A PostgreSQL server of a test's own, where its programs are installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

_DEADLINE = 60.0


@dataclass
class PostgreSql:
    """A server with one empty database; `start` after `stop` has what was there."""

    programs: Path
    folder: Path
    address: str
    port: int

    @property
    def url(self) -> str:
        """As in a course file."""
        return f"postgresql://hub:secret@{self.address}:{self.port}/hub"

    def run(self, *words: str) -> None:
        """One of its programs, as somebody who is not root: the server refuses that."""
        user = "nobody" if os.getuid() == 0 else None
        subprocess.run([self.programs / words[0], *words[1:]], user=user, check=True, capture_output=True, cwd="/")

    def start(self) -> None:
        """Until it answers."""
        options = f"-h {self.address} -p {self.port} -k {self.folder} -c fsync=off"
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-o", options, "-l", f"{self.folder}/log", "-w", "start")

    def stop(self) -> None:
        """At once."""
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "-w", "stop")


def programs() -> Path | None:
    """The folder of its programs; None where it is not installed."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


@contextmanager
def postgresql(address: str = "127.0.0.1") -> Iterator[PostgreSql]:
    """A server at a free port of that address, with the database `hub` of the user `hub`."""
    where = programs()
    assert where, "PostgreSQL is not installed"
    with tempfile.TemporaryDirectory(prefix="pg-") as made, socket.socket() as trial:
        trial.bind((address, 0))
        port = int(trial.getsockname()[1])
        trial.close()
        folder = Path(made)
        if os.getuid() == 0:
            shutil.chown(folder, "nobody")
        server = PostgreSql(where, folder, address, port)
        password = folder / "password"
        password.write_text("secret")
        password.chmod(0o644)
        server.run("initdb", "-D", f"{folder}/data", "-U", "hub", "-A", "scram-sha-256", f"--pwfile={password}")
        with (folder / "data/pg_hba.conf").open("a") as rules:
            rules.write("host all all 0.0.0.0/0 scram-sha-256\n")
        server.start()
        try:
            _make_database(server)
            yield server
        finally:
            server.run("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "-w", "stop")


def _make_database(server: PostgreSql) -> None:
    until = time.monotonic() + _DEADLINE
    while True:
        try:
            with psycopg.connect(server.url.removesuffix("/hub") + "/postgres", autocommit=True) as db:
                db.execute("CREATE DATABASE hub")
            return
        except psycopg.OperationalError:
            assert time.monotonic() < until
            time.sleep(0.1)

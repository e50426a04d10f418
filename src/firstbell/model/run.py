"""One person's Jupyter on this machine, without a hub: what is wanted, and what is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from firstbell.model.container import Limits, Restart, frozen
from firstbell.model.names import run_home
from firstbell.model.secret import Secret

LOOPBACK = "127.0.0.1"
FIRST_PORT = 8888
"""Where a free port is sought from: Jupyter's own."""
RUN_LIMITS = Limits(memory=0, pids=4096)
"""As for any program of one's own: neither memory nor cores are bounded, only the number of processes is."""


class HomeKind(StrEnum):
    """Where a run's files are: in a named volume, in a folder of the host, or nowhere that outlives it."""

    VOLUME = "volume"
    FOLDER = "folder"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RunHome:
    """A run's files."""

    kind: HomeKind
    name: str = ""
    """The home's own name, or the folder's absolute path."""

    @property
    def place(self) -> str:
        """The volume's name or the folder's path; empty for an ephemeral home."""
        return run_home(self.name) if self.kind is HomeKind.VOLUME else self.name

    def __str__(self) -> str:
        words = {
            HomeKind.VOLUME: f"the home {self.name}",
            HomeKind.FOLDER: self.name,
            HomeKind.NONE: "this run alone",
        }
        return words[self.kind]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to run."""

    name: str
    source: str
    """The folder's absolute path, or the image's reference."""
    home: RunHome
    uid: int = 1000
    gid: int = 1000
    ip: str = LOOPBACK
    port: int = 0
    """0 for the one it has already, else the first that is free."""
    token: Secret | None = None
    """None for the one it has already, else a new one."""
    sudo: Secret | None = None
    """The password with which the person becomes root in the container; None for no way to."""
    env: Mapping[str, str] = field(default_factory=frozen)
    limits: Limits = RUN_LIMITS
    restart: Restart = Restart.NO
    gpus: str = ""
    page: str = ""
    """The first page, without a slash before it; empty for the interface's own."""
    interface: str = "lab"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it is now."""

    name: str
    source: str
    phase: str
    url: str = field(repr=False)
    """With its token: whoever has it may enter."""
    home: str
    """A volume's name, a folder's path, or empty."""
    since: str = ""
    """RFC 3339, UTC; empty while it does not run."""
    memory: int = 0
    """Bytes; 0 where it is not known."""

    @property
    def home_name(self) -> str:
        """The home as people name it: a volume without what all of them begin with."""
        return self.home.removeprefix(run_home(""))

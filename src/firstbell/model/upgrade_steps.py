"""What an upgrade, or going back from one, is going to do, as values. Those of `up` are in `steps.py`."""

from __future__ import annotations

from dataclasses import dataclass

from firstbell.model.container import ContainerSpec


@dataclass(frozen=True, slots=True)
class SaveState:
    """Save the hub's databases as they are now, under a name; those that a run before saved under it are replaced."""

    identity: str
    kind: str
    """`before` an upgrade, or `after` it, when one goes back."""
    version: str
    """Of the hub that wrote them."""

    def __str__(self) -> str:
        return f"save the hub's databases as {self.identity}"


@dataclass(frozen=True, slots=True)
class BackUpFirst:
    """A run of the course's own backups."""

    to: str

    def __str__(self) -> str:
        return f"back up the course to {self.to}"


@dataclass(frozen=True, slots=True)
class TryOut:
    """Run the new hub beside, on a copy of what was saved, and execute a cell in a server of somebody made up."""

    identity: str
    version: str

    def __str__(self) -> str:
        return f"try Firstbell {self.version} on a copy: a hub beside, a server, a cell"


@dataclass(frozen=True, slots=True)
class SetAside:
    """Stop a part of the course and keep it, to go back to."""

    name: str
    aside: str
    """The name under which it is kept."""
    grace: int = 10

    def __str__(self) -> str:
        return f"stop {self.name} and keep it"


@dataclass(frozen=True, slots=True)
class PutBack:
    """Bring back the databases that the older hub could not read, as they were saved."""

    identity: str

    def __str__(self) -> str:
        return f"bring back what the older hub cannot read otherwise, as saved at {self.identity}"


@dataclass(frozen=True, slots=True)
class BringBack:
    """Let a part of the course run that was set aside, in place of what has its name."""

    spec: ContainerSpec
    """Its name and what it is for; not what is in it."""
    aside: str
    """The name under which it was kept; its own where it was only stopped."""
    must_answer: bool = True

    def __str__(self) -> str:
        return f"bring back {self.spec.name}"


@dataclass(frozen=True, slots=True)
class PruneSaved:
    """Remove all but the newest of what was saved."""

    most: int

    def __str__(self) -> str:
        return f"keep what was saved before the last {self.most} upgrades"


UpgradeStep = SaveState | BackUpFirst | TryOut | SetAside | PutBack | BringBack | PruneSaved

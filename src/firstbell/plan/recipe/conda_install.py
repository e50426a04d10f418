"""Solves and installs a conda environment with py-rattler. Runs inside a build or a helper container.

    conda_install.py install HERE PREFIX CACHE    into PREFIX: what HERE/packages.lock names, else solved
    conda_install.py solve HERE CACHE             prints HERE/environment.json's solution, as packages.lock has it

HERE/environment.json was made from environment.yml by `firstbell.plan.conda`. A mirror in CONDA_CHANNEL_ALIAS takes the
place of the solver's own base address of channels; a lock names channels, not addresses.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import rattler
from rattler import (
    BuildString,
    Channel,
    ChannelPriority,
    Gateway,
    MatchSpec,
    PackageRecord,
    RepoDataRecord,
    Subdir,
    VirtualPackage,
)
from rattler.exceptions import GatewayError, InstallerError, InvalidMatchSpecError, SolverError
from rattler.networking import Client, MirrorMiddleware, RetryMiddleware
from rattler.shell import ActivationVariables, activate

RETRIES = 5
DEFAULTS = ("main", "r")
"""The channels that `defaults` stands for."""
PROFILE = Path(os.environ.get("CONDA_PROFILE", "/etc/profile.d/firstbell-conda.sh"))
"""Read by the shells of terminals."""
LINE = re.compile(r"^(?P<path>\S+/\S+/\S+) sha256:(?P<digest>[0-9a-f]{64})$", re.MULTILINE)


class Refused(Exception):
    """What the person has to change, in lines."""


@dataclass(frozen=True)
class Wanted:
    """What environment.json asks for."""

    channels: tuple[str, ...]
    specs: tuple[str, ...]
    jupyter: tuple[str, ...]

    @staticmethod
    def read(here: Path) -> Wanted:
        """Of HERE/environment.json."""
        plain = json.loads((here / "environment.json").read_text())
        return Wanted(tuple(plain["channels"]), tuple(plain["specs"]), tuple(plain["jupyter"]))


def channels_of(wanted: Wanted) -> dict[str, Channel]:
    """The channels by their names, in their order; those that only a spec names come last."""
    named = [name for given in wanted.channels for name in (DEFAULTS if given == "defaults" else (given,))]
    found = {name: Channel(name) for name in named}
    for spec in specs_of(wanted):
        if spec.channel is not None and spec.channel.base_url not in {c.base_url for c in found.values()}:
            found[str(spec.channel.name)] = spec.channel
    return found


def specs_of(wanted: Wanted) -> list[MatchSpec]:
    """The person's specs and Jupyter's. Raises Refused naming one that is none."""
    specs = []
    for text in (*wanted.specs, *wanted.jupyter):
        try:
            specs.append(MatchSpec(text, strict=False))
        except InvalidMatchSpecError as error:
            raise Refused(f'environment.yml: "{text}" names no package: {str(error).splitlines()[0]}') from error
    return specs


def make_client() -> Client:
    """Retries; and the mirror in place of the solver's own base address, where one is set."""
    alias = os.environ.get("CONDA_CHANNEL_ALIAS", "")
    own = Channel("x").base_url.removesuffix("x/")
    mirrors = [MirrorMiddleware({own: [alias.rstrip("/") + "/"]})] if alias else []
    return Client([*mirrors, RetryMiddleware(RETRIES)])


async def solve(wanted: Wanted, preferred: str, client: Client, cache: Path) -> list[RepoDataRecord]:
    """The person's specs together with Jupyter's, in one solution. Raises Refused where there is none."""
    channels = list(channels_of(wanted).values())
    specs = specs_of(wanted)
    gateway = Gateway(cache_dir=cache / "repodata", client=client)
    try:
        return await rattler.solve(
            channels,
            specs,
            gateway=gateway,
            locked_packages=await known(gateway, channels, preferred),
            virtual_packages=VirtualPackage.detect(),
            channel_priority=ChannelPriority.Strict,
        )
    except SolverError as error:
        raise Refused(unsolved(wanted, str(error))) from error


def unsolved(wanted: Wanted, reason: str) -> str:
    """What is said where there is no solution, the solver's explanation in it."""
    ranges, channels = ", ".join(wanted.jupyter), ", ".join(channels_of(wanted))
    asked = f"environment.yml cannot be solved together with Jupyter's own ranges ({ranges}), from {channels}:"
    return f"{asked}\n{reason.strip()}"


async def known(gateway: Gateway, channels: list[Channel], lock: str) -> list[RepoDataRecord]:
    """The records of a lock's packages, as far as the channels still have them: a solution keeps them if it can."""
    names = {Path(match["path"]).name for match in LINE.finditer(lock)}
    if not names:
        return []
    wanted = sorted({name.rsplit("-", 2)[0] for name in names})
    found = await gateway.query(channels, [Subdir.current(), "noarch"], wanted, recursive=False)
    return [record for records in found for record in records if record.file_name in names]


def lock_lines(records: list[RepoDataRecord], channels: dict[str, Channel]) -> list[str]:
    """CHANNEL/SUBDIR/FILE sha256:HASH of each package, by name."""
    bases = {channel.base_url: name for name, channel in channels.items()}
    lines = []
    for record in sorted(records, key=lambda record: record.name.normalized):
        base = next(base for base in bases if record.url.startswith(base))
        if record.sha256 is None:
            raise Refused(f"{record.url}: this channel gives no SHA-256 for it, so it cannot be locked")
        lines.append(f"{bases[base]}/{record.url.removeprefix(base)} sha256:{record.sha256.hex()}")
    return lines


def locked_records(lock: str) -> list[RepoDataRecord]:
    """The packages of a lock. Raises Refused for one of another platform."""
    records = []
    for match in LINE.finditer(lock):
        channel, subdir, file = match["path"].rsplit("/", 2)
        if subdir not in {"noarch", str(Subdir.current())}:
            raise Refused(
                f"environment.lock was written for {subdir}, and this is {Subdir.current()}:"
                " build there, or write it anew here with firstbell lock --upgrade"
            )
        name, version, build = file.removesuffix(".conda").removesuffix(".tar.bz2").rsplit("-", 2)
        plain = PackageRecord(name, version, BuildString(build), 0, subdir, sha256=bytes.fromhex(match["digest"]))
        base = Channel(channel).base_url
        records.append(RepoDataRecord(plain, file, f"{base}{subdir}/{file}", base))
    return records


class Progress(rattler.InstallerReporter):
    """Says how many packages are in place."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0

    def on_link_complete(self, index: int) -> None:
        """One more."""
        del index
        self.done += 1
        if self.done % 20 == 0 or self.done == self.total:
            print(f"{self.done} of {self.total} packages installed")


async def install(here: Path, prefix: Path, cache: Path) -> None:
    """Install from HERE/packages.lock, or solved."""
    lock = (here / "packages.lock").read_text()
    client = make_client()
    records = locked_records(lock) if lock else await solve(Wanted.read(here), "", client, cache)
    print(f"{len(records)} packages, {'as locked' if lock else 'solved'}")
    await rattler.install(
        records,
        prefix,
        cache_dir=cache / "packages",
        client=client,
        execute_link_scripts=True,
        reporter=Progress(len(records)),  # type: ignore[abstract]  # its methods are there, and empty
    )
    for record in (prefix / "conda-meta").glob("*.json"):
        record.chmod(0o644)  # py-rattler 0.28 writes them for root alone
    keep_activation(prefix)


async def print_solution(here: Path, cache: Path) -> None:
    """The lines of a lock; those of HERE/packages.lock are preferred."""
    wanted = Wanted.read(here)
    records = await solve(wanted, (here / "packages.lock").read_text(), make_client(), cache)
    print("\n".join(lock_lines(records, channels_of(wanted))))


def keep_activation(prefix: Path) -> None:
    """What activating the environment would set is kept: for kernels in their specs, for terminals in a profile."""
    values = activation_of(prefix)
    for path in (prefix / "share/jupyter/kernels").glob("*/kernel.json"):
        spec = json.loads(path.read_text())
        path.unlink()  # may be a link into a cache
        path.write_text(json.dumps({**spec, "env": {**values, **spec.get("env", {})}}, indent=1) + "\n")
    lines = [f'case ":$PATH:" in *:{prefix}/bin:*) ;; *) PATH="$HOME/.local/bin:{prefix}/bin:$PATH" ;; esac']
    lines += [f"export {name}={shlex.quote(value)}" for name, value in sorted(values.items())]
    PROFILE.parent.mkdir(parents=True, exist_ok=True)
    PROFILE.write_text("\n".join(lines) + "\n")


def activation_of(prefix: Path) -> dict[str, str]:
    """The variables that the packages' activation scripts set; none where no package has any."""
    if not any((prefix / "etc/conda").glob("*/*")):
        return {}
    plain = {"PATH": os.defpath, "HOME": "/root"}
    show = "env -0"
    script = activate(prefix, ActivationVariables(None, [])).script
    before, after = (environment(text, plain) for text in (show, f"{script}\n{show}"))
    own = re.compile(r"PATH|PS1|SHLVL|_|(OLD)?PWD|CONDA_.*")
    return {name: value for name, value in after.items() if before.get(name) != value and not own.fullmatch(name)}


def environment(script: str, plain: dict[str, str]) -> dict[str, str]:
    """The variables that a script of bash prints with `env -0`."""
    told = subprocess.run(["bash", "-c", script], env=plain, stdout=subprocess.PIPE, check=True).stdout.decode()
    pairs = (entry.partition("=") for entry in told.rpartition("\n")[2].split("\0") if entry)
    return {name: value for name, _, value in pairs}


def main(words: list[str]) -> int:
    """One of the two commands; 1 with the reason on standard error."""
    command, *paths = words
    act = install if command == "install" else print_solution
    try:
        asyncio.run(act(*map(Path, paths)))
    except Refused as error:
        print(error, file=sys.stderr)
        return 1
    except GatewayError as error:
        print(f"the channels of environment.yml cannot be read: {error}", file=sys.stderr)
        return 1
    except InstallerError as error:
        print(f"packages of environment.yml cannot be fetched: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: threads of py-rattler 0.28 touch objects of an interpreter half gone, and one exit in ten crashes.
    os._exit(code)

"""Gathers what `plan/doctor.py` judges: the engine, disks, ports, names, certificates, the clock, registries."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import errno
import fcntl
import os
import shutil
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from firstbell.engine.base import Engine
from firstbell.engine.cluster import Cluster
from firstbell.errors import FirstbellError
from firstbell.model import names
from firstbell.model.course import CertificateFiles, Course
from firstbell.model.network import Network
from firstbell.model.observed import DiskUse, EngineFacts, Observed
from firstbell.model.proc import parse_meminfo
from firstbell.model.runtime import HUB_PORT, PROXY_API_PORT, PROXY_PORT, Runtime
from firstbell.plan.disk_room import LOW_INODES, backup_use
from firstbell.plan.doctor import findings
from firstbell.plan.doctor_course import is_local
from firstbell.plan.doctor_facts import LOW_DISK, Disk, Finding, MachineFacts, Reach
from firstbell.work.certificate import judge
from firstbell.work.cluster import refuse_no_manager
from firstbell.work.home_limits import unenforced
from firstbell.work.hub_figures import hub_figures
from firstbell.work.lock import lock_folder
from firstbell.work.node_look import look_at_all

_DEADLINE = 8.0


async def examine(engine: Engine, course: Course | None) -> tuple[Finding, ...]:
    """All findings on this machine, and with a course on what it needs. An engine that is down is a finding."""
    refusal: FirstbellError | None = None
    facts, observed, cluster = None, None, None
    try:
        if isinstance(engine, Cluster):
            await refuse_no_manager(engine)
            cluster = await look_at_all(engine, ports=True)
        facts = await engine.facts()
        observed = await engine.observe("")
    except FirstbellError as error:
        refusal = error
    machine = await _gather(course, facts, observed)
    told = await hub_figures(engine, course) if course and course.backup and observed else None
    has_base, has_image = await _images(engine, course, facts)
    machine = replace(
        machine,
        engine=facts.together if facts and not refusal else None,
        engine_refusal=refusal.what if refusal else "",
        engine_remedy=_remedy(engine, refusal) if refusal else "",
        backup=told.backup if told else None,
        has_base=has_base,
        has_image=has_image,
    )
    if course is not None and facts is not None and not refusal:
        machine = replace(machine, homes_unenforced=await unenforced(engine, course))
    if facts is not None and not refusal and any(_is_low(disk) for disk in machine.disks):
        with contextlib.suppress(FirstbellError):
            machine = replace(machine, disk_uses=await engine.disk_use() + _of_backups(course, machine))
    return findings(course, machine, observed, cluster)


def _of_backups(course: Course | None, machine: MachineFacts) -> tuple[DiskUse, ...]:
    return backup_use(_backup_directory(course), machine.backup)


def _backup_directory(course: Course | None) -> str:
    return course.backup.storage.directory if course and course.backup else ""


def _is_low(disk: Disk) -> bool:
    return disk.free < LOW_DISK or disk.inodes_free < LOW_INODES * disk.inodes


def _remedy(engine: Engine, refusal: FirstbellError) -> str:
    if isinstance(engine, Cluster):
        return refusal.next_step
    return "firstbell up installs and starts one, as root on Debian or Ubuntu"


async def _images(engine: Engine, course: Course | None, facts: EngineFacts | None) -> tuple[bool, bool]:
    if course is None or facts is None:
        return False, False
    base = await engine.image(course.server.base)
    image = await engine.image(course.server.image) if course.server.image else None
    return base is not None, image is not None


async def _gather(course: Course | None, facts: EngineFacts | None, observed: Observed | None) -> MachineFacts:
    """Everything that needs no engine, at the same time: each look has its own deadline and never raises."""
    folders = [facts.data_root] if facts and facts.data_root and not facts.is_desktop else ["/"]
    homes = course.homes.directory if course else ""
    is_missing = bool(homes) and not Path(homes).is_dir()
    folders += [homes] if homes and not is_missing else []
    folders += [backups] if (backups := _backup_directory(course)) and Path(backups).is_dir() else []
    local = MachineFacts(
        disks=tuple(d for d in map(disk, dict.fromkeys(folders)) if d),
        missing_directories=(homes,) if is_missing else (),
        swap=swap(),
        clock_synchronised=synchronised(),
        locks=held_locks(lock_folder()),
        now=datetime.now(UTC),
    )
    if course is None:
        return local
    reaches, addresses = await asyncio.gather(_reaches(course, facts), _resolve(course.host))
    files = course.tls if course.is_https and isinstance(course.tls, CertificateFiles) else None
    return replace(
        local,
        taken_ports=taken_ports(course, observed),
        url_addresses=addresses,
        own_addresses=own_addresses(addresses),
        certificate=judge(files, course.host) if files else None,
        reaches=tuple(reach for reach, _ in reaches),
        clock_skew=next((skew for _, skew in reaches if skew is not None), None),
    )


def disk(path: str) -> Disk | None:
    """The file system of `path`; None if it cannot be asked (one that only root may see counts as its parent)."""
    for folder in (Path(path), *Path(path).parents):
        try:
            stat = os.statvfs(folder)
        except OSError:
            continue
        block = stat.f_frsize
        return Disk(path, stat.f_bavail * block, stat.f_blocks * block, stat.f_favail, stat.f_files)
    return None


def swap() -> int | None:
    """Bytes of swap; None where there is no /proc."""
    try:
        return parse_meminfo(Path("/proc/meminfo").read_text()).get("SwapTotal")
    except OSError:
        return None


def synchronised() -> bool | None:
    """What systemd says of the clock; None where it cannot be asked."""
    program = shutil.which("timedatectl")
    if program is None or not Path("/run/systemd/system").is_dir():
        return None
    try:
        result = subprocess.run(
            [program, "show", "-p", "NTPSynchronized", "--value"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"yes": True, "no": False}.get(result.stdout.strip())


def taken_ports(course: Course, observed: Observed | None) -> tuple[tuple[str, int], ...]:
    """Addresses and ports of the course at which something listens: the course itself, if it runs, or another."""
    wanted = [("127.0.0.1" if is_local(course.host) else "0.0.0.0", course.port)]  # noqa: S104 - only to try it
    network = observed.network(names.network(course.name)) if observed else None
    if network and network.gateway:
        runtime = Runtime(course=course.name, image="", network=network.name, gateway=network.gateway)
        wanted += [
            (runtime.loopback, PROXY_PORT),
            (runtime.loopback, PROXY_API_PORT),
            (runtime.gateway, HUB_PORT),
        ]
    return tuple((address, port) for address, port in wanted if is_taken(address, port))


def is_taken(address: str, port: int) -> bool:
    """Whether something listens there. A port we may not bind, or an address that is not ours yet, counts as free."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except PermissionError:
            return _answers(address, port)
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address.replace("0.0.0.0", "127.0.0.1"), port), timeout=1):  # noqa: S104
            return True
    except OSError:
        return False


async def _resolve(host: str) -> tuple[str, ...]:
    if is_local(host):
        return ()
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_DEADLINE):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(item[4][0]) for item in found))


def own_addresses(candidates: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the addresses that are this machine's: only they can be bound."""
    return tuple(a for a in candidates if _can_bind(a))


def _can_bind(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as trial:
            trial.bind((address, 0))
    except OSError:
        return False
    return True


async def _reaches(course: Course, facts: EngineFacts | None) -> list[tuple[Reach, float | None]]:
    usual = facts.registry if facts else ""
    images = (("the base image's registry", course.server.base), ("the image's registry", course.server.image))
    hosts = [(what, registry_of(image, usual)) for what, image in images if image]
    wanted = [(what, f"https://{host}/v2/") for what, host in hosts if host]
    network = course.network
    wanted += [(what, f"{url.rstrip('/')}/") for what, url in mirror_roles(network) if url]
    bundle = str(network.ca_bundle) if network.ca_bundle else None
    jobs: list[Awaitable[tuple[Reach, float | None]]] = [
        asyncio.to_thread(reach, what, url, network.proxy, bundle) for what, url in dict.fromkeys(wanted)
    ]
    return list(await asyncio.gather(*jobs))


def mirror_roles(network: Network) -> tuple[tuple[str, str], ...]:
    """What each mirror of `[network]` is for, and its address; empty where none is named."""
    registry = network.registry if "://" in network.registry or not network.registry else f"https://{network.registry}"
    return (
        ("the apt mirror", network.apt),
        ("the Python package index", network.pypi),
        ("the mirror of Python's builds", network.python),
        ("the npm registry", network.npm),
        ("the mirror of conda channels", network.conda),
        ("the CRAN mirror", network.cran),
        ("the Go module proxy", network.go),
        ("the Maven repository", network.maven),
        ("the registry of crates", network.crates),
        ("the mirror of the image registry", registry),
    )


def registry_of(image: str, usual: str) -> str:
    """The host an image's name begins with, as Docker reads names (a dot, a port, or localhost); else the usual one."""
    head, slash, _ = image.partition("/")
    is_host = bool(slash) and ("." in head or ":" in head or head == "localhost")
    return head if is_host and head not in usual else usual


def reach(what: str, url: str, proxy: str, bundle: str | None) -> tuple[Reach, float | None]:
    """Ask `url` once; whether anything answers (also with 401 or 404), and by how much our clock is ahead of it."""
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else None),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=bundle)),
    ]
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=_DEADLINE) as response:
            return Reach(what, url, answers=True), _skew(response.headers.get("Date"))
    except urllib.error.HTTPError as error:
        with error:
            return Reach(what, url, answers=error.code < 500, why=f"HTTP {error.code}"), _skew(
                error.headers.get("Date")
            )
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Reach(what, url, answers=False, why=str(reason)), None


def _skew(date: str | None) -> float | None:
    if not date:
        return None
    try:
        return (datetime.now(UTC) - email.utils.parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError):
        return None


def held_locks(folder: Path) -> tuple[tuple[str, str], ...]:
    """Courses that a command holds now, with its process."""
    held = []
    for path in sorted(folder.glob("firstbell-*.lock")):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            course = path.stem.removeprefix("firstbell-")
            held.append((course, path.read_text(errors="replace").strip() or "unknown"))
        except OSError:
            continue
    return tuple(held)

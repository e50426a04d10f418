"""What stands in the way of a course on a machine, from facts alone. Pure; `work/doctor.py` gathers the facts.

Every finding says what is so, where, and what helps. A *problem* stops the course or somebody's work; a *warning*
will, one day; a *note* is worth knowing; *ok* was looked at and is well.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from firstbell.model.container import GIB, MIB
from firstbell.model.course import CertificateFiles, Course
from firstbell.model.names import LABEL_COURSE, Role
from firstbell.model.observed import EngineFacts, Observed, Phase

LOWEST_ENGINE = (20, 10)
"""Debian 11's and 12's; the first that enforces pids and memory limits of cgroup v2 as we need them."""
IDLE_SERVER = 110 * MIB
"""What a server that does nothing takes at most: 49 to 109 MB were measured, depending on what the image loads."""
SYSTEM_SHARE = GIB
"""Hub, proxy, edge, the engine and the system itself."""
OVERCOMMIT = 3.0
"""The Littlest JupyterHub's guide plans people at once x what each uses at most. Limits bound the few who use much;
most notebooks stay below a third of theirs. Beyond three times the memory a few busy people can fill the machine."""
PEOPLE_PER_CORE = 16
"""30 people on 2 cores work (bench/); the same guide's rule, at 1/16 of a core for somebody who reads and types."""
LOW_DISK, SCARCE_DISK = 10 * GIB, 2 * GIB
"""A course image with a scientific stack takes 2 to 4 GB while it is built."""
LOW_INODES, SCARCE_INODES = 0.05, 0.01
CERTIFICATE_DAYS = 21
CLOCK_SKEW, CLOCK_BROKEN = 30.0, 300.0
"""Seconds. Sign-in with other providers allows about five minutes (RFC 7519 calls for "no more than a few")."""


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    what: str
    where: str = ""
    remedy: str = ""
    """The command or edit that helps; empty where nothing has to be done."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system, in bytes and inodes; `inodes` is 0 where the file system does not count them."""

    path: str
    free: int
    total: int
    inodes_free: int = 0
    inodes: int = 0


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate file as a browser would judge it."""

    path: str
    expires: datetime | None = None
    refusal: str = ""
    """Why a browser would refuse it, or why it cannot be read; empty if it is good."""
    lacks_chain: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether a registry or mirror answers; `what` is its role."""

    what: str
    url: str
    answers: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """All that is read of the machine. None and empty mean that it could not be found out."""

    engine: EngineFacts | None = None
    engine_refusal: str = ""
    engine_remedy: str = ""
    disks: tuple[Disk, ...] = ()
    missing_directories: tuple[str, ...] = ()
    taken_ports: tuple[tuple[str, int], ...] = ()
    """(address, port) that something listens on."""
    url_addresses: tuple[str, ...] = ()
    """What the URL's name resolves to."""
    own_addresses: tuple[str, ...] = ()
    certificate: Certificate | None = None
    swap: int | None = None
    clock_synchronised: bool | None = None
    clock_skew: float | None = None
    """Seconds by which our clock is ahead of a server's."""
    reaches: tuple[Reach, ...] = ()
    has_base: bool = False
    has_image: bool = False
    locks: tuple[tuple[str, str], ...] = ()
    """(course, process) of commands at work."""
    now: datetime = datetime(2000, 1, 1, tzinfo=UTC)


def findings(course: Course | None, facts: MachineFacts, observed: Observed | None) -> tuple[Finding, ...]:
    """Everything that was looked at, in the order of the list in the documentation. `observed` is of all courses."""
    looks: list[Iterator[Finding]] = [_engine(facts), _disks(facts), _swap(facts), _clock(facts)]
    if course is not None:
        looks += [
            _memory(course, facts),
            _cpu(course, facts),
            _ports(course, facts, observed),
            _name(course, facts),
            _certificate(course, facts),
            _reaches(course, facts),
        ]
    if observed is not None:
        looks.append(_leftovers(observed))
    looks.append(_locks(facts))
    return tuple(finding for look in looks for finding in look)


def _engine(facts: MachineFacts) -> Iterator[Finding]:
    engine = facts.engine
    if engine is None:
        yield Finding(Level.PROBLEM, facts.engine_refusal, "engine", facts.engine_remedy)
        return
    version = tuple(int(n) for n in re.findall(r"\d+", engine.version)[:2])
    if version and version < LOWEST_ENGINE:
        lowest = ".".join(map(str, LOWEST_ENGINE))
        yield Finding(
            Level.PROBLEM, f"Docker Engine {engine.version} is older than {lowest}", "engine", "Upgrade Docker Engine."
        )
    else:
        yield Finding(Level.OK, f"Docker Engine {engine.version}, {engine.operating_system}", "engine")
    if engine.is_desktop:
        yield Finding(
            Level.WARNING,
            "Docker Desktop: people's servers are kept apart less strictly than on Linux",
            "engine",
            "For a class, use a Linux machine.",
        )
    missing = [w for w in engine.warnings if re.search(r"no (memory|cpu|pids|swap)[\w ]*limit", w, re.IGNORECASE)]
    for warning in missing:
        yield Finding(
            Level.NOTE if "swap" in warning else Level.WARNING,
            f"the engine says: {warning}",
            "engine",
            "Enable the cgroup controller in the kernel's command line: cgroup_enable=memory swapaccount=1",
        )


def _memory(course: Course, facts: MachineFacts) -> Iterator[Finding]:
    if facts.engine is None or not facts.engine.memory:
        return
    memory, people, limit = facts.engine.memory, course.access.capacity, course.server.memory
    words = f"{people} people x {_gb(limit)} = {_gb(people * limit)} on a machine of {_gb(memory)}"
    where = "[access] capacity, [server] memory"
    ratio = people * limit / memory
    if limit > memory - SYSTEM_SHARE:
        fits = max(1, int((memory - SYSTEM_SHARE) / GIB))
        yield Finding(
            Level.WARNING,
            f"one server's limit of {_gb(limit)} is more than the machine's {_gb(memory)} can give",
            "[server] memory",
            f'memory = "{fits}G"',
        )
    elif people * IDLE_SERVER + SYSTEM_SHARE > memory:
        fits = max(1, (memory - SYSTEM_SHARE) // IDLE_SERVER)
        yield Finding(
            Level.PROBLEM,
            f"{people} servers that do nothing need {_gb(people * IDLE_SERVER)}; the machine has {_gb(memory)}",
            where,
            f"capacity = {fits} at most, or a larger machine",
        )
    elif ratio > OVERCOMMIT:
        yield Finding(
            Level.WARNING,
            f"memory is promised {ratio:.1f} times over: {words}. A few busy people can fill the machine",
            where,
            f'memory = "{max(128, int(OVERCOMMIT * memory / people / MIB))}M", or a larger machine',
        )
    elif ratio > 1:
        yield Finding(Level.NOTE, f"memory is promised {ratio:.1f} times over: {words}. Usual for teaching", where)
    else:
        yield Finding(Level.OK, f"memory: {words}", where)


def _cpu(course: Course, facts: MachineFacts) -> Iterator[Finding]:
    if facts.engine is None:
        return
    cpus, people = facts.engine.cpus, course.access.capacity
    words = f"{people} people on {cpus} cores"
    if people > 2 * PEOPLE_PER_CORE * cpus:
        yield Finding(
            Level.WARNING,
            f"{words}: it will feel slow when all work at once",
            "[access] capacity",
            f"capacity = {PEOPLE_PER_CORE * cpus}, or a machine with {-(-people // PEOPLE_PER_CORE)} cores",
        )
    elif people > PEOPLE_PER_CORE * cpus:
        yield Finding(Level.NOTE, f"{words}: enough for reading and short cells", "[access] capacity")
    else:
        yield Finding(Level.OK, words, "[access] capacity")


def _disks(facts: MachineFacts) -> Iterator[Finding]:
    for directory in facts.missing_directories:
        yield Finding(
            Level.PROBLEM, f"the directory {directory} is not there", "[homes] store", f"mkdir -p {directory}"
        )
    for disk in facts.disks:
        words = f"{_gb(disk.free)} of {_gb(disk.total)} free"
        clean = "docker image prune; docker builder prune; df -h"
        if disk.free < LOW_DISK:
            level = Level.PROBLEM if disk.free < SCARCE_DISK else Level.WARNING
            yield Finding(level, f"little disk space: {words}", disk.path, clean)
        else:
            yield Finding(Level.OK, f"disk: {words}", disk.path)
        share = disk.inodes_free / disk.inodes if disk.inodes else 1.0
        if share < LOW_INODES:
            level = Level.PROBLEM if share < SCARCE_INODES else Level.WARNING
            yield Finding(level, f"only {share:.1%} of the inodes are free: few files more fit", disk.path, "df -i")


def _ports(course: Course, facts: MachineFacts, observed: Observed | None) -> Iterator[Finding]:
    running = _running_roles(course, observed)
    owners = {18000: Role.PROXY, 18001: Role.PROXY, 18081: Role.HUB, course.port: Role.EDGE}
    for address, port in facts.taken_ports:
        owner = owners.get(port, Role.EDGE)
        if owner not in running:
            yield Finding(
                Level.PROBLEM,
                f"port {port} is taken by another program",
                f"{address}:{port}",
                f"See who has it: ss -ltnp 'sport = :{port}'"
                + ("; or choose another port in url" * (owner is Role.EDGE)),
            )
    if Role.EDGE in running:
        yield Finding(Level.OK, f"port {course.port} is this course's", "url")
    elif not any(port == course.port for _, port in facts.taken_ports):
        yield Finding(Level.OK, f"port {course.port} is free", "url")


def _running_roles(course: Course, observed: Observed | None) -> set[str]:
    containers = observed.containers if observed else ()
    return {c.role for c in containers if c.labels.get(LABEL_COURSE) == course.name and c.phase is Phase.RUNNING}


def _name(course: Course, facts: MachineFacts) -> Iterator[Finding]:
    host = course.host
    if is_local(host):
        yield Finding(Level.NOTE, f"{host} can only be opened on this machine", "url", "For others: its name in url.")
    elif not facts.url_addresses:
        yield Finding(
            Level.PROBLEM, f"the name {host} does not resolve", "url", f"Add {host} to the DNS: getent ahosts {host}"
        )
    elif set(facts.url_addresses) & set(facts.own_addresses):
        yield Finding(Level.OK, f"{host} is this machine ({', '.join(facts.url_addresses)})", "url")
    else:
        yield Finding(
            Level.WARNING,
            f"{host} is {', '.join(facts.url_addresses)}, which is no address of this machine",
            "url",
            "Fine behind a router or reverse proxy that passes it on; otherwise correct the DNS.",
        )


def _certificate(course: Course, facts: MachineFacts) -> Iterator[Finding]:
    if not course.is_https:
        if not is_local(course.host):
            yield Finding(
                Level.WARNING,
                "http:// sends passwords and work in the open",
                "url",
                f'url = "https://{course.host}"; with tls = "internal" where no public authority can be had',
            )
        return
    if isinstance(course.tls, CertificateFiles):
        if facts.certificate is not None:
            yield from _certificate_file(facts.certificate, facts.now)
    elif course.tls == "auto" and not _may_have_public_certificate(course.host):
        yield Finding(
            Level.PROBLEM, f"no public authority certifies {course.host}", "tls", 'tls = "internal", or a public name'
        )


def _certificate_file(certificate: Certificate, now: datetime) -> Iterator[Finding]:
    where = certificate.path
    if certificate.refusal:
        yield Finding(
            Level.PROBLEM, f"the certificate is refused: {certificate.refusal}", where, "Renew or correct it."
        )
        return
    if certificate.lacks_chain:
        yield Finding(
            Level.WARNING,
            "the file holds one certificate and not its chain; some browsers will refuse it",
            where,
            "Append the authority's intermediate certificates.",
        )
    days = (certificate.expires - now).days if certificate.expires else 0
    if days < CERTIFICATE_DAYS:
        yield Finding(Level.WARNING, f"the certificate expires in {days} days", where, "Renew it.")
    else:
        yield Finding(Level.OK, f"the certificate is good for {days} days", where)


def is_local(host: str) -> bool:
    """Whether a host only means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _may_have_public_certificate(host: str) -> bool:
    """ACME authorities certify public names, not addresses, single words or the names RFC 6762 and 8375 keep local."""
    local = (".local", ".localhost", ".internal", ".lan", ".home.arpa", ".test", ".example", ".invalid")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." in host and not host.endswith(local)
    return False


def _swap(facts: MachineFacts) -> Iterator[Finding]:
    if facts.swap is None:
        return
    if facts.swap == 0:
        yield Finding(Level.NOTE, "no swap: when memory is full, processes are ended at once", "swap")
    else:
        yield Finding(Level.OK, f"swap: {_gb(facts.swap)}", "swap")


def _clock(facts: MachineFacts) -> Iterator[Finding]:
    remedy = "timedatectl set-ntp true"
    skew = facts.clock_skew
    if skew is not None and abs(skew) > CLOCK_SKEW:
        level = Level.PROBLEM if abs(skew) > CLOCK_BROKEN else Level.WARNING
        words = f"the clock is {abs(skew):.0f} s {'fast' if skew > 0 else 'slow'}"
        yield Finding(level, f"{words}; sign-in and certificates depend on it", "clock", remedy)
    elif facts.clock_synchronised:
        yield Finding(Level.OK, "the clock is synchronised", "clock")
    elif skew is not None:
        yield Finding(Level.OK, f"the clock is right within {max(1.0, abs(skew)):.0f} s", "clock")
    elif facts.clock_synchronised is False:
        yield Finding(Level.WARNING, "the clock is not synchronised", "clock", remedy)
    else:
        yield Finding(Level.NOTE, "whether the clock is right could not be found out", "clock", "Compare: date -u")


def _reaches(course: Course, facts: MachineFacts) -> Iterator[Finding]:
    for reach in facts.reaches:
        if reach.answers:
            yield Finding(Level.OK, f"{reach.what} answers", reach.url)
        elif reach.what == "the base image's registry":
            yield _base_unreachable(course, facts, reach)
        elif reach.what == "the image's registry":
            level = Level.NOTE if facts.has_image else Level.PROBLEM
            yield Finding(
                level, f"{reach.what} does not answer: {reach.why}", reach.url, f"docker pull {course.server.image}"
            )
        else:
            yield Finding(
                Level.WARNING, f"{reach.what} does not answer: {reach.why}", reach.url, "Correct it in [network]."
            )


def _base_unreachable(course: Course, facts: MachineFacts, reach: Reach) -> Finding:
    if facts.has_base:
        return Finding(Level.NOTE, "no image registry answers; the base image is here already", reach.url)
    if course.server.base.startswith("debian:"):
        return Finding(
            Level.NOTE, "no image registry answers; the base is made from the distribution's mirror", reach.url
        )
    return Finding(
        Level.PROBLEM, f"{reach.what} does not answer: {reach.why}", reach.url, f"docker pull {course.server.base}"
    )


def _leftovers(observed: Observed) -> Iterator[Finding]:
    courses = sorted({c.labels.get(LABEL_COURSE, "") for c in observed.containers})
    for name in courses:
        ours = [c for c in observed.containers if c.labels.get(LABEL_COURSE, "") == name]
        roles = {c.role for c in ours}
        alone = [c.name for c in ours if c.role == Role.SERVER]
        if alone and Role.HUB not in roles:
            yield Finding(
                Level.WARNING,
                f"servers of the course “{name}” whose hub is gone: {len(alone)}",
                name,
                f"Start the course again (firstbell up), or remove them: docker rm -f {' '.join(alone)}",
            )
        helpers = [c.name for c in ours if c.role == Role.HELPER and c.phase is not Phase.RUNNING]
        if helpers:
            yield Finding(
                Level.NOTE,
                f"helper containers of a command that was killed: {len(helpers)}",
                name,
                f"docker rm -f {' '.join(helpers)}",
            )
    yield from _old_images(observed)


def _old_images(observed: Observed) -> Iterator[Finding]:
    """Images that no container uses, but for the newest of each name, which the next start will want."""
    used = {c.image for c in observed.containers}
    by_name: dict[str, list[tuple[str, str, int]]] = {}
    for image in observed.images:
        if image.ref.startswith("firstbell/"):
            group = by_name.setdefault(image.ref.rsplit(":", 1)[0], [])
            if image.ref not in used and image.id not in used:
                group.append((image.created_at, image.ref, image.size))
            else:
                group.append(("~", "", 0))  # in use: sorts behind every date, and is kept
    old = [(ref, size) for group in by_name.values() for _, ref, size in sorted(group)[:-1] if ref]
    if old:
        yield Finding(
            Level.NOTE,
            f"images of earlier versions: {len(old)}, together at most {_gb(sum(size for _, size in old))}",
            "images",
            f"docker image rm {' '.join(ref for ref, _ in old)}",
        )


def _locks(facts: MachineFacts) -> Iterator[Finding]:
    for course, process in facts.locks:
        yield Finding(Level.NOTE, f"a command is at work on the course “{course}”", f"process {process}")


def _gb(count: int) -> str:
    value = count / GIB
    return f"{value:.1f} GB" if value < 10 and value != int(value) else f"{value:.0f} GB"

"""What stands in the way of one course on a machine: memory, cores, ports, name, certificate, registries. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import datetime

from firstbell.model.container import GIB, MIB
from firstbell.model.course import CertificateFiles, Course
from firstbell.model.names import LABEL_COURSE, Role
from firstbell.model.observed import Observed, Phase
from firstbell.plan.doctor_facts import Certificate, Finding, Level, MachineFacts, Reach
from firstbell.plan.doctor_facts import gigabytes as _gb

IDLE_SERVER = 110 * MIB
"""What a server that does nothing takes at most: 49 to 109 MB were measured, depending on what the image loads."""
SYSTEM_SHARE = GIB
"""Hub, proxy, edge, the engine and the system itself."""
OVERCOMMIT = 3.0
"""The Littlest JupyterHub's guide plans people at once x what each uses at most. Limits bound the few who use much;
most notebooks stay below a third of theirs. Beyond three times the memory a few busy people can fill the machine."""
PEOPLE_PER_CORE = 16
"""30 people on 2 cores work (bench/); the same guide's rule, at 1/16 of a core for somebody who reads and types."""
CERTIFICATE_DAYS = 21


def course_findings(course: Course, facts: MachineFacts, observed: Observed | None) -> Iterator[Finding]:
    """Everything that was looked at for the course."""
    yield from _memory(course, facts)
    yield from _cpu(course, facts)
    yield from _ports(course, facts, observed)
    yield from _name(course, facts)
    yield from _certificate(course, facts)
    yield from _reaches(course, facts)
    if facts.homes_unenforced:
        remedy = "keep homes on XFS or ext4 mounted with prjquota; see docs/how-to/full-disk.md"
        yield Finding(Level.NOTE, facts.homes_unenforced, "[homes] quota", remedy)


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

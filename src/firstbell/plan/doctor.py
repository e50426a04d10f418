"""What stands in the way of a course on a machine, from facts alone. Pure; `work/doctor.py` gathers the facts.

Every finding says what is so, where, and what helps. A *problem* stops the course or somebody's work; a *warning*
will, one day; a *note* is worth knowing; *ok* was looked at and is well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from firstbell.model.course import Course
from firstbell.model.names import LABEL_COURSE, Role
from firstbell.model.observed import Observed, Phase
from firstbell.plan.backup_report import backup_findings
from firstbell.plan.disk_room import LOW_INODES, takers
from firstbell.plan.doctor_course import course_findings
from firstbell.plan.doctor_facts import (
    CLOCK_BROKEN,
    CLOCK_SKEW,
    LOW_DISK,
    LOWEST_ENGINE,
    SCARCE_DISK,
    Finding,
    Level,
    MachineFacts,
)
from firstbell.plan.doctor_facts import gigabytes as _gb
from firstbell.plan.doctor_nodes import cluster_findings
from firstbell.plan.node_facts import ClusterFacts

SCARCE_INODES = 0.01


def findings(
    course: Course | None, facts: MachineFacts, observed: Observed | None, cluster: ClusterFacts | None = None
) -> tuple[Finding, ...]:
    """Everything that was looked at, in the order of the list in the documentation. `observed` is of all courses."""
    looks: list[Iterator[Finding]] = [_engine(facts), _disks(facts), _takers(facts), _swap(facts), _clock(facts)]
    if course is not None:
        looks.append(course_findings(course, facts, observed))
    if facts.backup is not None:
        looks.append(backup_findings(facts.backup, facts.now.timestamp()))
    if cluster is not None:
        looks.append(cluster_findings(cluster, course))
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


def _takers(facts: MachineFacts) -> Iterator[Finding]:
    for taker in takers(facts.disk_uses):
        yield Finding(Level.NOTE, f"takes space: {taker.words}", "disk", taker.remedy)


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


def _leftovers(observed: Observed) -> Iterator[Finding]:
    courses = sorted({c.labels.get(LABEL_COURSE, "") for c in observed.containers})
    for name in courses:
        ours = [c for c in observed.containers if c.labels.get(LABEL_COURSE, "") == name]
        roles = {c.role for c in ours}
        servers = [c for c in ours if c.role in {Role.SERVER, Role.APP}]
        alone = [c.name for c in servers]
        if alone and Role.HUB not in roles:
            yield Finding(
                Level.WARNING,
                f"servers of the course “{name}” whose hub is gone: {len({c.user for c in servers})}",
                name,
                f"Start the course again (firstbell up), or remove them: docker rm -f {' '.join(alone)}",
            )
        helpers = [c.name for c in ours if c.role == Role.HELPER and c.phase is not Phase.RUNNING]
        if helpers:
            yield Finding(
                Level.NOTE,
                f"helper containers that do not run, of a command that was killed or is at work: {len(helpers)}",
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

"""What the doctor finds, from facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from firstbell.model.container import GIB, MIB, frozen
from firstbell.model.course import Access, CertificateFiles, Course, Homes, Server
from firstbell.model.names import Role, labels
from firstbell.model.observed import ContainerState, DiskUse, EngineFacts, ImageState, Observed, Phase
from firstbell.plan.doctor import findings
from firstbell.plan.doctor_facts import Certificate, Disk, Finding, Level, MachineFacts, Reach

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ENGINE = EngineFacts(version="20.10.24", operating_system="Debian", cpus=8, memory=64 * GIB)
GOOD = MachineFacts(
    engine=ENGINE,
    disks=(Disk("/var/lib/docker", 100 * GIB, 200 * GIB, 900, 1000),),
    url_addresses=("192.0.2.1",),
    own_addresses=("192.0.2.1",),
    swap=GIB,
    clock_synchronised=True,
    now=NOW,
)


def course(**changes: Any) -> Course:
    plain: dict[str, Any] = {"name": "stats", "url": "https://a.example.org", "server": Server(image="x")}
    return Course(**{**plain, **changes})


def bad(found: tuple[Finding, ...], level: Level = Level.PROBLEM) -> list[Finding]:
    return [f for f in found if f.level is level]


def look(
    facts: MachineFacts = GOOD, read: Course | None = None, observed: Observed | None = None
) -> tuple[Finding, ...]:
    return findings(read or course(), facts, observed)


def container(role: str, *, name: str = "", phase: Phase = Phase.RUNNING, of: str = "stats") -> ContainerState:
    return ContainerState(name or f"c-{role}", phase, labels=frozen(labels(of, Role(role))), image=f"i-{role}")


def test_good_machine_has_no_complaint():
    """On a good machine everything that was looked at is ok."""
    assert {f.level for f in look()} == {Level.OK}


def test_every_complaint_has_a_remedy():
    """Whatever is a problem or a warning says what helps."""
    facts = MachineFacts(
        engine=replace(ENGINE, version="19.03", memory=2 * GIB, cpus=1, warnings=("WARNING: No memory limit support",)),
        disks=(Disk("/", GIB, 200 * GIB, 1, 1000),),
        missing_directories=("/srv/homes",),
        taken_ports=(("0.0.0.0", 443),),
        clock_skew=900.0,
        reaches=(Reach("the apt mirror", "http://m", answers=False, why="refused"),),
    )
    found = look(facts, course(access=Access(capacity=100)), Observed("", containers=(container("server"),)))
    assert len(bad(found)) >= 6
    for finding in (*bad(found), *bad(found, Level.WARNING)):
        assert finding.remedy, finding


def test_engine_down_is_a_finding():
    """Without an engine that is the problem, with its remedy, and the rest is still looked at."""
    facts = replace(GOOD, engine=None, engine_refusal="it is away", engine_remedy="start it")
    found = look(facts)
    assert bad(found) == [Finding(Level.PROBLEM, "it is away", "engine", "start it")]
    assert len(found) > 3


@pytest.mark.parametrize(
    ("people", "memory", "machine", "level"),
    [
        (30, GIB, 64 * GIB, Level.OK),
        (100, GIB, 64 * GIB, Level.NOTE),
        (100, 4 * GIB, 64 * GIB, Level.WARNING),
        (100, 128 * MIB, 8 * GIB, Level.PROBLEM),
        (1, 64 * GIB, 64 * GIB, Level.WARNING),
    ],
)
def test_memory_against_capacity(people: int, memory: int, machine: int, level: Level):
    """Promised memory up to three times the machine's is usual; idle servers that cannot fit are a problem."""
    facts = replace(GOOD, engine=replace(ENGINE, memory=machine))
    found = look(facts, course(access=Access(capacity=people), server=Server(image="x", memory=memory)))
    assert [f.level for f in found if "memory" in f.where] == [level]


@pytest.mark.parametrize(("people", "level"), [(128, Level.OK), (129, Level.NOTE), (257, Level.WARNING)])
def test_cores_against_capacity(people: int, level: Level):
    """Sixteen people to a core are fine, twice as many are a note, more are a warning."""
    found = look(GOOD, course(access=Access(capacity=people), server=Server(image="x", memory=128 * MIB)))
    assert [f.level for f in found if "cores" in f.what] == [level]


@pytest.mark.parametrize(
    ("free", "inodes", "level"),
    [
        (9 * GIB, 500, Level.WARNING),
        (GIB, 500, Level.PROBLEM),
        (99 * GIB, 30, Level.WARNING),
        (99 * GIB, 3, Level.PROBLEM),
    ],
)
def test_disk_and_inodes(free: int, inodes: int, level: Level):
    """Little space and few inodes are told, and worse when hardly any is left."""
    found = look(replace(GOOD, disks=(Disk("/x", free, 200 * GIB, inodes, 1000),)))
    assert [f.where for f in bad(found, level)] == ["/x"]


def test_port_of_another_and_our_own():
    """A taken port is a problem, unless this course's own edge has it."""
    facts = replace(GOOD, taken_ports=(("0.0.0.0", 443),))
    assert "443" in bad(look(facts))[0].what
    assert not bad(look(facts, observed=Observed("", containers=(container("edge"),))))
    assert bad(look(facts, observed=Observed("", containers=(container("edge", of="other"),))))


def test_inner_ports():
    """Hub and proxy ports that something else holds are named with their address."""
    facts = replace(GOOD, taken_ports=(("127.18.0.1", 18001),))
    assert bad(look(facts))[0].where == "127.18.0.1:18001"
    assert not bad(look(facts, observed=Observed("", containers=(container("proxy"),))))


def test_name():
    """A name that leads nowhere is a problem, one that leads elsewhere a warning, loopback a note."""
    assert "does not resolve" in bad(look(replace(GOOD, url_addresses=())))[0].what
    assert "no address of this machine" in bad(look(replace(GOOD, own_addresses=())), Level.WARNING)[0].what
    assert bad(look(GOOD, course(url="http://127.0.0.1:8000")), Level.NOTE)


@pytest.mark.parametrize("url", ["https://10.0.0.1", "https://lab.local", "https://lab", "https://localhost"])
def test_no_public_certificate_for_local_names(url: str):
    """Where no authority will certify the name, tls auto is a problem, and internal is not."""
    assert any(f.where == "tls" for f in bad(look(GOOD, course(url=url))))
    assert not any(f.where == "tls" for f in bad(look(GOOD, course(url=url, tls="internal"))))


@pytest.mark.parametrize(
    ("certificate", "level"),
    [
        (Certificate("c", NOW + timedelta(days=90)), Level.OK),
        (Certificate("c", NOW + timedelta(days=9)), Level.WARNING),
        (Certificate("c", refusal="certificate has expired"), Level.PROBLEM),
        (Certificate("c", NOW + timedelta(days=90), lacks_chain=True), Level.WARNING),
    ],
)
def test_certificate_files(certificate: Certificate, level: Level):
    """A given certificate is judged by name, date and chain."""
    tls = CertificateFiles(cert=Path("c"), key=Path("k"))
    found = look(replace(GOOD, certificate=certificate), course(tls=tls))
    assert level in {f.level for f in found if f.where == "c"}


def test_open_http_is_a_warning():
    """Passwords in the open are warned of."""
    assert bad(look(GOOD, course(url="http://a.example.org")), Level.WARNING)


@pytest.mark.parametrize(
    ("synchronised", "skew", "level"),
    [
        (None, None, Level.NOTE),
        (False, None, Level.WARNING),
        (None, 0.4, Level.OK),
        (True, 60.0, Level.WARNING),
        (None, -3600.0, Level.PROBLEM),
    ],
)
def test_clock(synchronised: bool | None, skew: float | None, level: Level):
    """A wrong clock is told, an unknown one is called unknown."""
    found = look(replace(GOOD, clock_synchronised=synchronised, clock_skew=skew))
    assert [f.level for f in found if f.where == "clock"] == [level]


def test_base_without_registry():
    """A debian base can be made without a registry; any other that is not here cannot."""
    facts = replace(GOOD, reaches=(Reach("the base image's registry", "r", answers=False, why="refused"),))
    assert not bad(look(facts))
    ubuntu = course(server=Server(image="x", base="ubuntu:24.04"))
    assert bad(look(facts, ubuntu))
    assert not bad(look(replace(facts, has_base=True), ubuntu))


def test_leftovers():
    """Servers without a hub, dead helpers and images of earlier versions are named with the command to remove them."""
    images = tuple(ImageState(f"firstbell/hub:{n}", f"id{n}", size=GIB, created_at=f"2026-01-0{n}") for n in (1, 2, 3))
    used = replace(container("edge", of="other"), image="firstbell/hub:2")
    gone = container("server", name="lonely", of="old")
    helper = container("helper", name="dead", phase=Phase.EXITED, of="old")
    found = look(observed=Observed("", containers=(gone, helper, used), images=images))
    remedies = " | ".join(f.remedy for f in found)
    assert "docker rm -f lonely" in remedies
    assert "docker rm -f dead" in remedies
    assert "docker image rm firstbell/hub:1 firstbell/hub:3" in remedies


def test_newest_image_stays_when_nothing_runs():
    """The image that the next start will want is no leftover."""
    image = ImageState("firstbell/hub:1", "id", size=GIB, created_at="2026-01-01")
    assert not [f for f in look(observed=Observed("", images=(image,))) if f.where == "images"]


def test_homes_directory_that_is_missing():
    """A directory of homes that is not there is a problem."""
    found = look(replace(GOOD, missing_directories=("/srv/h",)), course(homes=Homes(store="/srv/h")))
    assert bad(found)[0].remedy == "mkdir -p /srv/h"


def test_what_takes_a_full_disk_is_named():
    """Each kind with the command that frees some of it."""
    facts = MachineFacts(disk_uses=(DiskUse("home", "ada", 7 * GIB), DiskUse("image", "", 5 * GIB)))
    found = [finding for finding in findings(None, facts, None) if "takes space" in finding.what]
    assert [(one.what, one.remedy) for one in found] == [
        ("takes space: homes: 7.0 GB", "firstbell homes list"),
        ("takes space: images: 5.0 GB", "docker image prune -a"),
    ]

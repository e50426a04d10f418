"""A course as a compose file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firstbell.model.course import Course
from firstbell.model.image import BuildSpec
from firstbell.model.names import Role
from firstbell.model.observed import Observed
from firstbell.plan.compose import Exported, compose
from firstbell.plan.deploy import course_runtime, servers_subnet
from firstbell.plan.network import WayOut
from firstbell.plan.services import Inputs, service_specs

NOTHING = Observed("stats")
COURSE = Course.model_validate({"name": "stats", "server": {"image": "me/lab:1"}})
INPUTS = Inputs(COURSE, BuildSpec("firstbell/hub:1", "FROM x"), socket_gid=998, way_out=WayOut(("10.0.0.1",)))


def exported(inputs: Inputs = INPUTS, **images: str) -> Exported:
    """The export of a course."""
    made = course_runtime(inputs, NOTHING)
    return compose(inputs, made, servers_subnet(inputs.course, NOTHING), images)


def placed(service: dict[str, Any]) -> dict[str, str]:
    """Where a service's files and secrets go, by their sources."""
    return {entry["target"]: entry["source"] for entry in [*service.get("configs", []), *service.get("secrets", [])]}


def test_every_part_is_there_as_up_would_start_it() -> None:
    """Guard, proxy, hub and edge have the names, commands, users, capabilities and limits of their specifications."""
    services = exported().compose["services"]
    for spec in service_specs(INPUTS, course_runtime(INPUTS, NOTHING)):
        service = services[spec.labels["firstbell.role"]]
        assert service["container_name"] == spec.name
        assert service["entrypoint"] == list(spec.command)
        assert service["user"] == spec.user
        assert service["cap_drop"] == ["ALL"]
        assert service.get("cap_add", []) == list(spec.capabilities)
        assert service["mem_limit"] == service["memswap_limit"] == spec.limits.memory
        assert set(placed(service)) == {file.path for file in spec.files if file.content is not None}


def test_no_secret_is_in_the_compose_file(tmp_path: Path) -> None:
    """What only its owner may read is in the environment file, and there alone."""
    course = COURSE.model_copy(update={"url": "https://x.example", "tls": "auto"})
    inputs = replace(INPUTS, course=course, cert=b"CERT", key=b"very private")
    told = exported(inputs)
    assert "very private" not in str(told.compose)
    assert "very private" in told.env.values()
    assert placed(told.compose["services"]["edge"])["/srv/firstbell/tls/key.pem"] in told.compose["secrets"]


def test_a_dollar_is_not_a_variable() -> None:
    """Content with a dollar arrives as it is: compose reads two of them as one."""
    told = exported(replace(INPUTS, roster_csv=b"", ca_bundle=b"a $HOME b"))
    assert told.compose["configs"]["hub-ca-crt"]["content"] == "a $$HOME b"


def test_the_machine_is_asked_for_its_own_facts() -> None:
    """Resolvers, the socket's group and the number of cores are those of the machine that runs it."""
    told = exported()
    rules = told.compose["configs"]["guard-rules-nft"]["content"]
    assert "ip daddr { ${RESOLVERS} } meta l4proto" in rules
    assert "10.0.0.1" not in rules
    assert told.env["RESOLVERS"] == "10.0.0.1"
    assert told.compose["services"]["hub"]["group_add"] == ["${DOCKER_GID:-998}"]
    assert '"cpus": 0' in told.compose["configs"]["hub-runtime-json"]["content"]


def test_images_are_pulled_from_where_they_were_pushed() -> None:
    """The other machine's names of the images stand everywhere, in what the hub is told, too."""
    told = exported(INPUTS, **{"firstbell/hub:1": "r:5000/lab/hub:1", "me/lab:1": "r:5000/lab/lab:1"})
    images = {service["image"] for service in told.compose["services"].values()}
    assert images == {"r:5000/lab/hub:1", "r:5000/lab/lab:1"}
    assert '"image": "r:5000/lab/lab:1"' in told.compose["configs"]["hub-runtime-json"]["content"]


@pytest.mark.parametrize("role", [Role.STATE, Role.SECRETS, Role.CERTIFICATES, Role.STATIC])
def test_volumes_are_those_that_up_uses(role: Role) -> None:
    """A course can go from `up` to compose and back with the same volumes."""
    volumes = exported().compose["volumes"]
    assert volumes[f"firstbell-stats-{role.value}"]["labels"]["firstbell.role"] == role.value


def test_what_some_part_only_reads_is_prepared_all_the_same() -> None:
    """The edge reads the volume of page files; who gives it its owner must be able to write it."""
    services = exported().compose["services"]
    [prepared] = [v for v in services["prepare"]["volumes"] if v["source"] == "firstbell-stats-static"]
    [edges] = [v for v in services["edge"]["volumes"] if v["source"] == "firstbell-stats-static"]
    assert "read_only" not in prepared
    assert edges["read_only"] is True


def test_a_web_application_comes_with_its_side_car() -> None:
    """The image of the side-car is pulled with the others, and the hub is told where it is."""
    course = Course.model_validate({"name": "stats", "server": {"image": "me/app:1", "port": 8787}})
    inputs = replace(INPUTS, course=course, sidecar_image=BuildSpec("firstbell/sidecar:1", "FROM x"))
    told = exported(inputs, **{"firstbell/sidecar:1": "r:5000/lab/sidecar:1"})
    assert told.compose["services"]["sidecar"]["image"] == "r:5000/lab/sidecar:1"
    assert "sidecar" in told.compose["services"]["hub"]["depends_on"]
    assert '"sidecar_image": "r:5000/lab/sidecar:1"' in told.compose["configs"]["hub-runtime-json"]["content"]

"""The mirrors in people's servers."""

from __future__ import annotations

import tomllib
from typing import Any

from firstbell.model.course import Course
from firstbell.model.network import Network
from firstbell.model.runtime import Runtime
from firstbell.plan.accounts import Accounts
from firstbell.plan.mirrors import CARGO_FILE, mirror_files, mirror_urls, mirror_variables
from firstbell.plan.network import WayOut, ruleset
from firstbell.plan.server import ServerInputs, Who, server_spec

ALL = {
    name: f"http://mirror.example.org:8080/{name}"
    for name in ("apt", "pypi", "python", "npm", "conda", "cran", "go", "maven", "crates")
}


def test_every_tool_is_sent_to_its_mirror() -> None:
    """Each mirror is in the variable that its tool reads; one without TLS is trusted by pip by name."""
    values = mirror_variables(Network(**ALL))
    assert values["PIP_INDEX_URL"] == values["UV_DEFAULT_INDEX"] == ALL["pypi"]
    assert values["PIP_TRUSTED_HOST"] == "mirror.example.org:8080"
    assert values["NPM_CONFIG_REGISTRY"] == ALL["npm"]
    assert values["CONDA_CHANNEL_ALIAS"] == values["MAMBA_CHANNEL_ALIAS"] == ALL["conda"]
    assert values["GOPROXY"] == ALL["go"]
    assert ALL["maven"] in values["COURSIER_REPOSITORIES"]
    assert values["UV_PYTHON_INSTALL_MIRROR"] == ALL["python"]


def test_tools_without_a_variable_have_a_file() -> None:
    """R's profile names CRAN's mirror, Cargo's settings that of crates, in the words Cargo reads."""
    network = Network(**ALL)
    files = {file.path: (file.content or b"").decode() for file in mirror_files(network)}
    assert f'options(repos = c(CRAN = "{ALL["cran"]}"))' in files[mirror_variables(network)["R_PROFILE"]]
    cargo = tomllib.loads(files[CARGO_FILE])
    assert cargo["source"]["mirror"]["registry"] == f"sparse+{ALL['crates']}/"
    assert cargo["source"]["crates-io"]["replace-with"] == "mirror"


def test_without_mirrors_nothing_is_said() -> None:
    """Each tool's own place stays what it is; an index with TLS is checked by pip as ever."""
    assert (mirror_variables(Network()), mirror_files(Network()), mirror_urls(Network())) == ({}, (), ())
    assert "PIP_TRUSTED_HOST" not in mirror_variables(Network(pypi="https://mirror.example.org/simple"))


def server_env(**tables: Any) -> dict[str, str]:
    course = Course.model_validate({"name": "demo", **tables})
    made = Runtime(course="demo", image="demo:1", network="n", gateway="10.1.0.1")
    who = Who("ada", 1000, 1000)
    return dict(server_spec(ServerInputs(course, made, who, {}, "", "6", Accounts(), ())).env)


def test_the_courses_own_environment_goes_before() -> None:
    """A server has the mirrors, but for what [server] environment says itself."""
    own = {"image": "demo:1", "environment": {"GOPROXY": "off"}}
    env = server_env(server=own, network={"pypi": ALL["pypi"], "go": ALL["go"]})
    assert env["PIP_INDEX_URL"] == ALL["pypi"]
    assert env["GOPROXY"] == "off"


def test_the_guard_lets_mirrors_through() -> None:
    """All mirrors and the proxy are ways out, also where this machine has them; with no egress none is."""
    assert set(mirror_urls(Network(**ALL, proxy="http://proxy.example.org:3128"))) == {
        *ALL.values(),
        "http://proxy.example.org:3128",
    }
    way_out = WayOut(endpoints=(("10.9.9.9", 8080),))
    here, _, beyond = ruleset("demo", "10.1.0.1", "internet", way_out).partition("chain beyond")
    for chain in (here, beyond):
        assert chain.index("ip daddr 10.9.9.9 tcp dport 8080 accept") < chain.index(
            "    drop" if chain is here else "} drop"
        )
    assert "10.9.9.9" not in ruleset("demo", "10.1.0.1", "none", way_out)

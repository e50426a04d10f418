"""Which containers the hub takes for nobody's."""

from __future__ import annotations

from firstbell.hub.starts.watch import strangers
from firstbell.model.container import frozen
from firstbell.model.names import Role, labels
from firstbell.model.observed import ContainerState, Observed, Phase


def container(name: str, role: str, phase: Phase = Phase.RUNNING) -> ContainerState:
    return ContainerState(name, phase, labels=frozen(labels("demo", Role(role), "ada")))


def test_only_unknown_servers_and_ended_helpers_are_strangers():
    """Known servers, the course's own parts and other helpers stay; an application goes before its side-car."""
    observed = Observed(
        "demo",
        containers=(
            container("known", "server"),
            container("unknown", "server"),
            container("app", "app"),
            container("created", "server", Phase.CREATED),
            container("hub", "hub"),
            container("export", "helper", Phase.EXITED),
            container("x-home", "helper", Phase.EXITED),
            container("y-home", "helper"),
        ),
    )
    assert [c.name for c in strangers(observed, {"known"})] == ["app", "unknown", "created", "x-home"]

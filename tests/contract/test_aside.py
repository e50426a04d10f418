"""Parts of a course kept, stopped, while another version has their names; the Swarm's engine cannot, and says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firstbell.errors import FirstbellError, StartFailed
from firstbell.model import names
from firstbell.model.container import File, Restart, frozen
from firstbell.model.names import Role
from firstbell.model.observed import Phase
from tests.support.course import docker

from .conftest import Lab


async def test_aside_and_back(lab: Lab) -> None:
    """What is set aside stops and keeps its files; brought back it is the same one, and what took its name goes."""
    if lab.is_swarm:
        with pytest.raises(FirstbellError, match="Swarm"):
            await lab.engine.set_aside("a", "b")
        return
    spec = lab.spec(files=(File("/tmp/x", b"first"),))
    aside = names.aside(spec.name)
    first = await lab.engine.start(spec)
    await lab.engine.set_aside(spec.name, aside, 0)
    assert (await lab.engine.state(spec.name)).phase is Phase.MISSING
    assert (await lab.engine.state(aside)).phase is Phase.EXITED
    second = await lab.engine.start(replace(spec, env=frozen({"A": "1"})))
    await lab.engine.bring_back(aside, spec.name)
    back = await lab.engine.state(spec.name)
    assert (back.id, back.phase) == (first.id, Phase.RUNNING) and back.id != second.id
    assert [c.id for c in (await lab.engine.observe(lab.course)).containers] == [first.id]
    assert (await lab.engine.exec(spec.name, ["cat", "/tmp/x"])).stdout.strip() == b"first"


async def test_asides_are_nobodys_servers(lab: Lab) -> None:
    """A part that was set aside is seen as such and not as one that runs, and setting aside again replaces it."""
    if lab.is_swarm:
        return
    spec = lab.spec()
    for _ in range(2):
        await lab.engine.start(spec)
        await lab.engine.set_aside(spec.name, names.aside(spec.name), 0)
    seen = await lab.engine.observe(lab.course)
    assert [c.name for c in seen.asides] == [names.aside(spec.name)]
    assert seen.of_role(Role.SERVER) == ()


async def test_killed_between_the_two(lab: Lab) -> None:
    """Stopped but not yet renamed, or never there: setting aside does nothing to nobody, bringing back starts it."""
    if lab.is_swarm:
        return
    spec = lab.spec("true")
    await lab.engine.set_aside(spec.name, names.aside(spec.name))
    with pytest.raises(StartFailed):
        await lab.engine.bring_back(names.aside(spec.name), spec.name)
    first = await lab.engine.start(lab.spec())
    await lab.engine.bring_back(names.aside(spec.name), spec.name)
    assert (await lab.engine.state(spec.name)).id == first.id


async def test_a_daemon_that_begins_anew_starts_only_what_is_not_aside(docker_lab: Lab) -> None:
    """A part restarts always; while it is aside, never; and brought back, always again."""
    spec = docker_lab.spec(restart=Restart.ALWAYS)
    aside = names.aside(spec.name)
    await docker_lab.engine.start(spec)
    await docker_lab.engine.set_aside(spec.name, aside, 0)
    assert docker("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", aside) == "no"
    await docker_lab.engine.bring_back(aside, spec.name)
    assert docker("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", spec.name) == "always"

"""What a specification gives back of what every container is denied, and no more than that."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbell.errors import StartFailed
from firstbell.model.container import Restart
from firstbell.model.observed import Phase

from .conftest import Lab, inspect


async def test_new_privileges_and_capabilities(docker_lab: Lab) -> None:
    """With new privileges allowed a process has the named capabilities within its reach, and not one more."""
    spec = docker_lab.spec(capabilities=("CHOWN", "SETUID"), new_privileges=True, user="1000:1000")
    await docker_lab.engine.start(spec)
    status = (await docker_lab.engine.exec(spec.name, ["cat", "/proc/self/status"])).stdout.decode()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(fields["CapBnd"], 16) == 1 << 0 | 1 << 7  # capabilities(7): CAP_CHOWN, CAP_SETUID
    assert int(fields["CapEff"], 16) == 0, "the person's own process has none of them"
    assert fields["NoNewPrivs"] == "0"
    assert not (await inspect(spec.name))["HostConfig"]["SecurityOpt"]


async def test_capabilities_alone_open_no_way_to_more(docker_lab: Lab) -> None:
    """A capability that is given back leaves new privileges forbidden."""
    spec = docker_lab.spec(capabilities=("CHOWN",))
    await docker_lab.engine.start(spec)
    assert (await inspect(spec.name))["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]


async def test_restart_always(docker_lab: Lab) -> None:
    """The policy of a container that always starts again is the daemon's business."""
    spec = docker_lab.spec(restart=Restart.ALWAYS)
    await docker_lab.engine.start(spec)
    assert (await inspect(spec.name))["HostConfig"]["RestartPolicy"]["Name"] == "always"


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a graphics card")
async def test_no_graphics_card(lab: Lab) -> None:
    """Where there is no graphics card a container that wants one is refused in words, and none is left."""
    spec = lab.spec(gpus="all")
    with pytest.raises(StartFailed, match="graphics card"):
        await lab.engine.start(spec)
    assert (await lab.engine.state(spec.name)).phase is Phase.MISSING

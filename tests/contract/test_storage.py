"""Files, volumes and networks; the same on every engine."""

from __future__ import annotations

import asyncio
import io
import tarfile

import pytest

from firstbell.errors import FirstbellError, StartFailed
from firstbell.model.cluster import tunnel_target
from firstbell.model.container import File, Mount, MountKind

from .conftest import Lab, docker


async def unpacked(lab: Lab, name: str, path: str) -> dict[str, tarfile.TarInfo]:
    data = b"".join([chunk async for chunk in lab.engine.get(name, path)])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: member for member in tar.getmembers()}


async def test_files_are_there_at_the_start(lab: Lab) -> None:
    """Files are in place with content, mode and owner before the command runs."""
    spec = lab.spec("cat", "/opt/deep/er/f", files=(File("/opt/deep/er/f", b"secret", 0o400, 1000, 1000),))
    assert (await lab.engine.run(spec)).stdout.strip() == b"secret"
    running = lab.spec(files=spec.files)
    await lab.engine.start(running)
    if lab.is_swarm:  # Docker's archives leave out what it mounts by itself, as it does configs and secrets
        said = (await lab.engine.exec(running.name, ["ls", "-ln", "/opt/deep/er/f"])).stdout.split()
        assert (said[0], *said[2:5]) == (b"-r--------", b"1000", b"1000", b"6")
        return
    member = (await unpacked(lab, running.name, "/opt/deep/er/f"))["f"]
    assert (member.mode & 0o777, member.uid, member.gid, member.size) == (0o400, 1000, 1000, 6)


async def test_parents_of_files_keep_what_they_are(docker_lab: Lab) -> None:
    """A file's existing parents keep owner and mode, missing ones are root's and 0755."""
    spec = docker_lab.spec(files=(File("/tmp/a", b"x", 0o600, 7, 7), File("/opt/new/a", b"x", 0o600, 7, 7)))
    await docker_lab.engine.start(spec)
    said = (await docker_lab.engine.exec(spec.name, ["ls", "-lnd", "/tmp", "/opt", "/opt/new"])).stdout.decode()
    modes = [(line.split()[0], line.split()[2]) for line in said.splitlines()]
    assert modes == [("drwxr-xr-x", "0"), ("drwxr-xr-x", "0"), ("drwxrwxrwt", "0")]


async def test_put_and_get(lab: Lab) -> None:
    """Files can be put into a running container and taken out again; what is not there is FileNotFoundError."""
    spec = lab.spec()
    await lab.engine.start(spec)
    await lab.engine.put(spec.name, [File("/opt/d/one", b"1"), File("/opt/d/two", b"22")])
    members = await unpacked(lab, spec.name, "/opt/d")
    assert {name: member.size for name, member in members.items() if member.isreg()} == {"d/one": 1, "d/two": 2}
    with pytest.raises(FileNotFoundError):
        await unpacked(lab, spec.name, "/opt/nothing")
    with pytest.raises(FileNotFoundError):
        await unpacked(lab, "firstbell-none", "/opt")


async def test_a_directory_entry_owns_the_volume(lab: Lab) -> None:
    """A directory entry for a mount's target sets the volume's owner and mode; its content outlives containers."""
    await lab.engine.ensure_volume(lab.volume())
    mount = Mount(MountKind.VOLUME, lab.volume().name, "/home/jovyan")
    own = File("/home/jovyan", None, 0o700, 1234, 1235)
    await lab.engine.start(
        lab.spec(mounts=(mount,), files=(own, File("/home/jovyan/keep", b"kept", 0o600, 1234, 1235)))
    )
    await lab.engine.stop(lab.spec().name, 1)
    again = lab.spec(name="b", mounts=(mount,))
    await lab.engine.start(again)
    members = await unpacked(lab, again.name, "/home/jovyan")
    root, kept = members["jovyan"], members["jovyan/keep"]
    assert (root.mode & 0o777, root.uid, root.gid) == (0o700, 1234, 1235)
    assert (kept.uid, kept.size) == (1234, 4)


async def test_owner_of_a_volume_may_write(docker_lab: Lab) -> None:
    """The user of a home can write in it, another one cannot enter it; the image's own files stay out."""
    await docker_lab.engine.ensure_volume(docker_lab.volume())
    mount = Mount(MountKind.VOLUME, docker_lab.volume().name, "/etc")  # the image has files there
    home = File("/etc", None, 0o700, 1000, 1000)
    spec = docker_lab.spec("sh", "-c", "echo x > /etc/mine; ls -A /etc", mounts=(mount,), files=(home,))
    mine = await docker_lab.engine.run(spec)
    assert b"mine" in mine.stdout.split()
    assert b"passwd" not in mine.stdout.split()
    other = await docker_lab.engine.run(docker_lab.spec("ls", "/etc/mine", user="1001:1001", mounts=(mount,)))
    assert other.exit_code != 0


async def test_read_only_and_memory_mounts(docker_lab: Lab) -> None:
    """A read-only mount cannot be written; a memory mount can, up to its size."""
    await docker_lab.engine.ensure_volume(docker_lab.volume())
    mounts = (
        Mount(MountKind.VOLUME, docker_lab.volume().name, "/home", read_only=True),
        Mount(MountKind.TMPFS, "", "/opt", size=1024**2),
    )
    await docker_lab.engine.start(docker_lab.spec(mounts=mounts, user="0:0"))
    name = docker_lab.spec().name
    assert (await docker_lab.engine.exec(name, ["mkdir", "/home/x"])).exit_code != 0
    assert (await docker_lab.engine.exec(name, ["sh", "-c", "head -c 500000 /dev/zero > /opt/a"])).exit_code == 0
    assert (await docker_lab.engine.exec(name, ["sh", "-c", "head -c 2000000 /dev/zero > /opt/b"])).exit_code != 0


async def test_volumes(lab: Lab) -> None:
    """A volume is made once, found by its labels, refused to be removed while in use, and gone when removed."""
    spec = lab.volume()
    assert await lab.engine.ensure_volume(spec) is True
    assert await lab.engine.ensure_volume(spec) is False
    seen = (await lab.engine.observe(lab.course)).volume(spec.name)
    assert seen
    assert (seen.role, seen.user) == ("home", "home")
    await lab.engine.start(lab.spec(mounts=(Mount(MountKind.VOLUME, spec.name, "/home"),)))
    with pytest.raises(FirstbellError, match="in use"):
        await lab.engine.remove_volume(spec.name)
    await lab.engine.stop(lab.spec().name, 1)
    await lab.engine.remove_volume(spec.name)
    await lab.engine.remove_volume(spec.name)
    assert (await lab.engine.observe(lab.course)).volume(spec.name) is None


async def test_networks(lab: Lab) -> None:
    """A network is made once, has a gateway and a subnet, gives addresses, and is gone when removed."""
    first, second = await asyncio.gather(*(lab.engine.ensure_network(lab.network()) for _ in range(2)))
    assert first == second
    assert first.gateway
    state = await lab.engine.start(lab.spec(network=first.name))
    address = state.address
    if lab.is_swarm:  # there the hub reaches it by the course's tunnel, whose address says where it is
        number, address = tunnel_target(state.address, first.subnet)
        assert f"node{number}" == state.node
    assert address.rsplit(".", 2)[0] == first.gateway.rsplit(".", 2)[0]
    seen = await lab.engine.observe(lab.course)
    assert seen.network(first.name) == first
    assert seen.container(state.name).address == state.address
    assert first.subnet in seen.used_subnets
    with pytest.raises(FirstbellError, match="in use"):
        await lab.engine.remove_network(first.name)
    await lab.engine.stop(state.name, 1)
    await lab.engine.remove_network(first.name)
    await lab.engine.remove_network(first.name)


async def test_network_of_a_chosen_subnet(lab: Lab) -> None:
    """A subnet that was asked for is given; one that is taken is refused in words."""
    made = await lab.engine.ensure_network(lab.network(subnet="10.199.7.0/28"))
    assert (made.subnet, made.gateway) == ("10.199.7.0/28", "10.199.7.1")
    other = Lab(lab.engine)
    with pytest.raises(StartFailed, match="addresses"):
        await lab.engine.ensure_network(other.network(subnet="10.199.7.0/28"))


async def test_network_out_of_addresses(docker_lab: Lab) -> None:
    """A container for which the network has no address left is refused in words."""
    await docker_lab.engine.ensure_network(docker_lab.network(subnet="10.199.8.0/30"))
    on = docker_lab.network().name
    await docker_lab.engine.start(docker_lab.spec(network=on))
    with pytest.raises(StartFailed, match="no address is left"):
        await docker_lab.engine.start(docker_lab.spec(name="b", network=on))


async def test_network_that_does_not_isolate_is_refused(docker_lab: Lab) -> None:
    """A network of our name that lets containers reach each other does not pass for one that isolates."""
    name = docker_lab.network().name
    await docker("network", "create", "--label", f"firstbell.course={docker_lab.course}", name)
    with pytest.raises(StartFailed, match="does not isolate"):
        await docker_lab.engine.ensure_network(docker_lab.network())

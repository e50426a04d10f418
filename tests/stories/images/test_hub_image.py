"""The image of hub, proxy and edge."""

from __future__ import annotations

from firstbell.engine.base import Engine
from firstbell.model.runtime import HUB_UID
from firstbell.work.build import build, plan_hub_image
from tests.stories.images.conftest import MakeCourse, run


async def test_all_of_its_programs_start(engine: Engine, course: MakeCourse) -> None:
    """Hub, proxy, edge and guard have their programs, without a network and as the hub's own user."""
    spec = plan_hub_image(course())
    image = await build(engine, spec)
    assert image.user == "firstbell"
    script = (
        f'set -e; test "$(id -u firstbell):$(id -g firstbell)" = {HUB_UID}:{HUB_UID};'
        "python3 -c 'import firstbell.errors, jupyterhub.app, oauthenticator, argon2, aiodocker';"
        "node /opt/firstbell/proxy/node_modules/.bin/configurable-http-proxy --version;"
        "caddy version; nft --version; ! command -v npm"
    )
    result = await run(engine, spec.tag, "sh", "-c", script)
    assert result.exit_code == 0, result.lines

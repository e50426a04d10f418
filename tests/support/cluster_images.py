"""Images of a course on a node, built by this machine's engine, which has the layers: a node alone would begin anew."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from firstbell.config.reader import read_course
from firstbell.engine.docker import DockerEngine
from firstbell.plan.grader_image import grader_build
from firstbell.plan.registry_image import registry_build
from firstbell.work import build
from firstbell.work.project import read_ca_bundle
from tests.support.cluster import Node


def give_images(folder: Path, node: Node, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Build what `firstbell up` and grading would build in the folder, and copy it to the node with the base; the tags.

    The last is the course's own, where it has one.
    """
    images = asyncio.run(_build(folder, environment))
    node.load(*images)
    return images


async def _build(folder: Path, environment: Mapping[str, str]) -> list[str]:
    course = read_course(folder, environment)
    own, vault, bundle = build.plan_course_image(course), build.plan_vault_image(course), read_ca_bundle(course.network)
    specs = [
        build.plan_hub_image(course),
        *([registry_build(course, bundle)] if course.engine.kind == "swarm" else []),
        *([grader_build(course, bundle)] if course.coursework else []),
        *([vault] if vault else []),
        *([own] if own else []),
    ]
    engine = DockerEngine()
    try:
        await build.get_base(engine, course.server.base, course.network, lambda _: None)
        for spec in specs:
            if await engine.image(spec.tag) is None:
                await engine.build(spec)
    finally:
        await engine.close()
    return [course.server.base, *(spec.tag for spec in specs)]

"""`export compose`: the course as a folder that plain `docker compose up` runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from firstbell.engine.base import Engine
from firstbell.engine.waiting import together
from firstbell.errors import CourseFileError, Declined
from firstbell.model.course import Course
from firstbell.model.registry import parse_reference
from firstbell.model.steps import BuildImage, PullImage, PushImage, Step, TagImage, WriteFolder
from firstbell.plan import deploy
from firstbell.plan.compose import Exported, Octal, compose
from firstbell.work import build
from firstbell.work.fetch import login_of
from firstbell.work.gather import gather, observe_course
from firstbell.work.show import Show, shown

COMPOSE, ENV, README = "compose.yaml", ".env", "README.md"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export, and where to."""

    course: Course
    target: Path
    registry: str = ""
    """A registry and a path from which the other machine pulls the images; empty where it has them otherwise."""


@dataclass(frozen=True, slots=True)
class ComposeFolder:
    """The files of the folder by name, and the images they speak of."""

    files: Mapping[str, str]
    images: Mapping[str, str]
    """By the name it has here, the name under which the other machine has it."""
    steps: tuple[Step, ...]
    """What makes it so."""


async def plan_compose(engine: Engine, wanted: Wanted) -> ComposeFolder:
    """The folder for a course, and the steps to it. Raises CourseFileError."""
    course = wanted.course
    inputs, observed = await together(gather(engine, course), observe_course(engine, course))
    made = deploy.course_runtime(inputs, observed)
    images = {ref: _elsewhere(ref, wanted.registry) for ref in inputs.images}
    exported = compose(inputs, made, deploy.servers_subnet(course, observed), images)
    files = {
        COMPOSE: _head(course) + _yaml(exported),
        ENV: _env(exported),
        README: _readme(course, tuple(images.values())),
        **exported.files,
    }
    tags = [TagImage(here, there) for here, there in images.items() if here != there]
    pushes = [PushImage(tag.new) for tag in tags]
    steps = (*deploy.image_steps(inputs), *tags, *pushes, WriteFolder(str(wanted.target), tuple(files)))
    return ComposeFolder(files, images, steps)


async def export_compose(engine: Engine, wanted: Wanted, show: Show, *, replace: bool = False) -> ComposeFolder:
    """Build what is missing, push it if a registry is named, then write the folder, whole or not at all.

    Raises Declined where something is there already, BuildFailed, RegistryFailed, CourseFileError.
    """
    _refuse_taken(wanted.target, replace=replace)
    folder = await plan_compose(engine, wanted)
    for step in shown(folder.steps, show):
        match step:
            case PullImage(ref=ref):
                await build.get_base(engine, ref, wanted.course.network, show.on_progress)
            case BuildImage(spec=spec):
                await build.build(engine, spec, show.on_progress)
            case TagImage(ref=ref, new=new):
                await engine.tag(ref, new)
            case PushImage(ref=ref):
                await engine.push(ref, show.on_progress, await login_of(engine, parse_reference(ref)))
            case WriteFolder():
                write_folder(folder, wanted.target)
    return folder


def _elsewhere(ref: str, registry: str) -> str:
    return str(parse_reference(f"{registry.rstrip('/')}/{ref.rpartition('/')[2]}")) if registry else ref


def _refuse_taken(target: Path, *, replace: bool) -> None:
    if target.exists() and not replace:
        raise Declined(f"{target} is there already", next_step="Add --yes to replace it, or name another.")


def write_folder(folder: ComposeFolder, target: Path) -> None:
    """Write the folder, whole or not at all, in place of an earlier export. Raises CourseFileError."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        draft.mkdir(parents=True, mode=0o700)
        for name, text in folder.files.items():
            descriptor = os.open(draft / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if name == ENV else 0o644)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
        _take_away(target, folder)
        draft.rename(target)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise CourseFileError(
            f"the folder cannot be written: {(error.strerror or str(error)).lower()}",
            where=str(target),
            next_step="Choose another place with --output.",
        ) from error


def _take_away(target: Path, folder: ComposeFolder) -> None:
    """Remove an earlier export; anything else in the folder is somebody's and stops it."""
    if not target.exists():
        return
    others = sorted({entry.name for entry in target.iterdir()} - set(folder.files))
    if others:
        raise CourseFileError(
            f"the folder holds more than an export: {', '.join(others[:3])}",
            where=str(target),
            next_step="Choose another place with --output.",
        )
    shutil.rmtree(target)


def _head(course: Course) -> str:
    return (
        f"# {course.shown_title}: made by `firstbell export compose`. Start it with: docker compose up -d --wait\n"
        f"# Needs Docker Compose 2.23.1 or newer. Secrets, and what this machine decides, stand in {ENV}.\n"
    )


class _Dumper(yaml.SafeDumper):
    """Files as blocks of text, as a person would write them."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def _mode(dumper: yaml.SafeDumper, mode: Octal) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:int", f"0{mode:o}")


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Octal, _mode)


def _yaml(exported: Exported) -> str:
    return yaml.dump(exported.compose, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


_SAID = {
    "DOCKER_SOCKET": "The engine's socket on the machine that runs this.",
    "DOCKER_GID": "Its group: stat -c %g /var/run/docker.sock",
    "RESOLVERS": "The name servers of that machine (IPv4, with commas): resolvectl dns, or /etc/resolv.conf",
}


def _env(exported: Exported) -> str:
    lines = []
    for name, value in exported.env.items():
        lines += [f"# {_SAID.get(name, 'A secret.')}", f"{name}='{_quoted(name, value)}'"]
    return "\n".join(lines) + "\n"


def _quoted(name: str, value: str) -> str:
    """`value` for single quotes, in which nothing has a meaning. In JSON the quote itself can be written otherwise."""
    if "'" not in value:
        return value
    if name.endswith("_JSON"):
        return value.replace("'", "\\u0027")
    raise CourseFileError("a single quote cannot be written into .env", where=name)


def _readme(course: Course, images: tuple[str, ...]) -> str:
    names = "\n".join(f"- `{image}`" for image in images)
    return f"""\
# {course.shown_title}

The course "{course.name}" for Docker Compose 2.23.1 or newer, as `firstbell up` would run it.

    docker compose up -d --wait        # start; then {course.public_url}
    docker compose logs -f hub         # what it says
    docker compose rm -sf && docker compose --profile end run --rm end   # end; homes stay

The images must be on the machine, or be such as it can pull:

{names}

Before the first start, look at the values of the machine in `.env`. That file holds the secrets, too: keep it.
Homes are volumes named `firstbell-{course.name}-home-…`; ending the course leaves them where they are.
"""

"""The whole of a folder's image: which layers in which order, what they copy, and the tag."""

from __future__ import annotations

from collections.abc import Iterator

from firstbell.model import names
from firstbell.model.container import File, frozen
from firstbell.model.image import BuildSettings, BuildSpec
from firstbell.model.runtime import HOME_DIR, PROJECT_DIR
from firstbell.plan.conda import conda_files, conda_layers
from firstbell.plan.context import (
    BUILD_DIR,
    CACHED,
    build_args,
    content_tag,
    first_files,
    first_layers,
    recipe_file,
    used_args,
)
from firstbell.plan.image import hooks, julia, python, r
from firstbell.plan.image.apt import apt_layer
from firstbell.plan.image.facts import (
    APT,
    DESCRIPTION,
    DOCKERFILE,
    ENVIRONMENT,
    INSTALL_R,
    JULIA_PROJECTS,
    POST_BUILD,
    PYPROJECT,
    REQUIREMENTS,
    SETUP,
    START,
    UV_LOCK,
    FolderFacts,
)
from firstbell.plan.image.folder import FolderPlan, plan_folder
from firstbell.plan.image.labels import image_labels
from firstbell.plan.image.runtime import Base, runtime_files, runtime_layer
from firstbell.plan.kernels import kernel_files, kernel_layers

_PATH = f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{HOME_DIR}/.local/bin"
_DECIDING = (
    APT, ENVIRONMENT, REQUIREMENTS, PYPROJECT, UV_LOCK, SETUP, INSTALL_R, DESCRIPTION, *JULIA_PROJECTS, POST_BUILD,
    START,
)  # fmt: skip


def project_build(facts: FolderFacts, settings: BuildSettings) -> BuildSpec:
    """How the image of a folder is built. Raises CourseFileError for a line that cannot be meant."""
    is_ours = DOCKERFILE not in facts.texts
    plan = plan_folder(facts, settings) if is_ours else None
    dockerfile = _generated(facts, settings, plan) if plan else _own(facts)
    ours = (*first_files(settings.ca_bundle), *_layer_files(facts, settings, plan)) if plan else ()
    tag = content_tag(f"{names.PREFIX}/{settings.name}", dockerfile, ours, _lines(facts))
    return BuildSpec(
        tag=tag,
        dockerfile=dockerfile,
        files=ours,
        directory=facts.directory,
        prefix="project" if is_ours else "",
        ignore=facts.ignore,
        args=frozen(used_args(dockerfile, build_args(settings.network))),
        labels=frozen(
            {**image_labels(facts.origin, settings, tag), names.LABEL_STEPS: _steps(dockerfile, ours, facts)}
        ),
        kernels=settings.kernels if is_ours else (),
    )


def _steps(dockerfile: str, ours: tuple[File, ...], facts: FolderFacts) -> str:
    """What images have in common that differ only in notebooks and data, where those are copied last."""
    is_last = dockerfile.rstrip().endswith(f"{PROJECT_DIR}/")
    return content_tag("", dockerfile, ours, () if is_last else _lines(facts)).removeprefix(":")


def _lines(facts: FolderFacts) -> Iterator[str]:
    return (f"{entry.kind} {entry.path}\0{entry.digest}" for entry in facts.entries)


def _own(facts: FolderFacts) -> str:
    """The person's Dockerfile and, at its end, the project's files. COPY leaves USER, WORKDIR and the rest alone."""
    return (
        f"{facts.texts[DOCKERFILE].rstrip()}\n\n"
        f"# Added by Firstbell: the project's files, from which new homes are filled.\n"
        f"COPY . {PROJECT_DIR}/\n"
    )


def _generated(facts: FolderFacts, settings: BuildSettings, plan: FolderPlan) -> str:
    sources = ", ".join(facts.path(name) for name in _DECIDING if name in facts.texts) or "its notebooks"
    final = (python.package_layer(facts, plan.python), r.package_layer(plan.r), hooks.post_build_layer(facts))
    works_on_files = any(final)
    project = _project(is_writable=bool(final[-1]))
    parts = (
        f"# Made by Firstbell from {sources}. What changes rarely comes first.\n{first_layers(plan.base.image)}",
        _user(),
        runtime_layer(plan.base),
        "" if plan.environment else _jupyter(plan.base),
        kernel_layers(settings.kernels),
        apt_layer(facts),
        r.r_layer(plan.r),
        project if plan.needs_folder else "",
        _conda(plan),
        python.python_layer(facts, plan.python),
        r.install_layer(facts, plan.r),
        julia.julia_layer(facts, plan.julia),
        hooks.entry_layer(facts),
        project if works_on_files and not plan.needs_folder else "",
        *final,
        f'USER jovyan\nWORKDIR {HOME_DIR}\nCMD ["{hooks.ENTRY_DIR}/serve"]\n',
        "" if plan.needs_folder or works_on_files else project,
    )
    return "\n".join(part for part in parts if part)


def _conda(plan: FolderPlan) -> str:
    if not plan.environment:
        return ""
    return conda_layers(plan.environment, plan.environment_lock, PROJECT_DIR if plan.needs_folder else "")


def _project(*, is_writable: bool) -> str:
    owner = "--chown=jovyan:jovyan " if is_writable else ""
    return f"# The project's files, from which new homes are filled.\nCOPY {owner}project/ {PROJECT_DIR}/\n"


def _user() -> str:
    return f"""\
# Who works in it. What they install has its commands in ~/.local/bin.
ENV PATH={_PATH} \\
    PIP_DISABLE_PIP_VERSION_CHECK=1
RUN {BUILD_DIR}/add-user jovyan 1000 \\
    && ln -s /usr/bin/python3 /usr/local/bin/python \\
    && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
"""


def _jupyter(base: Base) -> str:
    which = "in exact versions" if base.is_locked else "in the newest versions for this Python"
    source = "--require-hashes --no-deps -r {0}/server.lock" if base.is_locked else "-r {0}/server.in"
    return f"""\
# Jupyter {which}. In no environment of its own, so that what a user installs goes before it.
COPY .firstbell/server/ {python.SERVER_DIR}/
RUN {CACHED} \\
    {BUILD_DIR}/uv-pip --system {source.format(python.SERVER_DIR)}
"""


def _layer_files(facts: FolderFacts, settings: BuildSettings, plan: FolderPlan) -> Iterator[File]:
    if not plan.environment:
        for name in ("server.in", "server.lock"):
            yield recipe_file(name, f".firstbell/server/{name}")
    yield from kernel_files(settings.kernels)
    yield from runtime_files(plan.base)
    yield from python.python_files(facts, plan.python)
    if plan.environment:
        yield from conda_files(plan.environment, plan.environment_lock)
    yield from r.r_files(facts, plan.r)
    yield from julia.julia_files(facts, plan.julia)
    yield from hooks.hook_files(facts)

"""How locks are made: in a container of the folder's own image, so that nothing need be on the person's machine. Pure.

The image is the folder's without its packages: the base, apt.txt, its Python, and the folder's files, since one of
them may be a package to read requirements from. What runs there prints the lock on standard output.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from importlib.resources import files

from firstbell.model import names
from firstbell.model.container import HOST_NETWORK, ContainerSpec, File, Limits, frozen
from firstbell.model.image import BuildSettings, BuildSpec
from firstbell.model.names import Role
from firstbell.model.runtime import PROJECT_DIR
from firstbell.plan.conda import CONDA_DIR, PIP_MARK, PREFIX, conda_files
from firstbell.plan.context import build_args, data_file
from firstbell.plan.image import FolderFacts, project_build
from firstbell.plan.image.apt import apt_packages
from firstbell.plan.image.runtime import choose_base
from firstbell.plan.lock import (
    APT,
    APT_LOCK,
    ENVIRONMENT,
    ENVIRONMENT_LOCK,
    PYTHON_SOURCES,
    REQUIREMENTS_LOCK,
    RUNTIME,
    SETUP,
    conda_versions,
    head,
    inputs_digest,
    lock_inputs,
    own_options,
    preferences,
    without,
)

LOCK_DIR = "/opt/firstbell/lock"
"""Where the helper container has what it needs."""
_WAY_OUT = f"{LOCK_DIR}/way-out"
_SERVER = f"{LOCK_DIR}/server.in"
_PREFERRED = f"{LOCK_DIR}/preferred"


def helper_build(facts: FolderFacts, settings: BuildSettings) -> BuildSpec:
    """The image that locks are made in."""
    base = choose_base(facts, settings.base)
    bare = {name: text for name, text in facts.texts.items() if name == APT}
    if base.python:
        bare[RUNTIME] = f"python-{base.python}\n"
    labels = {names.LABEL_COURSE: f"{settings.name}-lock", names.LABEL_ROLE: Role.HELPER.value}
    named = replace(settings, name=f"{settings.name}-lock", base=base.image, kernels=(), labels=frozen(labels))
    return project_build(replace(facts, texts=frozen(bare)), named)


def helper(facts: FolderFacts, settings: BuildSettings, image: str, lock: str, *, upgrade: bool) -> ContainerSpec:
    """The container that makes one lock, in the image of `helper_build`. With `upgrade`, the present one is ignored."""
    old = "" if upgrade else facts.texts.get(lock, "")
    make = {REQUIREMENTS_LOCK: _python, ENVIRONMENT_LOCK: _conda, APT_LOCK: _apt}[lock]
    command, inputs = make(facts, old)
    # Mirrors may hold passwords: they go into a file, not into the container's environment.
    way_out = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in build_args(settings.network).items())
    ours = (File(_WAY_OUT, way_out.encode(), 0o400), _script("python-lock"), *inputs)
    return ContainerSpec(
        name=f"{names.container(f'{settings.name}-lock', Role.HELPER)}-{lock.partition('.')[0]}",
        image=image,
        command=("sh", "-c", f". {_WAY_OUT} && cd {PROJECT_DIR} && {command}"),
        labels=frozen(names.labels(f"{settings.name}-lock", Role.HELPER)),
        user="0:0",
        network=HOST_NETWORK,
        limits=Limits(memory=0, pids=4096),
        files=ours,
    )


def _script(name: str) -> File:
    return data_file(files("firstbell.plan") / "recipe" / name, f"{LOCK_DIR}/{name}", 0o755)


def _python(facts: FolderFacts, old: str) -> tuple[str, tuple[File, ...]]:
    """Versions that the image's own layers have are preferred, so that a lock adds to them and replaces none.

    Requirements may name paths of the folder, which lead from it; a package's own files are read where they lie.
    """
    recipe = files("firstbell.plan") / "recipe"
    preferred = preferences((recipe / "server.lock").read_text(), old)
    inputs = lock_inputs(facts.texts, REQUIREMENTS_LOCK)
    sources = [f"{LOCK_DIR}/in/{name}" for name in PYTHON_SOURCES[:1] if name in inputs]
    packages = [facts.path(name) for name in (PYTHON_SOURCES[1], SETUP) if name in inputs][:1]
    written = (File(f"{LOCK_DIR}/in/{name}", facts.texts[name].encode()) for name in inputs)
    command = shlex.join([f"{LOCK_DIR}/python-lock", "python3", _PREFERRED, *sources, *packages, _SERVER])
    return command, (data_file(recipe / "server.in", _SERVER), File(_PREFERRED, preferred.encode()), *written)


def _conda(facts: FolderFacts, old: str) -> tuple[str, tuple[File, ...]]:
    found = conda_files(facts.texts[ENVIRONMENT], old)
    placed = (replace(file, path=f"{CONDA_DIR}/{file.path.rpartition('/')[2]}") for file in found)
    return f"{CONDA_DIR}/conda-lock {PREFIX}", tuple(
        _preferred(f) if f.path.endswith("/pip.lock") else f for f in placed
    )


def _preferred(lock: File) -> File:
    return replace(lock, content=preferences((lock.content or b"").decode()).encode())


def _apt(facts: FolderFacts, old: str) -> tuple[str, tuple[File, ...]]:
    del facts, old
    return "dpkg-query --show --showformat '${Package}=${Version}\\n'", ()


def lock_text(facts: FolderFacts, settings: BuildSettings, lock: str, printed: str, digest: str) -> str:
    """A lock's whole text, from what its container printed; `digest` is the base image's at its registry, or ""."""
    base = f"base {choose_base(facts, settings.base).image}" + (f"@{digest}" if digest else "")
    body = {REQUIREMENTS_LOCK: _python_body, ENVIRONMENT_LOCK: _conda_body, APT_LOCK: _apt_body}[lock](facts, printed)
    told = () if lock == ENVIRONMENT_LOCK else (base,)
    if lock == APT_LOCK:
        told = (*told, "For the record: mirrors drop old versions, so a build takes the present ones of apt.txt.")
    return head(inputs_digest(facts.texts, lock, settings.base), *told) + body


def _python_body(facts: FolderFacts, printed: str) -> str:
    return "".join(f"{line}\n" for line in own_options(facts.texts)) + printed


def _conda_body(facts: FolderFacts, printed: str) -> str:
    del facts
    packages, mark, pip = printed.partition(f"{PIP_MARK}\n")
    return packages + mark + without(pip, conda_versions(packages))


def _apt_body(facts: FolderFacts, printed: str) -> str:
    asked = {package.partition("=")[0].partition(":")[0] for package in apt_packages(facts)}
    return "".join(f"{line}\n" for line in sorted(printed.splitlines()) if line.partition("=")[0] in asked)

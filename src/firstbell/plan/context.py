"""What the builds of course images and of the hub image share: first layers, scripts, mirrors, and the tag. Pure.

Tags name content: the Dockerfile's text (the base's reference is in it), our files, the folder's files. How the network
is reached is left out, so that the same folder has the same tag everywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from firstbell.model import names
from firstbell.model.container import File, frozen
from firstbell.model.course import Course
from firstbell.model.image import BuildSpec
from firstbell.model.names import Role
from firstbell.model.network import Network

RECIPE = 2
"""Raised when the same Dockerfile and files are to give another image."""

BUILD_DIR = "/opt/firstbell/build"
"""Where an image keeps the scripts that built it."""
CACHED = "--mount=type=cache,id=firstbell,target=/var/cache/firstbell"
"""For a RUN of these scripts: what they fetch and compile is kept for later builds, outside of any image."""
CA_BUNDLE = ".firstbell/build/ca.crt"
"""The authorities to trust while building; empty where the course names none. Not part of the tag."""

_SCRIPTS = ("add-user", "apt-install", "uv-pip", "wheel-install")
_TEXTS = ("compile_packages.py", "network.sh", "uv.lock", "uv.sh")
_HASH_LENGTH = 12


def first_layers(base: str) -> str:
    """The beginning of every Dockerfile of ours, the same for all, so that images share these layers."""
    return f"""\
FROM {base}

# Mirrors for the steps below; without them, the usual places.
ARG APT_MIRROR
ARG PIP_INDEX_URL
COPY .firstbell/build/ {BUILD_DIR}/

RUN {CACHED} \\
    {BUILD_DIR}/apt-install ca-certificates python3 python3-venv
ENV LANG=C.UTF-8
"""


def first_files(ca_bundle: bytes) -> tuple[File, ...]:
    """The files that `first_layers` copies."""
    recipe = files("firstbell.plan") / "recipe"
    return (
        *(data_file(recipe / name, f".firstbell/build/{name}", 0o755) for name in _SCRIPTS),
        *(data_file(recipe / name, f".firstbell/build/{name}") for name in _TEXTS),
        File(CA_BUNDLE, ca_bundle),
    )


def data_file(source: Traversable, path: str, mode: int = 0o644) -> File:
    """A file shipped with the package, for the context."""
    return File(path, source.read_bytes(), mode)


def recipe_file(name: str, path: str, mode: int = 0o644) -> File:
    """A file of `plan/recipe`, for the context."""
    return data_file(files("firstbell.plan") / "recipe" / name, path, mode)


def build_args(network: Network) -> dict[str, str]:
    """Mirrors and proxies as build arguments; Docker needs no ARG for a proxy and keeps it out of the history."""
    args = {
        "APT_MIRROR": network.apt,
        "PIP_INDEX_URL": network.pypi,
        "UV_PYTHON_INSTALL_MIRROR": network.python,
        "NPM_CONFIG_REGISTRY": network.npm,
        "CONDA_CHANNEL_ALIAS": network.conda,
        "CRAN_MIRROR": network.cran,
        "GOPROXY": network.go,
        "MAVEN_MIRROR": network.maven,
        "CARGO_MIRROR": network.crates,
        "http_proxy": network.proxy,
        "https_proxy": network.proxy,
        "HTTP_PROXY": network.proxy,
        "HTTPS_PROXY": network.proxy,
        "no_proxy": network.no_proxy,
        "NO_PROXY": network.no_proxy,
    }
    return {name: value for name, value in args.items() if value}


def used_args(dockerfile: str, args: Mapping[str, str]) -> dict[str, str]:
    """Those arguments that the Dockerfile takes, and the proxies; the engine warns of any other."""
    taken = {word.partition("=")[0] for words in _ARG.findall(dockerfile) for word in words.split()}
    return {name: value for name, value in args.items() if name in taken or name.lower().endswith("_proxy")}


_ARG = re.compile(r"^\s*ARG\s+(.*)$", re.IGNORECASE | re.MULTILINE)


def own_image(name: str, role: Role, course: Course, dockerfile: str, ours: Iterable[File]) -> BuildSpec:
    """How an image of Firstbell's own parts is built, under the tag of its content."""
    ours = tuple(ours)
    tag = content_tag(f"{names.PREFIX}/{name}", dockerfile, ours)
    return BuildSpec(
        tag=tag,
        dockerfile=dockerfile,
        files=ours,
        args=frozen(used_args(dockerfile, build_args(course.network))),
        labels=frozen({names.LABEL_ROLE: role.value, names.LABEL_HASH: tag.rpartition(":")[2]}),
    )


def content_tag(repository: str, dockerfile: str, ours: Iterable[File], folder: Iterable[str] = ()) -> str:
    """`repository:hash`, the hash of all that decides what the image holds; `folder` are lines about its files."""
    content = {
        "recipe": RECIPE,
        "dockerfile": dockerfile,
        "ours": sorted(file.digest for file in ours if file.path != CA_BUNDLE),
        "folder": sorted(folder),
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{repository}:{digest[:_HASH_LENGTH]}"

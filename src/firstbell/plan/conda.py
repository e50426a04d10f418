"""environment.yml: what it asks for, and the layers by which its conda environment comes into an image. Pure.

The file's meaning is conda's and repo2docker's: channels in their order (conda-forge where none is named), match specs,
a pip section, variables; name and prefix are passed over. It is read here, so that a mistake is told with its line
before anything is built, and goes into the build as plain JSON: a changed comment builds nothing anew. Its specs are
solved together with Jupyter's ranges, in one solution, by py-rattler inside the build.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files

import yaml

from firstbell.errors import CourseFileError
from firstbell.model.container import File
from firstbell.plan.context import CACHED, data_file
from firstbell.plan.lock import ENVIRONMENT

CONDA_DIR = "/opt/firstbell/conda"
"""Where an image keeps what its environment was made from."""
PREFIX = "/opt/conda"
"""The environment itself."""
DEFAULT_CHANNEL = "conda-forge"
PIP_MARK = "# pip"
"""The line of environment.lock after which what pip installs stands, as in requirements.lock."""

_CONTEXT = ".firstbell/conda"
_SCRIPTS = ("conda-install", "conda-lock")
_TEXTS = ("conda.sh", "conda_install.py", "rattler.lock", "server.in")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOCAL = re.compile(
    r"(-e\s|--editable\b|-r\s|--requirement\b|-c\s|--constraint\b|\.{1,2}(/|\s|\[|$)|file:|[\w.-]+/)|\S+\s*@\s*file:"
)


@dataclass(frozen=True, slots=True)
class Environment:
    """What an environment.yml asks for."""

    channels: tuple[str, ...] = (DEFAULT_CHANNEL,)
    specs: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    """Lines of a requirements file."""
    variables: dict[str, str] = field(default_factory=dict)


def conda_layers(environment: str, lock: str, workdir: str = "") -> str:
    """The instructions that make the environment of an environment.yml, from a fresh environment.lock if not "".

    `workdir` is where paths of its pip section lead from. Raises CourseFileError naming the line that cannot be meant.
    """
    wanted = read_environment(environment)
    variables = "".join(f" \\\n    {name}={_quoted(value)}" for name, value in sorted(wanted.variables.items()))
    source = (
        "environment.lock: exact versions" if lock else "environment.yml, solved together with Jupyter's own ranges"
    )
    cd = f"cd {workdir} && " if workdir else ""
    return f"""\
# {source}
ARG CONDA_CHANNEL_ALIAS
COPY {_CONTEXT}/ {CONDA_DIR}/
RUN {CACHED} {cd}{CONDA_DIR}/conda-install {PREFIX}
ENV PATH={PREFIX}/bin:$PATH \\
    CONDA_PREFIX={PREFIX} \\
    CONDA_DEFAULT_ENV=base{variables}
"""


def conda_files(environment: str, lock: str) -> tuple[File, ...]:
    """The files of the context that `conda_layers` copies. Raises CourseFileError."""
    recipe = files("firstbell.plan") / "recipe"
    packages, _, pip = lock.partition(f"{PIP_MARK}\n")
    packages = "".join(line for line in packages.splitlines(keepends=True) if not line.startswith("#"))
    wanted = read_environment(environment)
    plain = {"channels": wanted.channels, "specs": wanted.specs, "jupyter": jupyter_ranges()}
    return (
        *(data_file(recipe / name, f"{_CONTEXT}/{name}", 0o755) for name in _SCRIPTS),
        *(data_file(recipe / name, f"{_CONTEXT}/{name}") for name in _TEXTS),
        File(f"{_CONTEXT}/environment.json", (json.dumps(plain, indent=1) + "\n").encode()),
        File(f"{_CONTEXT}/pip.txt", "".join(f"{line}\n" for line in wanted.pip).encode()),
        File(f"{_CONTEXT}/packages.lock", packages.encode()),
        File(f"{_CONTEXT}/pip.lock", pip.encode()),
    )


def jupyter_ranges() -> tuple[str, ...]:
    """The packages that every project image holds, as match specs."""
    text = (files("firstbell.plan") / "recipe" / "server.in").read_text()
    return tuple(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def conda_needs_project(environment: str) -> bool:
    """Whether the pip section names files of the folder, which then must be there before."""
    return any(_LOCAL.match(line) for line in read_environment(environment).pip)


def read_environment(text: str) -> Environment:
    """What the file asks for. Raises CourseFileError with the line of what is wrong."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _wrong(f"this is no YAML: {error.problem}", mark) from error
    except yaml.YAMLError as error:
        raise _wrong(f"this is no YAML: {error}", None) from error
    if not isinstance(root, yaml.MappingNode):
        raise _wrong("it must begin with a key, for example dependencies:", root.start_mark if root else None)
    keys = {key.value: value for key, value in root.value}
    specs, pip = _dependencies(keys.get("dependencies"))
    return Environment(_channels(keys.get("channels")), specs, pip, dict(_variables(keys.get("variables"))))


def _channels(node: yaml.Node | None) -> tuple[str, ...]:
    """In their order; `nodefaults` only says that no other is meant, as is so here anyway."""
    named = tuple(_text(item, "a channel") for item in _items(node, "channels"))
    return tuple(dict.fromkeys(name for name in named if name != "nodefaults")) or (DEFAULT_CHANNEL,)


def _dependencies(node: yaml.Node | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    specs: list[str] = []
    pip: list[str] = []
    for item in _items(node, "dependencies"):
        if not isinstance(item, yaml.MappingNode):
            specs.append(_text(item, "a package"))
            continue
        for key, value in item.value:
            if key.value != "pip":
                raise _wrong(f'"{key.value}:" is no section of dependencies; only "pip:" is', key.start_mark)
            pip += [_text(line, "a requirement") for line in _items(value, "pip")]
    return tuple(specs), tuple(pip)


def _variables(node: yaml.Node | None) -> Iterator[tuple[str, str]]:
    if node is None or _is_empty(node):
        return
    if not isinstance(node, yaml.MappingNode):
        raise _wrong("variables must be names with values", node.start_mark)
    for key, value in node.value:
        if not _VARIABLE.fullmatch(key.value):
            raise _wrong(f'"{key.value}" is no name of a variable', key.start_mark)
        yield key.value, _text(value, f"the value of {key.value}", may_be_empty=True)


def _items(node: yaml.Node | None, name: str) -> list[yaml.Node]:
    if node is None or _is_empty(node):
        return []
    if not isinstance(node, yaml.SequenceNode):
        raise _wrong(f"{name} must be a list, one item a line after a dash", node.start_mark)
    return list(node.value)


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _text(node: yaml.Node, what: str, *, may_be_empty: bool = False) -> str:
    """A scalar as it was written: 3.10 stays 3.10."""
    if not isinstance(node, yaml.ScalarNode) or not (may_be_empty or node.value.strip()):
        raise _wrong(f"{what} is wanted here, as plain text", node.start_mark)
    text: str = node.value.strip()
    if any(not character.isprintable() for character in text):
        raise _wrong(f"{what} must be on one line, in printable characters", node.start_mark)
    return text


def _wrong(what: str, mark: yaml.Mark | None) -> CourseFileError:
    return CourseFileError(
        what,
        where=f"{ENVIRONMENT}:{mark.line + 1}" if mark else ENVIRONMENT,
        next_step="Write for example:\n  channels: [conda-forge]\n  dependencies:\n    - python=3.12\n    - numpy",
    )


def _quoted(value: str) -> str:
    """For ENV of a Dockerfile, which knows quotes, backslashes and variables."""
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'

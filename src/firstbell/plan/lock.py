"""Locks: exact versions beside the files that ask for packages, and whether they still belong to them. Pure.

A lock's first line carries the hash of what it was made from. One whose hash is another is stale: builds resolve anew,
with a warning, and `firstbell lock` writes it again. Nothing in a lock says where a package comes from, so that mirrors
work; but addresses that a person wrote into their own files stay.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

REQUIREMENTS_LOCK = "requirements.lock"
"""Of requirements.txt and pyproject.toml together."""
ENVIRONMENT_LOCK = "environment.lock"
APT_LOCK = "apt.lock"
"""What was installed; builds do not read it, since mirrors drop old versions."""
UV_LOCK = "uv.lock"
"""uv's own, of a pyproject.toml; kept by uv and left alone."""
LOCKS = (REQUIREMENTS_LOCK, ENVIRONMENT_LOCK, APT_LOCK)

PYTHON_SOURCES = ("requirements.txt", "pyproject.toml")
SETUP = "setup.py"
"""Never a source to install from, but what it depends on is in a lock."""
ENVIRONMENT = "environment.yml"
APT = "apt.txt"
RUNTIME = "runtime.txt"

_HEAD = re.compile(r"# firstbell lock (?P<format>\d+) sha256:(?P<digest>[0-9a-f]{64})$")
_FORMAT = "1"
_INCLUDE = re.compile(r"\s*(?:-r|--requirement|-c|--constraint)[\s=]+(\S+)")
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PythonRequirements:
    """What Python packages a folder asks for, as `uv pip install` is to be told."""

    files: tuple[str, ...] = ()
    """To be given as `-r`, in this order: keys of the folder's texts. Empty where the folder asks for none."""
    is_locked: bool = False
    """Whether `files` name every package, Jupyter's among them, in its exact version: then `--no-deps`, and no
    server.in beside them; uv checks the hashes that they carry."""
    warning: str = ""
    """What the person should know, in a sentence; empty for nothing."""


def python_requirements(texts: Mapping[str, str], base: str) -> PythonRequirements:
    """Which files Python packages are installed from: the lock if it is there and fresh, else what it is made from.

    `texts` are the folder's recognised files by name, included ones too; `base` is the base image's reference. A folder
    with uv.lock and without requirements.txt is left to uv: its pyproject.toml is named, not locked. setup.py is never
    named: a lock has what it depends on, else it says so itself when it is installed.
    """
    sources = python_sources(texts)
    state = lock_state(texts, REQUIREMENTS_LOCK, base)
    if state == "fresh":
        return PythonRequirements((REQUIREMENTS_LOCK,), is_locked=True)
    return PythonRequirements(sources, warning=stale_warning(REQUIREMENTS_LOCK, texts) if state == "stale" else "")


def environment_lock(texts: Mapping[str, str], base: str) -> tuple[str, str]:
    """The text of environment.lock if it is fresh, else "", and a warning or ""."""
    state = lock_state(texts, ENVIRONMENT_LOCK, base)
    if state == "fresh":
        return texts[ENVIRONMENT_LOCK], ""
    return "", stale_warning(ENVIRONMENT_LOCK, texts) if state == "stale" else ""


def python_sources(texts: Mapping[str, str]) -> tuple[str, ...]:
    """Those of requirements.txt and pyproject.toml that the folder has."""
    return tuple(name for name in PYTHON_SOURCES if name in texts)


def lock_state(texts: Mapping[str, str], lock: str, base: str) -> str:
    """`fresh`, `stale`, `missing`; `unused` where the folder has nothing that this lock is made from."""
    if not lock_inputs(texts, lock):
        return "unused"
    if lock not in texts:
        return "missing"
    return "fresh" if head_digest(texts[lock]) == inputs_digest(texts, lock, base) else "stale"


def stale_warning(lock: str, texts: Mapping[str, str]) -> str:
    """What is said of a lock that is not used."""
    inputs = " or ".join((*lock_inputs(texts, lock), "the base image"))
    return f"{inputs} has changed since {lock} was written, so it is not used: run firstbell lock"


def lock_inputs(texts: Mapping[str, str], lock: str) -> tuple[str, ...]:
    """The files that a lock is made from, included ones too; runtime.txt says for which Python."""
    if lock == REQUIREMENTS_LOCK:
        found = [name for source in (*PYTHON_SOURCES, SETUP) for name in _with_included(texts, source)]
    else:
        found = [name for name in ((ENVIRONMENT,) if lock == ENVIRONMENT_LOCK else (APT,)) if name in texts]
    if found and lock == REQUIREMENTS_LOCK and RUNTIME in texts:
        found.append(RUNTIME)
    return tuple(dict.fromkeys(found))


def inputs_digest(texts: Mapping[str, str], lock: str, base: str) -> str:
    """SHA-256 of what decides a lock: its input files, and the base image, which brings Python and apt's packages.

    A conda environment brings its own Python, so that the base does not matter there.
    """
    content = {
        "base": "" if lock == ENVIRONMENT_LOCK else base,
        "files": {name: texts[name] for name in lock_inputs(texts, lock)},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def head_digest(text: str) -> str:
    """The hash in a lock's first line; "" where it has none, or is of another format."""
    found = _HEAD.match(text.partition("\n")[0].rstrip())
    return found["digest"] if found and found["format"] == _FORMAT else ""


def head(digest: str, *lines: str) -> str:
    """The beginning of a lock: the hash of its inputs, and what a reader should know."""
    said = ("Written by `firstbell lock`, not by hand; it belongs beside the files it was made from.", *lines)
    return f"# firstbell lock {_FORMAT} sha256:{digest}\n" + "".join(f"# {line}\n" for line in said)


def _with_included(texts: Mapping[str, str], name: str, seen: tuple[str, ...] = ()) -> list[str]:
    """`name` and what it includes by -r or -c, as far as it is among the texts."""
    if name in seen or name not in texts:
        return []
    found = [name]
    for line in texts[name].splitlines() if name.endswith(".txt") else ():
        if match := _INCLUDE.match(line):
            inside = posixpath.normpath(posixpath.join(posixpath.dirname(name), match[1]))
            found += _with_included(texts, inside, (*seen, *found))
    return found


def pinned(text: str) -> dict[str, str]:
    """The versions in a requirements lock, by normalised name (PEP 503), the last one where markers give several."""
    return {_normalised(match["name"]): match["version"] for match in _PINNED.finditer(text)}


def preferences(*locks: str) -> str:
    """Versions for a resolver to prefer, one a line, by name: those of later locks go before those of earlier ones."""
    merged: dict[str, str] = {}
    for lock in locks:
        merged |= pinned(lock)
    return "".join(f"{name}=={merged[name]}\n" for name in sorted(merged))


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


_OPTION = re.compile(r"\s*(--(extra-)?index-url|-i|--find-links|-f|--no-binary|--only-binary|--pre)\b")


def own_options(texts: Mapping[str, str]) -> tuple[str, ...]:
    """Options in the person's requirement files that say where packages come from; a lock repeats them."""
    names = (name for name in lock_inputs(texts, REQUIREMENTS_LOCK) if name.endswith(".txt"))
    lines = (line.strip() for name in names for line in texts[name].splitlines() if _OPTION.match(line))
    return tuple(dict.fromkeys(lines))


_PACKAGE = re.compile(
    r"^\S+/(?P<name>[^/\s]+)-(?P<version>[^-/\s]+)-[^-/\s]+(\.conda|\.tar\.bz2) sha256:", re.MULTILINE
)


def conda_versions(text: str) -> dict[str, str]:
    """The versions of an environment lock's packages, by name."""
    return {match["name"]: match["version"] for match in _PACKAGE.finditer(text)}


def apt_versions(text: str) -> dict[str, str]:
    """The versions of an apt lock's packages, by name."""
    lines = (line.partition("=") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: version for name, _, version in lines}


def versions(lock: str, text: str) -> dict[str, str]:
    """The versions in a lock, by package."""
    if lock == APT_LOCK:
        return apt_versions(text)
    return conda_versions(text) | pinned(text) if lock == ENVIRONMENT_LOCK else pinned(text)


def without(lock: str, there: Mapping[str, str]) -> str:
    """A requirements lock without what is `there` in the same version, by another package manager."""
    kept, keep = [], True
    for line in lock.splitlines(keepends=True):
        if not line[0].isspace():
            match = _PINNED.match(line)
            keep = not match or there.get(_normalised(match["name"])) != match["version"]
        if keep:
            kept.append(line)
    return "".join(kept)


@dataclass(frozen=True, slots=True)
class Change:
    """A package whose version in a lock is another than before; "" for none."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        if not self.before:
            return f"+ {self.name} {self.after}"
        return f"{self.name} {self.before} → {self.after}" if self.after else f"- {self.name} {self.before}"


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    """What differs between two locks' versions, by name."""
    names = sorted({*before, *after})
    pairs = ((name, before.get(name, ""), after.get(name, "")) for name in names)
    return tuple(Change(name, old, new) for name, old, new in pairs if old != new)

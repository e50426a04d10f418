"""Reads `firstbell.toml` and the environment into a `Course`; nothing else does.

Everything wrong with a file is told at once, in the order of its lines.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from firstbell.config import shape
from firstbell.config.bells import bell_problems
from firstbell.config.idle import idle_problems
from firstbell.config.locate import KeyPath, locate
from firstbell.config.problems import Problem, explain, refusal
from firstbell.config.shape import Key
from firstbell.errors import CourseFileError
from firstbell.model.course import Access, Course
from firstbell.model.network import Network
from firstbell.model.secret import Secret

FILE_NAME = "firstbell.toml"

_SECRET_KINDS = ("env:", "file:")
_TOML_POSITION = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_course(path: Path, env: Mapping[str, str], *, complete: bool = True) -> Course:
    """The course that `path` (the file, or the folder it is in) describes.

    Relative paths become absolute, counted from the file's folder. `env:NAME` and `file:PATH` become secrets.
    SSL_CERT_FILE, HTTPS_PROXY, HTTP_PROXY and NO_PROXY of `env` fill what `[network]` leaves empty. With `complete`
    false, for commands that only look at a course or take it down, secrets that are unset are empty and files that
    it names may be missing. Raises CourseFileError with every mistake of the file.
    """
    file = course_file(path)
    text = _read_text(file)
    raw = _parse(text, file)
    preparation = _Preparation(Path.cwd() / file.parent, env, complete)
    prepared = preparation.run(raw)
    problems = preparation.problems
    try:
        course = Course.model_validate(prepared)
    except ValidationError as error:
        told = {p.path for p in problems}
        problems += [p for p in explain(error.errors(), raw) if p.path not in told]
        raise refusal(str(file), problems, locate(text)) from None
    problems += bell_problems(course) + idle_problems(course)
    if problems:
        raise refusal(str(file), problems, locate(text))
    return course


def course_file(path: Path) -> Path:
    """The course file that `path` means: itself, or the one in the folder that it is."""
    is_folder = path.is_dir() or (not path.exists() and path.suffix != ".toml")
    return path / FILE_NAME if is_folder else path


def read_raw(file: Path) -> dict[str, Any]:
    """What a course file says, as it is written. Raises CourseFileError."""
    return _parse(_read_text(file), file)


def network_of(env: Mapping[str, str]) -> Network:
    """The way out where there is no course file: what the environment says."""
    prepared = _Preparation(Path.cwd(), env, complete=False).run({})
    return Network.model_validate(prepared["network"])


def _read_text(file: Path) -> str:
    where = str(file)
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        folder = "" if str(file.parent) == "." else f" {file.parent}"
        raise CourseFileError(
            "there is no course file", where=where, next_step=f"Write one with: firstbell init{folder}"
        ) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise CourseFileError(
            f"the text is not UTF-8 (byte 0x{error.object[error.start]:02x})",
            where=f"{where}:{line}",
            next_step="Save the file as UTF-8.",
        ) from None
    except OSError as error:
        raise CourseFileError(
            f"the course file cannot be read: {(error.strerror or str(error)).lower()}",
            where=where,
            next_step="Name a course file, or a folder that has one.",
        ) from None


def _parse(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        position = _TOML_POSITION.search(str(error))
        if position and position[1]:
            line, column = int(position[1]), int(position[2])
        else:
            line, column = text.rstrip("\n").count("\n") + 1, len(text.rstrip("\n").rsplit("\n", 1)[-1]) + 1
        # Only what stands before the mistake: what follows may be a secret without its quotes.
        before = text.split("\n")[line - 1][: column - 1].expandtabs(1) if text.strip() else ""
        said = _TOML_POSITION.sub("", str(error))
        raise CourseFileError(
            f"no valid TOML: {said[:1].lower()}{said[1:]}",
            where=f"{file}:{line}:{column}",
            evidence=[before, " " * len(before) + "^"] if before.strip() else [],
            next_step="Correct the line; texts stand in double quotes, one key = value to a line.",
        ) from None


@dataclass(slots=True)
class _Preparation:
    """Turns what the file says into what the models take: absolute paths, secrets, the environment's network."""

    folder: Path
    env: Mapping[str, str]
    complete: bool
    problems: list[Problem] = field(default_factory=list)

    def run(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        prepared = {name: self._value((name,), value) for name, value in raw.items()}
        if isinstance(network := prepared.setdefault("network", {}), dict):
            self._environment(network)
        if isinstance(access := prepared.setdefault("access", {}), dict) and "roster" not in access:
            access["roster"] = self.folder.resolve() / Access().roster
        return prepared

    def _value(self, path: KeyPath, value: Any) -> Any:
        key = shape.find(path)
        if path[:2] == ("access", "options"):
            return self._option(path, value)
        if isinstance(value, dict):
            return {name: self._value((*path, name), inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._value((*path, index), inner) for index, inner in enumerate(value)]
        if shape.is_secret_at(path):
            return self._secret_only(path, value)
        if key is None:
            return value
        if key.is_path and isinstance(value, str):
            return self._path(key, value)
        if key.is_number and isinstance(value, bool):
            self.problems.append(
                Problem(path, "must be a number", f"write for example {key.name} = {shape.toml(key.example)}")
            )
        return value

    def _path(self, key: Key, value: str) -> Path:
        """An absolute path; the roster may still be missing, `people` makes it."""
        path = (self.folder / Path(value).expanduser()).resolve()
        if not value.strip():
            self.problems.append(Problem(key.path, "is empty", f"write for example {_example(key)}"))
        elif self.complete and key.name == "project" and not path.is_dir():
            self.problems.append(Problem(key.path, f"there is no folder {path}", "make it, or name the right one"))
        elif self.complete and key.name in {"cert", "key", "ca_bundle"} and not path.is_file():
            self.problems.append(Problem(key.path, f"there is no file {path}", "name the right one"))
        return path

    def _option(self, path: KeyPath, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._option((*path, name), inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._option((*path, index), inner) for index, inner in enumerate(value)]
        if isinstance(value, str) and value.startswith(_SECRET_KINDS):
            return self._secret(path, value)
        if isinstance(value, dt.date | dt.time):
            return value.isoformat()
        return value

    def _secret_only(self, path: KeyPath, value: Any) -> Secret:
        if isinstance(value, str) and value.startswith(_SECRET_KINDS):
            return self._secret(path, value)
        name = str(path[-1]).upper()
        self.problems.append(
            Problem(
                path,
                "a secret must not stand in the course file",
                f'write {path[-1]} = "env:{name}" and set {name} in the environment, '
                f'or {path[-1]} = "file:{path[-1]}.txt"',
            )
        )
        return Secret("", "")

    def _secret(self, path: KeyPath, source: str) -> Secret:
        kind, _, place = source.partition(":")
        read: Callable[[KeyPath, str], str] = self._from_environment if kind == "env" else self._from_file
        return Secret(source, read(path, place.strip()))

    def _from_environment(self, path: KeyPath, name: str) -> str:
        value = self.env.get(name, "")
        if not value and self.complete:
            state = "empty" if name in self.env else "not set"
            self.problems.append(Problem(path, f"the environment variable {name} is {state}", f"export {name}=…"))
        return value

    def _from_file(self, path: KeyPath, place: str) -> str:
        file = self.folder / Path(place).expanduser()
        try:
            value = file.read_text().removesuffix("\n").removesuffix("\r")
        except (OSError, UnicodeDecodeError) as error:
            reason = (getattr(error, "strerror", None) or "not UTF-8 text").lower()
            wrong = f"the secret cannot be read from {file}: {reason}"
        else:
            wrong = "" if value else f"the file {file} is empty"
        if wrong and self.complete:
            self.problems.append(Problem(path, wrong, "put the secret, and nothing else, into that file"))
        return "" if wrong else value

    def _environment(self, network: dict[str, Any]) -> None:
        """Fill what `[network]` leaves empty from the variables that other programs follow too."""
        bundle = self.env.get("SSL_CERT_FILE", "")
        if bundle and not network.get("ca_bundle"):
            if Path(bundle).is_file():
                network["ca_bundle"] = Path(bundle).resolve()
            elif self.complete:
                self.problems.append(Problem((), f"SSL_CERT_FILE of the environment names {bundle}, which is no file"))
        for name, variables in (("proxy", ("HTTPS_PROXY", "HTTP_PROXY")), ("no_proxy", ("NO_PROXY",))):
            found = next((self.env[n] for v in variables for n in (v, v.lower()) if self.env.get(n)), "")
            if found and not network.get(name):
                network[name] = found


def _example(key: Key) -> str:
    return f"{key.name} = {shape.toml(key.example)}"

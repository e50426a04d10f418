"""restic's arguments, and what it answers as values. Pure: who runs it, and where, is somebody else's.

Read off restic 0.14, whose `check`, `restore` and `dump` know no JSON, and which says of some failures nothing but a
line beside a good exit code.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from firstbell.backup.failure import Trouble, failed
from firstbell.backup.tags import read_tags
from firstbell.model.backup import Entry, Lock, Snapshot, Storage, Summary
from firstbell.model.observed import RunResult

Arguments = tuple[str, ...]

_SOME_UNREADABLE = 3
_KEY_FIELDS = ("created", "username", "hostname", "kdf", "N", "r", "p", "salt", "data")

VERSION: Arguments = ("version",)
INIT: Arguments = ("init",)
SNAPSHOTS: Arguments = ("snapshots", "--json")
CONFIG: Arguments = ("cat", "config", "--no-lock")
CHECK: Arguments = ("check", "--read-data")
STATS: Arguments = ("stats", "--json", "--mode", "raw-data")
LIST_KEYS: Arguments = ("list", "keys", "--no-lock")
LIST_LOCKS: Arguments = ("list", "locks", "--no-lock")
UNLOCK_ALL: Arguments = ("unlock", "--remove-all")
"""Only after `Lock`s have shown that each is our own and none of us is at work."""


def backup(host: str, tags: Iterable[str], paths: Iterable[str], excludes: Iterable[str] = ()) -> Arguments:
    """A snapshot of absolute paths. `host` is the same for all of a course, so that restic finds the one before."""
    marked = [word for tag in tags for word in ("--tag", tag)]
    left_out = [f"--exclude={_pattern(path)}" for path in excludes]
    return ("backup", "--json", "--quiet", "--host", host, *marked, *left_out, "--", *paths)


def add_tag(tag: str, snapshots: Iterable[str]) -> Arguments:
    """Mark snapshots. Each is then another one, with another id."""
    return ("tag", "--add", tag, *snapshots)


def forget(snapshots: Iterable[str]) -> Arguments:
    """Remove these snapshots and what only they held."""
    return ("forget", "--prune", *snapshots)


def restore(snapshot: str, target: str, paths: Iterable[str] = ()) -> Arguments:
    """Bring a snapshot, or only these absolute paths of it, back below `target`.

    Without a lock, so that the storage can be read-only; nobody may forget anything meanwhile.
    """
    return ("restore", snapshot, "--no-lock", "--target", target, *(f"--include={_pattern(path)}" for path in paths))


def drill(snapshot: str, target: str) -> Arguments:
    """Bring a snapshot back below `target`, then read every file there and compare it with what is in the storage."""
    return (*restore(snapshot, target), "--verify")


def drilled(result: RunResult, storage: Storage) -> int:
    """How many files a drill has compared. Raises BackupFailed."""
    found = re.search(r"finished verifying (\d+) files", done(result, storage).stdout.decode(errors="replace"))
    if found is None:
        raise failed(result, storage)
    return int(found[1])


def listing(snapshot: str, path: str = "") -> Arguments:
    """What a snapshot holds: everything, or what is in one folder."""
    return ("ls", "--json", snapshot, *([path] if path else []))


def dump(snapshot: str, path: str) -> Arguments:
    """A file's content, or a folder as a tar."""
    return ("dump", snapshot, path)


def cat_lock(lock: str) -> Arguments:
    """Whose lock it is."""
    return ("cat", "lock", lock, "--no-lock")


def cat_key(key: str) -> Arguments:
    """A key, as it is kept."""
    return ("cat", "key", key, "--no-lock")


def done(result: RunResult, storage: Storage) -> RunResult:
    """The result, if it is a good one. Raises BackupFailed, also for what restic passes over, ending well."""
    if result.exit_code != 0:
        raise failed(result, storage)
    if b"could not load snapshot" in result.stderr:
        # Whoever took the snapshots that could be read for all there are would forget the wrong ones.
        raise failed(result, storage, Trouble.DAMAGED)
    if b"no matching ID found" in result.stderr:
        # `forget`, `ls` and `tag` do so with what is not there.
        raise failed(result, storage, Trouble.NO_SNAPSHOT)
    return result


def checked(result: RunResult, storage: Storage) -> None:
    """Raises BackupFailed; whatever a check finds that is nobody's lock, place or password is damage."""
    if result.exit_code == 0:
        return
    error = failed(result, storage)
    raise error if error.trouble is not Trouble.OTHER else failed(result, storage, Trouble.DAMAGED)


def check_key(key: str, result: RunResult, storage: Storage) -> None:
    """Raises BackupFailed where a key is not the one it was: restic's own check looks at everything but the keys.

    A key's name is the SHA-256 of its JSON, which restic writes without white space and in a fixed order.
    """
    fields: dict[str, Any] = json.loads(done(result, storage).stdout)
    text = json.dumps({name: fields[name] for name in _KEY_FIELDS if name in fields}, separators=(",", ":"))
    if hashlib.sha256(text.encode()).hexdigest() != key:
        raise failed(RunResult(1, b"", f"key {key} is not what it was".encode()), storage, Trouble.DAMAGED)


def summary(result: RunResult, storage: Storage) -> Summary:
    """What a backup came to; files that could not be read make it one that is not whole. Raises BackupFailed."""
    found = next((one for one in _lines(result) if one.get("message_type") == "summary"), None)
    if result.exit_code not in {0, _SOME_UNREADABLE} or found is None:
        raise failed(result, storage)
    return Summary(
        snapshot=found["snapshot_id"],
        files=found["total_files_processed"],
        size=found["total_bytes_processed"],
        added=found["data_added"],
        seconds=found["total_duration"],
        is_whole=result.exit_code == 0,
    )


def unreadable(result: RunResult) -> tuple[str, ...]:
    """The paths that a backup could not read."""
    said = RunResult(0, result.stderr)
    return tuple(dict.fromkeys(one["item"] for one in _lines(said) if one.get("message_type") == "error"))


def snapshots(result: RunResult, storage: Storage) -> tuple[Snapshot, ...]:
    """Those of ours, the oldest first. Raises BackupFailed, also where one of them could not be read."""
    plain = json.loads(done(result, storage).stdout)
    found = []
    for one in plain or ():
        if (tags := read_tags(one.get("tags") or ())) is not None:
            course, subject, run, is_whole = tags
            when = _seconds(one["time"])
            found.append(Snapshot(one["id"], when, course, subject, run, is_whole, tuple(one["paths"])))
    return tuple(sorted(found, key=lambda snapshot: (snapshot.time, snapshot.id)))


def entries(result: RunResult, storage: Storage) -> tuple[Entry, ...]:
    """What a listing says. Raises BackupFailed."""
    nodes = (one for one in _lines(done(result, storage)) if one.get("struct_type") == "node")
    return tuple(Entry(n["path"], n["type"], n.get("size", 0), _seconds(n["mtime"])) for n in nodes)


def stored_bytes(result: RunResult, storage: Storage) -> int:
    """Bytes that all snapshots together take. Raises BackupFailed."""
    return int(json.loads(done(result, storage).stdout)["total_size"])


def ids(result: RunResult, storage: Storage) -> tuple[str, ...]:
    """What `list` prints. Raises BackupFailed."""
    return tuple(done(result, storage).stdout.decode().split())


def identity(result: RunResult, storage: Storage) -> str:
    """Which storage it is, by its `config`. Raises BackupFailed."""
    return str(json.loads(done(result, storage).stdout)["id"])


def lock(identity: str, result: RunResult, storage: Storage) -> Lock:
    """Whose lock it is. Raises BackupFailed."""
    plain = json.loads(done(result, storage).stdout)
    return Lock(identity, plain["hostname"], _seconds(plain["time"]), plain["exclusive"])


def _lines(result: RunResult) -> list[dict[str, Any]]:
    """The objects, a line each; lines that are none are left out."""
    found = []
    for line in result.stdout.decode(errors="replace").splitlines():
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, dict):
            found.append(one)
    return found


def _seconds(text: str) -> float:
    """Unix seconds of Go's RFC 3339, which has up to nine digits behind the point."""
    head, _, tail = text.partition(".")
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return datetime.fromisoformat(f"{head}.{tail[:digits][:6]:0<6}{tail[digits:]}" if tail else text).timestamp()


def _pattern(path: str) -> str:
    """A path as a pattern that matches it alone."""
    return "".join(f"\\{letter}" if letter in "\\*?[" else letter for letter in path)

"""/etc/passwd and /etc/group of any image, with the person who uses it in them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from firstbell.model.runtime import HOME_DIR

PASSWD = "/etc/passwd"  # noqa: S105
GROUP = "/etc/group"

_POSIX_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_ROOT_PASSWD = "root:x:0:0:root:/root:/bin/sh"  # noqa: S105
_ROOT_GROUP = "root:x:0:"
_FALLBACK = "jovyan"
_SHELL_FIELD = 6


@dataclass(frozen=True, slots=True)
class Accounts:
    """An image's two files; empty text where it has none."""

    passwd: str = ""
    group: str = ""


def with_person(accounts: Accounts, user: str, uid: int, gid: int) -> tuple[Accounts, str]:
    """The files with an account for `user` of that uid and gid, and the account's name.

    An account of the image with the same uid gives way. The name is the user's own, unless it is no name for an
    account (POSIX 3.437, and Debian's length) or belongs to another uid of the image.
    """
    passwd = [line for line in _lines(accounts.passwd, _ROOT_PASSWD) if _number(line) != uid]
    shell = next((line.split(":")[_SHELL_FIELD] for line in passwd if _number(line) == 0), "") or "/bin/sh"
    name = _free_name(user, {line.split(":")[0] for line in passwd}, uid)
    passwd.append(f"{name}:x:{uid}:{gid}:{_comment(user)}:{HOME_DIR}:{shell}")
    group = _lines(accounts.group, _ROOT_GROUP)
    if not any(_number(line) == gid for line in group):
        group.append(f"{_free_name(name, {line.split(':')[0] for line in group}, gid)}:x:{gid}:")
    return Accounts("\n".join(passwd) + "\n", "\n".join(group) + "\n"), name


def _lines(text: str, otherwise: str) -> list[str]:
    return [line for line in text.splitlines() if line.count(":") >= 3] or [otherwise]


def _number(line: str) -> int:
    field = line.split(":")[2]
    return int(field) if field.isdecimal() else -1


def _free_name(wanted: str, taken: set[str], number: int) -> str:
    if _POSIX_NAME.fullmatch(wanted) and wanted not in taken:
        return wanted
    return _FALLBACK if _FALLBACK not in taken else f"{_FALLBACK}{number}"


def _comment(user: str) -> str:
    return "".join(c for c in user if c.isprintable() and c not in ":,")[:64]

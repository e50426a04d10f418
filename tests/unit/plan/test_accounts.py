"""Accounts of people in any image."""

from __future__ import annotations

import pytest

from firstbell.plan.accounts import Accounts, with_person

DEBIAN = Accounts(
    "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n",
    "root:x:0:\ndaemon:x:1:\nusers:x:100:\n",
)
JUPYTER = Accounts(DEBIAN.passwd + "jovyan:x:1000:100::/home/jovyan:/bin/bash\n", DEBIAN.group + "jovyan:x:1000:\n")


def added(before: str, after: str) -> list[str]:
    return [line for line in after.splitlines() if line not in before.splitlines()]


def test_a_person_gets_an_account_of_their_name():
    """A new account has the user's name, ids, the home and root's shell; what was there stays."""
    accounts, name = with_person(DEBIAN, "ada", 1000, 1000)
    assert name == "ada"
    assert added(DEBIAN.passwd, accounts.passwd) == ["ada:x:1000:1000:ada:/home/jovyan:/bin/bash"]
    assert added(DEBIAN.group, accounts.group) == ["ada:x:1000:"]
    assert accounts.passwd.startswith(DEBIAN.passwd)


def test_the_images_account_of_the_same_uid_gives_way():
    """One uid has one name: the image's user of that uid is replaced, its group kept."""
    accounts, name = with_person(JUPYTER, "ada", 1000, 1000)
    assert name == "ada"
    assert "jovyan:x:1000:100" not in accounts.passwd
    assert accounts.group == JUPYTER.group


@pytest.mark.parametrize("user", ["daemon", "Ada", "ada@example.org", "-x", "ä", "a" * 40, "a:b", ""])
def test_a_name_that_cannot_be_is_replaced(user):
    """A name that is taken, or is no POSIX name, becomes jovyan; every line keeps its seven fields."""
    accounts, name = with_person(DEBIAN, user, 1000, 1000)
    assert name == "jovyan"
    assert all(line.count(":") == 6 for line in accounts.passwd.splitlines())
    assert "daemon:x:1:1:" in accounts.passwd


def test_jovyan_of_another_uid_is_not_taken_over():
    """If jovyan is somebody else, the account is numbered."""
    _, name = with_person(JUPYTER, "daemon", 5000, 5000)
    assert name == "jovyan5000"


def test_an_existing_group_is_used():
    """A gid that has a group gets no second one."""
    accounts, _ = with_person(DEBIAN, "ada", 1000, 100)
    assert accounts.group == DEBIAN.group
    assert "ada:x:1000:100:" in accounts.passwd


def test_an_image_without_the_files_gets_them():
    """Root is added, so that what looks it up does not fail."""
    accounts, name = with_person(Accounts(), "ada", 1000, 1000)
    assert name == "ada"
    assert accounts.passwd == "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000:ada:/home/jovyan:/bin/sh\n"
    assert accounts.group == "root:x:0:\nada:x:1000:\n"

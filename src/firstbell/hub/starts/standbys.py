"""Which containers wait for people who have not come yet; `standby_care` makes and removes them."""

from __future__ import annotations


class Standbys:
    """The names of the containers that wait, or are being made, by the users whom they are for."""

    def __init__(self) -> None:
        self._by_user: dict[str, str] = {}

    def add(self, user: str, container: str) -> None:
        """From now on this container is not to be taken for a stranger's."""
        self._by_user[user] = container

    def remove(self, user: str) -> None:
        """It waits no longer; nothing for a user for whom none did."""
        self._by_user.pop(user, None)

    def users(self) -> frozenset[str]:
        """For whom one waits."""
        return frozenset(self._by_user)

    def containers(self) -> frozenset[str]:
        """The names of those that wait."""
        return frozenset(self._by_user.values())

"""What the stories of homes share: a browser."""

from tests.stories.people.conftest import chromium

__all__ = ["chromium"]

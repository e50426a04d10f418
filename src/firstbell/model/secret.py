"""A value that never prints."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secret:
    """A password or token; `source` (`env:NAME`, `file:PATH`) says where it came from, `reveal()` is the one way in."""

    source: str
    _value: str = field(repr=False)

    def reveal(self) -> str:
        """The secret itself; call it only where it is handed over."""
        return self._value

    def __str__(self) -> str:
        return f"<secret from {self.source}>"

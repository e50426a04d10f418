"""Cookies of one host, by path, as browsers keep them (RFC 6265)."""

from __future__ import annotations


class Cookies:
    """A jar for one host; it does not outlive the visit, so of the attributes only path and removal count."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], str] = {}

    def take(self, header: str, request_path: str) -> None:
        """One Set-Cookie header of an answer to a request for `request_path`."""
        pair, _, rest = header.partition(";")
        name, _, value = pair.partition("=")
        attributes = dict(_attribute(word) for word in rest.split(";"))
        path = attributes.get("path") or request_path.rpartition("/")[0] or "/"
        key = (name.strip(), path)
        if attributes.get("max-age", "1").startswith(("0", "-")) or "1970" in attributes.get("expires", ""):
            self._kept.pop(key, None)
        else:
            self._kept[key] = value.strip()

    def put(self, name: str, value: str, path: str) -> None:
        """Have this one from the beginning."""
        self._kept[name, path] = value

    def header(self, path: str) -> str:
        """The Cookie header for a path: the longest paths first."""
        found = [(kept, name, value) for (name, kept), value in self._kept.items() if _matches(path, kept)]
        found.sort(key=lambda entry: -len(entry[0]))
        return "; ".join(f"{name}={value}" for _, name, value in found)

    def value(self, name: str, path: str) -> str:
        """The value that a script of the page at `path` finds first; "" if there is none."""
        found = [(len(kept), value) for (n, kept), value in self._kept.items() if n == name and _matches(path, kept)]
        return max(found)[1] if found else ""

    def everything(self) -> list[tuple[str, str, str]]:
        """Name, path and value of each."""
        return [(name, path, value) for (name, path), value in self._kept.items()]


def _attribute(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name.strip().lower(), value.strip()


def _matches(path: str, kept: str) -> bool:
    return path == kept or (path.startswith(kept) and (kept.endswith("/") or path[len(kept)] == "/"))

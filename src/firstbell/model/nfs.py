"""An export of a file server, as `nfs://server/export?options` names it, and what an engine wants of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

SCHEME = "nfs://"
_VERSION_KEYS = ("vers", "nfsvers")
_DEFAULTS = ("nosuid", "nodev", "hard")
"""`hard`: a write waits for a server that is away instead of failing, so that no file is cut short."""
_DEFAULT_VERSION = "vers=4.2"
_OURS = ("addr", "clientaddr")
_SOFT = ("soft", "softerr", "softreval")


@dataclass(frozen=True, slots=True)
class NfsExport:
    """A folder of a file server and the options of mount(8) by which it is mounted."""

    server: str
    """Name or address; the engine of each node resolves it."""
    path: str
    """Absolute, without a slash at its end but for the root."""
    options: tuple[str, ...] = ()
    """As people wrote them."""

    @classmethod
    def parse(cls, text: str) -> NfsExport:
        """From `nfs://server/export?vers=4.2&nolock`. Raises ValueError in words."""
        example = 'write for example "nfs://files.example.org/export/homes?vers=4.2"'
        try:
            parts = urlsplit(text)
            server, path = parts.hostname or "", unquote(parts.path)
            has_more = bool(parts.port or parts.username or parts.fragment)
        except ValueError as error:
            raise ValueError(f'"{text}" is no address of an export ({error}); {example}') from error
        if not server or not path or has_more:
            raise ValueError(f'"{text}" must be a server and an absolute path; {example}')
        if ".." in PurePosixPath(path).parts or any(c.isspace() or ord(c) < 32 for c in path):
            raise ValueError(f'"{text}": the path must have neither `..` nor white space; {example}')
        options = tuple(o for o in unquote(parts.query).replace("&", ",").split(",") if o)
        for option in options:
            _check(option)
        return cls(server, "/" + path.strip("/"), options)

    def driver_options(self, folder: str = "") -> dict[str, str]:
        """Options of Docker's `local` volume driver for a folder below the export, or for the export itself.

        The daemon resolves the name in `addr`, which the kernel itself cannot.
        """
        version = () if any(o.partition("=")[0] in _VERSION_KEYS for o in self.options) else (_DEFAULT_VERSION,)
        words = dict.fromkeys((f"addr={self.server}", *_DEFAULTS, *version, *self.options))
        path = f"{self.path.rstrip('/')}/{folder}" if folder else self.path
        return {"type": "nfs", "o": ",".join(words), "device": f":{path}"}

    def __str__(self) -> str:
        query = "?" + "&".join(self.options) if self.options else ""
        return f"{SCHEME}{f'[{self.server}]' if ':' in self.server else self.server}{self.path}{query}"


def _check(option: str) -> None:
    key = option.partition("=")[0]
    if key in _OURS:
        raise ValueError(f"the option {key} is taken from the server's name; leave it out")
    if key in _SOFT:
        raise ValueError(f"with {key} a file that is being written is cut short when the server is slow; leave it out")

"""What a tool's last lines tell of a fetch that failed: whose packages, from which host, why, and what helps. Pure.

The words are those that the tools were heard to say at a closed port, an unknown name, a certificate of nobody's, a
proxy that is not there or asks for a login, and a server out of order (tests/unit/plan/test_fetch_failure.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Source:
    """Where packages of one kind come from."""

    key: str
    """Of `[network]`."""
    packages: str
    variable: str
    """The build argument that names the mirror."""
    words: re.Pattern[str]
    """How the tool is known by what it says."""
    step: re.Pattern[str]
    """How it is known by the step of the build."""


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.IGNORECASE)


SOURCES = (
    Source(
        "apt",
        "packages of the distribution",
        "APT_MIRROR",
        _any(r"^E: Failed to fetch", r"^Err:\d+ ", r"^E: The repository '"),
        _any(r"apt-install", r"\bapt(-get)?\b.* install"),
    ),
    Source("npm", "packages of npm", "NPM_CONFIG_REGISTRY", _any(r"\bnpm err(or|!)"), _any(r"\bnpm (ci|install)\b")),
    Source(
        "python",
        "a build of Python",
        "UV_PYTHON_INSTALL_MIRROR",
        _any(r"failed to install cpython", r"/cpython-\S+\.tar", r"^Python \S+ could not be fetched"),
        _any(r"python-install"),
    ),
    Source(
        "conda",
        "packages of conda",
        "CONDA_CHANNEL_ALIAS",
        _any(r"channels of environment\.yml", r"packages of environment\.yml cannot be fetched", r"/repodata"),
        _any(r"conda-(install|lock)"),
    ),
    Source(
        "cran",
        "packages of R",
        "CRAN_MIRROR",
        _any(r"/src/contrib", r"install\.packages", r"\bCRAN\b"),
        _any(r"\br-install\b"),
    ),
    Source(
        "maven",
        "packages of Maven",
        "MAVEN_MIRROR",
        _any(r"UNRESOLVED DEPENDENCIES", r"server access error at url", r"could not transfer artifact", r"\.jar\b"),
        _any(r"kernel-install (scala|java)"),
    ),
    Source(
        "crates",
        "crates of Rust",
        "CARGO_MIRROR",
        _any(r"source registry", r"download of config\.json", r"\bcargo\b"),
        _any(r"kernel-install rust", r"\bcargo\b"),
    ),
    Source(
        "go", "modules of Go", "GOPROXY", _any(r"^go: ", r"proxyconnect tcp", r"/@v/"), _any(r"kernel-install go\b")
    ),
    Source(
        "pypi",
        "packages of Python",
        "PIP_INDEX_URL",
        _any(
            r"retrying \(retry",
            r"/simple/",
            r"failed to (fetch: |download `)",
            r"\.whl\b",
            r"no matching distribution found for (uv|py-rattler|juliapkg)==",
        ),
        _any(r"uv-pip", r"uv-locked", r"project-install", r"pip install", r"hub/install"),
    ),
)

_CERTIFICATE = _any(
    r"certificate verif(y failed|ication failed|y)",
    r"invalid peer certificate",
    r"unknownissuer",
    r"unable to get (local )?issuer",
    r"self[-_ ]signed[-_ ]cert",
    r"UNABLE_TO_VERIFY_LEAF",
    r"x509: ",
    r"SSL peer certificate",
    r"PKIX path building",
)
_LOGIN = _any(r"\b407 proxy", r"response 407", r"proxy auth", r"proxy requires auth")
_PROXY = _any(
    r"tunnel error", r"proxyconnect", r"cannot connect to proxy", r"response from proxy", r"could not resolve proxy"
)
_NAME = _any(
    r"temporary failure (resolving|in name)",
    r"could not resolve",
    r"name or service not known",
    r"no such host",
    r"\bhost \S+ not found",
    r"dns error",
    r"EAI_AGAIN|ENOTFOUND",
)
_SERVER = _any(
    r"\b50[0234] +(bad gateway|service unavailable|gateway time|internal server error)",
    r"\bgot 50[0234]\b",
    r"server error:? ",
)
_SILENCE = _any(
    r"hash sum mismatch",
    r"unable to connect",
    r"could not connect",
    r"error sending request",
    r"request failed after",
    r"operation timed out",
    r"read timed out",
    r"newconnectionerror",
    r"max retries exceeded",
    r"no matching distribution found for (uv|py-rattler|juliapkg)==",
    r"ETIMEDOUT|ECONNRESET|ECONNREFUSED",
    r"i/o timeout",
    r"connection (timed out|reset|refused|aborted|failed)",
    r"network is unreachable",
    r"tls handshake timeout",
)
_REFUSAL = _any(
    r"failed to fetch\b.*(archive|http)", r"unable to access index for repository", r"does not have a Release file"
)
_HOST = re.compile(
    r"(?:fetch:?|err:\d+|download(?: from)?|url|request to|\bget|response from|repository|reading)\W{1,3}https?://([^/\s\"'`)]+)",
    re.IGNORECASE,
)


def is_network_failure(lines: Iterable[str]) -> bool:
    """Whether the lines tell of a failure that may be gone at the next attempt."""
    text = "\n".join(lines)
    is_definite = _CERTIFICATE.search(text) or _LOGIN.search(text)
    return not is_definite and any(why.search(text) for why in (_PROXY, *dict(_WHYS)))


def fetch_advice(lines: Sequence[str], args: Mapping[str, str]) -> str:
    """The host, what was asked of it, and the setting that helps; empty where no fetch has failed.

    `args` are the build's arguments, mirrors and proxy among them.
    """
    text = "\n".join(lines)
    source = _source(lines)
    mirror = args.get(source.variable, "") if source else ""
    host = _host(lines) or (urlsplit(mirror).hostname or "" if mirror else "")
    who = _who(host, source)
    proxy = args.get("https_proxy") or args.get("http_proxy") or ""
    if _CERTIFICATE.search(text):
        return f"{who} shows a certificate that is not trusted: name this network's authorities as [network] ca_bundle."
    if _LOGIN.search(text):
        return f"The proxy asks for a login: write [network] proxy as http://NAME:PASSWORD@HOST:PORT.{_by(proxy)}"
    if _PROXY.search(text):
        return f"{who} was not reached, since the proxy does not let through: correct [network] proxy.{_by(proxy)}"
    why = next((words for pattern, words in _WHYS if pattern.search(text)), "")
    return f"{who} {why}. {_help(source, mirror)}{_by(proxy)}" if why else ""


_WHYS = (
    (_SERVER, "is out of order"),
    (_NAME, "is a name that nobody here knows"),
    (_SILENCE, "does not answer"),
    (_REFUSAL, "has not given what was asked for"),
)


def _source(lines: Sequence[str]) -> Source | None:
    """Whose words the last lines are; else whose step it is."""
    for line in reversed(lines):
        for source in SOURCES:
            if source.words.search(line):
                return source
    return next((s for line in reversed(lines) for s in SOURCES if s.step.search(line)), None)


def _host(lines: Sequence[str]) -> str:
    found = [match[1].rpartition("@")[2] for line in lines for match in _HOST.finditer(line)]
    return found[-1] if found else ""


def _who(host: str, source: Source | None) -> str:
    packages = f"asked for {source.packages}" if source else ""
    return f"{host or 'A host'}, {packages}," if packages else host or "A host"


def _help(source: Source | None, mirror: str) -> str:
    if source is None:
        return "Try again; where a mirror or proxy is needed, name it under [network] in the course file."
    if mirror:
        return f"Try again, or correct [network] {source.key}, which is {_without_password(mirror)}."
    return (
        f"Try again; where a mirror takes its place, name it as [network] {source.key} in the course file, "
        "where a proxy leads out, as [network] proxy."
    )


def _by(proxy: str) -> str:
    return f" It was asked by way of [network] proxy, {_without_password(proxy)}." if proxy else ""


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

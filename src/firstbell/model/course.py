"""The course: what one `firstbell.toml` says, checked and frozen.

These models are the one source of the file's format: the annotated reference, the JSON Schema and the docs page are
generated from their fields. `description` says what a key is for; `examples` shows a value worth copying.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from firstbell.model.secret import Secret

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_bytes(value: object) -> int:
    """Bytes of `512M`, `1.5G` or a plain number; powers of 1024, as Docker counts. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", str(value).strip(), re.IGNORECASE)
    if not match:
        raise ValueError(f'"{value}" is no amount of memory; write for example "512M" or "2G"')
    return int(float(match[1]) * _UNITS[match[2].upper()])


def parse_seconds(value: object) -> int:
    """Seconds of `90s`, `30m`, `1h`, `2d`, or a plain number of seconds. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"(\d+)\s*([smhd])", str(value).strip())
    if not match:
        raise ValueError(f'"{value}" is no length of time; write for example "45m" or "1h"')
    return int(match[1]) * _SECONDS[match[2]]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except Exception as error:
        raise ValueError(f'"{name}" is no time zone; write for example "Europe/Berlin"') from error
    return name


def _has_good_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _subnet(text: str) -> str:
    try:
        network = ip_network(text) if text else None
    except ValueError as error:
        raise ValueError(f'"{text}" is no subnet ({error}); write for example "10.111.0.0/20"') from error
    if network is not None and (network.version != 4 or network.prefixlen > 28):
        raise ValueError(f'"{text}" must be an IPv4 subnet of at least a /28; write for example "10.111.0.0/20"')
    return text


def _inside_home(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise ValueError(f'"{path}" must be a path inside the home, for example "week1/start.ipynb"')
    return path


Bytes = Annotated[int, BeforeValidator(parse_bytes, json_schema_input_type=int | str)]
Seconds = Annotated[int, BeforeValidator(parse_seconds, json_schema_input_type=int | str)]
SecretValue = Annotated[Secret, WithJsonSchema({"type": "string", "pattern": "^(env|file):.+"})]


class _Table(BaseModel):
    """A table of the file: frozen, and nothing in it that is not a known key."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class CertificateFiles(_Table):
    """A certificate of your own."""

    cert: Path = Field(description="The certificate with its chain, PEM.", examples=["tls/fullchain.pem"])
    key: Path = Field(description="Its private key, PEM.", examples=["tls/privkey.pem"])


class Access(_Table):
    """Who may enter."""

    login: str = Field(
        "seminar",
        description='"seminar" (whoever opens the URL), "roster" (the people of a list), or the name of a JupyterHub '
        'authenticator such as "github", "google" or "generic-oauth".',
        examples=["roster"],
    )
    roster: Path = Field(
        Path("roster.csv"),
        description="With login roster: a CSV file with username,name,email,role,section, and uid,gid where people "
        "have accounts on this machine.",
        examples=["roster.csv"],
    )
    staff: tuple[str, ...] = Field((), description="User names that may see the hub's admin page.", examples=[["ada"]])
    capacity: Annotated[int, Field(ge=1, le=10_000)] = Field(
        30, description="How many people can be in at once.", examples=[30]
    )
    passcode: SecretValue | None = Field(
        None,
        description="With login seminar: a word asked at the door; env:NAME or file:PATH.",
        examples=["env:SEMINAR_PASSCODE"],
    )
    allow: tuple[str, ...] | Literal["everyone"] = Field(
        (),
        description="With another authenticator: the user names that may enter, or the word everyone. Naming an "
        "organisation or group in the options serves as well. Nobody is let in by leaving it out.",
        examples=[["grace", "linus"]],
    )
    options: dict[str, Any] = Field(
        {},
        description="Settings of that authenticator, by their names in its documentation; secrets as env:NAME or "
        "file:PATH.",
        examples=[{"client_id": "…", "client_secret": "env:GITHUB_SECRET"}],
    )

    @model_validator(mode="after")
    def _somebody_but_not_everybody(self) -> Access:
        if self.login in {"seminar", "roster"}:
            return self
        if self.options.get("allow_all"):
            raise ValueError('allow_all in the options lets everybody in; if that is meant, write allow = "everyone"')
        limits = [k for k in self.options if k.startswith(("allowed_", "allow_existing"))]
        if not self.allow and not any(self.options[k] for k in limits):
            raise ValueError(
                'nobody could enter: name people in allow, a group in the options, or write allow = "everyone"'
            )
        return self


class Server(_Table):
    """What each person gets."""

    project: Path | None = Field(
        None,
        description="A folder that becomes the image: its Dockerfile, or its requirements.txt and apt.txt. Its files "
        "are in every new home.",
        examples=["project"],
    )
    image: str = Field(
        "",
        description="Or an image as it is: anything in which python3 can import jupyter_server.",
        examples=["jupyter/scipy-notebook:latest"],
    )
    base: str = Field(
        "debian:trixie-slim",
        description="The image that project and hub are built on, a Debian or Ubuntu. Where no registry answers, a "
        "debian: base is made from the distribution's own mirror.",
        examples=["debian:trixie-slim"],
    )
    memory: Annotated[Bytes, Field(ge=128 * 1024**2)] = Field(
        1024**3, description="Memory of one server; more is refused.", examples=["1G"]
    )
    cpu: Annotated[float, Field(gt=0, le=1024)] = Field(
        2.0, description="Cores that one server may keep busy.", examples=[2.0]
    )
    pids: Annotated[int, Field(ge=64, le=100_000)] = Field(
        512, description="Processes and threads of one server.", examples=[512]
    )
    idle: Annotated[Seconds, Field(ge=0)] = Field(
        3600,
        description="After this time without activity a server is stopped; its files stay. A running cell is activity. "
        "0 never stops any.",
        examples=["1h"],
    )
    timeout: Annotated[Seconds, Field(ge=5)] = Field(
        120, description="A server that is not ready after this time has failed.", examples=["2m"]
    )
    open: Annotated[str, AfterValidator(_inside_home)] = Field(
        "", description="The file to open at first, a path in the home.", examples=["welcome.ipynb"]
    )
    interface: Literal["lab", "notebook"] = Field(
        "lab", description='"lab" for JupyterLab, "notebook" for Jupyter Notebook 7.', examples=["lab"]
    )
    uid: Annotated[int, Field(ge=1, le=2**31)] = Field(
        1000, description="The user id that servers run as; never 0.", examples=[1000]
    )
    gid: Annotated[int, Field(ge=1, le=2**31)] = Field(1000, description="The group id.", examples=[1000])
    environment: dict[str, str] = Field(
        {}, description="Environment variables of every server; no secrets.", examples=[{"LANG": "C.UTF-8"}]
    )

    @model_validator(mode="after")
    def _one_source(self) -> Server:
        if self.project is not None and self.image:
            raise ValueError("project and image exclude each other; keep one")
        if self.project is None and not self.image:
            raise ValueError('say what a server is made of: project = "DIR" or image = "NAME"')
        return self


class Homes(_Table):
    """Where people's files live."""

    store: str = Field(
        "volume",
        description='"volume" keeps a Docker volume per person; a directory of this machine keeps a folder per person.',
        examples=["/srv/homes"],
    )

    @model_validator(mode="after")
    def _volume_or_directory(self) -> Homes:
        if self.store != "volume" and not self.store.startswith("/"):
            raise ValueError(f'store = "{self.store}" is neither "volume" nor an absolute directory')
        return self

    @property
    def directory(self) -> str:
        """The host directory; empty where homes are volumes."""
        return "" if self.store == "volume" else self.store.rstrip("/")


class EngineTable(_Table):
    """Where containers run."""

    kind: Literal["docker"] = Field("docker", description="The kind of engine.", examples=["docker"])
    host: str = Field(
        "",
        description="The daemon's address, as in DOCKER_HOST; empty takes DOCKER_HOST or the local socket.",
        examples=["unix:///var/run/docker.sock"],
    )


class Network(_Table):
    """The way out, for builds and for servers."""

    apt: str = Field("", description="A mirror of the distribution.", examples=["http://mirror.example.org/debian"])
    pypi: str = Field(
        "",
        description="A Python package index (PEP 503).",
        examples=["https://mirror.example.org/pypi/simple"],
    )
    npm: str = Field("", description="An npm registry.", examples=["https://mirror.example.org/npm"])
    ca_bundle: Path | None = Field(
        None,
        description="A PEM file of the authorities to trust, for builds and servers; without it SSL_CERT_FILE of the "
        "environment is followed.",
        examples=["ca.pem"],
    )
    proxy: str = Field(
        "",
        description="An HTTP proxy for builds and servers; without it HTTPS_PROXY of the environment is followed.",
        examples=["http://proxy.example.org:3128"],
    )
    no_proxy: str = Field("", description="Hosts reached without it.", examples=["localhost,.example.org"])
    egress: Literal["internet", "all", "none"] = Field(
        "internet",
        description='What servers may reach: "internet" is everything but private, link-local and this machine\'s '
        'addresses, "all" adds the private ones, "none" is nothing but the hub.',
        examples=["internet"],
    )
    subnet: Annotated[str, AfterValidator(_subnet)] = Field(
        "", description="The servers' subnet (CIDR); empty lets Docker choose.", examples=["10.111.0.0/20"]
    )


class Course(_Table):
    """A class, a seminar or a lab."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=32)] = Field(
        description="A short name that never changes: containers, volumes and homes carry it. Lower-case letters, "
        "digits and single hyphens.",
        examples=["statistics"],
    )
    title: str = Field("", description="What people read on the pages.", examples=["Statistics I"])
    url: str = Field(
        "http://127.0.0.1:8000",
        description="Where people find it. https:// gets its certificate by itself.",
        examples=["https://jupyter.example.org"],
    )
    tls: Literal["auto", "internal"] | CertificateFiles = Field(
        "auto",
        description='With https: "auto" asks a public authority (ACME), "internal" signs with an authority of its own, '
        "a table with cert and key uses those files.",
        examples=["internal"],
    )
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "UTC", description="The course's time zone.", examples=["Europe/Berlin"]
    )
    access: Access = Field(Access(), description="Who may enter.")
    server: Server = Field(description="What each person gets.")
    homes: Homes = Field(Homes(), description="Where people's files live.")
    engine: EngineTable = Field(EngineTable(), description="Where containers run.")
    network: Network = Field(Network(), description="The way out, for builds and for servers.")

    @model_validator(mode="after")
    def _url_makes_sense(self) -> Course:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f'url = "{self.url}" must begin with http:// or https:// and name a host')
        if not _has_good_port(self.url):
            raise ValueError(f'url = "{self.url}" names a port that cannot be; ports go from 1 to 65535')
        if parts.query or parts.fragment or parts.username:
            raise ValueError(f'url = "{self.url}" must end after the path')
        if parts.scheme == "http" and self.tls != "auto":
            raise ValueError("tls goes with an https:// url")
        return self

    @property
    def shown_title(self) -> str:
        """The title, or the name where there is none."""
        return self.title or self.name

    @property
    def base_url(self) -> str:
        """The path of the URL, with a slash at both ends."""
        path = urlsplit(self.url).path.strip("/")
        return f"/{path}/" if path else "/"

    @property
    def public_url(self) -> str:
        """The URL with a slash at its end."""
        return self.url.rstrip("/") + "/"

    @property
    def host(self) -> str:
        """The URL's host."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The URL's port, 80 or 443 where it names none."""
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def is_https(self) -> bool:
        """Whether the edge speaks TLS."""
        return self.url.startswith("https://")

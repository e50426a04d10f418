"""The course: what one `firstbell.toml` says, checked and frozen.

These models are the one source of the file's format: the annotated reference, the JSON Schema and the docs page are
generated from their fields. `description` says what a key is for; `examples` shows a value worth copying.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from firstbell.model.backup_table import BackupTable
from firstbell.model.bell import Bell
from firstbell.model.coursework import Coursework
from firstbell.model.fields import Bytes, Seconds, SecretValue, Table
from firstbell.model.idle import IdleRule
from firstbell.model.metrics import Metrics
from firstbell.model.network import Network
from firstbell.model.nfs import SCHEME, NfsExport
from firstbell.model.records import Records


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


def _inside_home(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise ValueError(f'"{path}" must be a path inside the home, for example "week1/start.ipynb"')
    return path


LEAST_QUOTA, LEAST_FILES = 16 * 1024**2, 200
"""What a home may be limited to, in bytes and files: with less nobody could work."""
_LARGEST = 4
"""Times the memory that everybody has, which one person may be given where the course says nothing of it."""
LEAST_MEMORY_FOR_WARM_KERNELS = 512 * 1024**2
"""Bytes of a server; with less, what waits would be missed where people work."""


class CertificateFiles(Table):
    """A certificate of your own."""

    cert: Path = Field(description="The certificate with its chain, PEM.", examples=["tls/fullchain.pem"])
    key: Path = Field(description="Its private key, PEM.", examples=["tls/privkey.pem"])


class Access(Table):
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
    standby: Annotated[int, Field(ge=0, le=10)] = Field(
        1,
        description="With login seminar: how many containers wait for the next who come, Jupyter's modules loaded; a "
        "start then takes a fifth of its time. Each costs 35 MB of memory. None where homes are no volumes, with "
        "port, or on a cluster.",
        examples=[2],
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


class Server(Table):
    """What each person gets."""

    project: Path | None = Field(
        None,
        description="A folder that becomes the image: its Dockerfile, or environment.yml, requirements.txt, "
        "pyproject.toml, apt.txt and the other files that repo2docker knows. Its files are in every new home.",
        examples=["project"],
    )
    image: str = Field(
        "",
        description="Or an image as it is: anything in which python3 can import jupyter_server, or, with port, a web "
        "application of any kind.",
        examples=["jupyter/scipy-notebook:latest"],
    )
    kernels: tuple[str, ...] = Field(
        (),
        description="Languages beside Python, each with its kernel: names that `firstbell kernels` lists, or a folder "
        "with a recipe of your own. Only with project.",
        examples=[["python", "go", "java"]],
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0,
        description="The port of a web application in the image that is no Jupyter. It is served behind the login, at "
        "each person's own URL. 0 is a Jupyter image.",
        examples=[8787],
    )
    command: tuple[str, ...] = Field(
        (),
        description="With port: the program and its arguments, in place of the image's own. In it and in environment "
        "{port} is the port and {prefix} the path of the person's URL.",
        examples=[["streamlit", "run", "app.py", "--server.port={port}"]],
    )
    prefix: Literal["strip", "keep"] = Field(
        "strip",
        description='With port: "strip" takes the path of the person\'s URL away from what the application is asked, '
        '"keep" leaves it for applications that are told it as {prefix} and expect it.',
        examples=["keep"],
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
    memory_most: Annotated[Bytes, Field(ge=0)] = Field(
        0,
        description="The most memory that one person's server may be given for a time (firstbell people limit); 0 is "
        "four times memory.",
        examples=["8G"],
    )
    cpu: Annotated[float, Field(gt=0, le=1024)] = Field(
        2.0, description="Cores that one server may keep busy.", examples=[2.0]
    )
    pids: Annotated[int, Field(ge=64, le=100_000)] = Field(
        512, description="Processes and threads of one server.", examples=[512]
    )
    idle: Annotated[Seconds, Field(ge=0)] = Field(
        3600,
        description="After this time without use a server is ended; its files stay. A running cell and a program in a "
        "terminal are use. 0 never ends any. [[idle]] says it otherwise for staff or a section.",
        examples=["1h"],
    )
    idle_notice: Annotated[Seconds, Field(ge=0)] = Field(
        300,
        description="How long before its end a server's person is told, where they have it in sight; at most half of "
        "idle.",
        examples=["5m"],
    )
    keep_most: Annotated[Seconds, Field(ge=0)] = Field(
        12 * 3600,
        description="For how long, from the moment they say so, people may keep a server that they do not use. 0 is "
        "not at all.",
        examples=["12h"],
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
    warm_kernels: bool = Field(
        True,
        description="A Python that has loaded its kernel waits behind each server, so that a notebook opened takes no "
        "time to start one; it costs a server 35 MB. Never where memory is below 512M or short, nor with port.",
        examples=[False],
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
        if self.kernels and self.project is None:
            raise ValueError("kernels are built into a project's image; with image = they must be in it already")
        if self.command and not self.port:
            raise ValueError("command goes with port: the port that the program listens on")
        if 0 < self.memory_most < self.memory:
            raise ValueError("memory_most is less than memory, which everybody has; leave it out, or make it more")
        if self.prefix == "keep" and not self.port:
            raise ValueError("prefix goes with port: the port that the program listens on")
        return self

    @property
    def largest(self) -> int:
        """Bytes that one person's server may be given."""
        return self.memory_most or _LARGEST * self.memory

    @property
    def keeps_kernel_warm(self) -> bool:
        """Whether a kernel waits behind each server: where the course wants it and a server's memory has the room."""
        return self.warm_kernels and not self.port and self.memory >= LEAST_MEMORY_FOR_WARM_KERNELS


class Homes(Table):
    """Where people's files live."""

    store: str = Field(
        "volume",
        description='"volume" keeps a Docker volume per person, on a cluster on the node where they came first; a '
        "directory keeps a folder per person, on a cluster one that is mounted on every node; "
        '"nfs://server/export?options" keeps a folder per person on a file server, mounted by the engine itself.',
        examples=["/srv/homes"],
    )
    quota: Annotated[Bytes, Field(ge=0)] = Field(
        0,
        description="What one home may hold; 0 is no limit. Its person is told at 80 % and at 100 %, staff see it. "
        "Where the file system has project quotas (XFS or ext4, mounted with prjquota) nothing more fits; elsewhere "
        "nothing keeps anybody from more.",
        examples=["2G"],
    )
    files: Annotated[int, Field(ge=0)] = Field(
        0, description="The same in files and folders (inodes); 0 is no limit.", examples=[200_000]
    )

    @model_validator(mode="after")
    def _room_to_work(self) -> Homes:
        if 0 < self.quota < LEAST_QUOTA:
            raise ValueError(f"quota is below {LEAST_QUOTA // 1024**2}M: Jupyter's own files would fill it")
        if 0 < self.files < LEAST_FILES:
            raise ValueError(f"files is below {LEAST_FILES}: Jupyter's own files would fill it")
        return self

    @model_validator(mode="after")
    def _known_store(self) -> Homes:
        if self.store.startswith(SCHEME):
            NfsExport.parse(self.store)
        elif self.store != "volume" and not (self.store.startswith("/") and self.store.strip("/")):
            raise ValueError(
                f'store = "{self.store}" is neither "volume" nor an absolute directory nor nfs://server/export'
            )
        return self

    @property
    def directory(self) -> str:
        """The host directory; empty where homes are volumes or on a file server."""
        return self.store.rstrip("/") if self.store.startswith("/") else ""

    @property
    def nfs(self) -> NfsExport | None:
        """The file server's export; None where homes are kept otherwise."""
        return NfsExport.parse(self.store) if self.store.startswith(SCHEME) else None

    @property
    def is_shared(self) -> bool:
        """Whether every node of a cluster can have every home."""
        return self.store != "volume"


class EngineTable(Table):
    """Where containers run."""

    kind: Literal["docker", "swarm"] = Field(
        "docker", description="One machine with Docker, or a Docker Swarm of several.", examples=["swarm"]
    )
    host: str = Field(
        "",
        description="The daemon's address, as in DOCKER_HOST; empty takes DOCKER_HOST or the local socket.",
        examples=["unix:///var/run/docker.sock"],
    )
    certificates: Path | None = Field(
        None,
        description="With a tcp:// host: a folder with ca.pem, cert.pem and key.pem, by which engine and client know "
        "each other. Without it DOCKER_CERT_PATH counts where DOCKER_TLS_VERIFY is set.",
        examples=["certs/manager"],
    )

    @model_validator(mode="after")
    def _certificates_for_tcp(self) -> EngineTable:
        if self.certificates and self.host and not self.host.startswith("tcp://"):
            raise ValueError("certificates go with a tcp:// host; ssh:// has keys of its own, unix:// needs none")
        return self


class Course(Table):
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
    database: SecretValue | None = Field(
        None,
        description="A PostgreSQL database for what the hub keeps, as env:NAME or file:PATH of its address "
        "postgresql://user:password@host/name: users, logins and servers are in it, and an up-to-date copy of people, "
        "seats and where homes are, from which a hub on another machine begins. Without it a volume has everything.",
        examples=["env:HUB_DATABASE"],
    )
    metrics: Metrics = Field(Metrics(), description="Figures for a monitoring system.")
    records: Records = Field(Records(), description="Who did what when, and for how long it is known.")
    coursework: Coursework | None = Field(
        None,
        description="Assignments: handed out, collected, graded and returned by the hub. Without this table there are "
        "none.",
    )
    backup: BackupTable | None = Field(
        None,
        description="Backups of everything that a course has, from which it comes back on an empty machine. Without "
        "this table there are none.",
    )
    idle_rules: tuple[IdleRule, ...] = Field(
        (), alias="idle", description="When servers that are not used end, for staff or a section; one table for each."
    )
    bells: tuple[Bell, ...] = Field(
        (), alias="bell", description="Times at which servers already run when people come; one such table for each."
    )

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

    @model_validator(mode="after")
    def _database_is_postgresql(self) -> Course:
        address = self.database.reveal() if self.database else ""
        parts = urlsplit(address)
        # Where nothing is read a secret is empty; where it is not this hub's to read, it says so.
        if "://" in address and (parts.scheme != "postgresql" or not parts.hostname or not parts.path.strip("/")):
            raise ValueError("database is no address of PostgreSQL: postgresql://user:password@host/name")
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

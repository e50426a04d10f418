"""`[network]`: the way out, for builds and for servers."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from firstbell.model.fields import Table


def _subnet(text: str) -> str:
    try:
        network = ip_network(text) if text else None
    except ValueError as error:
        raise ValueError(f'"{text}" is no subnet ({error}); write for example "10.111.0.0/20"') from error
    if network is not None and (network.version != 4 or network.prefixlen > 28):
        raise ValueError(f'"{text}" must be an IPv4 subnet of at least a /28; write for example "10.111.0.0/20"')
    return text


class Network(Table):
    """The way out, for builds and for servers."""

    apt: str = Field("", description="A mirror of the distribution.", examples=["http://mirror.example.org/debian"])
    pypi: str = Field(
        "",
        description="A Python package index (PEP 503).",
        examples=["https://mirror.example.org/pypi/simple"],
    )
    python: str = Field(
        "",
        description="A mirror of the builds of Python that uv fetches, for versions that the base does not have.",
        examples=["https://mirror.example.org/python-build-standalone"],
    )
    npm: str = Field("", description="An npm registry.", examples=["https://mirror.example.org/npm"])
    conda: str = Field(
        "",
        description="A mirror of conda channels: the address under which a channel's name stands.",
        examples=["https://mirror.example.org/conda"],
    )
    cran: str = Field("", description="A CRAN mirror.", examples=["https://mirror.example.org/cran"])
    go: str = Field("", description="A Go module proxy.", examples=["https://mirror.example.org/go"])
    maven: str = Field("", description="A Maven repository.", examples=["https://mirror.example.org/maven2"])
    crates: str = Field(
        "", description="A registry of Rust crates (sparse).", examples=["https://mirror.example.org/crates/"]
    )
    registry: str = Field(
        "",
        description="A mirror of Docker Hub, asked first for base images: host, perhaps port and path.",
        examples=["mirror.example.org:5000"],
    )
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

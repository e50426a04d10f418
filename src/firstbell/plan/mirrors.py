"""The mirrors of `[network]` in people's servers: by each tool's own variable, or a file where it has none. Pure."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from firstbell.model.container import File
from firstbell.model.network import Network
from firstbell.model.runtime import R_PROFILE_FILE

CARGO_FILE = "/.cargo/config.toml"
"""Cargo has no variable for it, and reads this from any folder: it looks upwards, from a project's and from its own."""

_PROFILE = """\
# Firstbell: what the image says, then the mirror that [network] cran names.
local({{
    site <- file.path(R.home("etc"), "Rprofile.site")
    if (file.exists(site)) sys.source(site, envir = baseenv())
}})
options(repos = c(CRAN = {cran}))
"""
_CARGO = """\
[source.crates-io]
replace-with = "mirror"

[source.mirror]
registry = {crates}
"""


def mirror_variables(network: Network) -> dict[str, str]:
    """What sends pip, uv, npm, conda, R, Go and coursier to the mirrors; none for those that have no mirror."""
    values = {
        "PIP_INDEX_URL": network.pypi,
        "UV_DEFAULT_INDEX": network.pypi,
        "PIP_TRUSTED_HOST": _plain_host(network.pypi),
        "UV_PYTHON_INSTALL_MIRROR": network.python,
        "NPM_CONFIG_REGISTRY": network.npm,
        "CONDA_CHANNEL_ALIAS": network.conda,
        "MAMBA_CHANNEL_ALIAS": network.conda,
        "R_PROFILE": R_PROFILE_FILE if network.cran else "",
        "GOPROXY": network.go,
        "COURSIER_REPOSITORIES": f"ivy2Local|{network.maven}" if network.maven else "",
    }
    return {name: value for name, value in values.items() if value}


def mirror_files(network: Network) -> tuple[File, ...]:
    """The same for R and Cargo, which read files."""
    profile = _PROFILE.format(cran=json.dumps(network.cran))
    cargo = _CARGO.format(crates=json.dumps(f"sparse+{network.crates.rstrip('/')}/"))
    return (
        *((File(R_PROFILE_FILE, profile.encode()),) if network.cran else ()),
        *((File("/.cargo", None, 0o755), File(CARGO_FILE, cargo.encode())) if network.crates else ()),
    )


def mirror_urls(network: Network) -> tuple[str, ...]:
    """Everything that servers may have to reach although it is private: mirrors and proxy."""
    given = (
        network.apt, network.pypi, network.python, network.npm, network.conda, network.cran, network.go, network.maven,
        network.crates, network.proxy,
    )  # fmt: skip
    return tuple(dict.fromkeys(url for url in given if url))


def _plain_host(url: str) -> str:
    """The host of an address without TLS, which pip wants to be told of; empty for any other."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] if parts.scheme == "http" else ""

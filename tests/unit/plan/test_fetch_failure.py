"""What the tools say of a fetch that failed, as they were heard to say it."""

from __future__ import annotations

import pytest

from firstbell.plan.fetch_failure import fetch_advice, is_network_failure

UV = "cause: error sending request for url ({0})\n  cause: client error (Connect)\n  cause: "
IVY = ":: UNRESOLVED DEPENDENCIES ::\n\tServer access error at url {0} (java.net.ConnectException: Connection refused)"
RATTLER = "Caused by: error sending request for url ({0})\nCaused by: client error (Connect)\nCaused by: "
CARGO = "error: failed to query replaced source registry `crates-io`\n  failed to download from `{0}`\n  "
URL = "http://mirror.example.org:9/x"
REFUSED = {
    "apt": "E: Failed to fetch {0}  Could not connect to 192.0.2.1:9 (192.0.2.1). - connect (111: Connection refused)",
    "npm": "npm error FetchError: request to {0} failed, reason: connect ECONNREFUSED 192.0.2.1:9\n"
    "npm error A complete log of this run can be found in: /tmp/npm/debug-0.log",
    "python": "error: Failed to install cpython-3.10.22-linux-x86_64-gnu\n"
    "  cause: Failed to download `{0}/cpython-3.10.22.tar.gz`\n  cause: Connection refused (os error 111)",
    "conda": "the channels of environment.yml cannot be read: Request failed after 5 retries\n"
    f"{RATTLER}tcp connect error\nCaused by: Connection refused (os error 111)",
    "cran": "URL '{0}/src/contrib/PACKAGES.rds': status was 'Could not connect to server'",
    "maven": IVY,
    "crates": f"{CARGO}[7] Could not connect to server (Failed to connect to mirror.example.org port 9 after 0 ms)",
    "go": 'go: a.example/b@v1: Get "{0}/@v/v1.info": dial tcp 192.0.2.1:9: connect: connection refused',
    "pypi": f"Failed to fetch: {{0}}/simple/tomli-w/\n  {UV}Connection refused (os error 111)",
}
VARIABLES = {
    "apt": "APT_MIRROR",
    "npm": "NPM_CONFIG_REGISTRY",
    "python": "UV_PYTHON_INSTALL_MIRROR",
    "conda": "CONDA_CHANNEL_ALIAS",
    "cran": "CRAN_MIRROR",
    "maven": "MAVEN_MIRROR",
    "crates": "CARGO_MIRROR",
    "go": "GOPROXY",
    "pypi": "PIP_INDEX_URL",
}


def lines(text: str, url: str = URL) -> list[str]:
    return text.replace("{0}", url).splitlines()


@pytest.mark.parametrize("key", sorted(REFUSED))
def test_a_mirror_that_does_not_answer(key: str) -> None:
    """Of each tool's failure the host and the key of its mirror are named, as it is set, and it is tried again."""
    told = lines(REFUSED[key])
    assert is_network_failure(told)
    said = fetch_advice(told, {VARIABLES[key]: "http://ada:secret@mirror.example.org:9/"})
    assert "mirror.example.org:9, asked for" in said
    assert f"[network] {key}, which is http://mirror.example.org:9/" in said
    assert "secret" not in said
    assert f"name it as [network] {key} in the course file" in fetch_advice(told, {})


@pytest.mark.parametrize(
    "text",
    [
        (
            "E: Failed to fetch https://mirror.example.org/x/InRelease  Certificate verification failed: The certifi"
            "cate is NOT trusted. The certificate issuer is unknown.  Could not handshake: Error in the verification."
        ),
        f"{UV}invalid peer certificate: UnknownIssuer",
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'SSLError(SSLCertVerificationError(1, "
            "'[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)'))': /x"
        ),
        "npm error request to {0} failed, reason: self-signed certificate",
        f"Request failed after 5 retries\n{RATTLER}invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
        'go: a.example/b@v1: Get "{0}": tls: failed to verify certificate: x509: signed by unknown authority',
        f"{CARGO}[60] SSL peer certificate or SSH remote key was not OK (SSL certificate problem)",
        "URL '{0}/src/contrib/PACKAGES.rds': status was 'SSL peer certificate or SSH remote key was not OK'",
        "\tServer access error at url {0} (javax.net.ssl.SSLHandshakeException: PKIX path building failed)",
    ],
)
def test_a_certificate_of_nobodys(text: str) -> None:
    """What helps is the bundle of authorities, and no time is lost with another attempt."""
    told = lines(text, "https://mirror.example.org/x")
    said = fetch_advice(told, {"PIP_INDEX_URL": "https://mirror.example.org/simple"})
    assert "[network] ca_bundle" in said
    assert "mirror.example.org" in said or "Retrying" in text
    assert not is_network_failure(told)


@pytest.mark.parametrize(
    "text",
    [
        "E: Failed to fetch {0}  Invalid response from proxy: HTTP/1.0 407 Proxy Authentication Required",
        "  cause: tunnel error: proxy authorization required",
        (
            "Retrying (Retry(total=0)) after connection broken by 'ProxyError('Cannot connect to proxy.', "
            "OSError('Tunnel connection failed: 407 Proxy Authentication Required'))': /simple/uv/"
        ),
        'go: a.example/b@v1: Get "{0}": Proxy Authentication Required',
        "  [56] Failure when receiving data from the peer (CONNECT tunnel failed, response 407)",
        "\tYour proxy requires authentication.",
    ],
)
def test_a_proxy_that_asks_for_a_login(text: str) -> None:
    """That the proxy wants a name and a password is said, and where they are written; not tried again."""
    told = lines(text)
    said = fetch_advice(told, {"https_proxy": "http://proxy.example.org:3128"})
    assert "http://NAME:PASSWORD@HOST:PORT" in said
    assert "proxy.example.org:3128" in said
    assert not is_network_failure(told)


@pytest.mark.parametrize(
    "text",
    [
        f"{UV}tunnel error: failed to create underlying connection\n  cause: Connection refused (os error 111)",
        "after connection broken by 'ProxyError('Cannot connect to proxy.', NewConnectionError('Connection refused'))'",
        'go: a.example/b@v1: Get "{0}": proxyconnect tcp: dial tcp 192.0.2.1:9: connect: connection refused',
        "Caused by: tunnel error: unsuccessful",
    ],
)
def test_a_proxy_that_does_not_answer(text: str) -> None:
    """The proxy's own setting is named, not the mirror's."""
    assert "correct [network] proxy. It was asked by way of" in fetch_advice(
        lines(text), {"https_proxy": "http://ada:secret@proxy.example.org:3128"}
    )
    assert is_network_failure(lines(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("E: Failed to fetch {0}  Could not resolve 'mirror.example.org'", "nobody here knows"),
        (f"{UV}dns error\n  cause: error resolving DNS", "nobody here knows"),
        ("npm error network request to {0} failed, reason: getaddrinfo ENOTFOUND mirror", "nobody here knows"),
        ("\tHost mirror.example.org not found. url={0}", "nobody here knows"),
        ("  [6] Could not resolve hostname (Could not resolve host: mirror.example.org)", "nobody here knows"),
        ("E: Failed to fetch {0}  503  Service Unavailable [IP: 192.0.2.1 80]", "out of order"),
        ("HTTP status server error (503 Service Unavailable) for url ({0})", "out of order"),
        ("  failed to get successful HTTP response from `{0}` (192.0.2.1), got 503", "out of order"),
        ("\tSERVER ERROR: Service Unavailable url={0}", "out of order"),
        ("E: Failed to fetch {0}  404  Not Found [IP: 192.0.2.1 80]", "has not given"),
        ("E: The repository '{0} trixie Release' does not have a Release file.", "has not given"),
        ("unable to access index for repository {0}/src/contrib:", "has not given"),
    ],
)
def test_why_is_said(text: str, words: str) -> None:
    """An unknown name, a server out of order and a missing file are told apart."""
    assert words in fetch_advice(lines(text), {})
    assert is_network_failure(lines(text))


def test_pip_tells_nothing_of_the_network() -> None:
    """Where pip's index does not have uv itself, the index is meant, and its host is that of the setting."""
    said = fetch_advice(
        ["ERROR: No matching distribution found for uv==0.5.0"], {"PIP_INDEX_URL": "https://mirror.example.org/simple"}
    )
    assert said.startswith("mirror.example.org, asked for packages of Python, does not answer.")
    assert "[network] pypi" in said


def test_a_step_of_several_tools() -> None:
    """Where a step runs apt and uv, the words of the one that failed count, not the step's."""
    told = [
        "error: Request failed after 5 retries in 35.1s",
        "  cause: Failed to fetch: https://mirror.example.org/packages/f4/x-1.0-py3-none-any.whl",
        "  cause: HTTP status server error (503 Service Unavailable) for url (https://mirror.example.org/packages/f4/x)",
        "executor failed running [/bin/sh -c apt-install tree && uv-pip --system x]: exit code: 2",
    ]
    assert "mirror.example.org, asked for packages of Python, is out of order" in fetch_advice(told, {})


def test_the_step_tells_whose_packages() -> None:
    """Where the words fit any tool, the step of the build tells which it was."""
    told = ["curl: (56) Recv failure: Connection reset by peer", "/opt/firstbell/build/apt-install tree: exit code 1"]
    assert "[network] apt" in fetch_advice(told, {})


def test_other_failures_are_none_of_the_network() -> None:
    """A contradiction between packages is not taken for a fetch."""
    assert fetch_advice(["  × No solution found when resolving dependencies:"], {}) == ""

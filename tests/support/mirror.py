"""The other side of a closed network: mirrors of Debian, of pip's index and of npm, and the proxy that leads there."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import re
import shutil
import socket
import ssl
import subprocess
import tarfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar

from pip._internal.models.index import PyPI

from firstbell.work.base_image import Distribution, host_mirror

HOST = "mirror.closed.invalid"
"""A name that no resolver knows (RFC 2606): only the proxy can mean the mirror by it."""
NPM_PACKAGE = "firstbell-lesson"
Server = TypeVar("Server", bound=ThreadingHTTPServer)
_FILES = re.compile(rb"https://[^/\"'\s]+/packages/")


class Mirror(ThreadingHTTPServer):
    """Passes on what it is asked, to the Debian mirror of this machine and to pip's own index, and notes the paths.

    With `certificate` it speaks TLS; then files of Python's packages come from it, too.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Mirrored)
        self.paths: list[str] = []
        self.debian = host_mirror(Distribution("debian", "trixie")).removesuffix("/debian")
        self.files = ""
        """Where pip's index has the files of packages, as it says itself."""
        self.is_tls = certificate is not None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # Not before a thread of its own has the connection: a client that says nothing holds up nobody else.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def url(self) -> str:
        """Where it listens; by TLS, by the name in its certificate."""
        return f"https://{HOST}" if self.is_tls else f"http://127.0.0.1:{self.server_port}"

    def upstream(self, path: str) -> str:
        """Where a path of ours comes from."""
        if path.startswith("/simple/"):
            return f"{PyPI.simple_url}/{path.removeprefix('/simple/')}"
        return self.files + path.removeprefix("/packages/") if path.startswith("/packages/") else self.debian + path

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """With TLS, take leave: a connection that just ends is taken for one that was cut."""
        if isinstance(request, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                request.settimeout(5)
                request.unwrap()
        super().shutdown_request(request)

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class _Mirrored(BaseHTTPRequestHandler):
    """One request to a mirror."""

    server: Mirror

    def do_GET(self) -> None:
        """Fetch it upstream."""
        self.server.paths.append(self.path)
        if self.path.startswith("/npm/"):
            self._answer(_npm(self.path, f"{self.server.url}/npm"))
            return
        wanted = {"Accept": self.headers["Accept"]} if "Accept" in self.headers else {}
        request = urllib.request.Request(self.server.upstream(self.path), headers=wanted, method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                if self.server.is_tls and self.path.startswith("/simple/"):
                    self._answer(self._own_files(answer.read()), answer.headers["Content-Type"])
                    return
                self.send_response(answer.status)
                for name in ("Content-Type", "Content-Length", "Last-Modified"):
                    if answer.headers[name]:
                        self.send_header(name, answer.headers[name])
                self.end_headers()
                shutil.copyfileobj(answer, self.wfile)
        except urllib.error.HTTPError as error:
            self.send_error(error.code)

    do_HEAD = do_GET  # noqa: N815 - the handler's own way of naming

    def _own_files(self, index: bytes) -> bytes:
        """The index with the files at this mirror."""
        if found := _FILES.search(index):
            self.server.files = found[0].decode()
        return _FILES.sub(f"{self.server.url}/packages/".encode(), index)

    def _answer(self, body: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _npm(path: str, url: str) -> bytes:
    """A registry of one package, written here."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        manifest = json.dumps({"name": NPM_PACKAGE, "version": "1.0.0"}).encode()
        member = tarfile.TarInfo("package/package.json")
        member.size = len(manifest)
        archive.addfile(member, io.BytesIO(manifest))
    # The time of compression is in bytes 4 to 8: the same archive twice.
    packed = buffer.getvalue()[:4] + bytes(4) + buffer.getvalue()[8:]
    if path.endswith(".tgz"):
        return packed
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(packed).digest()).decode()}"
    version = {
        "name": NPM_PACKAGE,
        "version": "1.0.0",
        "dist": {"tarball": f"{url}/{NPM_PACKAGE}-1.0.0.tgz", "integrity": integrity},
    }
    return json.dumps({"name": NPM_PACKAGE, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}).encode()


class Proxy(ThreadingHTTPServer):
    """A forward proxy that leads to one mirror by its name, and nowhere else; notes what it was asked for."""

    def __init__(self, mirror: Mirror) -> None:
        super().__init__(("127.0.0.1", 0), _Proxied)
        self.port = mirror.server_port
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _Proxied(BaseHTTPRequestHandler):
    """One connection by way of the proxy."""

    server: Proxy

    def do_CONNECT(self) -> None:
        """Connect both ends, and let pass what comes."""
        self.server.asked.append(self.path)
        if self.path != f"{HOST}:443":
            self.send_error(403)
            return
        with socket.create_connection(("127.0.0.1", self.server.port)) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_pour, args=(there, self.connection), daemon=True)
            back.start()
            _pour(self.connection, there)
            back.join()
        self.close_connection = True

    def do_GET(self) -> None:
        """Without TLS there is nothing to be had."""
        self.server.asked.append(self.path)
        self.send_error(403)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _pour(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    """The server at work."""
    with server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def make_certificates(folder: Path) -> tuple[Path, Path]:
    """A new authority, and a certificate of it for HOST with its key in one file; both as PEM."""
    ca, ca_key, key, server = (folder / name for name in ("ca.pem", "ca.key", "key.pem", "server.pem"))
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    _run(*make, "-subj", "/CN=authority of a test", "-addext", "keyUsage=critical,keyCertSign", "-keyout", ca_key,
         "-out", ca)  # fmt: skip
    _run(*make, "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-addext",
         "basicConstraints=critical,CA:FALSE", "-CA", ca, "-CAkey", ca_key, "-keyout", key, "-out", server)  # fmt: skip
    server.write_bytes(key.read_bytes() + server.read_bytes())
    return ca, server


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)

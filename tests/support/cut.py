"""A way to a server that can be cut: a TCP proxy on loopback."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import Self


class Cut:
    """`with Cut(port) as way`: what connects to `way.address` reaches the port, until it is cut.

    `allowance`: so many bytes a connection may send; `word`: no connection may send this; None or empty: whatever.
    `most`: so many connections are cut, the others pass; `cuts`: so many have been.
    """

    def __init__(self, port: int, *, allowance: int | None = None, word: bytes = b"", most: int = 1_000_000) -> None:
        self.allowance = allowance
        self.word = word
        self.most = most
        self.cuts = 0
        way = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(("127.0.0.1", port)) as server:
                    way._relay(self.request, server)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        """Where to connect."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        answers = threading.Thread(target=copy, args=(server, client), daemon=True)
        answers.start()
        sent = 0
        with contextlib.suppress(OSError):
            while data := client.recv(16384):
                sent += len(data)
                if self._forbids(data, sent):
                    break
                server.sendall(data)
        for end in (server, client):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        answers.join()

    def _forbids(self, data: bytes, sent: int) -> bool:
        too_much = self.allowance is not None and sent > self.allowance
        is_word = bool(self.word) and self.word in data
        if (too_much or is_word) and self.cuts < self.most:
            self.cuts += 1
            return True
        return False


def copy(source: socket.socket, target: socket.socket) -> None:
    """Everything from one end to the other, the end of it included."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)

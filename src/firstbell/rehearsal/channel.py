"""A kernel's websocket: messages in the protocol that JupyterLab speaks, and cells run over it."""

from __future__ import annotations

import base64
import json
import os
import struct
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from itertools import pairwise
from typing import Any

from firstbell.rehearsal.browser import Browser, Unexpected
from firstbell.rehearsal.connection import Connection

_PROTOCOL = "v1.kernel.websocket.jupyter.org"
"""Jupyter Server's own (its documentation, "WebSocket kernel wire protocols"); servers before 2.0 speak plain JSON."""
_PARTS = ("header", "parent_header", "metadata", "content")
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


@dataclass(frozen=True, slots=True)
class Outcome:
    """What running a cell gave: `error` is its traceback's last line."""

    printed: str = ""
    error: str = ""


class Channel:
    """An open websocket to a kernel."""

    def __init__(self, connection: Connection, session: str, is_binary: bool) -> None:
        self._connection = connection
        self._session = session
        self._is_binary = is_binary
        self._messages = self._read()

    @classmethod
    async def open(cls, browser: Browser, url: str, session: str) -> Channel:
        """Connect. Raises Unexpected if the server does not take it."""
        key = base64.b64encode(os.urandom(16)).decode()
        headers = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key, "Sec-WebSocket-Protocol": _PROTOCOL}
        connection, head = await browser.upgraded(f"{url}?session_id={session}", headers)
        if head.status != HTTPStatus.SWITCHING_PROTOCOLS:
            connection.close()
            raise Unexpected(f"HTTP {head.status} for the kernel's websocket")
        return cls(connection, session, head.headers.get("sec-websocket-protocol") == _PROTOCOL)

    async def greet(self) -> None:
        """Ask the kernel who it is, until it has answered."""
        await self._exchange("kernel_info_request", {}, {"kernel_info_reply"})

    async def run(self, code: str) -> Outcome:
        """Run a cell, until both its reply and the kernel's rest are there."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        return await self._exchange("execute_request", {**content, "stop_on_error": True}, {"execute_reply", "idle"})

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    async def _exchange(self, kind: str, content: Mapping[str, Any], waiting: set[str]) -> Outcome:
        identity = uuid.uuid4().hex
        self._send(kind, identity, content)
        printed, error = "", ""
        while waiting:
            said = await anext(self._messages, None)
            if said is None:
                raise Unexpected("the kernel's websocket was closed")
            if said["parent_header"].get("msg_id") != identity:
                continue
            name, told = said["header"]["msg_type"], said["content"]
            if name == "stream":
                printed += told.get("text", "")
            elif name in {"execute_result", "display_data"}:
                printed += str(told.get("data", {}).get("text/plain", ""))
            elif name == "error":
                error = f"{told.get('ename', '')}: {told.get('evalue', '')}"
            waiting.discard(f"{told.get('execution_state')}" if name == "status" else name)
        return Outcome(printed, error)

    def _send(self, kind: str, identity: str, content: Mapping[str, Any]) -> None:
        header = {"msg_id": identity, "msg_type": kind, "session": self._session, "username": "", "version": "5.3"}
        parts = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        if not self._is_binary:
            whole = {**parts, "channel": "shell", "buffers": []}
            self._connection.write(_frame(_TEXT, json.dumps(whole).encode()))
            return
        pieces = [b"shell", *(json.dumps(parts[name]).encode() for name in _PARTS)]
        offsets = [8 * (len(pieces) + 2)]
        for piece in pieces:
            offsets.append(offsets[-1] + len(piece))
        packed = struct.pack(f"<{len(offsets) + 1}Q", len(offsets), *offsets)
        self._connection.write(_frame(_BINARY, packed + b"".join(pieces)))

    async def _read(self) -> AsyncIterator[dict[str, Any]]:
        whole = b""
        async with aclosing(_frames(self._connection)) as frames:
            async for is_last, kind, payload in frames:
                if kind == _CLOSE:
                    return
                if kind == _PING:
                    self._connection.write(_frame(_PONG, payload))
                elif kind in {_TEXT, _BINARY, _CONTINUATION}:
                    whole += payload
                    if is_last:
                        yield _message(whole)
                        whole = b""


def _message(raw: bytes) -> dict[str, Any]:
    if raw[:1] == b"{":
        said: dict[str, Any] = json.loads(raw)
        return said
    (count,) = struct.unpack_from("<Q", raw)
    offsets = struct.unpack_from(f"<{count}Q", raw, 8)
    texts = [raw[start:end] for start, end in pairwise(offsets)]
    return {name: json.loads(text) for name, text in zip(_PARTS, texts[1:5], strict=True)}


def _frame(kind: int, payload: bytes) -> bytes:
    """A frame as a client sends it: masked (RFC 6455, 5.3)."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | kind, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | kind, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | kind, 0x80 | 127, size)
    mask = os.urandom(4)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return head + mask + (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")


async def _frames(connection: Connection) -> AsyncGenerator[tuple[bool, int, bytes]]:
    buffer = bytearray()
    async for piece in connection.pieces():
        buffer += piece
        while (found := _first(buffer)) is not None:
            start, size = found
            yield bool(buffer[0] & 0x80), buffer[0] & 0x0F, bytes(buffer[start : start + size])
            del buffer[: start + size]


def _first(buffer: bytearray) -> tuple[int, int] | None:
    """Where the payload of the first frame begins and how long it is; None while it is not all there."""
    if len(buffer) < 2:
        return None
    size, start = buffer[1] & 0x7F, 2
    if size >= 126:
        start = 4 if size == 126 else 10
        if len(buffer) < start:
            return None
        size = int.from_bytes(buffer[2:start], "big")
    return (start, size) if len(buffer) >= start + size else None

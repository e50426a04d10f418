"""One responder that stands for all servers: it lets everybody in, so that the servers' side of a login costs nothing.

`responder.py PORT`; ends with the process that started it.
"""

from __future__ import annotations

import asyncio
import ctypes
import signal
import sys

_PAGE = b'<!doctype html><title>Lab</title><script id="jupyter-config-data" type="application/json">{}</script>'
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-JupyterHub-Version: 6.1.1\r\nContent-Length: %d\r\n\r\n"
_PR_SET_PDEATHSIG = 1


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The same page for every request."""
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(_HEAD % len(_PAGE) + _PAGE)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(port: int) -> None:
    """Until it is ended."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    async with await asyncio.start_server(answer, "127.0.0.1", port, backlog=1000) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

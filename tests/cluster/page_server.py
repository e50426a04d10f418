"""A small server: a page that shows the cookie it was sent, a web socket that says what it hears. `ADDRESS PORT`."""

from __future__ import annotations

import asyncio
import sys

from tornado import web, websocket


class Page(web.RequestHandler):
    def get(self) -> None:
        self.write(f"page of {sys.argv[1]} for {self.request.headers.get('Cookie', 'nobody')} " + "x" * 200_000)


class Echo(websocket.WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message(message, binary=isinstance(message, bytes))


async def main() -> None:
    web.Application([("/", Page), ("/echo", Echo)]).listen(int(sys.argv[2]), sys.argv[1])
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())

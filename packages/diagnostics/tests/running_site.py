"""A server with a made-up cluster behind it, on a loop of its own, and how to ask it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import urllib.request
from urllib.error import HTTPError

from made_up_feed import MadeUpWatch

from hocket.core.settings import Settings
from hocket.diagnostics.web.reach import uses_tls
from hocket.diagnostics.web.server import DashboardServer
from hocket.transport.loop import LoopThread

SECRET = "made up for tests, and long enough"


async def close_socket(socket) -> None:
    """Close a websocket, and wait until it is."""
    socket.close()
    async with asyncio.timeout(10):
        while await socket.read_message() is not None:
            pass


class RunningServer:
    """A server, and how to ask it."""

    def __init__(self, overrides: dict[str, object], role: str = "scheduler") -> None:
        self.loop = LoopThread("test-dashboard", "asyncio")
        self.watch = MadeUpWatch()
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        self.host = f"127.0.0.1:{listening.getsockname()[1]}"
        settings = Settings.build(overrides=overrides)
        self.url = f"{'https' if uses_tls(settings, '127.0.0.1') else 'http'}://{self.host}"

        async def start() -> DashboardServer:
            server = DashboardServer(
                role,
                "worker-0" if role == "worker" else "",
                self.watch,
                settings=settings,
                secret=SECRET,
                host="127.0.0.1",
            )
            server.start([listening])
            return server

        self.server = self.loop.run(start())

    def get(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        method: str = "GET",
        context: ssl.SSLContext | None = None,
    ) -> tuple[int, str, dict[str, str]]:
        """Return status, text and headers of an answer; redirects are not followed."""
        request = urllib.request.Request(self.url + path, headers=headers or {}, method=method)
        way = urllib.request.HTTPSHandler(context=context)
        opener = urllib.request.build_opener(_Still, way)
        try:
            with opener.open(request, timeout=20) as answer:
                return answer.status, answer.read().decode(), dict(answer.headers)
        except HTTPError as error:
            with error:
                return error.code, error.read().decode(), dict(error.headers)

    def close(self) -> None:
        self.loop.run(self.server.close())
        self.loop.close()


class _Still(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments):
        return None

"""The workers' pages under the scheduler's address: for browsers that cannot reach a worker.

Only workers that the scheduler knows are asked, by name, and only at the address that they told; a
URL never says where to connect.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler, websocket_connect

from hocket.diagnostics.web.handlers import RELAYED, THEME_COOKIE, Handler
from hocket.diagnostics.web.page_tls import relay_context
from hocket.diagnostics.web.site import Site
from hocket.protocol.login import bearer_word
from hocket.transport.keyring import current_secret

__all__ = ["RelayHandler", "RelaySocket"]

_TIMEOUT_S: Final = 10.0
#: What a worker's answer may say to the browser.
_HEADERS: Final = ("Content-Type", "Content-Encoding", "Cache-Control", "Etag", "Location")


class RelayHandler(Handler):
    """Passes on pages."""

    async def get(self, name: str, path: str) -> None:
        """Ask the worker, and answer with what it says."""
        base = await _find(self.site, name)
        headers = _headers_for(self.site, self.get_cookie(THEME_COOKIE) or "")
        for header in ("Accept-Encoding", "If-None-Match"):
            if header in self.request.headers:
                headers[header] = self.request.headers[header]
        query = f"?{self.request.query}" if self.request.query else ""
        try:
            answer = await AsyncHTTPClient().fetch(
                HTTPRequest(
                    f"{base}/{path}{query}",
                    headers=headers,
                    decompress_response=False,
                    follow_redirects=False,
                    connect_timeout=_TIMEOUT_S,
                    request_timeout=_TIMEOUT_S,
                    ssl_options=_context_for(self.site, base),
                ),
                raise_error=False,
            )
        except (HTTPClientError, OSError) as error:
            raise HTTPError(502, reason="The worker does not answer") from error
        self.set_status(answer.code if answer.code != 599 else 502)
        for header in _HEADERS:
            if header in answer.headers:
                self.set_header(header, answer.headers[header])
        if answer.code not in {204, 304} and answer.body:
            self.write(answer.body)
        self.finish()


class RelaySocket(WebSocketHandler):
    """Passes on Bokeh's websocket; origin and login were checked before it came here."""

    site: Site

    def initialize(self, site: Site) -> None:
        """Take the site."""
        self.site = site
        self._offered: list[str] = []
        self._upstream: Any = None
        self._pump: asyncio.Task[None] | None = None

    def check_origin(self, origin: str) -> bool:
        """Accept: this was checked before."""
        del origin
        return True

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Take the first, as Bokeh's own handler does."""
        self._offered = subprotocols
        return subprotocols[0] if subprotocols else None

    async def open(self, name: str, path: str) -> None:
        """Open the socket to the worker."""
        try:
            base = await _find(self.site, name)
        except HTTPError:
            self.close(1011, "no such worker")
            return
        headers = _headers_for(self.site, self.get_cookie(THEME_COOKIE) or "")
        headers["Origin"] = base
        try:
            self._upstream = await websocket_connect(
                HTTPRequest(
                    f"ws{base.removeprefix('http')}/{path}",
                    headers=headers,
                    connect_timeout=_TIMEOUT_S,
                    ssl_options=_context_for(self.site, base),
                ),
                subprotocols=self._offered,
                max_message_size=1 << 26,
            )
        except (HTTPClientError, OSError):
            self.close(1011, "the worker does not answer")
            return
        self._pump = asyncio.get_running_loop().create_task(self._pass_on())

    async def _pass_on(self) -> None:
        while (message := await self._upstream.read_message()) is not None:
            try:
                await self.write_message(message, binary=isinstance(message, bytes))
            except WebSocketClosedError:
                break
        self.close()

    async def on_message(self, message: str | bytes) -> None:
        """Pass on what the browser says."""
        if self._upstream is not None:
            await self._upstream.write_message(message, binary=isinstance(message, bytes))

    def on_close(self) -> None:
        """Close the other side."""
        if self._upstream is not None:
            self._upstream.close()


async def _find(site: Site, name: str) -> str:
    """Return where a worker's pages are."""
    await site.need()
    url = site.dashboards().get(name, "")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise HTTPError(404, reason="There is no such worker, or it has no pages")
    return url.removesuffix("login").rstrip("/")


def _context_for(site: Site, base: str) -> ssl.SSLContext | None:
    """Return how to know a worker's server by TLS; None: it speaks none."""
    if not base.startswith("https:"):
        return None
    return relay_context(site.settings, current_secret(site.secret))


def _headers_for(site: Site, theme: str) -> dict[str, str]:
    headers = {RELAYED: "1"}
    if site.secret:
        headers["Authorization"] = f"Bearer {bearer_word(current_secret(site.secret))}"
    if theme in {"light", "dark"}:
        headers["Cookie"] = f"{THEME_COOKIE}={theme}"
    return headers

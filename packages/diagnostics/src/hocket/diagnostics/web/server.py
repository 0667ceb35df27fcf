"""A dashboard's server: application, watch and sockets, on a loop of its own."""

from __future__ import annotations

import functools
import importlib
import logging
import socket
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Final

from tornado.httpserver import HTTPServer

from hocket.core.name_lists import split_names
from hocket.core.settings import Settings
from hocket.diagnostics.relatives import Relatives
from hocket.diagnostics.visuals import RoleName
from hocket.diagnostics.watching import Watch
from hocket.diagnostics.web.app import make_front
from hocket.diagnostics.web.guard import Guard
from hocket.diagnostics.web.mount import Mount
from hocket.diagnostics.web.page_tls import page_context
from hocket.diagnostics.web.reach import names_of, needs_login, uses_tls
from hocket.diagnostics.web.site import Site
from hocket.transport import now

__all__ = ["PAGES_GROUP", "DashboardServer", "load_pages"]

_logger: Final = logging.getLogger("hocket.diagnostics")

#: Packages that bring pages name their modules in this group of entry points.
PAGES_GROUP: Final = "hocket.diagnostics.pages"

_BODY_NBYTES_MAX: Final = 64 * 1024


class DashboardServer:
    """Serves pages on the running loop.

    Parameters
    ----------
    role, name
        Whose pages.
    watch
        Where the data come from; closed with the server.
    settings, secret
        ``diagnostics`` is used; the secret is the cluster's.
    host
        Where its sockets listen.
    relatives
        The rest of the cluster, for workers.
    """

    def __init__(
        self,
        role: RoleName,
        name: str,
        watch: Watch,
        *,
        settings: Settings,
        secret: str,
        host: str,
        relatives: Relatives | None = None,
    ) -> None:
        own = settings.diagnostics
        guard = Guard(
            secret,
            needs_login=needs_login(settings, host),
            names=names_of(settings),
            now=now,
        )
        self.site: Final = Site(
            role,
            name,
            watch,
            guard,
            settings,
            secret,
            relatives,
            load_pages=functools.partial(load_pages, own.pages),
        )
        self._mount = Mount(self.site)
        context = page_context(settings, secret, host) if uses_tls(settings, host) else None
        self._server = HTTPServer(
            make_front(self.site, self._mount),
            max_body_size=_BODY_NBYTES_MAX,
            ssl_options=context,
        )

    def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serve these listening sockets."""
        self._server.add_sockets(sockets)

    async def close(self) -> None:
        """Stop serving; open connections are closed."""
        self._server.stop()
        await self._mount.close()
        await self._server.close_all_connections()
        await self.site.watch.close()


@functools.cache
def load_pages(modules: str) -> None:
    """Import our pages, those of packages, and those of the settings; each failure is logged.

    Parameters
    ----------
    modules
        The setting ``diagnostics.pages``.
    """
    importlib.import_module("hocket.diagnostics.plots")
    for entry in entry_points(group=PAGES_GROUP):
        _load(entry.name, entry.load)
    for module in split_names(modules):
        _load(module, functools.partial(importlib.import_module, module))


def _load(name: str, load: Callable[[], object]) -> None:
    try:
        load()
    except Exception:
        # Other people's code; our pages are shown without it.
        _logger.exception("the pages of %s cannot be loaded", name)

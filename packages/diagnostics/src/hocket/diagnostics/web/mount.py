"""Where Bokeh is mounted: imported when somebody looks for the first time, and not before.

Some habits of Bokeh's server are changed for a guest's life in somebody else's process:

* It collects all garbage of the process whenever a session ends, which stops a scheduler with a
  million tasks for most of a second. Here it does not: what a session leaves behind is little, and
  the interpreter's own collections, which find it, go on as before.
* It would build a document for every GET. Here only a websocket does; pages are ours.
* It warns of every tab that is closed while something is on its way to it. Here it says errors
  only, unless its logger was given a level.
* Callbacks of closed tabs run on for 15 seconds. Here a tab that is closed or hidden is passed over
  at once (`hocket.diagnostics.web.tabs`).
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import secrets
from typing import TYPE_CHECKING, Any, Final

from tornado.ioloop import IOLoop

from hocket.diagnostics.visuals import Page, Visual
from hocket.diagnostics.web.site import Site

if TYPE_CHECKING:
    from hocket.diagnostics.web.tabs import Tabs

__all__ = ["Mount"]

#: How long after its page was made a websocket may open.
_TOKEN_LIFE_S: Final = 24 * 3600


class Mount:
    """Bokeh's application, once there is one.

    Parameters
    ----------
    site
        Whose pages it fills.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = asyncio.Lock()
        self._secret_key = secrets.token_bytes(32)
        self._imported = False
        self._paths: set[str] = set()
        self._tabs: Tabs | None = None
        #: Of tornado.web.Application; None before anybody has looked.
        self.application: Any = None
        self.bokeh_version = ""

    @property
    def is_full(self) -> bool:
        """Whether no more tabs may open."""
        return self._tabs is not None and len(self._tabs) >= self._site.tabs_max

    async def open(self) -> None:
        """Import Bokeh and mount the pages, if that has not been done."""
        async with self._lock:
            if not self._imported:
                # (Off the loop, since it takes a third of a second.)
                await asyncio.to_thread(_import)
                self._imported = True
                self.bokeh_version = importlib.import_module("bokeh").__version__
            if self._paths != self._wanted_paths():
                self._build()

    async def close(self) -> None:
        """Stop what runs."""
        if self.application is not None:
            self.application.stop()
        if self._tabs is not None:
            await self._tabs.close()

    def make_token(self) -> str:
        """Return a word with which a page may open one websocket."""
        from bokeh.util.token import generate_jwt_token, generate_session_id  # noqa: PLC0415

        session_id = generate_session_id(secret_key=self._secret_key, signed=True)
        token: str = generate_jwt_token(
            session_id, secret_key=self._secret_key, signed=True, expiration=_TOKEN_LIFE_S
        )
        return token

    def _wanted_paths(self) -> set[str]:
        pages = self._site.pages
        alone = {f"/plot/{each.name}" for page in pages for each in page.visuals}
        return alone | {f"/{page.name}" for page in pages}

    def _build(self) -> None:
        """Mount all pages; open tabs of a former mount keep what they have."""
        from hocket.diagnostics.web.tabs import Tabs  # noqa: PLC0415

        if self._tabs is None:
            self._tabs = Tabs(self._site)
        documents: dict[str, tuple[Visual, ...]] = {}
        for page in self._site.pages:
            documents[f"/{page.name}"] = _plots(page)
            for visual in _plots(page):
                documents[f"/plot/{visual.name}"] = (visual,)
        if self.application is not None:
            self.application.stop()
        self.application = self._tabs.make_application(documents, self._secret_key)
        self.application.initialize(IOLoop.current())
        self.application.start()
        self._paths = self._wanted_paths()


def _plots(page: Page) -> tuple[Visual, ...]:
    return tuple(visual for visual in page.visuals if not visual.is_table)


def _import() -> None:
    """Import what takes time, and tame it."""
    importlib.import_module("hocket.diagnostics.web.tabs")
    # Bokeh asks for it with the first array that it sends, which is on the loop.
    importlib.import_module("numpy.ma")
    document = importlib.import_module("bokeh.document.document")
    server = logging.getLogger("bokeh.server")
    if server.level == logging.NOTSET:
        server.setLevel(logging.ERROR)
    setattr(document, "gc", _NoCollector)  # noqa: B010 - a module has no such attribute, says mypy


class _NoCollector:
    """Stands in for the module ``gc`` in Bokeh's documents, and there only."""

    @staticmethod
    def collect(*_generation: int) -> int:
        """Collect nothing now."""
        return 0

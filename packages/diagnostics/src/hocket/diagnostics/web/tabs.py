"""The open tabs: one Bokeh document each, all brought up to date by one loop.

The loop rests when no tab is visible, and slows down where updates would cost more than a small
part of a processor core, so that a dashboard never takes from its scheduler what this needs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from time import perf_counter
from typing import Any, Final

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document
from bokeh.models import ColumnDataSource
from bokeh.server.tornado import BokehTornado
from bokeh.themes import Theme as BokehTheme

from hocket.diagnostics.theme import theme_named
from hocket.diagnostics.view import View
from hocket.diagnostics.visuals import Visual
from hocket.diagnostics.web.handlers import THEME_COOKIE
from hocket.diagnostics.web.site import Site

__all__ = ["Tabs"]

_logger: Final = logging.getLogger("hocket.diagnostics")

#: The shortest time between two updates of a tab, and the longest.
INTERVAL_S_MIN: Final = 0.25
INTERVAL_S_MAX: Final = 5.0
#: The part of a processor core that updates of all tabs may take.
CORE_PART_MAX: Final = 0.08
#: How often visuals ask the scheduler what they want to know, in seconds.
_ASK_INTERVAL_S: Final = 1.0
#: How often the model is asked to stay up to date.
_NEED_INTERVAL_S: Final = 5.0

#: Bokeh's own looks at its sessions.
_CHECK_UNUSED_MS: Final = 2_000
_UNUSED_LIFETIME_MS: Final = 1_000
_KEEP_ALIVE_MS: Final = 20_000


class Tabs:
    """All tabs of a server.

    Parameters
    ----------
    site
        What they show.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._tabs: list[_Tab] = []
        self._shared: dict[Any, Any] = {}
        self._loop: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return sum(tab.is_open for tab in self._tabs)

    def make_application(
        self, documents: Mapping[str, tuple[Visual, ...]], secret_key: bytes
    ) -> BokehTornado:
        """Return Bokeh's application with a document for each path."""
        applications = {
            path: Application(FunctionHandler(partial(self._fill, visuals)))
            for path, visuals in documents.items()
        }
        return BokehTornado(
            applications,
            secret_key=secret_key,
            sign_sessions=True,
            use_index=False,
            # Origins are checked before a websocket comes here, and more strictly.
            extra_websocket_origins=["*"],
            include_headers=[],
            include_cookies=[],
            keep_alive_milliseconds=_KEEP_ALIVE_MS,
            check_unused_sessions_milliseconds=_CHECK_UNUSED_MS,
            unused_session_lifetime_milliseconds=_UNUSED_LIFETIME_MS,
            stats_log_frequency_milliseconds=3_600_000,
            websocket_max_message_size_bytes=1 << 20,
            ico_path="none",
        )

    async def close(self) -> None:
        """Stop updating."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)

    def _fill(self, visuals: tuple[Visual, ...], document: Document) -> None:
        """Fill the document of a tab that opens."""
        context = document.session_context
        cookies = {} if context is None or context.request is None else context.request.cookies
        theme = theme_named(str(cookies.get(THEME_COOKIE, "light")))
        view = View(
            self._site.model,
            theme,
            shared=self._shared,
            role=self._site.role,
            name=self._site.name,
        )
        document.theme = BokehTheme(json=theme.to_bokeh())
        for visual in visuals:
            document.add_root(view.draw(visual.name, visual.draw))
        # By this source the page tells whether it can be seen.
        state = self._site.watch.state
        viewer = ColumnDataSource({"hidden": [0], "state": [state]}, name="hocket-viewer")
        document.add_root(viewer)
        tab = _Tab(document, view, viewer, visuals)
        viewer.on_change("data", lambda _attribute, _old, _new: self._wake.set())
        self._tabs.append(tab)
        self._wake.set()
        if self._loop is None or self._loop.done():
            self._loop = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        """Bring visible tabs up to date, until all are closed."""
        needed_s = asked_s = 0.0
        while self._tabs:
            began_s = perf_counter()
            visible = [tab for tab in self._tabs if tab.is_visible]
            if visible and began_s - needed_s > _NEED_INTERVAL_S:
                needed_s = began_s
                await self._site.need(*{each for tab in visible for each in tab.visuals})
            if visible and began_s - asked_s > _ASK_INTERVAL_S:
                asked_s = began_s
                for visual in {each for tab in visible for each in tab.visuals}:
                    await self._site.ask(visual)
            busy_s = 0.0
            for tab in visible:
                busy_s += await tab.update(self._site.watch.state)
            self._tabs = [tab for tab in self._tabs if not tab.is_gone]
            interval_s = min(max(INTERVAL_S_MIN, busy_s / CORE_PART_MAX), INTERVAL_S_MAX)
            if visible:
                await asyncio.sleep(interval_s)
            else:
                self._wake.clear()
                # Closed tabs say nothing, so look for them now and then.
                try:
                    async with asyncio.timeout(INTERVAL_S_MAX):
                        await self._wake.wait()
                except TimeoutError:
                    pass


class _Tab:
    """One tab: a document, the view that fills it, and whether it can be seen."""

    def __init__(
        self,
        document: Document,
        view: View,
        viewer: ColumnDataSource,
        visuals: tuple[Visual, ...],
    ) -> None:
        self._document = document
        self._context: Any = document.session_context
        self._view = view
        self._viewer = viewer
        self.visuals = visuals
        self._opened = False
        self._failed = False

    @property
    def _session(self) -> Any:
        return None if self._context is None else self._context.session

    @property
    def is_open(self) -> bool:
        """Whether its websocket is open."""
        session = self._session
        if session is None or session.destroyed:
            return False
        is_open: bool = session.connection_count > 0
        self._opened = self._opened or is_open
        return is_open

    @property
    def is_gone(self) -> bool:
        """Whether its session has ended."""
        session = self._session
        return self._failed or (session is not None and bool(session.destroyed))

    @property
    def is_visible(self) -> bool:
        """Whether somebody can see it."""
        return self.is_open and not self._failed and not self._viewer.data["hidden"][0]

    async def update(self, state: str) -> float:
        """Send what is new; return how long that took, in seconds."""

        def tick() -> None:
            if self._viewer.data["state"][0] != state:
                self._viewer.patch({"state": [(0, state)]})
            self._view.tick()

        began_s = perf_counter()
        try:
            await self._session.with_document_locked(tick)
        except Exception:
            # A page of somebody else's may do anything; it must not take the others along.
            _logger.exception("a page of the dashboard failed, and is not updated any more")
            self._failed = True
        return perf_counter() - began_s

"""The handlers of pages: the shell that the browser gets, plots alone, and their tables."""

from __future__ import annotations

from typing import Any

import msgspec
from tornado.ioloop import IOLoop
from tornado.web import HTTPError

from hocket.diagnostics.visuals import Page, Visual
from hocket.diagnostics.web.answers import describe_visual
from hocket.diagnostics.web.handlers import ALONE_POLICY, Handler
from hocket.diagnostics.web.mount import Mount
from hocket.diagnostics.web.site import Site

__all__ = ["PageHandler", "PlotHandler", "TableHandler", "VisualHandler"]


class _Shell(Handler):
    """Makes pages: HTML of ours, in which Bokeh fills the plots once its socket is open."""

    mount: Mount

    def initialize(self, site: Site, mount: Mount) -> None:  # type: ignore[override]
        """Take the site, and where Bokeh is mounted."""
        super().initialize(site)
        self.mount = mount

    async def show_visuals(self, page: Page, *, alone: bool = False) -> None:
        """Answer with the page; nothing of Bokeh is imported for tables."""
        relatives = self.site.relatives
        if relatives is not None:
            await relatives.look()
            self.site.model.names.update(relatives.names)
        await self.site.need(*page.visuals)
        values: dict[str, Any] = {}
        if any(not visual.is_table for visual in page.visuals):
            await self.mount.open()
            if self.mount.is_full:
                raise HTTPError(503, reason="Too many tabs are open; close some")
            values = {
                "bokeh": self.mount.bokeh_version,
                "widgets": any(visual.widgets for visual in page.visuals),
                "token": self.mount.make_token(),
            }
        self.show("page.html", page=page, current=page.name, alone=alone, **values)


class PageHandler(_Shell):
    """A page."""

    async def get(self, name: str) -> None:
        """Show the shell of a page."""
        page = self.site.page(name)
        if page is None:
            raise HTTPError(404, reason="There is no such page")
        await self.show_visuals(page)


class PlotHandler(_Shell):
    """A visual alone, for notebooks and screens on walls."""

    async def get(self, name: str) -> None:
        """Show the shell of a page with one visual."""
        visual = self.site.visual(name)
        if visual is None:
            raise HTTPError(404, reason="There is no such plot")
        self.set_header("Content-Security-Policy", ALONE_POLICY)
        await self.show_visuals(
            Page(f"plot/{name}", visual.title, self.site.role, visuals=[visual]), alone=True
        )


class TableHandler(_Shell):
    """What a plot shows, as a table of plain HTML."""

    async def get(self, name: str) -> None:
        """Show the table; it needs no script."""
        visual = self.site.visual(name)
        if visual is None:
            raise HTTPError(404, reason="There is no such plot")
        answer = await _describe(self, visual)
        self.show("table.html", visual=visual, tables=answer["tables"])


class VisualHandler(_Shell):
    """What a plot or table shows, as JSON."""

    async def get(self, name: str) -> None:
        """Answer with columns and rows."""
        visual = self.site.visual(name)
        if visual is None:
            raise HTTPError(404, reason="There is no such plot")
        self.set_header("Content-Type", "application/json")
        self.finish(await answer_for(self, visual))


async def answer_for(handler: _Shell, visual: Visual) -> bytes:
    """Return the JSON of a visual; several tabs that ask at once get the same bytes."""
    words = handler.get_argument("q", "")[:200]
    key = ("visual", visual.name, words)
    answers = handler.site.answers
    now_s = IOLoop.current().time()
    known = answers.get(key)
    if known is not None and known[0] > now_s:
        return known[1]
    answer = msgspec.json.encode(await _describe(handler, visual), enc_hook=_plain)
    for old in [each for each, (until_s, _) in answers.items() if until_s <= now_s]:
        del answers[old]
    answers[key] = (now_s + 0.5, answer)
    return answer


async def _describe(handler: _Shell, visual: Visual) -> dict[str, Any]:
    site = handler.site
    await site.need(visual)
    if not visual.is_table:
        await handler.mount.open()
    words = handler.get_argument("q", "")[:200]
    await site.ask(visual, words)
    return describe_visual(site, visual, words)


def _plain(value: Any) -> Any:
    """Return a number of NumPy's as one of Python's."""
    return value.item() if hasattr(value, "item") else str(value)

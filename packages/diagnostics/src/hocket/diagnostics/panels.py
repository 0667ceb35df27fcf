"""Panels: plots of a cluster's pages, live, in the output of notebooks."""

from __future__ import annotations

from html import escape
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

from hocket.core.errors import SettingsError

__all__ = ["Panel", "panel"]

_HEIGHT_PX: Final = 400


class _HasPages(Protocol):
    """A cluster or a client."""

    @property
    def dashboard_link(self) -> Any:
        """Where its pages are."""


class Panel:
    """One plot or table; a notebook shows it when it is the last value of a cell.

    Parameters
    ----------
    link
        Where the scheduler's pages are.
    name
        Of the plot or table.
    height_px
        Of the panel.
    """

    def __init__(self, link: str, name: str, height_px: int) -> None:
        parts = urlsplit(link)
        #: A link that logs in, where that is needed; empty: it is not.
        self.login: Final = link if parts.path.endswith("/login") else ""
        base = link.partition("?")[0].removesuffix("login")
        #: Where it is, alone on a page.
        self.url: Final = f"{base}plot/{quote(name, safe='')}"
        self._height_px = height_px

    def __repr__(self) -> str:
        """Return where it is: terminals show a link."""
        return f"<Panel {self.url}>"

    def _repr_html_(self) -> str:
        login = (
            f'<p><a href="{escape(self.login)}" target="_blank">Log in</a>, and run this again.</p>'
            if self.login
            else ""
        )
        return (
            f'{login}<iframe src="{escape(self.url)}" width="100%" height="{self._height_px}"'
            ' style="border: 0" loading="lazy"></iframe>'
        )


def panel(name: str, of: _HasPages | str, *, height_px: int = _HEIGHT_PX) -> Panel:
    """Return a plot or table of a cluster's pages, to be shown in a notebook; it stays live.

    Parameters
    ----------
    name
        Of the plot or table, as its link "Alone" has it: ``"task-stream"``, ``"progress"``,
        ``"worker-memory"``, or one of your own.
    of
        A cluster, a client, or a link to the pages.
    height_px
        Of the panel.

    Raises
    ------
    SettingsError
        There are no pages, or the link is none.

    Examples
    --------
    >>> from hocket.diagnostics import panel
    >>> panel("task-stream", "http://127.0.0.1:8787/")
    <Panel http://127.0.0.1:8787/plot/task-stream>
    """
    link = of if isinstance(of, str) else of.dashboard_link
    if not isinstance(link, str):
        if hasattr(link, "close"):
            link.close()
        raise _unfit(link, "of an asynchronous client give `await client.dashboard_link`")
    if urlsplit(link).scheme not in {"http", "https"}:
        raise _unfit(link, "the cluster has no pages: see the setting diagnostics.enabled")
    return Panel(link, name, height_px)


def _unfit(link: object, problem: str) -> SettingsError:
    return SettingsError(name="panel", value=link, allowed=problem, source="code")

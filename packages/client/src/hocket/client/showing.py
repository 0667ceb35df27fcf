"""How clients and futures show themselves in notebooks: as small tables. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from hocket.client.states import CANCELLED, LOST, PENDING, STORED, FutureState
from hocket.core.units import format_bytes

__all__ = ["future_html", "table_html"]

#: Told apart by more than the colour: the word stands beside it.
_COLORS: Final = {PENDING: "#999999", STORED: "#009e73", CANCELLED: "#999999", LOST: "#d55e00"}
_FAILED_COLOR: Final = "#d55e00"
_REASON_LENGTH_MAX: Final = 300


def table_html(title: str, rows: Mapping[str, str], color: str = "", link: str = "") -> str:
    """Return a table with a title; what it shows is text, whatever it looks like.

    Parameters
    ----------
    title
        Stands over it.
    rows
        Texts by name; empty ones are left out.
    color
        Of a square before the title; empty: there is none.
    link
        To the pages of the cluster; empty: there are none.
    """
    square = f'<span style="color: {color}">&#9632;</span> ' if color else ""
    pages = f' <a href="{escape(link)}" target="_blank">pages</a>' if link else ""
    cells = "".join(
        f'<tr><th style="text-align: left">{escape(name)}</th>'
        f'<td style="text-align: left">{escape(text)}</td></tr>'
        for name, text in rows.items()
        if text
    )
    return f"<div>{square}<strong>{escape(title)}</strong>{pages}<table>{cells}</table></div>"


def future_html(state: FutureState) -> str:
    """Return a table of what is known of a future here; nothing is asked for."""
    failure = state.failure
    reason = ""
    if failure is not None:
        lines = failure.text.strip().splitlines() or [failure.kind.name.lower()]
        reason = lines[-1][:_REASON_LENGTH_MAX]
    rows = {
        "key": state.key,
        "status": state.status,
        "size": format_bytes(state.nbytes) if state.nbytes else "",
        "reason": reason,
        "worker": "" if failure is None else failure.worker,
    }
    return table_html("Future", rows, color=_COLORS.get(state.status, _FAILED_COLOR))

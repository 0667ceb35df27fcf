"""Writing a report: plots and tables of our pages, in one HTML file that needs no network."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bokeh.embed import components
from bokeh.resources import Resources
from bokeh.themes import Theme as BokehTheme
from tornado.template import Loader

from hocket.diagnostics import plots as _plots
from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.report.replaying import replay
from hocket.diagnostics.theme import LIGHT
from hocket.diagnostics.view import View
from hocket.diagnostics.visuals import BOOK, Page, Visual
from hocket.diagnostics.web.answers import describe_table
from hocket.diagnostics.web.formatting import format_cell
from hocket.diagnostics.web.handlers import STATIC
from hocket.transport.feed_file import read_recording

__all__ = ["write_report"]

assert _plots  # Our pages are made when this is imported.

#: The pages of a report, in order.
_PAGES: Final = (
    "status",
    "groups",
    "tasks",
    "profile",
    "transfers",
    "stealing",
    "workers",
    "system",
    "logs",
)
#: Tables that say nothing once all is over.
_LEFT_OUT: Final = frozenset({"worker-occupancy", "worker-cpu", "executions", "history"})
_TEMPLATES: Final = Path(__file__).parent / "templates"


def write_report(
    recording: str | Path, path: str | Path, facts: Mapping[str, object] | None = None
) -> None:
    """Write a report of a recording.

    Parameters
    ----------
    recording
        A file that `hocket.client.Client.record_feed` wrote.
    path
        Of the HTML file.
    facts
        What stands at its head, by name.

    Raises
    ------
    OSError
        A file cannot be read or written.
    RemoteProtocolError
        The recording is none, or damaged.
    """
    model = replay(read_recording(recording))
    Path(path).write_text(make_report(model, facts or {}), encoding="utf-8")


def make_report(model: ClusterModel, facts: Mapping[str, object]) -> str:
    """Return the report of a model as HTML."""
    pages = [page for name in _PAGES if (page := BOOK.page("scheduler", name)) is not None]
    view = View(model, LIGHT, is_report=True)
    figures: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    for visual in _visuals(pages):
        if visual.is_table:
            tables[visual.name] = describe_table(visual, model)
        else:
            figures[visual.name] = view.draw(visual.name, visual.draw)
    script, places = components(figures, wrap_script=False, theme=BokehTheme(json=LIGHT.to_bokeh()))
    html = (
        _loader()
        .load("report.html")
        .generate(
            pages=pages,
            visuals={page.name: list(_visuals([page])) for page in pages},
            tables=tables,
            places=places,
            facts={**_facts_of(model), **facts},
            script=script,
            bokeh=Resources(mode="inline", components=["bokeh"]).js_raw,
            style=(STATIC / "hocket.css").read_text(encoding="utf-8"),
        )
    )
    return html.decode()


def _visuals(pages: list[Page]) -> list[Visual]:
    return [
        visual
        for page in pages
        for visual in page.visuals
        if visual.name not in _LEFT_OUT and visual.asks is None and not visual.widgets
    ]


def _facts_of(model: ClusterModel) -> dict[str, object]:
    tasks = model.rings["tasks"]
    executions = sum(record.executions for record in model.groups.values())
    running_s = sum(record.phases_s[4] for record in model.groups.values())
    starts = tasks.read(0).columns["start_s"]
    began_s = min(starts, default=model.time_s)
    return {
        "written": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "workers": len(model.workers),
        "executions": executions,
        "failed": sum(record.failed for record in model.groups.values()),
        "from first to last": format_cell("span_s", model.time_s - began_s),
        "running in sum": format_cell("running_s", running_s),
        "events lost": model.lost,
    }


@functools.cache
def _loader() -> Loader:
    return Loader(str(_TEMPLATES), autoescape="xhtml_escape")

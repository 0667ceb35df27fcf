"""What a visual shows as columns and rows: for its JSON, its HTML table, and live tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.theme import LIGHT
from hocket.diagnostics.visuals import Row, Visual
from hocket.diagnostics.web.formatting import format_cell, unit_of
from hocket.diagnostics.web.site import Site

__all__ = ["ROWS_MAX", "describe_table", "describe_visual"]

#: Rows of a table at most; who wants others searches.
ROWS_MAX: Final = 500
#: Columns of plots that say how, not what: nobody reads them.
_UNSEEN: Final = ("color", "hatch", "_y", "index", "angle")


def describe_visual(site: Site, visual: Visual, words: str = "") -> dict[str, Any]:
    """Return title, text and tables of a visual.

    Parameters
    ----------
    site
        Whose model is read.
    visual
        A table, or a plot (of which the sources are the tables).
    words
        Only rows in which all of these occur.
    """
    answer: dict[str, Any] = {
        "name": visual.name,
        "title": visual.title,
        "text": visual.text,
        "time_s": site.model.time_s,
        "state": site.watch.state,
        "lost": site.model.lost,
    }
    if visual.is_table:
        answer["tables"] = [describe_table(visual, site.model, words)]
        return answer
    # Imported here: this needs Bokeh, tables do not.
    from hocket.diagnostics.view import View  # noqa: PLC0415

    view = View(site.model, LIGHT, role=site.role, name=site.name)
    view.draw(visual.name, visual.draw)
    answer["tables"] = [
        _table(*_rows_of(source.data), words) for source in view.sources[visual.name]
    ]
    return answer


def describe_table(visual: Visual, model: ClusterModel, words: str = "") -> dict[str, Any]:
    """Return columns, rows and texts of a table."""
    return _table(visual.columns, list(visual.draw(model, words)), words)


def _rows_of(data: Mapping[str, Sequence[Any]]) -> tuple[dict[str, str], list[Row]]:
    """Return titles and rows of a source's columns, the newest of them."""
    names = [
        name
        for name, values in data.items()
        if not any(part in name for part in _UNSEEN)
        and not (name.endswith("_ms") and name.replace("_ms", "_s") in data)
        and len(values) == len(next(iter(data.values())))
    ]
    columns = [list(data[name])[-ROWS_MAX:] for name in names]
    rows: list[Row] = [
        dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)
    ]
    return {name: _title_of(name) for name in names}, rows


def _title_of(name: str) -> str:
    for ending, unit in (("_nbytes_per_s", ", B/s"), ("_nbytes", ", bytes"), ("_per_s", " per s")):
        if name.endswith(ending):
            return name.removesuffix(ending).replace("_", " ") + unit
    return name.removesuffix("_ms").removesuffix("_s").replace("_", " ").strip()


def _table(titles: Mapping[str, str], rows: Iterable[Row], words: str) -> dict[str, Any]:
    wanted = words.lower().split()
    names = list(titles)
    values: list[list[Any]] = []
    texts: list[list[str]] = []
    count = 0
    for row in rows:
        cells = [_finite(row.get(name)) for name in names]
        shown = [format_cell(name, cell) for name, cell in zip(names, cells, strict=True)]
        if wanted:
            text = " ".join(shown).lower()
            if not all(word in text for word in wanted):
                continue
        count += 1
        if len(values) < ROWS_MAX:
            values.append(cells)
            texts.append(shown)
    return {
        "columns": [
            {"name": name, "title": title, "unit": unit_of(name)} for name, title in titles.items()
        ],
        "count": count,
        "rows": values,
        "texts": texts,
    }


def _finite(value: Any) -> Any:
    """Return a value that JSON has a word for."""
    if isinstance(value, float) and not (-1e300 < value < 1e300):
        return None
    return value

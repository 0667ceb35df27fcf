"""Lines over time, as several pages have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bokeh.models import ColumnDataSource

from hocket.diagnostics.view import BYTES, View

__all__ = ["time_lines"]

_DASHES: Final = ("solid", "dashed", "dotted", "dotdash")


def time_lines(
    view: View,
    source: ColumnDataSource,
    lines: Mapping[str, str],
    *,
    y_unit: str = "",
    y_axis_label: str = "",
) -> Any:
    """Return a figure of lines over ``time_ms``, which differ in colour and in dashes.

    Parameters
    ----------
    view, source
        Of the plot.
    lines
        Labels by column.
    y_unit
        ``"bytes"`` for sizes.
    y_axis_label
        What is measured, in which unit.
    """
    form = f"{{{BYTES}}}" if y_unit == "bytes" else "{0.[000]}"
    figure = view.figure(
        x_axis_type="datetime",
        y_unit=y_unit,
        y_axis_label=y_axis_label,
        tooltips=[(label, f"@{column}{form}") for column, label in lines.items()],
    )
    for index, (column, label) in enumerate(lines.items()):
        figure.line(
            "time_ms",
            column,
            source=source,
            line_width=2,
            line_color=view.theme.accents[index % len(view.theme.accents)],
            line_dash=_DASHES[index % len(_DASHES)],
            legend_label=label,
        )
    figure.y_range.start = 0
    figure.legend.visible = len(lines) > 1
    if len(lines) > 1:
        figure.legend.orientation = "horizontal"
        figure.add_layout(figure.legend[0], "above")
    return figure

"""The answers as tables for people, under 80 columns wide."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from questions import ARRIVALS_MIN, VISIBILITY_MILES, WIND_MPH

__all__ = ["WIDTH_MAX", "draw", "new_table"]

WIDTH_MAX = 79

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

#: Ends of company names that tell nobody apart.
_COMPANY_ENDS = (" Inc.", " Co.", " Corporation", " Airlines", " Air Lines")

#: From so many minutes on a delay is drawn in the style beside it.
_STYLES = ((25.0, "bold red"), (15.0, "yellow"), (5.0, ""), (float("-inf"), "green"))


def draw(answers: dict[str, pd.DataFrame]) -> list[Table]:
    """Return a table for each answer."""
    return [
        _carriers(answers["carriers"]),
        _airports(answers["airports"]),
        _weather(answers["weather"]),
        _planes(answers["planes"]),
    ]


def new_table(title: str, caption: str = "", gap: int = 2) -> Table:
    """Return an empty table in the demo's manner.

    Parameters
    ----------
    gap
        Spaces between columns, 1 or more.
    """
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption=caption or None,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        # The box itself puts one space between columns.
        padding=(0, gap - 1, 0, 0),
        pad_edge=False,
    )


def _columns(table: Table, *names: str, left: Sequence[str] = ()) -> None:
    """Add columns: numbers stand to the right, and what is in ``left`` to the left."""
    for name in names:
        table.add_column(name, justify="left" if name in left else "right", no_wrap=True)


def _minutes(value: float, digits: int = 0) -> Text:
    if pd.isna(value):
        return Text("-", style="dim")
    style = next(style for least, style in _STYLES if value >= least)
    # Adding 0 makes of a rounded -0 a 0.
    return Text(f"{round(value, digits) + 0.0:.{digits}f}", style=style)


def _text(value: object) -> str:
    return "-" if pd.isna(value) else str(value)


def _carriers(answer: pd.DataFrame) -> Table:
    table = new_table(
        "Delay by carrier and month",
        "Mean departure delay in minutes; - where a carrier did not fly.",
        gap=1,
    )
    months = [name for name in answer.columns if name.startswith("month_")]
    heads = [_MONTHS[int(name.removeprefix("month_")) - 1] for name in months]
    _columns(table, "carrier", "flights", "year", *heads, left=["carrier"])
    for row in answer.to_dict("records"):
        table.add_row(
            _short(row["name"]),
            f"{row['flights']:,}",
            _minutes(row["delay"]),
            *(_minutes(row[name]) for name in months),
        )
    return table


def _short(company: str) -> str:
    for end in _COMPANY_ENDS:
        company = company.removesuffix(end)
    return company


def _airports(answer: pd.DataFrame) -> Table:
    table = new_table(
        "Worst airport to fly to, by hour of departure",
        f"Mean arrival delay in minutes; airports with {ARRIVALS_MIN} arrivals or more.",
    )
    _columns(table, "hour", "airport", "arrivals", "delay", "all airports", left=["airport"])
    for hour, row in zip(answer.index, answer.to_dict("records"), strict=True):
        table.add_row(
            f"{hour}:00",
            row["dest"] if pd.isna(row["name"]) else f"{row['dest']} {row['name']}",
            f"{row['arrivals']:,}",
            _minutes(row["delay"], 1),
            _minutes(row["delay_all"], 1),
        )
    return table


def _weather(answer: pd.DataFrame) -> Table:
    table = new_table(
        "What wind and visibility do",
        "Mean departure delay in minutes; visibility in miles.",
    )
    names = [name for name in answer.columns if name.startswith("visibility_")]
    bands = [_band(VISIBILITY_MILES, int(name.removeprefix("visibility_"))) for name in names]
    _columns(table, "wind", "flights", "all", *(f"{band} mi" for band in bands))
    for wind, row in zip(answer.index, answer.to_dict("records"), strict=True):
        table.add_row(
            f"{_band(WIND_MPH, int(wind))} mph",
            f"{row['flights']:,}",
            _minutes(row["delay"], 1),
            *(_minutes(row[name], 1) for name in names),
        )
    return table


def _band(edges: list[int], band: int) -> str:
    if band + 1 < len(edges):
        return f"{edges[band]}-{edges[band + 1]}"
    return f"{edges[band]}+"


def _planes(answer: pd.DataFrame) -> Table:
    table = new_table("The planes that fly most")
    heads = ("plane", "built", "maker", "model", "seats", "flights", "miles", "hours")
    _columns(table, *heads, left=["plane", "maker", "model"])
    for plane, row in zip(answer.index, answer.to_dict("records"), strict=True):
        table.add_row(
            plane,
            _whole(row["year"]),
            _text(row["manufacturer"]).title(),
            _text(row["model"]),
            _whole(row["seats"]),
            f"{row['flights']:,}",
            f"{row['miles']:,}",
            f"{row['minutes'] / 60:,.0f}",
        )
    return table


def _whole(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.0f}"

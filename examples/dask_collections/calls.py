"""dask.delayed: any calls as a graph, here with futures of the client among the arguments."""

from __future__ import annotations

from collections.abc import Iterator

import dask
import pandas as pd

from hocket.client import Client


def answers(client: Client, flights: pd.DataFrame) -> Iterator[tuple[str, object, object]]:
    """Yield what was asked, dask's answer, and pandas'."""
    months = [part for _, part in flights.groupby("month")[["day", "origin", "dep_delay"]]]
    # Once on the cluster, however many calls take them.
    on_cluster = client.scatter(months)
    worst = [dask.delayed(_worst_day)(month) for month in on_cluster]
    with dask.annotate(retries=2, priority=10):
        total = dask.delayed(max)(worst)
    expected = max(map(_worst_day, months))
    yield "the worst day of all months", total.compute(), expected

    kept = dask.persist(*worst)
    yield "the worst days", list(dask.compute(*kept)), [_worst_day(month) for month in months]


def _worst_day(month: pd.DataFrame) -> tuple[float, int]:
    mean = month.groupby("day").dep_delay.mean()
    return round(float(mean.max()), 6), int(mean.idxmax())

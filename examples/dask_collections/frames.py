"""dask.dataframe: groups, a join, a shuffle and a sort of the flights, as pandas has them."""

from __future__ import annotations

from collections.abc import Iterator

import dask.dataframe as dd
import pandas as pd


def answers(flights: pd.DataFrame, planes: pd.DataFrame) -> Iterator[tuple[str, object, object]]:
    """Yield what was asked, dask's answer, and pandas'."""
    flights = flights[["month", "day", "carrier", "tailnum", "origin", "dep_delay", "distance"]]
    frame = dd.from_pandas(flights, npartitions=16)

    late = frame[frame.dep_delay > 60].groupby("carrier").distance.mean().compute()
    expected = flights[flights.dep_delay > 60].groupby("carrier").distance.mean()
    yield "miles of late flights, by carrier", _rounded(late), _rounded(expected)

    # Both sides are shuffled by tail number, so that equal ones meet in one partition.
    joined = frame.merge(dd.from_pandas(planes, npartitions=4), on="tailnum", suffixes=("", "_p"))
    by_maker = joined.groupby("manufacturer").distance.sum().nlargest(5).compute()
    expected = flights.merge(planes, on="tailnum").groupby("manufacturer").distance.sum()
    yield "miles flown, by maker", by_maker.to_dict(), expected.nlargest(5).to_dict()

    # A plane's flights lie in one partition after the shuffle, so each partition counts its own.
    busiest = frame.shuffle("tailnum").map_partitions(_count_planes, meta=("n", "int64"))
    counts = flights.tailnum.value_counts()
    yield "busy planes", int(busiest.sum().compute()), int((counts > 300).sum())

    ordered = frame.set_index("distance")
    far = ordered.loc[2500:].dep_delay.mean().compute()
    expected = flights[flights.distance >= 2500].dep_delay.mean()
    yield "delay on the longest ways", round(float(far), 6), round(float(expected), 6)


def _count_planes(part: pd.DataFrame) -> pd.Series:
    return pd.Series([int((part.tailnum.value_counts() > 300).sum())], name="n")


def _rounded(series: pd.Series) -> dict[str, float]:
    return {str(name): round(float(value), 6) for name, value in series.sort_index().items()}

"""Four questions about the flights, each in three steps that run as tasks in the workers.

1. ``partial`` reads what it needs of one month's flights, and makes of it a small table of sums and
   counts;
2. `add_up` adds such tables together, a few at a time, as a tree;
3. ``finish`` makes of the sum for the year the table that answers the question.

Sums and counts can be added; means cannot, so a mean is formed in the last step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hocket.parquet import ParquetPart

__all__ = ["QUESTIONS", "Question", "add_up"]

#: An airport must have had this many arrivals in an hour of the day to be its worst.
ARRIVALS_MIN = 100

#: Lower edges of the bands of wind speed, in miles an hour; one sensor fault reads 1048.
WIND_MPH = [0, 5, 10, 15, 20, 25]
WIND_MPH_MAX = 100

#: Lower edges of the bands of visibility, in miles; 10 is the most that is reported.
VISIBILITY_MILES = [0, 1, 3, 6, 10]

#: How many planes are listed.
PLANES = 10


@dataclass(frozen=True)
class Question:
    """A question, and the functions that answer it.

    Parameters
    ----------
    name
        A short name, unique.
    columns
        What is read of the flights.
    filters
        Which flights are.
    partial
        From a piece of the flights, and the small tables named in ``partial_tables``, to sums.
    finish
        From the year's sums, and the small tables named in ``finish_tables``, to the answer.
    """

    name: str
    columns: tuple[str, ...]
    filters: tuple[tuple[str, str, Any], ...]
    partial: Callable[..., pd.DataFrame]
    finish: Callable[..., pd.DataFrame]
    partial_tables: tuple[str, ...] = ()
    finish_tables: tuple[str, ...] = ()


def add_up(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Add tables of sums with the same columns: rows with the same index become one."""
    together = pd.concat(tables)
    return together.groupby(level=list(range(together.index.nlevels))).sum()


def carriers_partial(part: ParquetPart) -> pd.DataFrame:
    """Count flights and add up departure delays, by carrier and month."""
    # The month comes from the name of the directory, and as a category unless it is told otherwise.
    flights = part.to_pandas(dtypes={"month": "int64"})
    return flights.groupby(["carrier", "month"]).agg(
        flights=("dep_delay", "size"), departed=("dep_delay", "count"), delay=("dep_delay", "sum")
    )


def carriers_finish(total: pd.DataFrame, airlines: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each carrier: its flights, its mean delay, and that of each month."""
    months = (total["delay"] / total["departed"]).unstack("month")  # noqa: PD010 - no duplicates
    year = total.groupby("carrier").sum()
    answer = pd.DataFrame(
        {
            "name": airlines.set_index("carrier")["name"].reindex(year.index),
            "flights": year["flights"],
            "delay": year["delay"] / year["departed"],
        }
    )
    months.columns = [f"month_{month}" for month in months.columns]
    return answer.join(months).sort_values("flights", ascending=False)


def airports_partial(part: ParquetPart) -> pd.DataFrame:
    """Count arrivals and add up their delays, by hour of departure and airport of arrival."""
    arrived = part.to_pandas()
    return arrived.groupby(["hour", "dest"]).agg(
        arrivals=("arr_delay", "size"), delay=("arr_delay", "sum")
    )


def airports_finish(total: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each hour of the day: the airport whose flights arrive latest."""
    hours = total.groupby("hour").sum()
    busy = total[total["arrivals"] >= ARRIVALS_MIN].reset_index()
    busy["delay"] /= busy["arrivals"]
    worst = busy.sort_values(["hour", "delay", "dest"], ascending=[True, False, True])
    answer = worst.drop_duplicates("hour").set_index("hour")
    answer["delay_all"] = hours["delay"] / hours["arrivals"]
    names = airports.set_index("faa")["name"]
    answer.insert(0, "name", names.reindex(answer["dest"]).to_numpy())
    return answer


def weather_partial(part: ParquetPart, weather: pd.DataFrame) -> pd.DataFrame:
    """Join the weather of the hour and airport of departure; add up delays by its bands."""
    departed = part.to_pandas()
    seen = weather[weather["wind_speed"] < WIND_MPH_MAX]
    seen = seen[["origin", "time_hour", "wind_speed", "visib"]].dropna()
    joined = departed.merge(seen, on=["origin", "time_hour"])
    joined["wind"] = np.searchsorted(WIND_MPH, joined["wind_speed"], side="right") - 1
    joined["visibility"] = np.searchsorted(VISIBILITY_MILES, joined["visib"], side="right") - 1
    return joined.groupby(["wind", "visibility"]).agg(
        flights=("dep_delay", "size"), delay=("dep_delay", "sum")
    )


def weather_finish(total: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each band of wind: its flights, and the delay by band of visibility."""
    winds = total.groupby("wind").sum()
    answer = pd.DataFrame({"flights": winds["flights"], "delay": winds["delay"] / winds["flights"]})
    by_visibility = (total["delay"] / total["flights"]).unstack("visibility")  # noqa: PD010 - no duplicates
    by_visibility.columns = [f"visibility_{band}" for band in by_visibility.columns]
    return answer.join(by_visibility)


def planes_partial(part: ParquetPart) -> pd.DataFrame:
    """Count flights, miles and minutes in the air, by plane."""
    flown = part.to_pandas()
    return flown.groupby("tailnum").agg(
        flights=("distance", "size"), miles=("distance", "sum"), minutes=("air_time", "sum")
    )


def planes_finish(total: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    """Return the planes with the most miles, and what the register knows of them."""
    most = total.reset_index().sort_values(["miles", "tailnum"], ascending=[False, True])
    most = most.head(PLANES)
    register = planes[["tailnum", "year", "manufacturer", "model", "seats"]]
    return most.merge(register, on="tailnum", how="left").set_index("tailnum")


QUESTIONS = (
    Question(
        "carriers",
        ("carrier", "month", "dep_delay"),
        (),
        carriers_partial,
        carriers_finish,
        finish_tables=("airlines",),
    ),
    Question(
        "airports",
        ("hour", "dest", "arr_delay"),
        (("arr_delay", "is not null", None),),
        airports_partial,
        airports_finish,
        finish_tables=("airports",),
    ),
    Question(
        "weather",
        ("origin", "time_hour", "dep_delay"),
        (("dep_delay", "is not null", None),),
        weather_partial,
        weather_finish,
        partial_tables=("weather",),
    ),
    Question(
        "planes",
        ("tailnum", "distance", "air_time"),
        (("air_time", "is not null", None),),
        planes_partial,
        planes_finish,
        finish_tables=("planes",),
    ),
)

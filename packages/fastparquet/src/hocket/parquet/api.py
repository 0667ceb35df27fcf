"""Functions for those who want one call."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from hocket.parquet.dataset.parquet_file import ParquetFile

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read"]

_OF_OPENING: Final = frozenset(inspect.signature(ParquetFile).parameters)


def read(path: Any, **options: Any) -> pd.DataFrame:
    """Read a Parquet file or dataset into a pandas frame.

    Parameters
    ----------
    path
        Whatever `ParquetFile` opens.
    **options
        Those of `ParquetFile` and of `ParquetFile.to_pandas`; ``dtypes`` is one of both.
    """
    opening = {name: value for name, value in options.items() if name in _OF_OPENING}
    reading = {name: value for name, value in options.items() if name not in _OF_OPENING}
    return ParquetFile(path, **opening).to_pandas(**reading)

"""Objects that are all text, with gaps: by pyarrow, where it is installed, which is fastest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hocket.parquet.arrays.value_array import ArrayKind, Nulls, ValueArray
from hocket.parquet.optional_pyarrow import has_pyarrow, pyarrow

__all__ = ["text_by_pyarrow"]


def text_by_pyarrow(values: np.ndarray[Any, Any]) -> ValueArray | None:
    """Return texts and missing values as an array; None if that cannot be, or has another way.

    Parameters
    ----------
    values
        Objects.
    """
    if not has_pyarrow() or pd.api.types.infer_dtype(values, skipna=True) != "string":
        return None
    pa = pyarrow()
    try:
        made = pa.array(values, type=pa.large_string(), from_pandas=True)
    except (pa.ArrowException, UnicodeError):
        # The slower way finds out which row it is.
        return None
    if isinstance(made, pa.ChunkedArray):
        made = made.combine_chunks()
    validity, offsets, data = made.buffers()
    nulls = None
    if made.null_count:
        nulls = Nulls(np.frombuffer(validity, np.uint8), is_bitmap=True, bit_offset=made.offset)
    places = np.frombuffer(offsets, np.int64, count=made.offset + len(made) + 1)
    return ValueArray(
        ArrayKind.STRINGS,
        len(made),
        nulls,
        values=np.frombuffer(b"" if data is None else data, np.uint8),
        offsets=places[made.offset :],
    )

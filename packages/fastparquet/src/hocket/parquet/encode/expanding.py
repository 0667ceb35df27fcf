"""Values without a dictionary, where one came along and is not wanted."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.strings import check_strings
from hocket.parquet.kernels.faults import error_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.memory import new_array
from hocket.parquet.records import replace

__all__ = ["entries_of", "without_dictionary"]

_Array = np.ndarray[Any, Any]

_SPARE_NBYTES: Final = 64


def without_dictionary(values: DenseValues, start: int = 0, stop: int | None = None) -> DenseValues:
    """Return the values that codes stand for.

    Parameters
    ----------
    values
        Of any leaf. Of what has no codes nothing is copied.
    start, stop
        Which of them; all, unless told.
    """
    stop = values.count if stop is None else stop
    codes = values.codes
    if codes is None:
        if start == 0 and stop == values.count:
            return values
        if values.offsets is not None:
            return replace(values, count=stop - start, offsets=values.offsets[start : stop + 1])
        return replace(values, count=stop - start, values=values.values[start:stop])
    found, offsets = entries_of(values, codes[start:stop])
    return replace(values, count=stop - start, values=found, offsets=offsets, codes=None)


def entries_of(values: DenseValues, codes: _Array) -> tuple[_Array, _Array | None]:
    """Return the entries that codes name, one after the other: their values and offsets.

    Parameters
    ----------
    values
        Where the entries are; its own codes do not count.
    codes
        uint32.
    """
    if values.offsets is None:
        return values.values[codes], None
    check_strings(values.offsets, values.values)
    codes = np.ascontiguousarray(codes, np.uint32)
    places = address(codes), len(codes), address(values.offsets)
    nbytes = KERNEL.measure_entries(*places, len(values.offsets) - 1)
    if nbytes < 0:
        raise error_of(nbytes)
    found = new_array(nbytes + _SPARE_NBYTES, np.uint8)
    offsets = new_array(len(codes) + 1, np.int64)
    source = address(values.values), values.values.nbytes
    answer = KERNEL.gather_entries(*places, *source, address(offsets), address(found), nbytes)
    if answer < 0:
        raise error_of(answer)
    return found[:nbytes], offsets

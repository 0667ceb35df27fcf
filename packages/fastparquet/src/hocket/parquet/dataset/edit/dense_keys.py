"""The different values of a column, one by one."""

from __future__ import annotations

from itertools import pairwise

from hocket.parquet.arrays.leaf_entries import DenseValues

__all__ = ["plain_values"]


def plain_values(coded: DenseValues) -> list[bytes]:
    """Return the bytes of each value, as PLAIN stores them, those of byte strings without lengths.

    Parameters
    ----------
    coded
        Values, or the dictionary of some.
    """
    values = coded.values
    if coded.offsets is None:
        size = values.itemsize
        raw = values.tobytes()
        return [raw[at : at + size] for at in range(0, len(raw), size)]
    ends = coded.offsets.tolist()
    raw = values.tobytes()
    return [raw[start:stop] for start, stop in pairwise(ends)]

"""Byte strings as pages store them: plain, behind all their lengths, or less what they share."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.fixed import delta_of_integers
from hocket.parquet.errors import ValueOutOfRange
from hocket.parquet.kernels.faults import VALUE_RANGE, error_of, fault_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.memory import new_array

__all__ = [
    "check_strings",
    "encode_delta_lengths",
    "encode_delta_strings",
    "encode_plain_strings",
]

_Array = np.ndarray[Any, Any]

_SPARE_NBYTES: Final = 64
_NBYTES_MAX: Final = (1 << 31) - 1


def check_strings(offsets: _Array, data: _Array) -> int:
    """Return how many bytes byte strings have together, if all are in the data and can be stored.

    Parameters
    ----------
    offsets
        Where they begin, and where the last one ends; int64.
    data
        The bytes of all.
    """
    nbytes = KERNEL.measure_strings(address(offsets), len(offsets) - 1, data.nbytes)
    if nbytes < 0:
        if fault_of(nbytes) == VALUE_RANGE:
            lengths = np.diff(offsets)
            at = int(np.argmax(lengths > _NBYTES_MAX))
            raise ValueOutOfRange(
                f"value {at:,} has {int(lengths[at]):,} bytes, and a byte string of a Parquet file "
                f"can have {_NBYTES_MAX:,}; store it in parts"
            )
        raise error_of(nbytes)
    return nbytes


def encode_plain_strings(values: DenseValues, start: int, stop: int) -> _Array:
    """Return byte strings each behind its length.

    Parameters
    ----------
    values
        Byte strings, without codes.
    start, stop
        Which of them.
    """
    offsets, data = _strings_of(values)
    offsets = offsets[start : stop + 1]
    count = stop - start
    nbytes = check_strings(offsets, data) + 4 * count
    made = new_array(nbytes + _SPARE_NBYTES, np.uint8)
    answer = KERNEL.encode_byte_arrays(
        address(offsets), count, address(data), data.nbytes, address(made), nbytes
    )
    if answer < 0:
        raise error_of(answer)
    return made[:nbytes]


def encode_delta_lengths(values: DenseValues, start: int, stop: int) -> _Array:
    """Return byte strings behind all their lengths, which are delta-encoded.

    Parameters
    ----------
    values
        Byte strings, without codes.
    start, stop
        Which of them.
    """
    offsets, data = _strings_of(values)
    offsets = offsets[start : stop + 1]
    check_strings(offsets, data)
    lengths = np.diff(offsets).astype(np.int32)
    return np.concatenate([delta_of_integers(lengths), data[int(offsets[0]) : int(offsets[-1])]])


def encode_delta_strings(values: DenseValues, start: int, stop: int) -> _Array:
    """Return what each byte string does not share with the one before it, behind delta lengths.

    Parameters
    ----------
    values
        Byte strings, or values of one width of FIXED_LEN_BYTE_ARRAY; without codes.
    start, stop
        Which of them.
    """
    count = stop - start
    lengths = new_array((2, count), np.int32)
    prefixes, suffixes = address(lengths), address(lengths) + 4 * count
    if values.offsets is None:
        data = values.values[start:stop]
        width = data.itemsize
        nbytes = count * width
        made = new_array(nbytes + _SPARE_NBYTES, np.uint8)
        source = width, count, address(data), nbytes
        answer = KERNEL.split_fixed_prefixes(*source, prefixes, suffixes, address(made), nbytes)
    else:
        offsets, data = _strings_of(values)
        offsets = offsets[start : stop + 1]
        nbytes = check_strings(offsets, data)
        made = new_array(nbytes + _SPARE_NBYTES, np.uint8)
        source = address(offsets), count, address(data), data.nbytes
        answer = KERNEL.split_prefixes(*source, prefixes, suffixes, address(made), nbytes)
    if answer < 0:
        raise error_of(answer)
    return np.concatenate(
        [delta_of_integers(lengths[0]), delta_of_integers(lengths[1]), made[:answer]]
    )


def _strings_of(values: DenseValues) -> tuple[_Array, _Array]:
    if values.offsets is None or values.codes is not None:
        raise TypeError("only byte strings without codes can be encoded as such")
    return values.offsets, values.values

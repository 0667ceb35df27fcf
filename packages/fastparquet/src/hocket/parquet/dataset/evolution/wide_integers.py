"""Integers of up to 256 bits in arrays: from one width to another, times a power of ten."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

__all__ = ["scaled_integers"]

_Array = np.ndarray[Any, Any]

_LIMB_BITS: Final = 32
#: The largest power of ten that keeps the product with a limb, and a carry, within 64 bits.
_STEP_DIGITS: Final = 9


def scaled_integers(values: _Array, digits: int, dtype: np.dtype[Any]) -> tuple[_Array, _Array]:
    """Return integers times ``10**digits`` as items of another width.

    Parameters
    ----------
    values
        Integers of NumPy's types, or bytes (``V16``, ``V32``): two's complement, little-endian.
    digits
        The power of ten.
    dtype
        The items wanted: int32, int64, or bytes as above.

    Returns
    -------
    tuple
        The items, and which of them do not fit, whose bits mean nothing.
    """
    wanted = max(dtype.itemsize * 8 // _LIMB_BITS, 1)
    limbs = _limbs_of(values, wanted)
    for done in range(0, digits, _STEP_DIGITS):
        _multiply(limbs, 10 ** min(_STEP_DIGITS, digits - done))
    words = limbs[:, :wanted].astype(np.uint32)
    sign = np.where(words[:, -1] >> np.uint32(_LIMB_BITS - 1), np.uint64(0xFFFFFFFF), np.uint64(0))
    lost = (limbs[:, wanted:] != sign[:, None]).any(axis=1)
    return np.ascontiguousarray(words).view(dtype).reshape(len(values)), lost


def _limbs_of(values: _Array, wanted: int) -> _Array:
    """Return the 32-bit limbs of integers, lowest first, with room for any product beyond them.

    Each limb stands in 64 bits.
    """
    if values.dtype.kind == "u":
        raw = values.astype(np.uint64)
        is_negative = np.zeros(len(values), np.bool_)
    elif values.dtype.kind == "i":
        raw = values.astype(np.int64)
        is_negative = values < 0
    else:
        raw = np.ascontiguousarray(values)
        words = raw.dtype.itemsize // 8
        is_negative = raw.view(np.int64).reshape(len(raw), words)[:, -1] < 0
    given = raw.view(np.uint32).reshape(len(raw), raw.dtype.itemsize // 4)
    # A product is longer than both factors together at most; what is beyond the width is a sign.
    width = max(wanted, given.shape[1]) + 8
    limbs = np.empty((len(raw), width), np.uint64)
    limbs[:, : given.shape[1]] = given
    limbs[:, given.shape[1] :] = np.where(is_negative, np.uint64(0xFFFFFFFF), np.uint64(0))[:, None]
    return limbs


def _multiply(limbs: _Array, factor: int) -> None:
    """Multiply in place by a number below 2**32, modulo two to the power of the width."""
    carry = np.zeros(len(limbs), np.uint64)
    for at in range(limbs.shape[1]):
        product = limbs[:, at] * np.uint64(factor) + carry
        limbs[:, at] = product & np.uint64(0xFFFFFFFF)
        carry = product >> np.uint64(_LIMB_BITS)

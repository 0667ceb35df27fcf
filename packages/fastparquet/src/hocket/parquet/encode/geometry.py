"""Where the geometries of a chunk are, for its statistics."""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source.wkb import KINDS
from hocket.parquet.metadata.logical import LogicalKind

__all__ = ["bounding_box_of"]

_SIGN: Final = (1 << 63) - 1
#: Kinds of geometries have numbers below this, and as many bits for each set of axes.
_KINDS: Final = 8
_STEP: Final = 1000

_Axis = tuple[float, float] | None


def bounding_box_of(
    values: DenseValues,
) -> tuple[tuple[_Axis, ...], tuple[int, ...]] | None:
    """Return the bounds of x, y, z and m, and the numbers of the kinds that there are.

    None, if the values are no geometries, or if one of them is no well-known binary. On a globe,
    edges bulge out of what their ends bound; so geographies get no bounds.

    Parameters
    ----------
    values
        The values. With codes, all entries count.
    """
    kind, offsets = values.node.logical.kind, values.offsets
    if kind not in {LogicalKind.GEOMETRY, LogicalKind.GEOGRAPHY} or offsets is None:
        return None
    found = np.empty(KINDS // 8 + 1, np.int64)
    data = values.values
    answer = KERNEL.bounds_of_geometries(
        address(offsets), len(offsets) - 1, address(data), data.nbytes, address(found)
    )
    if answer < 0:
        return None
    *bounds, mask = found.tolist()
    kinds = tuple(
        number // _KINDS * _STEP + number % _KINDS for number in range(32) if mask >> number & 1
    )
    pairs = zip(bounds[::2], bounds[1::2], strict=True)
    axes = tuple((_double(low), _double(high)) if low <= high else None for low, high in pairs)
    return axes if kind is LogicalKind.GEOMETRY else (None,) * 4, kinds


def _double(ordered: int) -> float:
    bits = ordered if ordered >= 0 else ordered ^ _SIGN
    number: float = struct.unpack("<d", struct.pack("<q", bits))[0]
    return number

"""Values of one type as those of a wider one: the same numbers, times, bytes, stored otherwise."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.dataset.evolution.common_type import LeafShape
from hocket.parquet.dataset.evolution.wide_integers import scaled_integers
from hocket.parquet.decode.column import ColumnData, padded_bytes
from hocket.parquet.decode.target import Conversion, Target, natural_target
from hocket.parquet.errors import ValueOutOfRange
from hocket.parquet.metadata.schema import LogicalKind, PhysicalType, SchemaNode
from hocket.parquet.records import dataclass, replace

__all__ = ["ValueChange"]

_Array = np.ndarray[Any, Any]

_PER_DAY: Final = {"s": 86_400, "ms": 86_400_000, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}
_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
#: Integers up to this one are doubles exactly.
_EXACT: Final = 1 << 53
_INT64: Final = np.iinfo(np.int64)
_BIG_ENDIAN: Final = {
    4: Conversion.BIG_ENDIAN_32,
    8: Conversion.BIG_ENDIAN_64,
    16: Conversion.BIG_ENDIAN_128,
    32: Conversion.BIG_ENDIAN_256,
}
_BYTE_STRINGS: Final = (PhysicalType.BYTE_ARRAY, PhysicalType.FIXED_LEN_BYTE_ARRAY)


@dataclass(frozen=True, slots=True)
class ValueChange:
    """How values of a leaf of a file become those of the dataset's leaf.

    Parameters
    ----------
    own
        The leaf of the file.
    leaf
        That of the dataset, of a type that holds the values (`common_type`).
    ticks
        Of durations: how many units of the dataset's are one of the file's.
    """

    own: SchemaNode
    leaf: SchemaNode
    ticks: int = 1

    def direct_target(self, wanted: Target) -> Target | None:
        """Return what to decode the file's leaf to, so that nothing is left to be changed.

        Parameters
        ----------
        wanted
            A target of the dataset's leaf.

        Returns
        -------
        Target or None
            None if what is decoded has to be changed afterwards.
        """
        if (
            self._factor() != 1
            or self._digits()
            or wanted.dtype is None
            or wanted.dtype.kind == "f"
        ):
            return None
        own, size = self.own.physical, wanted.item_size
        conversion: Conversion | None = None
        if own in _BYTE_STRINGS:
            if self.leaf.logical.kind is LogicalKind.DECIMAL:
                conversion = _BIG_ENDIAN.get(size)
        elif own in (PhysicalType.INT32, PhysicalType.INT64) and not self._is_unsigned():
            conversion = {16: Conversion.WIDEN_128, 8: Conversion.WIDEN_64}.get(size)
            if size == 8 and own is PhysicalType.INT64:
                conversion = Conversion.COPY
        return None if conversion is None else replace(wanted, conversion=conversion)

    def _is_unsigned(self) -> bool:
        """Tell whether the bits of the file's values are not those of signed numbers."""
        dtype = natural_target(self.own).dtype
        return dtype is not None and dtype.kind == "u" and dtype.itemsize >= 4

    def own_target(self, wanted: Target) -> Target:
        """Return what to decode the file's leaf to before `apply`."""
        return replace(natural_target(self.own), keep_dictionary=wanted.keep_dictionary)

    def apply(self, column: ColumnData, wanted: Target) -> ColumnData:
        """Return decoded values of the file's leaf as what is wanted of the dataset's.

        Raises
        ------
        ValueOutOfRange
            A value has no place in the wider type: an integer that is no double, a time that is out
            of range.
        """
        column = replace(column, leaf=self.leaf, target=wanted)
        if column.codes is not None:
            assert column.dictionary is not None
            column.dictionary = self.apply(
                column.dictionary, replace(wanted, keep_dictionary=False)
            )
        elif wanted.dtype is None:
            _spread(column)
        else:
            assert column.values is not None
            values = self._changed(column.values, column.valid, wanted.dtype)
            column.values = _with_nulls(values, column.valid, wanted)
        return column

    def key(self, key: Any) -> Any | None:
        """Return a bound of the file's leaf as one of the dataset's; None if it has none.

        Parameters
        ----------
        key
            See `hocket.parquet.dataset.keys`.
        """
        if isinstance(key, int) and LeafShape.of(self.leaf).float_nbytes():
            return float(key) if abs(key) <= _EXACT else None
        if isinstance(key, int):
            return key * self._factor() * 10 ** self._digits()
        return key

    def _digits(self) -> int:
        """Return by how many digits the point moves, of decimals."""
        if self.leaf.logical.kind is not LogicalKind.DECIMAL:
            return 0
        return self.leaf.logical.scale - self.own.logical.scale

    def _factor(self) -> int:
        """Return how many units of the dataset's times are one of the file's."""
        if self.ticks != 1:
            return self.ticks
        own, whole = LeafShape.of(self.own).time(), LeafShape.of(self.leaf).time()
        if own is None or whole is None or own[1] == whole[1]:
            return 1
        if own[1] == "D":
            return _PER_DAY[whole[1]]
        return _PER_SECOND[whole[1]] // _PER_SECOND[own[1]]

    def _changed(self, values: _Array, valid: _Array | None, dtype: np.dtype[Any]) -> _Array:
        if self.leaf.logical.kind is LogicalKind.DECIMAL:
            found, lost = scaled_integers(values, self._digits(), dtype)
            self._refuse(values, lost, valid, str(self.leaf.logical))
            return found
        if dtype.kind == "f":
            if values.dtype.kind in "iu" and values.itemsize == 8:
                lost = (values > _EXACT) | (values < -_EXACT)
                self._refuse(values, lost, valid, "a double, which has 53 bits")
            return values.astype(dtype)
        factor = self._factor()
        if factor == 1:
            return (
                values.astype(dtype) if dtype.kind in "iu" else values.astype(np.int64).view(dtype)
            )
        counts = values.astype(np.int64)
        lost = (counts > _INT64.max // factor) | (counts < -(_INT64.max // factor))
        self._refuse(values, lost, valid, str(self.leaf.logical))
        with np.errstate(over="ignore"):
            return (counts * factor).view(dtype)

    def _refuse(self, values: _Array, lost: _Array, valid: _Array | None, what: str) -> None:
        """Raise an error if values that are not null have no place."""
        if valid is not None:
            lost = lost & valid
        if lost.any():
            slot = int(np.argmax(lost))
            value = values[slot]
            if values.dtype.kind == "V":
                value = int.from_bytes(value.tobytes(), "little", signed=True)
            raise ValueOutOfRange(
                f"the column is {self.own.description} here and {self.leaf.description} in other "
                f"files of the dataset, and the value {value} (slot {slot}) does not fit into "
                f"{what}; read this file apart"
            )


def _with_nulls(values: _Array, valid: _Array | None, target: Target) -> _Array:
    """Put into the slots of nulls what the target has there."""
    if valid is None:
        return values
    size = values.dtype.itemsize
    if size in (1, 2, 4, 8):
        pattern = target.null_bits.to_bytes(8, "little", signed=True)[:size]
        values.view(f"u{size}")[~valid] = np.frombuffer(pattern, f"u{size}")[0]
    else:
        values[~valid] = np.zeros((), values.dtype)
    return values


def _spread(column: ColumnData) -> None:
    """Make byte strings of items of one length."""
    items = column.values
    assert items is not None
    if column.valid is not None:
        lengths = np.where(column.valid, items.dtype.itemsize, 0)
        items = items[column.valid]
    else:
        lengths = np.full(len(items), items.dtype.itemsize)
    offsets = np.zeros(column.count + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    data = padded_bytes(items.nbytes)
    data[:] = np.ascontiguousarray(items).view(np.uint8)
    column.values, column.offsets, column.data = None, offsets, data

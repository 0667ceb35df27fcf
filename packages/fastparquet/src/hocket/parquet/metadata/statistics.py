"""Statistics of column chunks and pages: which bounds are to be believed, and what they are."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import numpy as np

from hocket.parquet.errors import CorruptFile
from hocket.parquet.kernels.source.thrift import BYTE, I64
from hocket.parquet.metadata.logical import LogicalKind, PhysicalType
from hocket.parquet.metadata.scanning import Fields, read_items, read_struct
from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.metadata.values import bound_of_plain_bytes, value_of_plain_bytes
from hocket.parquet.records import dataclass

__all__ = [
    "BoundingBox",
    "ColumnOrder",
    "ColumnStatistics",
    "GeospatialStatistics",
    "SizeStatistics",
    "are_bounds_ordered",
    "parse_geospatial_statistics",
    "parse_size_statistics",
    "parse_statistics",
    "read_integers",
    "value_of_plain_bytes",
]


class ColumnOrder(IntEnum):
    """How bounds of a column are ordered: numbers of the union ColumnOrder; others are unknown."""

    UNDEFINED = 0
    OF_TYPE = 1
    IEEE_754 = 2
    INT96_TIME = 3


#: Kinds whose values have no order.
_UNORDERED: Final = {
    LogicalKind.INTERVAL,
    LogicalKind.GEOMETRY,
    LogicalKind.GEOGRAPHY,
    LogicalKind.VARIANT,
    LogicalKind.UNKNOWN,
}

_BINARY: Final = {PhysicalType.BYTE_ARRAY, PhysicalType.FIXED_LEN_BYTE_ARRAY}


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """What is known of the values of a column chunk or a page.

    Parameters
    ----------
    node
        The column.
    min_bytes, max_bytes
        No value is less or more than these, encoded as PLAIN. None if the file does not tell, or
        not in a way that can be believed.
    min_is_exact, max_is_exact
        Whether they are values that are there; None if the file does not tell.
    null_count
        How many entries are null; None if the file does not tell: it may be any number.
    distinct_count
        How many different values there are, if the file tells.
    nan_count
        How many values are NaN; bounds do not count them. None if the file does not tell: any
        number of them may be there.
    """

    node: SchemaNode
    min_bytes: bytes | None = None
    max_bytes: bytes | None = None
    min_is_exact: bool | None = None
    max_is_exact: bool | None = None
    null_count: int | None = None
    distinct_count: int | None = None
    nan_count: int | None = None

    @property
    def min_value(self) -> Any:
        """The lower bound as a value; None if there is none."""
        if self.min_bytes is None:
            return None
        return bound_of_plain_bytes(self.node, self.min_bytes, is_upper=False)

    @property
    def max_value(self) -> Any:
        """The upper bound as a value; None if there is none."""
        if self.max_bytes is None:
            return None
        return bound_of_plain_bytes(self.node, self.max_bytes, is_upper=True)


def are_bounds_ordered(node: SchemaNode, order: int) -> bool:
    """Tell whether `min_value` and `max_value` of a column are ordered in a way known here.

    Parameters
    ----------
    node
        The column.
    order
        Its column order, see `ColumnOrder`.
    """
    kind = node.logical.kind
    if kind in _UNORDERED:
        return False
    if node.physical is PhysicalType.INT96:
        return order == ColumnOrder.INT96_TIME
    if order == ColumnOrder.OF_TYPE:
        return True
    if order == ColumnOrder.IEEE_754:
        return kind is LogicalKind.FLOAT16 or node.physical in {
            PhysicalType.FLOAT,
            PhysicalType.DOUBLE,
        }
    # Numbers have an order that is plain without being told.
    return order == ColumnOrder.UNDEFINED and _is_signed_number(node)


def _is_signed_number(node: SchemaNode) -> bool:
    logical = node.logical
    if logical.kind in _UNORDERED or not logical.is_signed:
        return False
    return node.physical not in _BINARY and node.physical is not PhysicalType.INT96


def parse_statistics(
    data: np.ndarray[Any, Any], at: int, node: SchemaNode, order: int, num_values: int | None = None
) -> ColumnStatistics:
    """Return what a struct Statistics says, as far as it can be believed.

    Parameters
    ----------
    data
        The bytes that it is in, padded.
    at
        Where it begins.
    node
        The column.
    order
        Its column order.
    num_values
        How many entries there are; counts beyond that are not believed.
    """
    fields, _ = read_struct(data, at, 10, "Statistics")
    low = high = None
    low_exact = high_exact = None
    if are_bounds_ordered(node, order):
        high, low = fields.binary(5), fields.binary(6)
        high_exact, low_exact = fields.boolean(7), fields.boolean(8)
    if low is None and high is None and _is_signed_number(node):
        # The older pair is ordered by signed comparison; of byte strings that was done wrongly.
        high, low = fields.binary(1), fields.binary(2)
    low, high = believed(node, low, high)
    return ColumnStatistics(
        node,
        low,
        high,
        None if low is None else low_exact,
        None if high is None else high_exact,
        _count(fields, 3, num_values),
        _count(fields, 4, num_values),
        _count(fields, 9, num_values),
    )


def believed(
    node: SchemaNode, low: bytes | None, high: bytes | None
) -> tuple[bytes | None, bytes | None]:
    """Return bounds without those that bound nothing: malformed, NaN, or in the wrong order.

    Parameters
    ----------
    node
        The column.
    low, high
        The bounds, as the file has them.
    """
    least = None if low is None else bound_of_plain_bytes(node, low, is_upper=False)
    most = None if high is None else bound_of_plain_bytes(node, high, is_upper=True)
    if least is None:
        low = None
    if most is None:
        high = None
    if least is not None and most is not None and least > most:
        return None, None
    return low, high


def _count(fields: Fields, field: int, most: int | None) -> int | None:
    value = fields.integer(field)
    if value is None or value < 0 or (most is not None and value > most):
        return None
    return value


# --------------------------------------------------------------------------- other statistics


@dataclass(frozen=True, slots=True)
class SizeStatistics:
    """How large values are before they are encoded.

    Parameters
    ----------
    unencoded_nbytes
        Bytes of all byte strings, without their lengths; None if not told.
    repetition_levels, definition_levels
        How often each level occurs, from 0 on; None if not told.
    """

    unencoded_nbytes: int | None
    repetition_levels: np.ndarray[Any, Any] | None
    definition_levels: np.ndarray[Any, Any] | None


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """The range of coordinates of geometries; where x_min is more than x_max, it wraps around."""

    x_min: float
    x_max: float
    y_min: float
    y_max: float
    z_min: float | None = None
    z_max: float | None = None
    m_min: float | None = None
    m_max: float | None = None


@dataclass(frozen=True, slots=True)
class GeospatialStatistics:
    """What is known of the geometries of a column chunk.

    Parameters
    ----------
    bounding_box
        Where they are.
    geospatial_types
        Codes of the kinds of geometries that are there; empty if not told.
    """

    bounding_box: BoundingBox | None
    geospatial_types: tuple[int, ...]


def read_integers(data: np.ndarray[Any, Any], at: int, what: str) -> np.ndarray[Any, Any]:
    """Return a list of integers as an array of int64.

    Parameters
    ----------
    data
        The bytes that it is in, padded.
    at
        Where the list's header is.
    what
        What the list is, for errors.
    """
    items = read_items(data, at, what)
    if ((items[:, 0] < BYTE) | (items[:, 0] > I64)).any():
        raise CorruptFile(f"elements of {what} are no integers")
    return np.ascontiguousarray(items[:, 1])


def parse_size_statistics(data: np.ndarray[Any, Any], at: int, node: SchemaNode) -> SizeStatistics:
    """Return what a struct SizeStatistics says.

    Parameters
    ----------
    data
        The bytes that it is in, padded.
    at
        Where it begins.
    node
        The column: histograms of other lengths than its levels have are not believed.
    """
    fields, _ = read_struct(data, at, 4, "SizeStatistics")
    return SizeStatistics(
        _count(fields, 1, None),
        _histogram(fields, 2, node.max_repetition),
        _histogram(fields, 3, node.max_definition),
    )


def _histogram(fields: Fields, field: int, level: int) -> np.ndarray[Any, Any] | None:
    at = fields.list_at(field)
    if at is None:
        return None
    counts = read_integers(fields.data, at, "a histogram of levels")
    return counts if len(counts) == level + 1 and (counts >= 0).all() else None


def parse_geospatial_statistics(data: np.ndarray[Any, Any], at: int) -> GeospatialStatistics:
    """Return what a struct GeospatialStatistics says.

    Parameters
    ----------
    data
        The bytes that it is in, padded.
    at
        Where it begins.
    """
    fields, _ = read_struct(data, at, 3, "GeospatialStatistics")
    box = None
    box_at = fields.struct_at(1)
    if box_at is not None:
        told, _ = read_struct(data, box_at, 9, "BoundingBox")
        first = [told.double(field) for field in range(1, 5)]
        if None in first:
            raise told.missing(1 + first.index(None))
        rest = [told.double(field) for field in range(5, 9)]
        box = BoundingBox(*first, *rest)  # type: ignore[arg-type]
    types_at = fields.list_at(2)
    types: tuple[int, ...] = ()
    if types_at is not None:
        types = tuple(read_integers(data, types_at, "geospatial types").tolist())
    return GeospatialStatistics(box, types)

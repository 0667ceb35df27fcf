"""What has to be done to values in memory so that they are values of a column's physical type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.write_field import Storing, WriteField
from hocket.parquet.errors import ValueUnstorable
from hocket.parquet.kernels.source import storing
from hocket.parquet.metadata.logical import LogicalKind, PhysicalType
from hocket.parquet.metadata.schema import SchemaNode

__all__ = ["Conversion", "conversion_of", "plain_dtype"]

_DTypes = np.dtype[Any]

_DTYPE_OF: Final = {
    PhysicalType.BOOLEAN: "u1",
    PhysicalType.INT32: "i4",
    PhysicalType.INT64: "i8",
    PhysicalType.INT96: "V12",
    PhysicalType.FLOAT: "f4",
    PhysicalType.DOUBLE: "f8",
    PhysicalType.BYTE_ARRAY: "u1",
}

_FLOATS: Final = {PhysicalType.FLOAT, PhysicalType.DOUBLE}
_INTEGERS: Final = {PhysicalType.INT32, PhysicalType.INT64}
_WORDS: Final = storing.MOST - storing.LEAST


@dataclass(frozen=True, slots=True)
class Conversion:
    """A conversion of values.

    Parameters
    ----------
    number
        What kernels call it; 0: nothing has to be done.
    parameters
        What they want to know besides.
    cast
        What NumPy has to make of the values before that.
    remedy
        What is wrong with values that cannot be converted, and what to do.
    """

    number: int = 0
    parameters: tuple[int, ...] = (0,) * storing.PARAMETER_COUNT
    cast: _DTypes | None = None
    remedy: str = ""

    def complaint(self, value: Any) -> str:
        """Return in words that a value cannot be converted."""
        raw = value.item()
        number = int.from_bytes(raw, "little", signed=True) if isinstance(raw, bytes) else raw
        return f"{number} {self.remedy}"


def plain_dtype(node: SchemaNode) -> _DTypes:
    """Return the dtype of a leaf's values as the file stores them; of byte strings, that of bytes.

    Parameters
    ----------
    node
        A leaf.
    """
    if node.physical is PhysicalType.FIXED_LEN_BYTE_ARRAY:
        return np.dtype(f"V{node.type_length}")
    assert node.physical is not None
    return np.dtype(_DTYPE_OF[node.physical])


def conversion_of(field: WriteField, node: SchemaNode, dtype: _DTypes) -> Conversion:
    """Return what has to be done to values of a dtype.

    Parameters
    ----------
    field
        How they are to be stored.
    node
        The leaf.
    dtype
        Theirs: numbers or bytes, native.
    """
    made: Conversion | None = None
    if field.storing is Storing.AS_IS:
        made = _as_is(node, dtype)
    elif field.storing is Storing.TIMES:
        made = _times(field, node, dtype)
    elif field.storing is Storing.DIVIDED:
        made = _divided(field, node, dtype)
    elif field.storing is Storing.INT96:
        if node.physical is PhysicalType.INT96 and dtype == np.int64:
            made = Conversion(storing.INT96)
    elif field.storing is Storing.DECIMAL:
        made = _decimal(node, dtype)
    else:
        made = _narrowed(node, dtype)
    if made is None:
        assert node.physical is not None
        raise ValueUnstorable(
            f"values of dtype {dtype} cannot be stored as {node.physical.name} ({field.storing})"
        )
    return made


def _as_is(node: SchemaNode, dtype: _DTypes) -> Conversion | None:
    wanted = plain_dtype(node)
    size, kind = dtype.itemsize, dtype.kind
    kinds = "biu"
    widening: Conversion | None = None
    if node.physical in _INTEGERS:
        kinds = "iu"
        widening = Conversion(storing.WIDEN_SIGNED if kind == "i" else storing.WIDEN_UNSIGNED)
    elif node.physical in _FLOATS:
        kinds = "f"
        widening = Conversion(storing.FLOAT_TO_DOUBLE) if size == 4 else Conversion(cast=wanted)
    elif node.physical is not PhysicalType.BOOLEAN:
        kinds = "VSf"
    if kind not in kinds or size > wanted.itemsize:
        return None
    return Conversion() if size == wanted.itemsize else widening


def _times(field: WriteField, node: SchemaNode, dtype: _DTypes) -> Conversion | None:
    if node.physical not in _INTEGERS or dtype not in (np.int32, np.int64):
        return None
    bits = 8 * plain_dtype(node).itemsize
    half = 1 << (bits - 1)
    parameters = _parameters(-(half // field.factor), (half - 1) // field.factor, dtype)
    parameters[storing.FACTOR] = field.factor
    remedy = f"times {field.factor:,} does not fit into {bits} bits; store a coarser unit"
    return Conversion(storing.TIMES, tuple(parameters), remedy=remedy)


def _divided(field: WriteField, node: SchemaNode, dtype: _DTypes) -> Conversion | None:
    if node.physical not in _INTEGERS or dtype not in (np.int32, np.int64):
        return None
    bits = 8 * plain_dtype(node).itemsize
    half = 1 << (bits - 1)
    parameters = _parameters(-half, half - 1, np.dtype(np.int64))
    parameters[storing.FACTOR] = field.factor
    parameters[storing.IS_LOSSY] = int(field.is_lossy)
    remedy = f"cannot be divided by {field.factor:,} without losing digits; store a finer unit"
    if field.is_lossy:
        remedy = f"divided by {field.factor:,} does not fit into {bits} bits"
    return Conversion(storing.DIVIDED, tuple(parameters), remedy=remedy)


def _decimal(node: SchemaNode, dtype: _DTypes) -> Conversion | None:
    if dtype.itemsize not in {4, 8, 16, 32} or dtype.kind not in "iV":
        return None
    is_bytes = node.physical is PhysicalType.FIXED_LEN_BYTE_ARRAY
    if not is_bytes and node.physical not in _INTEGERS:
        return None
    half = 1 << (8 * plain_dtype(node).itemsize - 1)
    least, most = -half, half - 1
    remedy = f"does not fit into {plain_dtype(node).itemsize} bytes"
    precision = node.logical.precision if node.logical.kind is LogicalKind.DECIMAL else 0
    if precision and 10**precision - 1 <= most:
        most = 10**precision - 1
        least = -most
        remedy = f"has more than the {precision} digits of the column's type"
    number = storing.DECIMAL_BYTES if is_bytes else storing.DECIMAL
    parameters = tuple(_parameters(least, most, dtype))
    return Conversion(number, parameters, remedy=f"(unscaled) {remedy}; store a wider decimal")


def _narrowed(node: SchemaNode, dtype: _DTypes) -> Conversion | None:
    if dtype.kind != "f" or dtype.itemsize not in {2, 4, 8}:
        return None
    if node.physical is PhysicalType.FLOAT and dtype.itemsize == 8:
        return Conversion(storing.DOUBLE_TO_FLOAT)
    wanted = np.dtype(np.float16) if node.type_length == 2 else plain_dtype(node)
    return Conversion(cast=None if dtype == wanted else wanted)


def _parameters(least: int, most: int, dtype: _DTypes) -> list[int]:
    """Return parameters with the least and the most value, as far as values of a dtype reach."""
    half = 1 << (8 * dtype.itemsize - 1)
    made = [0] * storing.PARAMETER_COUNT
    for at, bound in ((storing.LEAST, max(least, -half)), (storing.MOST, min(most, half - 1))):
        raw = bound.to_bytes(8 * _WORDS, "little", signed=True)
        for word in range(_WORDS):
            part = raw[8 * word : 8 * word + 8]
            made[at + word] = int.from_bytes(part, "little", signed=True)
    return made

"""The columns of a file to be written: what each stores, and how it comes to that from memory."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hocket.parquet.metadata.logical import LogicalKind, LogicalType, PhysicalType
from hocket.parquet.records import dataclass

__all__ = ["NO_LOGICAL", "Storing", "WriteField", "WriteKind"]

NO_LOGICAL: Final = LogicalType(LogicalKind.NONE)


class WriteKind(StrEnum):
    """What a field's values are made of."""

    LEAF = "leaf"
    #: One child, the element.
    LIST = "list"
    #: Two children, key and value. Its array is a list of structs of two.
    MAP = "map"
    #: Members; a Variant is one too, by its logical type.
    STRUCT = "struct"


class Storing(StrEnum):
    """How the values of a leaf's array become values of its physical type."""

    #: They are: numbers of that width (or narrower ones of the same kind, which are widened),
    #: booleans, byte strings, ``V{n}`` bytes of the type's length.
    AS_IS = "as is"
    #: Integers times `WriteField.factor`; overflow is a ValueOutOfRange.
    TIMES = "times"
    #: Integers divided by `WriteField.factor`; a remainder is a ValueOutOfRange unless
    #: `WriteField.is_lossy`, which rounds down.
    DIVIDED = "divided"
    #: int64 nanoseconds since 1970 as INT96.
    INT96 = "int96"
    #: Two's complement, little-endian, 4, 8, 16 or 32 bytes (int32, int64, V16, V32), to INT32,
    #: INT64 or big-endian bytes of the type's length; what does not fit is a ValueOutOfRange.
    DECIMAL = "decimal"
    #: Doubles as floats of 32 bits, or any floats as FLOAT16 (2 bytes): the nearest one.
    NARROWED = "narrowed"


@dataclass(frozen=True, slots=True)
class WriteField:
    """A field to be written.

    Parameters
    ----------
    name
        Its name in its parent.
    kind
        What its values are made of.
    nullable
        Whether a value can be missing. Missing ones in the array of a field that is not are an
        error.
    physical
        Of leaves: what values are stored as.
    type_length
        Bytes of each FIXED_LEN_BYTE_ARRAY.
    logical
        What values mean.
    storing
        Of leaves: how values of the array become physical ones.
    factor, is_lossy
        See `Storing`.
    field_id
        A number that table formats give it.
    children
        What it is made of, see `WriteKind`.
    """

    name: str
    kind: WriteKind
    nullable: bool = True
    physical: PhysicalType | None = None
    type_length: int = 0
    logical: LogicalType = NO_LOGICAL
    storing: Storing = Storing.AS_IS
    factor: int = 1
    is_lossy: bool = False
    field_id: int | None = None
    children: tuple[WriteField, ...] = ()

"""The structures of Arrow's C data and stream interfaces, as ctypes lays them out.

Both sides use them: what hands out arrays (`hocket.parquet.assemble.arrow_export`) and what takes
them (`hocket.parquet.intake.arrow_capsules`).
"""

from __future__ import annotations

import ctypes
from typing import Final

__all__ = [
    "DICTIONARY_ORDERED",
    "KEYS_SORTED",
    "NULLABLE",
    "ArrayStructure",
    "SchemaStructure",
    "StreamStructure",
]

_Pointer = ctypes.c_void_p

# Flags of a schema.
DICTIONARY_ORDERED: Final = 1
NULLABLE: Final = 2
KEYS_SORTED: Final = 4


class SchemaStructure(ctypes.Structure):
    """A type, or a field of one."""

    _fields_ = [
        ("format", _Pointer),
        ("name", _Pointer),
        ("metadata", _Pointer),
        ("flags", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("children", _Pointer),
        ("dictionary", _Pointer),
        ("release", _Pointer),
        ("private_data", _Pointer),
    ]


class ArrayStructure(ctypes.Structure):
    """The values of a schema."""

    _fields_ = [
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", _Pointer),
        ("children", _Pointer),
        ("dictionary", _Pointer),
        ("release", _Pointer),
        ("private_data", _Pointer),
    ]


class StreamStructure(ctypes.Structure):
    """What gives a schema, and arrays of it one after the other."""

    _fields_ = [
        ("get_schema", _Pointer),
        ("get_next", _Pointer),
        ("get_last_error", _Pointer),
        ("release", _Pointer),
        ("private_data", _Pointer),
    ]

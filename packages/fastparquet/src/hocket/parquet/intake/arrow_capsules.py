"""Taking what other libraries hand out by Arrow's C interface, with ctypes alone.

A structure is moved out of its capsule, so that its producer's release is called by us, once: for
schemas as soon as they are read, for streams when they have ended, for arrays when the last NumPy
array over their memory is gone. Producers are other people's code: what they say of lengths and
counts is compared before it is followed. (That their buffers are as long as Arrow says cannot be
checked.)
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from typing import Any, Final

from hocket.parquet.arrays.arrow_interface import (
    DICTIONARY_ORDERED,
    KEYS_SORTED,
    NULLABLE,
    ArrayStructure,
    SchemaStructure,
    StreamStructure,
)
from hocket.parquet.errors import InvalidArrow, InvalidOption
from hocket.parquet.intake.arrow_type import ArrowType

__all__ = ["ArrowSource", "OwnedArray", "arrow_type_of", "is_arrow", "open_source"]

_Pointer = ctypes.c_void_p

_RELEASE: Final = ctypes.CFUNCTYPE(None, _Pointer)
_GET: Final = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Pointer)
_LAST_ERROR: Final = ctypes.CFUNCTYPE(ctypes.c_char_p, _Pointer)

_DEPTH_MAX: Final = 64
_MOST_CHILDREN: Final = 1 << 20
_MOST_PAIRS: Final = 1 << 16

_get_pointer: Final = ctypes.pythonapi["PyCapsule_GetPointer"]
_get_pointer.restype = _Pointer
_get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


def is_arrow(data: object) -> bool:
    """Whether something hands out Arrow data."""
    return hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")


def arrow_type_of(data: Any) -> ArrowType:
    """Return the type that an object with ``__arrow_c_schema__`` tells."""
    return _read_schema(_Owned(SchemaStructure, data.__arrow_c_schema__(), b"arrow_schema"))


def open_source(data: Any) -> ArrowSource:
    """Return the type and the arrays of an object that hands out an Arrow stream, or one array.

    Parameters
    ----------
    data
        Anything with ``__arrow_c_stream__`` or ``__arrow_c_array__``. A stream is begun by this,
        and can be gone through once.
    """
    if hasattr(data, "__arrow_c_stream__"):
        return _StreamSource(data.__arrow_c_stream__())
    if not hasattr(data, "__arrow_c_array__"):
        raise InvalidOption(f"{type(data).__name__} hands out no Arrow data")
    answer = data.__arrow_c_array__()
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise InvalidArrow("__arrow_c_array__ has to return two capsules")
    return _ArraySource(*answer)


class _Owned:
    """A structure that was moved out of a capsule, or that a stream fills; released once."""

    def __init__(self, kind: type[Any], capsule: Any = None, name: bytes = b"") -> None:
        self.structure = kind()
        if capsule is None:
            return
        try:
            at = _get_pointer(capsule, name)
        except (ValueError, ctypes.ArgumentError) as error:
            raise InvalidArrow(f"this is no capsule of the name {name.decode()!r}") from error
        theirs = kind.from_address(at)
        if not theirs.release:
            raise InvalidArrow("what is in the capsule has been taken already")
        ctypes.memmove(self.at, at, ctypes.sizeof(kind))
        theirs.release = None

    @property
    def at(self) -> int:
        """Where the structure lies; it stays there."""
        return ctypes.addressof(self.structure)

    def release(self, as_function: Any = _RELEASE, address_of: Any = ctypes.addressof) -> None:
        """Tell the producer that this is no longer wanted; once is enough."""
        structure = self.structure
        release, own = structure.release, address_of(structure)
        if release:
            as_function(release)(own)
            structure.release = None

    def __del__(self) -> None:
        self.release()


class OwnedArray(_Owned):
    """An array of a producer. It is released when nothing refers to this object any more."""

    structure: ArrayStructure

    def __init__(self, capsule: Any = None) -> None:
        super().__init__(ArrayStructure, capsule, b"arrow_array")


class ArrowSource:
    """A type, and arrays of it.

    Parameters
    ----------
    arrow
        What the arrays are: a struct of columns, or a column alone.
    """

    def __init__(self, arrow: ArrowType) -> None:
        self.type = arrow

    def arrays(self) -> Iterator[OwnedArray]:
        """Yield the arrays that are left."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what is left."""


class _ArraySource(ArrowSource):
    def __init__(self, schema: Any, array: Any) -> None:
        self._array: OwnedArray | None = OwnedArray(array)
        super().__init__(_read_schema(_Owned(SchemaStructure, schema, b"arrow_schema")))

    def arrays(self) -> Iterator[OwnedArray]:
        if self._array is not None:
            array, self._array = self._array, None
            yield array

    def close(self) -> None:
        self._array = None


class _StreamSource(ArrowSource):
    def __init__(self, capsule: Any) -> None:
        self._stream: _Owned | None = _Owned(StreamStructure, capsule, b"arrow_array_stream")
        try:
            super().__init__(self._schema())
        except BaseException:
            # Who keeps the error keeps this, too.
            self.close()
            raise

    def _schema(self) -> ArrowType:
        assert self._stream is not None
        structure = self._stream.structure
        if not (structure.get_schema and structure.get_next and structure.get_last_error):
            raise InvalidArrow("a function of the stream is a null pointer")
        schema = _Owned(SchemaStructure)
        self._get(structure.get_schema, schema)
        if not schema.structure.release:
            raise InvalidArrow("the stream gave no schema")
        return _read_schema(schema)

    def arrays(self) -> Iterator[OwnedArray]:
        while self._stream is not None:
            array = OwnedArray()
            self._get(self._stream.structure.get_next, array)
            if not array.structure.release:
                self.close()
                return
            yield array

    def close(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            stream.release()

    def _get(self, function: int, into: _Owned) -> None:
        """Have the stream fill a structure."""
        stream = self._stream
        assert stream is not None
        answer = _GET(function)(stream.at, into.at)
        if answer:
            # What a call that failed has left there is not ours to release.
            into.structure.release = None
            words = _LAST_ERROR(stream.structure.get_last_error)(stream.at)
            told = words.decode("utf-8", "replace") if words else os.strerror(answer)
            self.close()
            raise InvalidArrow(f"the Arrow stream failed with error {answer}: {told}")


# ----------------------------------------------------------------------------------------- schemas


def _read_schema(schema: _Owned) -> ArrowType:
    """Read a schema, and release it."""
    try:
        return _type_at(schema.structure, 1)
    finally:
        schema.release()


def _type_at(structure: SchemaStructure, depth: int) -> ArrowType:
    if depth > _DEPTH_MAX:
        raise InvalidArrow(f"the Arrow schema is nested more than {_DEPTH_MAX} levels deep")
    if not structure.release or not structure.format:
        raise InvalidArrow("a part of the Arrow schema has been released, or has no format")
    name = ctypes.string_at(structure.name).decode("utf-8", "replace") if structure.name else ""
    dictionary = None
    if structure.dictionary:
        dictionary = _type_at(SchemaStructure.from_address(structure.dictionary), depth + 1)
    return ArrowType(
        name=name,
        format=ctypes.string_at(structure.format).decode("utf-8", "replace"),
        nullable=bool(structure.flags & NULLABLE),
        children=tuple(
            _type_at(SchemaStructure.from_address(at), depth + 1)
            for at in pointers(structure.children, structure.n_children, "children of a schema")
        ),
        metadata=_metadata_at(structure.metadata) if structure.metadata else {},
        dictionary=dictionary,
        is_ordered=bool(structure.flags & DICTIONARY_ORDERED),
        has_sorted_keys=bool(structure.flags & KEYS_SORTED),
    )


def _metadata_at(at: int) -> dict[str, bytes]:
    def number() -> int:
        nonlocal at
        (found,) = struct.unpack("=i", ctypes.string_at(at, 4))
        at += 4
        if found < 0:
            raise InvalidArrow(f"metadata of the Arrow schema has the length {found}")
        return int(found)

    def text() -> bytes:
        nonlocal at
        nbytes = number()
        found = ctypes.string_at(at, nbytes)
        at += nbytes
        return found

    count = number()
    if count > _MOST_PAIRS:
        raise InvalidArrow(f"the Arrow schema has metadata of {count:,} keys")
    pairs = ((text(), text()) for _ in range(count))
    return {key.decode("utf-8", "replace"): value for key, value in pairs}


def pointers(at: int | None, count: int, what: str, *, may_be_null: bool = False) -> list[int]:
    """Return an array of pointers, of which none may be null unless told.

    Parameters
    ----------
    at
        Where it is.
    count
        How many there are.
    what
        A word for them.
    may_be_null
        Whether some may be null: 0.
    """
    if not 0 <= count <= _MOST_CHILDREN:
        raise InvalidArrow(f"there are {count:,} {what}")
    if not count:
        return []
    if not at:
        raise InvalidArrow(f"{count:,} {what} are behind a null pointer")
    found = [each or 0 for each in (_Pointer * count).from_address(at)]
    if not may_be_null and not all(found):
        raise InvalidArrow(f"of {count:,} {what}, one is a null pointer")
    return found

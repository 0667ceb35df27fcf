"""Lists of text, byte strings and what is stored as such, none missing, to arrays."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any, Final
from uuid import UUID

import numpy as np

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.errors import InvalidOption
from hocket.parquet.intake.made_arrays import fixed_array, offsets_of_lengths, strings_array
from hocket.parquet.intake.object_numbers import slot_where
from hocket.parquet.intake.slot_errors import SlotError, described
from hocket.parquet.intake.value_types import TypeKind, ValueType

__all__ = ["bson_of", "bytes_of", "geometries_of", "joined", "json_of", "text_of", "uuids_of"]

_Array = np.ndarray[Any, Any]
_Built = tuple[ValueType, ValueArray]

_TEXT: Final = ValueType(TypeKind.TEXT)
_BYTES: Final = ValueType(TypeKind.BYTES)
_BYTES_TYPES: Final = (bytes, bytearray, memoryview)


def joined(values: list[Any]) -> ValueArray:
    """Return byte strings, one behind the other."""
    return strings_array(b"".join(values), offsets_of_lengths(list(map(len, values))))


def text_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return texts in UTF-8, encoded all at once."""
    try:
        text = "".join(values)
    except TypeError:
        slot = slot_where(values, lambda value: not isinstance(value, str))
        raise SlotError(
            slot,
            f"{described(values[slot])} is no text; make it one, with astype(str), or ask for "
            "types={...: 'json'} or 'variant'",
        ) from None
    try:
        data = text.encode()
    except UnicodeEncodeError:
        slot = slot_where(values, _has_surrogate)
        raise SlotError(
            slot,
            f"{described(values[slot])} has half a surrogate pair, which no UTF-8 can hold; "
            "replace it, or store bytes",
        ) from None
    offsets = offsets_of_lengths(list(map(len, values)))
    if len(data) != len(text):
        # What was counted are characters; each begins with another byte than 0b10......
        starts = np.flatnonzero((np.frombuffer(data, np.uint8) & 0xC0) != 0x80)
        offsets = np.append(starts, len(data))[offsets]
    return wanted or _TEXT, strings_array(data, offsets)


def _has_surrogate(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False


def bytes_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return byte strings; of a fixed length if that is asked for."""
    if any(type(value) is not bytes for value in values):
        values = [_as_bytes(slot, value) for slot, value in enumerate(values)]
    nbytes = 0 if wanted is None else wanted.nbytes
    if not nbytes:
        return wanted or _BYTES, joined(values)
    return wanted or _BYTES, _fixed(values, nbytes, str(wanted))


def _as_bytes(slot: int, value: Any) -> bytes:
    if isinstance(value, _BYTES_TYPES):
        return bytes(value)
    if isinstance(value, np.void):
        if value.dtype.names is not None:
            raise SlotError(
                slot, f"{described(value)} is a record, and no byte string; make it a dict"
            )
        return value.tobytes()
    raise SlotError(
        slot, f"{described(value)} is no byte string; encode texts first, or ask for 'string'"
    )


def _fixed(values: list[bytes], nbytes: int, told: str) -> ValueArray:
    data = b"".join(values)
    if any(len(value) != nbytes for value in values):
        slot = slot_where(values, lambda value: len(value) != nbytes)
        raise SlotError(
            slot,
            f"{described(values[slot])} has {len(values[slot])} bytes, and {told} is asked for; "
            "ask for 'binary' for bytes of any length",
        )
    return fixed_array(np.frombuffer(data, f"V{nbytes}"))


def uuids_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return UUIDs, which may also be given as text or 16 bytes if they are asked for."""
    raws = [_uuid(slot, value) for slot, value in enumerate(values)]
    return wanted or ValueType(TypeKind.UUID), fixed_array(np.frombuffer(b"".join(raws), "V16"))


def _uuid(slot: int, value: Any) -> bytes:
    if isinstance(value, UUID):
        return value.bytes
    if isinstance(value, str):
        try:
            return UUID(value).bytes
        except ValueError:
            pass
    elif isinstance(value, (bytes, bytearray)) and len(value) == 16:
        return bytes(value)
    raise SlotError(slot, f"{described(value)} is no UUID, nor are its bytes or its text")


def json_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return JSON: texts are documents already if all values are texts, unless told otherwise."""
    values_type = wanted or ValueType(TypeKind.JSON)
    is_ready = not values_type.encodes_text and all(isinstance(value, str) for value in values)
    documents = []
    for slot, value in enumerate(values):
        try:
            if is_ready:
                json.loads(value)
            documents.append(value if is_ready else _dumped(value))
        except (TypeError, ValueError, RecursionError) as error:
            raise SlotError(slot, f"{described(value)} does not become JSON: {error}") from None
    return text_of(documents, values_type)


def _dumped(value: Any) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """Return what JSON knows for what it does not."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"a {type(value).__qualname__} has no form in JSON")


def bson_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return BSON: of bytes as they are, of dicts by the package ``bson`` (pymongo)."""
    raws = []
    for slot, value in enumerate(values):
        if isinstance(value, _BYTES_TYPES):
            raws.append(bytes(value))
            continue
        try:
            raws.append(_bson().encode(value))
        except (TypeError, ValueError, OverflowError) as error:
            raise SlotError(slot, f"{described(value)} does not become BSON: {error}") from None
    return wanted or ValueType(TypeKind.BSON), joined(raws)


def _bson() -> Any:
    try:
        return import_module("bson")
    except ImportError:
        raise InvalidOption(
            'object_encoding="bson" needs the package bson, which comes with pymongo; bytes that '
            "are BSON already can be written without"
        ) from None


def geometries_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return geometries as well-known binary, of objects that have it (shapely's) or are it."""
    raws = []
    for slot, value in enumerate(values):
        raw = getattr(value, "wkb", value)
        if not isinstance(raw, _BYTES_TYPES) or len(raw) < 5:
            raise SlotError(
                slot,
                f"{described(value)} is no geometry: bytes in well-known binary are wanted, or "
                "objects with an attribute wkb",
            )
        raws.append(bytes(raw))
    return wanted or ValueType(TypeKind.GEOMETRY), joined(raws)

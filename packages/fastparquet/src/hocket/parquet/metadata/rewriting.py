"""Footers made of parts of others, as bytes: nothing is taken apart that stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from hocket.parquet.errors import CorruptFile
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import footer as layout
from hocket.parquet.kernels.source.thrift import BINARY, I32, I64, LIST, STRUCT
from hocket.parquet.metadata.footer import FileMetadata
from hocket.parquet.metadata.paths import varint
from hocket.parquet.metadata.scanning import checked, read_struct, scratch

__all__ = [
    "file_of_footer",
    "footer_of_parts",
    "row_group_parts",
    "trailer_of_footer",
    "with_key_values",
]

#: Fields of FileMetaData.
_VERSION: Final = 1
_SCHEMA: Final = 2
_NUM_ROWS: Final = 3
_ROW_GROUPS: Final = 4
_KEY_VALUES: Final = 5
_CREATED_BY: Final = 6
_COLUMN_ORDERS: Final = 7
_FIELD_COUNT: Final = 10
_MAGIC: Final = b"PAR1"
#: Readers take the size for a number of 32 bits with a sign.
_FOOTER_NBYTES_MAX: Final = (1 << 31) - 1


def row_group_parts(metadata: FileMetadata, row_groups: Iterable[int], path: str) -> list[bytes]:
    """Return row groups as they stand in a footer, their chunks told to be in a certain file.

    Parameters
    ----------
    metadata
        The footer that describes them.
    row_groups
        Their indices in it.
    path
        The file, from the directory of the footer to be; empty: that file itself.
    """
    told = path.encode("utf-8", "surrogateescape")
    first = bytes([1 << 4 | BINARY]) + varint(len(told)) + told if path else b""
    return [_row_group(metadata, index, first) for index in row_groups]


def _row_group(metadata: FileMetadata, index: int, first: bytes) -> bytes:
    data = metadata.data
    start = int(metadata.row_group_at[index])
    end = _end_of(data, start, STRUCT)
    raw = data[start:end].tobytes()
    table = metadata.chunks.table
    # They may have been put in another order than the file's.
    places = sorted(table[layout.AT_CHUNK, index].tolist())
    if not places:
        return raw
    places.append(_end_of(data, places[-1], STRUCT))
    pieces = [raw[: places[0] - start]]
    for at, after in pairwise(places):
        pieces += _with_path(raw[at - start : after - start], first)
    pieces.append(raw[places[-1] - start :])
    return b"".join(pieces)


def _with_path(chunk: bytes, first: bytes) -> tuple[bytes, bytes]:
    """Return a ColumnChunk whose first field, the path, is another or none."""
    field, kind = chunk[0] >> 4, chunk[0] & 15
    if field == 1 and kind == BINARY:
        nbytes, at = _read_varint(chunk, 1)
        chunk = chunk[at + nbytes :]
        before = 1
    else:
        before = 0
    field, kind = chunk[0] >> 4, chunk[0] & 15
    if not field:
        raise CorruptFile("the fields of a column chunk are not in order")
    # Fields tell by how much their number is larger than that of the field before.
    step = before + field - (1 if first else 0)
    return first, bytes([step << 4 | kind]) + chunk[1:]


def footer_of_parts(
    base: FileMetadata,
    row_groups: Sequence[bytes],
    row_count: int,
    *,
    key_value: Mapping[str, str | bytes] | None = None,
) -> bytes:
    """Return a footer that has all from another one, and other row groups.

    Parameters
    ----------
    base
        The other one.
    row_groups
        As they shall stand in it.
    row_count
        How many rows they have.
    key_value
        What is told beside the schema; as in `base` unless given.
    """
    rows = _StructWriter()
    rows.list_of_structs(row_groups)
    return _footer(base, row_count, b"".join(rows.pieces), key_value)


def with_key_values(base: FileMetadata, key_value: Mapping[str, str | bytes]) -> bytes:
    """Return a footer with other key-value metadata.

    Parameters
    ----------
    base
        The footer.
    key_value
        What is told beside the schema.
    """
    fields, _ = read_struct(base.data, 0, _FIELD_COUNT, "FileMetaData")
    at = fields.list_at(_ROW_GROUPS)
    if at is None:
        raise fields.missing(_ROW_GROUPS)
    row_groups = base.data[at : _end_of(base.data, at, LIST)].tobytes()
    return _footer(base, base.num_rows, row_groups, key_value)


def _footer(
    base: FileMetadata,
    row_count: int,
    row_groups: bytes,
    key_value: Mapping[str, str | bytes] | None,
) -> bytes:
    data = base.data
    fields, _ = read_struct(data, 0, _FIELD_COUNT, "FileMetaData")
    writer = _StructWriter()
    writer.integer(_VERSION, I32, base.version)
    writer.copied(_SCHEMA, data, fields.list_at(_SCHEMA))
    writer.integer(_NUM_ROWS, I64, row_count)
    writer.header(_ROW_GROUPS, LIST)
    writer.pieces.append(row_groups)
    if key_value is None:
        writer.copied(_KEY_VALUES, data, fields.list_at(_KEY_VALUES))
    elif key_value:
        writer.header(_KEY_VALUES, LIST)
        writer.list_of_structs([_key_value(key, value) for key, value in key_value.items()])
    created_by = fields.binary(_CREATED_BY)
    if created_by is not None:
        writer.header(_CREATED_BY, BINARY)
        writer.pieces += [varint(len(created_by)), created_by]
    writer.copied(_COLUMN_ORDERS, data, fields.list_at(_COLUMN_ORDERS))
    return b"".join([*writer.pieces, b"\0"])


def file_of_footer(footer: bytes) -> bytes:
    """Return the bytes of a file that has a footer and nothing else."""
    return _MAGIC + trailer_of_footer(footer)


def trailer_of_footer(footer: bytes) -> bytes:
    """Return a footer with what follows it at the end of a file."""
    if len(footer) > _FOOTER_NBYTES_MAX:
        raise CorruptFile(f"the footer would have {len(footer):,} bytes, more than can be told")
    return footer + len(footer).to_bytes(4, "little") + _MAGIC


class _StructWriter:
    """Writes the fields of a struct in the order of their numbers."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._last = 0

    def header(self, field: int, kind: int) -> None:
        self.pieces.append(bytes([(field - self._last) << 4 | kind]))
        self._last = field

    def integer(self, field: int, kind: int, value: int) -> None:
        self.header(field, kind)
        self.pieces.append(varint(value << 1 if value >= 0 else (-value << 1) - 1))

    def copied(self, field: int, data: np.ndarray[Any, Any], at: int | None) -> None:
        if at is not None:
            self.header(field, LIST)
            self.pieces.append(data[at : _end_of(data, at, LIST)].tobytes())

    def list_of_structs(self, elements: Sequence[bytes]) -> None:
        count = len(elements)
        head = bytes([count << 4 | STRUCT]) if count < 15 else bytes([0xF0 | STRUCT])
        self.pieces.append(head if count < 15 else head + varint(count))
        self.pieces += elements


def _key_value(key: str, value: str | bytes) -> bytes:
    pieces = []
    for each in (key, value):
        raw = each if isinstance(each, bytes) else each.encode("utf-8", "surrogateescape")
        pieces += [bytes([1 << 4 | BINARY]), varint(len(raw)), raw]
    return b"".join([*pieces, b"\0"])


def _end_of(data: np.ndarray[Any, Any], at: int, kind: int) -> int:
    stack = scratch()
    end = KERNEL.skip_any(address(data), len(data), at, kind, address(stack))
    return checked(end, "a part of the footer")


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7

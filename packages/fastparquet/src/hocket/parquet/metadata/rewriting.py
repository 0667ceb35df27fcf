"""Footers made of parts of others, as bytes: nothing is taken apart that stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from hocket.parquet.errors import CorruptFile
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import footer as layout
from hocket.parquet.kernels.source.thrift import BINARY, LIST, STRUCT
from hocket.parquet.metadata.compact import StructWriter, structs, varint
from hocket.parquet.metadata.footer import FileMetadata, parse_footer
from hocket.parquet.metadata.scanning import Fields, checked, padded, read_struct, scratch

__all__ = [
    "file_of_footer",
    "footer_of_parts",
    "joined_footer",
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
    return _footer(base, row_count, structs(row_groups), key_value)


def joined_footer(
    first: FileMetadata, second: bytes, key_value: Mapping[str, str | bytes]
) -> bytes:
    """Return a footer with the row groups of two, which have to be of one schema.

    Parameters
    ----------
    first
        The one that tells all else.
    second
        The bytes of the other.
    key_value
        What is told beside the schema, in addition to what the first one tells.
    """
    other = parse_footer(padded(second))
    parts = [
        *row_group_parts(first, range(first.row_group_count), ""),
        *row_group_parts(other, range(other.row_group_count), ""),
    ]
    rows = int(first.row_group_rows.sum() + other.row_group_rows.sum())
    pairs = {**first.key_value, **key_value} if key_value else None
    return footer_of_parts(first, parts, rows, key_value=pairs)


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
    row_groups = _list_of(fields, _ROW_GROUPS)
    if row_groups is None:
        raise fields.missing(_ROW_GROUPS)
    return _footer(base, base.num_rows, row_groups, key_value)


def _footer(
    base: FileMetadata,
    row_count: int,
    row_groups: bytes,
    key_value: Mapping[str, str | bytes] | None,
) -> bytes:
    fields, _ = read_struct(base.data, 0, _FIELD_COUNT, "FileMetaData")
    writer = StructWriter().i32(_VERSION, base.version)
    writer.listed(_SCHEMA, _list_of(fields, _SCHEMA)).i64(_NUM_ROWS, row_count)
    writer.listed(_ROW_GROUPS, row_groups)
    if key_value is None:
        writer.listed(_KEY_VALUES, _list_of(fields, _KEY_VALUES))
    elif key_value:
        writer.listed(_KEY_VALUES, structs([_key_value(*pair) for pair in key_value.items()]))
    writer.binary(_CREATED_BY, fields.binary(_CREATED_BY))
    return writer.listed(_COLUMN_ORDERS, _list_of(fields, _COLUMN_ORDERS)).finish()


def _list_of(fields: Fields, number: int) -> bytes | None:
    at = fields.list_at(number)
    return None if at is None else fields.data[at : _end_of(fields.data, at, LIST)].tobytes()


def _key_value(key: str, value: str | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
    return StructWriter().binary(1, key.encode("utf-8", "surrogateescape")).binary(2, raw).finish()


def file_of_footer(footer: bytes) -> bytes:
    """Return the bytes of a file that has a footer and nothing else."""
    return _MAGIC + trailer_of_footer(footer)


def trailer_of_footer(footer: bytes) -> bytes:
    """Return a footer with what follows it at the end of a file."""
    if len(footer) > _FOOTER_NBYTES_MAX:
        raise CorruptFile(f"the footer would have {len(footer):,} bytes, more than can be told")
    return footer + len(footer).to_bytes(4, "little") + _MAGIC


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

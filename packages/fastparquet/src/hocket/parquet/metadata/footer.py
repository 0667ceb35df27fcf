"""The footer: what a file says of all its row groups and columns."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from hashlib import blake2b
from typing import Any, Final, TypeVar

import numpy as np

from hocket.parquet.errors import CorruptFile, LimitExceeded, ParquetError
from hocket.parquet.kernels.faults import error_of
from hocket.parquet.kernels.library import KERNEL, address, expect
from hocket.parquet.kernels.source import footer as layout
from hocket.parquet.kernels.source.schema import SCHEMA_ATTRIBUTES
from hocket.parquet.kernels.source.thrift import LIST, SCAN_ITEM
from hocket.parquet.metadata.chunks import ChunkTable
from hocket.parquet.metadata.naming import naming_file
from hocket.parquet.metadata.paths import paths_of, put_in_order
from hocket.parquet.metadata.scanning import (
    Fields,
    checked,
    padded,
    scratch,
)
from hocket.parquet.metadata.schema import Schema, SchemaNode, build_schema
from hocket.parquet.metadata.sorting import SortingColumn, parse_sorting_columns
from hocket.parquet.metadata.statistics import (
    ColumnStatistics,
    GeospatialStatistics,
    SizeStatistics,
    parse_geospatial_statistics,
    parse_size_statistics,
    parse_statistics,
)

__all__ = ["FileMetadata", "parse_footer"]

_T = TypeVar("_T")

#: Fields of FileMetaData have smaller numbers.
_FIELD_COUNT: Final = 10
#: What valid structures take at the least: of chunks, those with all required fields, and those
#: that are encrypted; of row groups, those without columns.
_CHUNK_NBYTES_MIN: Final = 16
_GROUP_NBYTES_MIN: Final = 4
#: More elements than any schema has: they are objects, and take 50 times their bytes.
_ELEMENTS_MAX: Final = 1_000_000

_SCHEMA: Final = 2
_ROW_GROUPS: Final = 4

#: The writer in Java, as it calls itself, and its first version whose chunks' sizes are right.
_OF_PARQUET_MR: Final = r"parquet-mr(?: version (\d{1,9})(?:\.(\d{1,9})(?:\.(\d{1,9}))?)?.*)?"
_COUNTS_DICTIONARY_HEADERS: Final = (1, 2, 9)


class FileMetadata:
    """What a file's footer says.

    Made by `parse_footer`. Strings and objects are made when they are asked for.

    Parameters
    ----------
    data
        The bytes of the footer, padded, and after them what was decrypted later.
    nbytes
        Size of the footer in them.
    fields
        The fields of the struct FileMetaData.
    serialised_nbytes
        Where that struct ends: a signature may follow.
    schema
        The tree of fields.
    groups
        The table of row groups.
    chunks
        The table of column chunks.
    """

    def __init__(
        self,
        data: np.ndarray[Any, Any],
        nbytes: int,
        fields: Fields,
        serialised_nbytes: int,
        schema: Schema,
        groups: np.ndarray[Any, Any],
        chunks: ChunkTable,
    ) -> None:
        self.data = data
        self.nbytes = nbytes
        self.serialised_nbytes = serialised_nbytes
        self.schema = schema
        self.chunks = chunks
        self.row_group_rows: np.ndarray[Any, Any] = groups[:, layout.GROUP_ROWS]
        self.row_group_bytes: np.ndarray[Any, Any] = groups[:, layout.GROUP_NBYTES]
        #: What errors call the file, once that is known.
        self.file: str | None = None
        self._fields = fields
        self._groups = groups
        self._decrypted: dict[tuple[int, int], bytes] = {}
        self._buffer: np.ndarray[Any, Any] | None = None
        self._lock = threading.Lock()

    @property
    def version(self) -> int:
        """Version of the format, as the writer understood it: 1 or 2 without much meaning."""
        return self._fields.required(1)

    @property
    def num_rows(self) -> int:
        """How many rows the file says it has: some say 0, and `row_group_rows` tell more."""
        return self._fields.required(3)

    @property
    def row_group_count(self) -> int:
        """How many row groups there are."""
        return len(self._groups)

    @property
    def column_count(self) -> int:
        """How many columns there are: leaves of the schema."""
        return len(self.schema.leaves)

    @cached_property
    def digest(self) -> bytes:
        """What tells this footer from others: 16 bytes."""
        return blake2b(self.data[: self.nbytes].data, digest_size=16).digest()

    @property
    def row_group_at(self) -> np.ndarray[Any, Any]:
        """Where each row group begins in the bytes of the footer."""
        at: np.ndarray[Any, Any] = self._groups[:, layout.AT_GROUP]
        return at

    @cached_property
    def row_group_ordinal(self) -> np.ndarray[Any, Any]:
        """Number of each row group in its file."""
        told = self._groups[:, layout.GROUP_ORDINAL]
        return np.where(told >= 0, told, np.arange(len(told)))

    @cached_property
    @naming_file
    def created_by(self) -> str | None:
        """The program that wrote the file, in its own words."""
        raw = self._fields.binary(6)
        return None if raw is None else raw.decode("utf-8", "backslashreplace")

    @cached_property
    def understates_chunks(self) -> bool:
        """Whether chunks may be up to 100 bytes longer than the footer says.

        parquet-mr before 1.2.9 did not count the header of the dictionary page; the oldest ones do
        not tell their version.
        """
        told = re.fullmatch(_OF_PARQUET_MR, self.created_by or "")
        if told is None:
            return False
        return tuple(int(number or 0) for number in told.groups()) < _COUNTS_DICTIONARY_HEADERS

    @cached_property
    @naming_file
    def key_value(self) -> dict[str, str | bytes]:
        """What writers added: strings by name; bytes where they are not UTF-8."""
        at = self._fields.list_at(5)
        return {} if at is None else self._key_values(at)

    @cached_property
    @naming_file
    def column_orders(self) -> np.ndarray[Any, Any]:
        """How minima and maxima of each column are to be understood.

        0: the file does not say; 1: by the order of the column's type; 2: by IEEE 754's total order
        of floats; 3: by time, for INT96; others are not known.
        """
        members = np.zeros(self.column_count, dtype=np.int64)
        at = self._fields.list_at(7)
        if at is None:
            return members
        stack = scratch()
        what = "column_orders"
        count = checked(KERNEL.scan_list(*self._bytes(at), 0, -1, address(stack)), what)
        if count == len(members):
            answer = KERNEL.scan_unions(*self._bytes(at), address(members), count, address(stack))
            checked(answer, what)
        return members

    @property
    @naming_file
    def encryption_algorithm_at(self) -> int | None:
        """Where the footer tells how columns are encrypted, None if it does not."""
        return self._fields.struct_at(8)

    @property
    @naming_file
    def footer_signing_key_metadata(self) -> bytes | None:
        """What the writer says of the key that the footer is signed with."""
        return self._fields.binary(9)

    def file_path(self, row_group: int, column: int = 0) -> str | None:
        """Return the file that a column chunk is in, relative to this; None if it is this file."""
        raw = self._binary_at(self.chunks.file_path_at, row_group, column)
        return None if raw is None else raw.decode("utf-8", "surrogateescape")

    def encrypted_metadata(self, row_group: int, column: int) -> bytes | None:
        """Return a chunk's encrypted ColumnMetaData as it is in the footer, None without one."""
        return self._binary_at(self.chunks.encrypted_metadata_at, row_group, column)

    @naming_file
    def chunk_key_value(self, row_group: int, column: int) -> dict[str, str | bytes]:
        """Return what the writer added to one column chunk: strings by name."""
        at = int(self.chunks.key_value_at[row_group, column])
        return {} if at < 0 else self._key_values(at)

    @naming_file
    def sorting_columns(self, row_group: int) -> tuple[SortingColumn, ...]:
        """Return by which columns a row group is sorted, the first one first."""
        at = int(self._groups[row_group, layout.AT_SORTING])
        if at < 0:
            return ()
        return parse_sorting_columns(self.data, at)

    @naming_file
    def add_decrypted(self, pieces: Mapping[tuple[int, int], bytes]) -> None:
        """Take in the metadata of column chunks that the footer holds only encrypted.

        Parameters
        ----------
        pieces
            By row group and column: the bytes of the struct ColumnMetaData.
        """
        with self._lock:
            table = self.chunks.table
            stack = scratch()
            paths, ends = paths_of(self.schema, limit=self.nbytes)
            for (row_group, column), piece in pieces.items():
                at, data = self._appended(piece)
                begin = int(ends[column - 1]) if column else 0
                answer = KERNEL.scan_column_metadata(
                    address(data),
                    len(data),
                    at,
                    address(table) + row_group * table.strides[1] + column * table.strides[2],
                    table.strides[0],
                    address(paths) + begin,
                    int(ends[column]) - begin,
                    address(stack),
                )
                if answer < 0:
                    name = self.schema.leaves[column].dotted
                    raise error_of(answer).located(row_group=row_group, column=name)
                self._decrypted[row_group, column] = piece
            self.chunks = ChunkTable(table)

    def _appended(self, piece: bytes) -> tuple[int, np.ndarray[Any, Any]]:
        """Put bytes after those of the footer; return where they are, and all of them."""
        at = len(self.data)
        wanted = at + len(piece)
        if self._buffer is None or len(self._buffer) < wanted:
            # Twice as much as is needed: many pieces may come, one by one.
            self._buffer = padded(bytes(2 * wanted))
            self._buffer[:at] = self.data
        self._buffer[at:wanted] = np.frombuffer(piece, dtype=np.uint8)
        self.data = self._buffer[:wanted]
        return at, self.data

    @naming_file
    def statistics(self, row_group: int, column: int) -> ColumnStatistics | None:
        """Return what is known of the values of a column chunk; None if the file does not tell."""
        at = int(self.chunks.statistics_at[row_group, column])
        if at < 0:
            return None
        leaf = self.schema.leaves[column]
        order = int(self.column_orders[column])
        num_values = int(self.chunks.num_values[row_group, column])
        return self._located(
            row_group, leaf, parse_statistics, self.data, at, leaf, order, num_values
        )

    @naming_file
    def size_statistics(self, row_group: int, column: int) -> SizeStatistics | None:
        """Return how large values of a column chunk are; None if the file does not tell."""
        at = int(self.chunks.size_statistics_at[row_group, column])
        leaf = self.schema.leaves[column]
        if at < 0:
            return None
        return self._located(row_group, leaf, parse_size_statistics, self.data, at, leaf)

    @naming_file
    def geospatial_statistics(self, row_group: int, column: int) -> GeospatialStatistics | None:
        """Return where geometries of a column chunk are; None if the file does not tell."""
        at = int(self.chunks.geospatial_statistics_at[row_group, column])
        leaf = self.schema.leaves[column]
        if at < 0:
            return None
        return self._located(row_group, leaf, parse_geospatial_statistics, self.data, at)

    @naming_file
    def to_thrift(self) -> Any:
        """Return the footer as an object of the generated class FileMetaData."""
        # The thrift package takes long to import.
        from hocket.parquet.metadata.objects import object_of_bytes  # noqa: PLC0415

        return object_of_bytes("FileMetaData", self.data[: self.serialised_nbytes].tobytes())

    @classmethod
    def from_thrift(cls, thing: Any) -> FileMetadata:
        """Return the metadata that an object of the generated class FileMetaData holds."""
        from hocket.parquet.metadata.objects import bytes_of_object  # noqa: PLC0415

        return parse_footer(padded(bytes_of_object(thing)))

    def _located(
        self, row_group: int, leaf: SchemaNode, parse: Callable[..., _T], *arguments: Any
    ) -> _T:
        try:
            return parse(*arguments)
        except ParquetError as error:
            raise error.located(row_group=row_group, column=leaf.dotted) from None

    def _key_values(self, at: int) -> dict[str, str | bytes]:
        stack = scratch()
        what = "key_value_metadata"
        count = checked(KERNEL.scan_list(*self._bytes(at), 0, -1, address(stack)), what)
        table = np.empty((count, 4), dtype=np.int64)
        answer = KERNEL.scan_key_values(*self._bytes(at), address(table), count, address(stack))
        checked(answer, what)
        found: dict[str, str | bytes] = {}
        raw = self.data.data
        for key_at, key_nbytes, value_at, value_nbytes in table.tolist():
            key = str(raw[key_at : key_at + key_nbytes], "utf-8", "backslashreplace")
            value = bytes(raw[value_at : value_at + value_nbytes]) if value_at >= 0 else b""
            try:
                found[key] = value.decode()
            except UnicodeDecodeError:
                found[key] = value
        return found

    def _bytes(self, at: int) -> tuple[int, int, int]:
        return address(self.data), len(self.data), at

    def _binary_at(
        self, positions: np.ndarray[Any, Any], row_group: int, column: int
    ) -> bytes | None:
        if not positions.shape[1]:
            return None
        at = int(positions[row_group, column])
        if at < 0:
            return None
        # The scan has checked that this varint and these bytes are there.
        nbytes = shift = 0
        while True:
            byte = int(self.data[at])
            at += 1
            nbytes |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return self.data[at : at + nbytes].tobytes()

    def __repr__(self) -> str:
        return (
            f"<FileMetadata: {self.num_rows} rows in {self.row_group_count} row groups of "
            f"{self.column_count} columns>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.data[: self.nbytes].tobytes(), self._decrypted, self.file)


def _rebuild(
    footer: bytes, decrypted: dict[tuple[int, int], bytes], file: str | None
) -> FileMetadata:
    metadata = parse_footer(padded(footer), len(footer))
    metadata.file = file
    if decrypted:
        metadata.add_decrypted(decrypted)
    return metadata


def parse_footer(data: np.ndarray[Any, Any], length: int | None = None) -> FileMetadata:
    """Return what the bytes of a footer say.

    Parameters
    ----------
    data
        The struct FileMetaData in Thrift's compact protocol; 64 more bytes must be readable.
    length
        How many of the bytes are the footer; all unless told.
    """
    data = data if length is None else data[:length]
    base, nbytes = address(data), len(data)
    expect(nbytes)
    items = np.zeros((_FIELD_COUNT, SCAN_ITEM), dtype=np.int64)
    stack = scratch()
    position = field = 0
    schema_at = groups_at = -1
    schema: Schema | None = None
    tables: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None = None
    while True:
        position = checked(
            KERNEL.scan_footer(
                base, nbytes, position, field, address(items), _FIELD_COUNT, address(stack)
            ),
            "the footer",
        )
        field = int(items[0, 1])
        if field == _SCHEMA:
            if schema is not None:
                raise CorruptFile("the footer has two schemas")
            schema, position = _read_schema(data, position, stack)
            schema_at = position
        elif field == _ROW_GROUPS:
            if groups_at >= 0:
                raise CorruptFile("the footer has two lists of row groups")
            groups_at = position
            if schema is None:
                # Fields may come in any order, though no writer is known that makes use of it.
                answer = KERNEL.skip_any(base, nbytes, position, LIST, address(stack))
                position = checked(answer, "the row groups")
            else:
                tables, position = _read_row_groups(data, groups_at, schema, stack)
        else:
            break
    fields = Fields(data, items.tolist(), "FileMetaData")
    if schema is None or schema_at < 0:
        raise fields.missing(_SCHEMA)
    if groups_at < 0:
        raise fields.missing(_ROW_GROUPS)
    if tables is None:
        tables, _ = _read_row_groups(data, groups_at, schema, stack)
    groups, chunks = tables
    put_in_order(data, schema, groups, chunks)
    metadata = FileMetadata(data, nbytes, fields, position, schema, groups, ChunkTable(chunks))
    if metadata.num_rows < 0:
        raise CorruptFile(f"the footer says that there are {metadata.num_rows} rows")
    _ = metadata.version
    return metadata


def _read_schema(
    data: np.ndarray[Any, Any], at: int, stack: np.ndarray[Any, Any]
) -> tuple[Schema, int]:
    base, nbytes = address(data), len(data)
    what = "the schema"
    count = checked(KERNEL.scan_list(base, nbytes, at, 0, -1, address(stack)), what)
    if count > _ELEMENTS_MAX:
        raise LimitExceeded(f"the schema has {count} elements, more than {_ELEMENTS_MAX}")
    table = np.empty((count, SCHEMA_ATTRIBUTES), dtype=np.int64)
    answer = KERNEL.scan_schema(base, nbytes, at, address(table), count, address(stack))
    end = checked(answer, what)
    return build_schema(table, data), end


def _read_row_groups(
    data: np.ndarray[Any, Any], at: int, schema: Schema, stack: np.ndarray[Any, Any]
) -> tuple[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]], int]:
    base, nbytes = address(data), len(data)
    what = "the row groups"
    count = checked(KERNEL.scan_list(base, nbytes, at, 0, -1, address(stack)), what)
    columns = len(schema.leaves)
    # So that small footers cannot ask for large tables.
    if count * max(columns * _CHUNK_NBYTES_MIN, _GROUP_NBYTES_MIN) > nbytes - at:
        raise CorruptFile(
            f"the footer says that there are {count} row groups, and the schema has {columns} "
            f"columns: more than {nbytes - at} bytes can tell of"
        )
    groups = np.empty((count, layout.GROUP_ATTRIBUTES), dtype=np.int64)
    chunks = np.empty((layout.CHUNK_ATTRIBUTES, count, columns), dtype=np.int64)
    paths, ends = paths_of(schema, limit=nbytes)
    end = checked(
        KERNEL.scan_row_groups(
            base,
            nbytes,
            at,
            address(groups),
            count,
            address(chunks),
            columns,
            address(paths),
            address(ends),
            address(stack),
        ),
        what,
    )
    return (groups, chunks), end

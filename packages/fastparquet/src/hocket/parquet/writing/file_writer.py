"""One file: row groups are encoded on threads and written as they come, the footer at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hocket.parquet.arrays.sizes import nbytes_of
from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.arrays.write_field import WriteField
from hocket.parquet.crypto.sealing import FileSealer
from hocket.parquet.encode.choice import LearnedChoice
from hocket.parquet.errors import InvalidOption, ParquetError, SchemaMismatch
from hocket.parquet.io.buffers import padded_copy
from hocket.parquet.io.sink import Sink
from hocket.parquet.kernels.library import expect
from hocket.parquet.metadata.footer import FileMetadata, parse_footer
from hocket.parquet.metadata.rewriting import joined_footer
from hocket.parquet.metadata.schema import Schema
from hocket.parquet.options import thread_count
from hocket.parquet.writing.column_options import chunk_options, sorting_columns
from hocket.parquet.writing.footer import GroupRecord, file_metadata
from hocket.parquet.writing.group_writer import FilePlan, GroupWriter
from hocket.parquet.writing.options import WriteOptions
from hocket.parquet.writing.row_groups import RowGroupCutter, Rows
from hocket.parquet.writing.schema import schema_elements, schema_of

__all__ = ["FileWriter"]

_MAGIC: Final = b"PAR1"
_ENCRYPTED: Final = b"PARE"


class FileWriter:
    """A file in the making. It appears when `finish` returns, and never in part.

    Parameters
    ----------
    sink
        Where its bytes go.
    fields
        Its columns.
    options
        How it is written.
    key_value
        Key-value metadata, as it is in the end; that of the options goes before it.
    """

    def __init__(
        self,
        sink: Sink,
        fields: Sequence[WriteField],
        options: WriteOptions | None = None,
        key_value: Mapping[str, str | bytes] | None = None,
    ) -> None:
        self._sink = sink
        self.options = WriteOptions() if options is None else options
        self._key_value = key_value or {}
        self._elements = schema_elements(fields)
        schema = schema_of(self._elements)
        keys = self.options.encryption
        sealer = None if keys is None else FileSealer(keys, schema)
        self._magic = _ENCRYPTED if sealer is not None and sealer.encrypts_footer else _MAGIC
        self._plan = FilePlan(
            tuple(fields),
            schema,
            chunk_options(self.options, schema),
            [LearnedChoice() for _ in schema.leaves],
            thread_count(self.options.threads),
            sealer,
            self.options.page_index is True,
        )
        self._sorting = sorting_columns(self.options.sorting_columns, schema)
        self._cutter = RowGroupCutter(self.options)
        self._groups: list[GroupRecord] = []
        if not sink.position:
            self._write([self._magic])

    @property
    def fields(self) -> tuple[WriteField, ...]:
        """The columns."""
        return self._plan.fields

    @property
    def schema(self) -> Schema:
        """What readers will see."""
        return self._plan.schema

    def write_batch(self, arrays: Sequence[ValueArray], row_count: int) -> None:
        """Take rows, and write the row groups that become full.

        Parameters
        ----------
        arrays
            One for each field.
        row_count
            How many rows they have.
        """
        if len(arrays) != len(self.fields):
            raise SchemaMismatch(
                f"{len(arrays)} columns are to be written to a file of {len(self.fields)}"
            )
        for array, field in zip(arrays, self.fields, strict=True):
            if array.length != row_count:
                raise InvalidOption(
                    f"the column has {array.length:,} values, and there are {row_count:,} rows",
                    column=field.name,
                )
        for group in self._cutter.add(arrays, row_count):
            self._write_rows(group)

    def write_row_group(self, arrays: Sequence[ValueArray], row_count: int) -> None:
        """Write rows as one row group, after those that were collected before.

        Parameters
        ----------
        arrays
            One for each field.
        row_count
            How many rows they have.
        """
        self.end_row_group()
        self._write_rows([Rows(arrays, row_count, sum(map(nbytes_of, arrays)))])

    def end_row_group(self) -> None:
        """Write the rows that were collected as a row group of their own, if there are any."""
        rest = self._cutter.rest()
        if rest:
            self._write_rows(rest)

    def keep(self) -> None:
        """Copy rows that are collected: whoever gave them may change them from now on."""
        self._cutter.keep()

    def finish(self, earlier: FileMetadata | None = None) -> FileMetadata:
        """Write what is left, and let the file appear; return what its footer says.

        Parameters
        ----------
        earlier
            What the footer tells of row groups that are in the file already, and of its schema.
        """
        self.end_row_group()
        self._write_indexes()
        # What comes with the data may be known only now.
        pairs = {**self._key_value, **self.options.custom_metadata}
        footer, end = self._footer(pairs, earlier)
        self._write([end, len(end).to_bytes(4, "little"), self._magic])
        self._sink.commit()
        metadata = parse_footer(padded_copy(footer))
        metadata.file = self._sink.name
        return metadata

    def _footer(
        self, pairs: Mapping[str, str | bytes], earlier: FileMetadata | None
    ) -> tuple[bytes, bytes]:
        """Return the footer, and what stands at the end of the file."""
        sealer = self._plan.sealer
        is_signed = sealer is not None and not sealer.encrypts_footer
        footer = file_metadata(
            self._elements,
            self._groups,
            pairs,
            column_count=len(self.schema.leaves),
            first_ordinal=0 if earlier is None else earlier.row_group_count,
            algorithm=sealer.algorithm() if sealer is not None and is_signed else None,
            signing_key_metadata=sealer.footer_key_metadata if sealer and is_signed else None,
        )
        if earlier is not None:
            footer = joined_footer(earlier, footer, self.options.custom_metadata)
        if sealer is None:
            return footer, footer
        return footer, sealer.signed_footer(footer) if is_signed else sealer.sealed_footer(footer)

    def abort(self) -> None:
        """Let nothing appear: what was there before stays."""
        self._sink.discard()

    def _write(self, parts: Sequence[bytes | memoryview]) -> None:
        self._sink.write(parts)

    def _write_rows(self, group: list[Rows]) -> None:
        number = len(self._groups)
        record = GroupRecord(
            self._sink.position, sum(rows.count for rows in group), sorting=self._sorting
        )
        expect(sum(rows.nbytes for rows in group))
        try:
            GroupWriter(self._plan, self._sink, record, group, number).run()
        except ParquetError as error:
            raise error.located(row_group=number, file=self._sink.name) from error.__cause__
        self._groups.append(record)

    def _write_indexes(self) -> None:
        """Write what is known of pages: all column indexes, then all offset indexes."""
        chunks = [chunk for group in self._groups for chunk in group.chunks]
        parts: list[bytes] = []
        at = self._sink.position
        for chunk in chunks:
            raw, chunk.column_index = chunk.column_index, None
            if raw is not None:
                chunk.column_index_place = at, len(raw)
                parts.append(raw)
                at += len(raw)
        for chunk in chunks:
            raw, chunk.offset_index = chunk.offset_index, None
            if raw is not None:
                chunk.offset_index_place = at, len(raw)
                parts.append(raw)
                at += len(raw)
        self._write(parts)

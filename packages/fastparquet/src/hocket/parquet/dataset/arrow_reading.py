"""From row groups to Arrow data: one batch for each row group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from hocket.parquet.assemble.arrow_arrays import ArrowArray, arrow_array
from hocket.parquet.assemble.arrow_table import ArrowReader, ArrowTable, struct_array
from hocket.parquet.assemble.arrow_types import (
    ArrowField,
    ArrowOptions,
    ArrowSchema,
    arrow_schema,
)
from hocket.parquet.dataset.arrow_partitions import partition_array, partition_field
from hocket.parquet.dataset.collection import Collection
from hocket.parquet.dataset.columns import select_columns
from hocket.parquet.dataset.confirming import confirm_rows
from hocket.parquet.dataset.partitions import Partition
from hocket.parquet.dataset.plan import Part
from hocket.parquet.dataset.reading import Reading, read_parts
from hocket.parquet.dataset.receiving import Collected
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.target import UNITS, time_units
from hocket.parquet.errors import ValueOutOfRange
from hocket.parquet.nesting.assembly import assemble_field, needs_levels
from hocket.parquet.nesting.fields import Field
from hocket.parquet.records import replace

__all__ = ["arrow_reader", "read_arrow"]

_MOST_INT32: Final = (1 << 31) - 1


def read_arrow(
    collection: Collection,
    parts: Sequence[Part],
    columns: Sequence[Any] | str | None,
    options: ArrowOptions,
    reading: Reading,
    *,
    may_coarsen: bool = False,
) -> ArrowTable:
    """Read row groups into an Arrow table.

    Parameters
    ----------
    collection
        The files.
    parts
        The row groups, and which of their rows.
    columns
        Which columns; all unless told.
    options
        What the data look like.
    reading
        How to read.
    may_coarsen
        Whether timestamps of 12 bytes that do not fit their unit are read again in a coarser one.
    """
    options = _wide_enough(collection, parts, options)
    units = UNITS[UNITS.index(options.int96_unit) :] if may_coarsen else (options.int96_unit,)
    for unit in units[:-1]:
        batches = _Batches(collection, columns, replace(options, int96_unit=unit))
        try:
            return ArrowTable(batches.schema, batches.read(parts, reading.again()))
        except ValueOutOfRange:
            if not any(time_units(leaf) for leaf in collection.schema.leaves):
                raise
    batches = _Batches(collection, columns, replace(options, int96_unit=units[-1]))
    return ArrowTable(batches.schema, batches.read(parts, reading.again()))


def arrow_reader(
    collection: Collection,
    parts: Sequence[Part],
    columns: Sequence[Any] | str | None,
    options: ArrowOptions,
    reading: Reading,
) -> ArrowReader:
    """Return batches that are read when they are asked for; see `read_arrow`."""
    batches = _Batches(collection, columns, _wide_enough(collection, parts, options))

    def each() -> Iterator[ArrowArray]:
        for number, part in enumerate(parts):
            kept = {
                (0, leaf): column
                for (owner, leaf), column in reading.kept.items()
                if owner == number
            }
            yield from batches.read([part], replace(reading.again(), kept=kept))

    return ArrowReader(batches.schema, each())


def _wide_enough(
    collection: Collection, parts: Sequence[Part], options: ArrowOptions
) -> ArrowOptions:
    """Return options with 64-bit offsets for lists, if a row group has too many elements."""
    most = 0
    for number in {part.place.file for part in parts}:
        chunks = collection.files[number].metadata.chunks
        groups = [part.place.index for part in parts if part.place.file == number]
        most = max(most, int(chunks.num_values[groups].max(initial=0)))
    is_wide = options.wide_offsets or most > _MOST_INT32
    return replace(options, wide_offsets=is_wide)


class _Batches:
    """The columns of a read, and how their batches are made."""

    def __init__(
        self, collection: Collection, columns: Sequence[Any] | str | None, options: ArrowOptions
    ) -> None:
        self._collection = collection
        self._options = options
        fields, partitions = select_columns(collection, columns)
        key_value = collection.summary.key_value
        known = arrow_schema(
            fields, hints=collection.hints.arrow, key_value=key_value, options=options
        )
        self._fields = fields
        self._of_fields = known.fields
        members: list[Any] = list(known.fields)
        #: Where each column of the schema comes from.
        self._sources: list[Field | Partition] = list(fields)
        for partition, at in partitions:
            members.insert(at, partition_field(partition))
            self._sources.insert(at, partition)
        self.schema = ArrowSchema(tuple(members), known.metadata)

    def read(self, parts: Sequence[Part], reading: Reading) -> list[ArrowArray]:
        """Return a batch for each part."""
        rows = sum(part.count for part in parts)
        targets = [[target for _, target in member.targets()] for member in self._of_fields]
        nested = [needs_levels(field) for field in self._fields]
        reading.budget.reserve(
            rows,
            list(zip(targets, nested, strict=True)),
            partitions=len(self._sources) - len(self._fields),
        )
        confirm_rows(self._collection, parts, self._fields)
        columns = [
            Collected(
                field,
                of_leaves,
                len(parts),
                self._maker(field, member, parts),
                wants_levels=is_nested,
            )
            for field, member, of_leaves, is_nested in zip(
                self._fields, self._of_fields, targets, nested, strict=True
            )
        ]
        read_parts(self._collection, parts, [each.receiver for each in columns], reading)
        return [
            self._batch(columns, number, part) for number, part in enumerate(parts) if part.count
        ]

    def _maker(
        self, field: Field, member: ArrowField, parts: Sequence[Part]
    ) -> Callable[[int, tuple[ColumnData, ...]], ArrowArray]:
        """Return what makes an array of a column's decoded leaves."""

        def make(number: int, columns: tuple[ColumnData, ...]) -> ArrowArray:
            leaves = {each.leaf.column_index: each for each in columns}
            rows = parts[number].count
            data = assemble_field(field, leaves, rows, wide_offsets=self._options.wide_offsets)
            return arrow_array(member, data)

        return make

    def _batch(
        self, columns: Sequence[Collected[ArrowArray]], number: int, part: Part
    ) -> ArrowArray:
        of_fields = iter(columns)
        arrays = []
        for member, source in zip(self.schema.fields, self._sources, strict=True):
            if isinstance(source, Partition):
                code = source.codes[part.place.file]
                arrays.append(partition_array(member, source, code, part.count))
            else:
                arrays.append(next(of_fields).take(number))
        return struct_array(self.schema, tuple(arrays), part.count)

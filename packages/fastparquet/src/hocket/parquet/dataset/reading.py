"""Reading: tasks done by threads, each from the bytes of a file to the arrays of a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from threading import Semaphore
from typing import Any, Final

import numpy as np

from hocket.parquet.dataset.bulk import BulkColumns, BulkTask, run_bulk
from hocket.parquet.dataset.collection import Collection
from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.dataset.kept_columns import as_wanted
from hocket.parquet.dataset.memory import MemoryBudget
from hocket.parquet.dataset.nested_rows import take_nested_rows
from hocket.parquet.dataset.page_reading import Extent, Segments, extent_of, read_extents
from hocket.parquet.dataset.plan import Part, Task, Unit, make_unit, plan_tasks
from hocket.parquet.dataset.progress import ProgressCallback, ProgressMeter
from hocket.parquet.dataset.read_buffer import drop_read_buffer
from hocket.parquet.dataset.receiving import ANYWHERE, Place, Receiver
from hocket.parquet.decode.chunk import decode_chunk
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.place import ChunkPlace, DecodeOptions
from hocket.parquet.decode.selection import take_rows
from hocket.parquet.decode.small_chunks import decode_small_chunk
from hocket.parquet.decode.target import Target
from hocket.parquet.errors import ParquetError
from hocket.parquet.io.local import LocalFile
from hocket.parquet.kernels.library import expect
from hocket.parquet.options import ReadOptions, thread_count
from hocket.parquet.pool import run_tasks
from hocket.parquet.records import dataclass, field, replace

__all__ = ["Reading", "read_parts"]

#: Less than this (compressed) is read by the calling thread alone: starting others takes longer.
_ALONE_NBYTES: Final = 1 << 18
#: Bytes of a chunk of at least this size are given back while it is decoded.
_SPENT_NBYTES: Final = 1 << 24
#: How many threads may wait for a store's answers, beside those that decode.
_WAITING_THREADS: Final = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """How a read is done.

    Parameters
    ----------
    options
        Threads, checks.
    progress
        Told how far it is.
    kept
        What was decoded already: by the number of the part and the index of the leaf.
    turn
        Held while something is decoded, so that not more threads do so than may.
    """

    options: ReadOptions = field(default_factory=ReadOptions)
    progress: ProgressCallback | None = None
    kept: Mapping[tuple[int, int], ColumnData] = field(default_factory=dict)
    turn: AbstractContextManager[Any] = field(default_factory=nullcontext)
    #: The memory of the result; a new one unless told.
    budget: MemoryBudget = None  # type: ignore[assignment]

    #: How chunks are decoded.
    decoding: DecodeOptions = field(init=False)

    def __post_init__(self) -> None:
        decoding = DecodeOptions.of(self.options)
        object.__setattr__(self, "decoding", decoding)
        if self.budget is None:
            object.__setattr__(self, "budget", MemoryBudget(decoding.limit_nbytes))

    def again(self) -> Reading:
        """Return the same for another result, of which nothing is in memory yet."""
        return replace(self, budget=MemoryBudget(self.budget.limit_nbytes))


def read_parts(
    collection: Collection, parts: Sequence[Part], receivers: Sequence[Receiver], reading: Reading
) -> None:
    """Read columns of row groups into whatever receives them.

    Parameters
    ----------
    collection
        The files.
    parts
        The row groups, and which of their rows.
    receivers
        The columns.
    reading
        How.
    """
    threads = thread_count(reading.options.threads)
    bulk, served = _plan_bulk(collection, parts, receivers, reading)
    tasks = plan_tasks(collection, parts, receivers, threads, served)
    every: list[Task | BulkTask] = [*bulk, *tasks]
    # The largest ones first, so that threads end together.
    every.sort(key=lambda task: -task.nbytes)
    total = sum(task.nbytes for task in every)
    expect(total)
    if total < _ALONE_NBYTES:
        threads = 1
    if not all(collection.files[part.place.file].is_local for part in parts):
        # More threads may wait for answers than may decode.
        reading = replace(reading, turn=Semaphore(threads))
        threads += _WAITING_THREADS
    meter = ProgressMeter(reading.progress, total)
    doing: list[Callable[[], None]] = [
        partial(_do_bulk, task, parts, receivers, reading, meter)
        if isinstance(task, BulkTask)
        else partial(_do, task, parts, reading, meter)
        for task in every
    ]
    try:
        run_tasks(doing, threads)
    finally:
        # Other threads end, and theirs with them.
        drop_read_buffer()


def _plan_bulk(
    collection: Collection, parts: Sequence[Part], receivers: Sequence[Receiver], reading: Reading
) -> tuple[list[BulkTask], list[set[int]]]:
    """Return the tasks that decode small chunks, and which receivers they serve of each part."""
    tasks: list[BulkTask] = []
    served: list[set[int]] = []
    columns: dict[int, BulkColumns] = {}
    first_row = 0
    for number, part in enumerate(parts):
        done: set[int] = set()
        if part.count:
            at = part.place.file
            if at not in columns:
                columns[at] = BulkColumns(collection.files[at], receivers)
            known = {leaf for owner, leaf in reading.kept if owner == number}
            more, done = columns[at].tasks(part, number, first_row, known)
            tasks += more
        served.append(done)
        first_row += part.count
    return tasks, served


def _do_bulk(
    task: BulkTask,
    parts: Sequence[Part],
    receivers: Sequence[Receiver],
    reading: Reading,
    meter: ProgressMeter,
) -> None:
    part = parts[task.part]
    first = sum(each.count for each in parts[: task.part])

    def again(number: int) -> None:
        unit = make_unit(task.file, task.part, part, receivers[number])
        _do(Task(task.file, (unit,), 0), parts, reading, meter)

    run_bulk(
        task,
        receivers,
        slice(first, first + part.count),
        again,
        reading.turn,
        verify_checksums=reading.options.verify_checksums,
        wanted=part.rows,
    )
    meter.advance(task.nbytes)


def _do(task: Task, parts: Sequence[Part], reading: Reading, meter: ProgressMeter) -> None:
    fillings = [_Filling(task.file, unit, parts[unit.part], reading) for unit in task.units]
    extents = [extent for filling in fillings for extent in filling.extents]
    pieces = iter(read_extents(task.file.source, extents))
    with reading.turn:
        for filling in fillings:
            filling.run([next(pieces) for _ in filling.extents])
    meter.advance(task.nbytes)


class _Filling:
    """One unit on its way from bytes to its receiver.

    Parameters
    ----------
    file, unit, part, reading
        What to read, and how.
    """

    def __init__(self, file: DataFile, unit: Unit, part: Part, reading: Reading) -> None:
        self.unit = unit
        self._file = file
        self._part = part
        self._rows = part.rows
        self._reading = reading
        self._kept: list[ColumnData | None] = [None] * len(unit.places)
        if reading.kept and not unit.receiver.wants_levels:
            self._kept = [
                reading.kept.get((unit.part, leaf.column_index))
                for leaf in unit.receiver.field.leaves
            ]
        self.extents = [
            Extent(()) if place is None or kept is not None else self._extent(place)
            for place, kept in zip(unit.places, self._kept, strict=True)
        ]
        self._pieces: list[Segments] = []
        #: Leaves whose bytes are lost.
        self._spent: set[int] = set()

    def run(self, pieces: list[Segments]) -> None:
        """Have the receiver take the bytes that were read of each leaf."""
        self._pieces = pieces
        receiver = self.unit.receiver
        try:
            receiver.fill(self.unit.part, self._decode)
        except ParquetError as error:
            raise error.located(
                file=self._file.label,
                row_group=self._part.place.index,
                column=receiver.field.node.dotted,
            ) from error.__cause__

    def _extent(self, place: ChunkPlace) -> Extent:
        # Levels are only had of all rows.
        rows = None if self.unit.receiver.wants_levels else self._rows
        return extent_of(self._file, place, rows)

    def _decode(self, leaf: int, target: Target, into: Place) -> ColumnData:
        kept = self._kept[leaf]
        if kept is not None:
            known = as_wanted(kept, target)
            if known is not None:
                return take_rows(known, np.arange(known.count), into.values, into.valid)
            self._kept[leaf] = None
            self.extents[leaf] = self._extent(self._place(leaf))
            self._read_again(leaf)
        if self._file.sources is None:
            return self._own(leaf, target, into)
        from hocket.parquet.dataset.adapting import adapter_of  # noqa: PLC0415 - few need it

        adapter = adapter_of(self._file, self.unit.receiver.field.leaves[leaf])
        if adapter is None:
            return self._own(leaf, target, into)
        return adapter.decode(
            target,
            into,
            partial(self._own, leaf),
            rows=self._part.count,
            with_levels=self.unit.receiver.wants_levels,
        )

    def _read_again(self, leaf: int) -> None:
        # Bytes of other units are still waiting where this thread reads into.
        more = read_extents(self._file.source, [self.extents[leaf]], is_lasting=True)
        self._pieces[leaf] = more[0]

    def _place(self, leaf: int) -> ChunkPlace:
        place = self.unit.places[leaf]
        assert place is not None
        return place

    def _own(self, leaf: int, target: Target, into: Place) -> ColumnData:
        """Decode the file's own chunk."""
        extent = self.extents[leaf]
        if extent.selection is not None and target.item_size == 0:
            # Of strings that a dictionary has, only those of the wanted rows are made.
            wanted = replace(target, keep_dictionary=True)
            coded = self._codes(leaf, wanted) or self._decoded(leaf, wanted, ANYWHERE)
            return as_wanted(coded, target) or coded
        return self._decoded(leaf, target, into)

    def _codes(self, leaf: int, target: Target) -> ColumnData | None:
        """Decode some rows of a chunk that was read as a whole, if it is a plain one."""
        extent, pieces = self.extents[leaf], self._pieces[leaf]
        assert extent.selection is not None
        if extent.selection.page_offsets is not None or len(pieces) != 1:
            return None
        column = decode_small_chunk(
            self._place(leaf),
            pieces[0][1],
            target,
            extent.selection.rows,
            options=self._reading.decoding,
        )
        if column is not None:
            column.leaf = self.unit.receiver.field.leaves[leaf]
        return column

    def _decoded(self, leaf: int, target: Target, into: Place) -> ColumnData:
        place, extent = self._place(leaf), self.extents[leaf]
        is_later = self._rows is not None and extent.selection is None
        if leaf in self._spent:
            self._spent.discard(leaf)
            self._read_again(leaf)
        # What comes from elsewhere may be somebody's own memory.
        is_own = isinstance(self._file.source, LocalFile)
        spends = is_own and extent.selection is None and place.nbytes >= _SPENT_NBYTES
        if spends:
            self._spent.add(leaf)
        column = decode_chunk(
            place,
            self._pieces[leaf],
            target,
            options=self._reading.decoding,
            destination=None if is_later else into.values,
            valid_destination=None if is_later else into.valid,
            want_valid=into.wants_valid,
            with_levels=self.unit.receiver.wants_levels,
            pages=extent.selection,
            spends=spends,
        )
        if is_later and self._rows is not None:
            column = take_nested_rows(column, self._rows)
        if target.item_size == 0 or self.unit.receiver.wants_levels:
            self._reading.budget.take(column.nbytes)
        # The leaf that the dataset knows it by; in this file it may have another number.
        column.leaf = self.unit.receiver.field.leaves[leaf]
        return column

"""Small column chunks, which are read and decoded hundreds at a time.

What is planned here are numbers in arrays: no object for each chunk. Whatever is not quite usual
about a chunk makes it a unit of its own, which is read as all others are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any, Final

import numpy as np

from hocket.parquet.dataset.data_file import DataFile, is_cheap
from hocket.parquet.dataset.plan import Part
from hocket.parquet.dataset.read_buffer import read_buffer
from hocket.parquet.dataset.receiving import Receiver
from hocket.parquet.decode.small_chunks import CODECS, decode_small_chunks
from hocket.parquet.decode.target import physical_width
from hocket.parquet.io.source import Source
from hocket.parquet.kernels.library import address
from hocket.parquet.kernels.source import small_chunk_table as layout
from hocket.parquet.metadata.schema import PhysicalType
from hocket.parquet.records import dataclass

__all__ = ["BulkColumns", "BulkTask", "run_bulk"]

_Array = np.ndarray[Any, Any]

#: Chunks of at most so many bytes are small.
SMALL_NBYTES: Final = 1 << 18
#: The same where only some rows are wanted: of these, pages without one are not looked into.
SPARSE_NBYTES: Final = 1 << 20
#: Fewer than this in a row group are not worth it.
_LEAST_CHUNKS: Final = 4
_TASK_NBYTES: Final = 1 << 21
_GAP_NBYTES: Final = 1 << 14


class BulkColumns:
    """The columns of a read whose chunks can be decoded in bulk, in one file.

    Parameters
    ----------
    file
        The file.
    receivers
        All columns of the read.
    """

    def __init__(self, file: DataFile, receivers: Sequence[Receiver]) -> None:
        self._file = file
        rows = []
        leaves = []
        holds_nulls = []
        self.numbers: list[int] = []
        for number, receiver in enumerate(receivers):
            whole = receiver.whole
            if whole is None:
                continue
            column = receiver.field.leaves[0]
            leaf, change = file.leaf(column.column_index), file.change(column)
            target = whole.target if change is None else change.direct_target(whole.target)
            if (
                leaf is None
                or target is None
                or leaf.physical is PhysicalType.BYTE_ARRAY
                or leaf.max_definition > 1
            ):
                continue
            self.numbers.append(number)
            leaves.append(leaf)
            holds_nulls.append(whole.holds_nulls)
            rows.append(
                (
                    int(leaf.physical or 0),
                    physical_width(leaf),
                    target.item_size,
                    int(target.conversion),
                    target.null_bits,
                    leaf.max_definition,
                    address(whole.values),
                    0 if whole.mask is None else address(whole.mask),
                )
            )
        self._holds_nulls = np.array(holds_nulls, np.bool_)
        self._leaves = np.array(
            [receivers[number].field.leaves[0].column_index for number in self.numbers], np.int64
        )
        self._columns = np.array([leaf.column_index for leaf in leaves], np.int64)
        #: In the order of the columns of `small_chunks` from CHUNK_PHYSICAL to CHUNK_VALID.
        self._types = np.array(rows, np.int64).reshape(len(rows), 8)

    def tasks(
        self, part: Part, number: int, first_row: int, known: Collection[int] = ()
    ) -> tuple[list[BulkTask], set[int]]:
        """Return the tasks that decode small chunks of a row group, and the receivers they serve.

        Parameters
        ----------
        part
            The row group.
        number
            Its number among the parts of the read.
        first_row
            Where its rows begin in the result.
        known
            Leaves of the dataset that were decoded already.
        """
        chunks, group = self._file.metadata.chunks, part.place.index
        columns = self._columns
        starts = chunks.start[group, columns]
        nbytes = chunks.compressed_nbytes[group, columns]
        codecs = chunks.codec[group, columns]
        rows = int(self._file.metadata.row_group_rows[group])
        usual = (
            np.isin(codecs, CODECS)
            & (nbytes > 0)
            & (nbytes <= (SMALL_NBYTES if part.rows is None else SPARSE_NBYTES))
            & (starts >= 4)
            & (starts <= self._file.source.nbytes - nbytes)
            & (chunks.num_values[group, columns] == rows)
            & (chunks.physical_type[group, columns] == self._types[:, 0])
            & (chunks.crypto_at[group, columns] < 0)
        )
        if known:
            usual &= ~np.isin(self._leaves, list(known))
        chosen = np.flatnonzero(usual)
        if len(chosen) < _LEAST_CHUNKS:
            return [], set()
        order = chosen[np.argsort(starts[chosen], kind="stable")]
        table = np.zeros((len(order), layout.CHUNK_COLUMNS), np.int64)
        table[:, layout.CHUNK_NBYTES] = nbytes[order]
        table[:, layout.CHUNK_CODEC] = codecs[order]
        table[:, layout.CHUNK_COUNT] = rows
        types = self._types[order]
        table[:, layout.CHUNK_PHYSICAL : layout.CHUNK_VALID + 1] = types
        sizes = types[:, layout.CHUNK_ITEM_SIZE - layout.CHUNK_PHYSICAL]
        table[:, layout.CHUNK_DESTINATION] += first_row * sizes
        table[:, layout.CHUNK_VALID] += np.where(table[:, layout.CHUNK_VALID] != 0, first_row, 0)
        receivers = np.array(self.numbers)[order]
        tasks = []
        for begin, end in _cuts(starts[order], nbytes[order]):
            piece = slice(begin, end)
            tasks.append(
                BulkTask(
                    self._file,
                    number,
                    starts[order][piece],
                    table[piece],
                    receivers[piece],
                    self._holds_nulls[order][piece],
                    int(table[piece, layout.CHUNK_NBYTES].sum()),
                )
            )
        return tasks, set(receivers.tolist())


def _cuts(starts: _Array, nbytes: _Array) -> list[tuple[int, int]]:
    """Return ranges of chunks that are read together: neighbours, up to the size of a task."""
    stops = starts + nbytes
    bucket = (np.cumsum(nbytes) - nbytes) // _TASK_NBYTES
    is_cut = (starts[1:] > stops[:-1] + _GAP_NBYTES) | (bucket[1:] != bucket[:-1])
    edges = [0, *(np.flatnonzero(is_cut) + 1).tolist(), len(starts)]
    return list(pairwise(edges))


@dataclass(frozen=True, slots=True, eq=False)
class BulkTask:
    """Small chunks of one row group that lie next to each other.

    Parameters
    ----------
    file
        The file.
    part
        The number of the part of the read.
    starts
        Where each chunk begins in the file.
    table
        What each is, see `hocket.parquet.kernels.source.small_chunks`.
    receivers
        The number of each one's receiver.
    holds_nulls
        Whether nulls have a place in each one's column.
    nbytes
        Bytes of all.
    """

    file: DataFile
    part: int
    starts: _Array
    table: _Array
    receivers: _Array
    holds_nulls: _Array
    nbytes: int


def run_bulk(
    task: BulkTask,
    receivers: Sequence[Receiver],
    rows: slice,
    again: Callable[[int], None],
    turn: AbstractContextManager[Any],
    *,
    verify_checksums: bool,
    wanted: _Array | None = None,
) -> None:
    """Read and decode the chunks of a task.

    Parameters
    ----------
    task
        What to do.
    receivers
        The columns of the read.
    rows
        The place of the row group in the result.
    again
        Reads the row group's chunk of a receiver (by its number) in the usual way.
    turn
        Held while chunks are decoded.
    verify_checksums
        Whether checksums are to be verified.
    wanted
        Which rows of the row group are wanted; None for all.
    """
    table = task.table
    raw, origin = _read(task.file.source, task)
    table[:, layout.CHUNK_SOURCE] = task.starts - origin + address(raw)
    with turn:
        decode_small_chunks(table, verify_checksums=verify_checksums, rows=wanted)
    nulls = table[:, layout.CHUNK_RESULT]
    is_undone = (nulls < 0) | ((nulls > 0) & ~task.holds_nulls)
    for at in np.flatnonzero((table[:, layout.CHUNK_VALID] != 0) & ~is_undone).tolist():
        mask = receivers[int(task.receivers[at])].whole.mask[rows]
        np.logical_not(mask, out=mask)
    for number in task.receivers[is_undone].tolist():
        again(number)


def _read(source: Source, task: BulkTask) -> tuple[_Array, int]:
    origin = int(task.starts[0])
    stop = int((task.starts + task.table[:, layout.CHUNK_NBYTES]).max())
    room = read_buffer(stop - origin) if is_cheap(source) else None
    if room is None:
        return source.read(origin, stop - origin), origin
    source.read_into(origin, room)
    return room, origin

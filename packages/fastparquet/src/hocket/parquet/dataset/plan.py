"""What has to be read and decoded, cut into tasks that are worth a thread's while.

A unit is one column of one row group. A task is some units whose bytes lie next to each other: a
large one alone, small ones together, so that threads meet seldom and files are read in long pieces.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any, Final

import numpy as np

from hocket.parquet.dataset.collection import Collection, RowGroupPlace
from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.dataset.receiving import Receiver
from hocket.parquet.decode.place import ChunkPlace
from hocket.parquet.records import dataclass

__all__ = ["Part", "Task", "Unit", "make_unit", "plan_tasks"]

_Array = np.ndarray[Any, Any]

#: Tasks are at least so large (compressed), if there are so many bytes next to each other.
_TASK_NBYTES: Final = 1 << 20
#: Bytes between two chunks that are read with them, for one read less.
_GAP_NBYTES: Final = 1 << 14
#: The same for stores where each request takes long.
_REMOTE_TASK_NBYTES: Final = 8 << 20
_REMOTE_GAP_NBYTES: Final = 1 << 20
#: So many tasks for each thread, at least, as far as that makes no tiny ones.
_TASKS_PER_THREAD: Final = 4
_LEAST_TASK_NBYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Part:
    """A row group of a result.

    Parameters
    ----------
    place
        The row group.
    count
        How many of its rows are wanted.
    rows
        Their numbers, int64, in order; None for all.
    """

    place: RowGroupPlace
    count: int
    rows: _Array | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """One column of one row group; of leaves that the file does not have, the place is None."""

    part: int
    receiver: Receiver
    places: tuple[ChunkPlace | None, ...]
    start: int
    stop: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Task:
    """Units of one file that one thread reads and decodes, in the order of their places."""

    file: DataFile
    units: tuple[Unit, ...]
    nbytes: int


def plan_tasks(
    collection: Collection,
    parts: Sequence[Part],
    receivers: Sequence[Receiver],
    threads: int,
    done: Sequence[Container[int]] | None = None,
) -> list[Task]:
    """Return the tasks that read columns.

    Parameters
    ----------
    collection
        The files.
    parts
        The row groups, and which of their rows.
    receivers
        The columns.
    threads
        How many threads there are to share the tasks.
    done
        For each part, the numbers of receivers that are served in another way.
    """
    by_file: dict[int, list[Unit]] = {}
    for number, part in enumerate(parts):
        if part.count:
            units = by_file.setdefault(part.place.file, [])
            served = () if done is None else done[number]
            file = collection.files[part.place.file]
            units += [
                make_unit(file, number, part, receiver)
                for at, receiver in enumerate(receivers)
                if at not in served
            ]
    total = sum(unit.nbytes for units in by_file.values() for unit in units)
    most = min(_TASK_NBYTES, max(_LEAST_TASK_NBYTES, total // (threads * _TASKS_PER_THREAD)))
    tasks = []
    for number, units in by_file.items():
        units.sort(key=lambda unit: unit.start)
        file = collection.files[number]
        limits = (most, _GAP_NBYTES) if file.is_local else (_REMOTE_TASK_NBYTES, _REMOTE_GAP_NBYTES)
        tasks += [Task(file, *each) for each in _grouped(units, *limits)]
    return tasks


def make_unit(file: DataFile, number: int, part: Part, receiver: Receiver) -> Unit:
    """Return one column of one row group.

    Parameters
    ----------
    file
        The file of the row group.
    number
        The number of the part.
    part
        The row group.
    receiver
        The column.
    """
    places = tuple(
        _place(file, part.place.index, leaf.column_index) for leaf in receiver.field.leaves
    )
    known = [place for place in places if place is not None]
    start = min((place.start for place in known), default=0)
    stop = max((place.start + place.nbytes for place in known), default=0)
    return Unit(number, receiver, places, start, stop, sum(place.nbytes for place in known))


def _place(file: DataFile, row_group: int, column: int) -> ChunkPlace | None:
    """Return the chunk that a leaf of the dataset is decoded from; None if it needs none."""
    if file.sources is not None:
        column = file.sources[column].column
        if column < 0:
            return None
    return file.chunk(row_group, file.metadata.schema.leaves[column])


def _grouped(units: Sequence[Unit], most: int, gap: int) -> Iterator[tuple[tuple[Unit, ...], int]]:
    group: list[Unit] = []
    nbytes = 0
    for unit in units:
        is_far = bool(group) and unit.start > group[-1].stop + gap
        if group and (is_far or nbytes + unit.nbytes > most):
            yield tuple(group), nbytes
            group, nbytes = [], 0
        group.append(unit)
        nbytes += unit.nbytes
    if group:
        yield tuple(group), nbytes

"""Rows to the files of a dataset: one for each directory, and more where that is asked for."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from hocket.parquet.arrays.sizes import nbytes_of
from hocket.parquet.arrays.taking import take
from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.arrays.write_field import WriteField
from hocket.parquet.dataset.edit.directories import directory_of
from hocket.parquet.dataset.edit.file_edit import FileEdit
from hocket.parquet.dataset.edit.key_codes import codes_of_key, rows_by_keys
from hocket.parquet.errors import ColumnMissing, InvalidOption
from hocket.parquet.io.sink import FileObjectSink, Sink
from hocket.parquet.metadata.footer import FileMetadata
from hocket.parquet.records import dataclass, replace
from hocket.parquet.writing.file_writer import FileWriter
from hocket.parquet.writing.options import WriteOptions

__all__ = ["DatasetWriter", "Keys"]

#: So many files are written at once at most.
_MOST_OPEN: Final = 256


@dataclass(frozen=True, slots=True)
class Keys:
    """The columns that tell directories.

    Parameters
    ----------
    names
        Of the columns.
    is_hive
        Whether directories name them.
    units
        Of those that are durations, in what.
    """

    names: tuple[str, ...]
    is_hive: bool
    units: Mapping[str, str]


@dataclass(slots=True)
class _Open:
    """A file that is being written."""

    writer: FileWriter
    finish: Callable[[FileMetadata], None]
    held_nbytes: int = 0


class DatasetWriter:
    """Writes new files of an edit.

    Parameters
    ----------
    edit
        The edit.
    fields
        All columns, keys too.
    keys
        Which of them tell directories, and are not in the files.
    options
        How files are written; row groups at given rows each get files of their own.
    key_value
        Key-value metadata of each file, as it is in the end.
    """

    def __init__(
        self,
        edit: FileEdit,
        fields: Sequence[WriteField],
        keys: Keys,
        options: WriteOptions,
        key_value: Mapping[str, str | bytes],
    ) -> None:
        names = [field.name for field in fields]
        for key in keys.names:
            if key not in names:
                raise ColumnMissing(
                    f"partition_on names {key!r}, and there is no such column; there are "
                    f"{', '.join(map(repr, names[:20]))}"
                )
        self._edit = edit
        self._fields = fields
        self._keys = keys
        self._key_at = [names.index(key) for key in keys.names]
        self._stored_at = [at for at in range(len(fields)) if at not in self._key_at]
        if keys.names and not self._stored_at:
            raise InvalidOption(
                "all columns are named by partition_on; at least one has to be left for the files"
            )
        told = options.row_group_offsets
        self._offsets = list(told) if isinstance(told, Iterable) else told
        self._options = replace(options, row_group_offsets=None)
        self._key_value = key_value
        self._row_count = 0
        #: By directory; what was written to last is last.
        self._open: dict[str, _Open] = {}
        self._held_nbytes = 0
        #: How many files were begun.
        self.file_count = 0

    def write(self, arrays: Sequence[ValueArray], row_count: int) -> None:
        """Write rows.

        Parameters
        ----------
        arrays
            One for each column.
        row_count
            How many rows they have.
        """
        start = 0
        while start < row_count:
            stop = min(row_count, start + self._room())
            self._write_rows([array.slice(start, stop) for array in arrays], stop - start)
            self._row_count += stop - start
            start = stop
            if self._is_edge():
                self.finish()

    def finish(self) -> None:
        """Finish all files; what is written later gets into others."""
        for directory in list(self._open):
            self._finish(directory)

    def _room(self) -> int:
        """Return how many rows there are to the next edge that the caller wants."""
        offsets = self._offsets
        if offsets is None:
            return 1 << 62
        if isinstance(offsets, list):
            later = (row for row in offsets if row > self._row_count)
            return next(later, 1 << 62) - self._row_count
        return int(offsets) - self._row_count % int(offsets)

    def _is_edge(self) -> bool:
        offsets = self._offsets
        if offsets is None:
            return False
        if isinstance(offsets, list):
            return self._row_count in offsets
        return self._row_count % int(offsets) == 0

    def _write_rows(self, arrays: Sequence[ValueArray], row_count: int) -> None:
        stored = [arrays[at] for at in self._stored_at]
        if not self._key_at:
            self._write_part("", stored, row_count)
            return
        keys = [
            codes_of_key(self._fields[at], arrays[at], self._keys.units.get(name, ""))
            for at, name in zip(self._key_at, self._keys.names, strict=True)
        ]
        order, parts = rows_by_keys(keys)
        if order is not None:
            stored = [take(array, order) for array in stored]
        for part in parts:
            directory = directory_of(self._keys.names, part.texts, is_hive=self._keys.is_hive)
            rows = [array.slice(part.start, part.stop) for array in stored]
            self._write_part(directory, rows, part.stop - part.start)

    def _write_part(self, directory: str, arrays: Sequence[ValueArray], row_count: int) -> None:
        one = self._open.pop(directory, None) or self._opened(directory)
        self._open[directory] = one
        one.writer.write_batch(arrays, row_count)
        nbytes = sum(map(nbytes_of, arrays))
        # Files end their row groups themselves when they are full.
        held = (one.held_nbytes + nbytes) % self._options.row_group_nbytes
        self._held_nbytes += held - one.held_nbytes
        one.held_nbytes = held
        while self._held_nbytes > self._options.row_group_nbytes:
            largest = max(self._open.values(), key=lambda each: each.held_nbytes)
            largest.writer.end_row_group()
            self._held_nbytes -= largest.held_nbytes
            largest.held_nbytes = 0

    def _opened(self, directory: str) -> _Open:
        while len(self._open) >= _MOST_OPEN:
            self._finish(next(iter(self._open)))
        sink, finish = self._edit.addition(directory)
        self.file_count += 1
        return _Open(self._writer(sink), finish)

    def _writer(self, sink: Sink) -> FileWriter:
        fields = [self._fields[at] for at in self._stored_at]
        return FileWriter(sink, fields, self._options, self._key_value)

    def empty_file(self) -> FileMetadata:
        """Return what the footer of a file without rows would tell."""
        return self._writer(FileObjectSink(io.BytesIO())).finish()

    def _finish(self, directory: str) -> None:
        one = self._open.pop(directory)
        self._held_nbytes -= one.held_nbytes
        one.finish(one.writer.finish())

"""One column chunk being read: memory for its result, its dictionary, and its pages in batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from hocket.parquet.decode.bodies import PageBodies
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.dictionary import decode_dictionary, items_of_strings
from hocket.parquet.decode.job import begin_job
from hocket.parquet.decode.pages import PageTable
from hocket.parquet.decode.place import ChunkPlace, DecodeOptions
from hocket.parquet.decode.scratch import Scratch
from hocket.parquet.decode.target import Target
from hocket.parquet.errors import CorruptFile, InvalidOption, LimitExceeded
from hocket.parquet.kernels.faults import NO_SPACE, error_of, fault_of, page_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import job as layout
from hocket.parquet.kernels.source import pages as page_layout
from hocket.parquet.memory import discard, new_array
from hocket.parquet.metadata.schema import PhysicalType
from hocket.parquet.records import replace

__all__ = ["ChunkReading"]

_Array = np.ndarray[Any, Any]

_DATA_TYPES: Final = (page_layout.DATA_PAGE, page_layout.DATA_PAGE_V2)
_DICTIONARY_ENCODINGS: Final = (2, 8)
_SPARE_NBYTES: Final = 64
#: Bytes of byte strings that there is space for at first, when nothing is known about them.
_FIRST_NBYTES: Final = 4096
#: Memory of pages that are done with is given back by pieces of at least this.
_SPEND_NBYTES: Final = 8 << 20


class ChunkReading:
    """Reads the pages of one table.

    Parameters
    ----------
    place, table, target, options, scratch
        What to decode, to what, and how.
    """

    def __init__(
        self,
        place: ChunkPlace,
        table: PageTable,
        target: Target,
        options: DecodeOptions,
        scratch: Scratch,
    ) -> None:
        self._place = place
        self._table = table
        self._options = options
        self._scratch = scratch
        self._bodies = PageBodies(place, table, options, scratch)
        self._dictionary: ColumnData | None = None
        self._data: _Array | None = None
        self._spends = False
        #: How many bytes of each segment were given back.
        self._spent: dict[int, int] = {}
        self._target = target
        self._wanted = target
        self._survey(target)

    def _survey(self, target: Target) -> None:
        """Find the dictionary page, and decide how to decode: codes, items or byte strings."""
        self._dictionary_page = -1
        has_data = False
        all_coded = True
        for page, header in enumerate(self._bodies.headers):
            kind = header[page_layout.TYPE]
            if kind == page_layout.DICTIONARY_PAGE:
                if has_data or self._dictionary_page >= 0:
                    raise CorruptFile(
                        "a dictionary page can only be the first page of a column chunk"
                    ).located(**self._bodies.place_of(page))
                self._dictionary_page = page
            elif kind in _DATA_TYPES:
                has_data = True
                if header[page_layout.ENCODING] not in _DICTIONARY_ENCODINGS:
                    all_coded = False
        all_coded = all_coded and has_data and self._dictionary_page >= 0
        if target.keep_dictionary and not all_coded:
            self._target = replace(target, keep_dictionary=False)
        if (
            target.item_size
            and not all_coded
            and self._place.leaf.physical is PhysicalType.BYTE_ARRAY
        ):
            # Numbers as byte strings, not all in the dictionary: converted when all are there.
            self._target = Target(0, None)

    def run(
        self,
        destination: _Array | None,
        valid_destination: _Array | None,
        *,
        want_valid: bool,
        with_levels: bool = False,
        spends: bool = False,
    ) -> ColumnData:
        """Decode all pages; see `hocket.parquet.decode.chunk.decode_chunk`."""
        place, target = self._place, self._target
        self._spends = spends
        leaf, count = place.leaf, self._table.values
        self._job = begin_job(leaf, target, self._bodies.headers, self._scratch)
        self._job[layout.PAGE_TABLE] = address(self._table.rows)
        column = ColumnData(leaf, target, count, 0, level_count=count)
        self._check_destinations(count, destination, valid_destination)
        is_string = target.item_size == 0 and not target.keep_dictionary
        self._set_result(column, destination, is_string=is_string)
        self._set_valid(column, valid_destination, want_valid=want_valid)
        if with_levels:
            self._set_levels(column)
        if is_string:
            self._more_space(self._plain_nbytes())
            self._read_pages(KERNEL.decode_string_pages)
            column.data = self._trimmed(int(self._job[layout.DATA_NBYTES]))
        else:
            self._read_pages(KERNEL.decode_fixed_pages)
        self._finish(column, keep_valid=valid_destination is not None)
        if self._wanted.item_size and is_string:
            return self._items_of_strings(column, destination)
        return column

    # ----------------------------------------------------------------------------------- memory

    def _check_destinations(
        self, count: int, destination: _Array | None, valid_destination: _Array | None
    ) -> None:
        for array, size in ((destination, self._wanted.item_size), (valid_destination, 1)):
            if array is None:
                continue
            if (
                self._place.leaf.max_repetition
                or self._wanted.keep_dictionary
                or array.itemsize != size
                or not array.flags.c_contiguous
            ):
                raise InvalidOption(
                    "a destination has to be contiguous, have items of the target's size, and be "
                    "for values of a column without repetition"
                )
            if len(array) != count:
                raise CorruptFile(
                    f"the column chunk has {count:,} values, and there should be {len(array):,}"
                )

    def _new(self, count: int, dtype: Any, spare: int = 0) -> _Array:
        """Return a new array for the result, within the caller's limit."""
        size = count * np.dtype(dtype).itemsize
        if size > self._options.limit_nbytes:
            raise LimitExceeded(
                f"{size:,} bytes are needed for the values of one column chunk, and the limit "
                f"(memory_limit) is {self._options.limit_nbytes:,}"
            )
        return new_array(count + spare, dtype)

    def _set_result(
        self, column: ColumnData, destination: _Array | None, *, is_string: bool
    ) -> None:
        target, count = self._target, column.count
        if is_string:
            column.offsets = self._new(count + 1, np.int64)
            column.offsets[0] = 0
            result = column.offsets
        elif target.keep_dictionary:
            column.codes = self._new(count, np.int32)
            result = column.codes
        else:
            column.values = self._new(count, target.dtype) if destination is None else destination
            result = column.values
        self._job[layout.DESTINATION] = address(result)

    def _set_valid(
        self, column: ColumnData, valid_destination: _Array | None, *, want_valid: bool
    ) -> None:
        if valid_destination is not None:
            column.valid = valid_destination
            self._job[layout.HAS_VALID] = 1
        elif want_valid and self._place.leaf.max_definition:
            column.valid = self._new(column.count, np.bool_)
        if column.valid is not None:
            self._job[layout.VALID] = address(column.valid)

    def _set_levels(self, column: ColumnData) -> None:
        leaf = self._place.leaf
        if leaf.max_definition:
            column.definition_levels = self._new(column.count, np.uint8)
            self._job[layout.DEFINITIONS] = address(column.definition_levels)
        if leaf.max_repetition:
            column.repetition_levels = self._new(column.count, np.uint8)
            self._job[layout.REPETITIONS] = address(column.repetition_levels)
        self._job[layout.KEEP_LEVELS] = 1

    # ------------------------------------------------------------------------------------ pages

    def _read_pages(self, kernel: Callable[[int], int]) -> None:
        """Make pages ready and have a kernel decode them, batch by batch."""
        job, at = self._job, self._scratch.state_address
        page, stop = 0, len(self._table)
        while page < stop:
            after = self._bodies.prepare(page, stop)
            if page <= self._dictionary_page < after:
                self._read_dictionary()
            job[layout.NEXT_PAGE] = page
            job[layout.PAGE_STOP] = after
            while (answer := kernel(at)) < 0:
                if fault_of(answer) != NO_SPACE:
                    raise self._fault(answer)
                self._more_space(self._extrapolated(page_of(answer)))
            if self._spends:
                self._spend(page, after)
            page = after

    def _spend(self, page: int, after: int) -> None:
        """Give back the memory that the bytes of pages took which are done with."""
        headers = self._bodies.headers
        for number in range(page, after):
            segment = headers[number][page_layout.SEGMENT]
            origin, data = self._table.segments[segment]
            end = headers[number][page_layout.BODY] + headers[number][page_layout.COMPRESSED_NBYTES]
            done = end - origin
            spent = self._spent.get(segment, 0)
            if done - spent >= _SPEND_NBYTES:
                # With what was left the last time, when others' bytes lay in the same large page.
                discard(data[max(spent - _SPEND_NBYTES, 0) : done])
                self._spent[segment] = done

    def _read_dictionary(self) -> None:
        page = self._dictionary_page
        header = self._bodies.headers[page]
        row = self._table.rows[page]
        target = self._wanted if self._target.item_size else self._target
        try:
            dictionary = decode_dictionary(
                self._place.leaf,
                target,
                header,
                int(row[page_layout.VALUES_ADDRESS]),
                int(row[page_layout.END_ADDRESS]),
                None if self._target.keep_dictionary else self._scratch,
            )
        except CorruptFile as error:
            error.located(**self._bodies.place_of(page))
            raise
        self._dictionary = dictionary
        job = self._job
        job[layout.HAS_DICTIONARY] = 1
        job[layout.DICTIONARY_COUNT] = dictionary.count
        if dictionary.values is not None:
            job[layout.DICTIONARY] = address(dictionary.values)
        else:
            assert dictionary.offsets is not None
            assert dictionary.data is not None
            job[layout.DICTIONARY] = address(dictionary.offsets)
            job[layout.DICTIONARY_DATA] = address(dictionary.data)

    def _fault(self, answer: int) -> Exception:
        page = page_of(answer)
        return error_of(answer).located(**self._bodies.place_of(page))

    # ------------------------------------------------------------------------------ byte strings

    def _plain_nbytes(self) -> int:
        """Return how many bytes of byte strings the pages without codes can have."""
        total = _FIRST_NBYTES
        for header in self._bodies.headers:
            encoding = header[page_layout.ENCODING]
            if header[page_layout.TYPE] in _DATA_TYPES and encoding not in _DICTIONARY_ENCODINGS:
                total += header[page_layout.UNCOMPRESSED_NBYTES]
        return total

    def _extrapolated(self, page: int) -> int:
        """Return how many bytes all pages may need, if they are like the ones so far."""
        wanted = int(self._job[layout.DATA_WANTED])
        headers = self._bodies.headers
        done = headers[page][page_layout.FIRST_VALUE] + headers[page][page_layout.VALUES]
        first = headers[0][page_layout.FIRST_VALUE]
        seen, total = done - first, self._table.values
        return wanted + wanted * max(total - seen, 0) // max(seen, 1) * 17 // 16 + _FIRST_NBYTES

    def _more_space(self, nbytes: int) -> None:
        """Take memory for so many bytes of byte strings, and keep what there is."""
        job = self._job
        used = int(job[layout.DATA_NBYTES])
        try:
            larger = self._new(nbytes, np.uint8, _SPARE_NBYTES)
        except LimitExceeded:
            # The estimate may be too high.
            nbytes = int(job[layout.DATA_WANTED])
            larger = self._new(nbytes, np.uint8, _SPARE_NBYTES)
        if self._data is not None:
            larger[:used] = self._data[:used]
        self._data = larger
        job[layout.DATA] = address(larger)
        job[layout.DATA_CAPACITY] = nbytes

    def _trimmed(self, used: int) -> _Array:
        """Return the bytes that are used, without holding on to much more memory."""
        assert self._data is not None
        data, self._data = self._data, None
        if data.base is None and len(data) - used > max(used >> 3, 1 << 16):
            # The address may change; nothing has it any more.
            data.resize(used + _SPARE_NBYTES, refcheck=False)
        return data[:used]

    # ------------------------------------------------------------------------------------ result

    def _finish(self, column: ColumnData, *, keep_valid: bool) -> None:
        slots, present, levels, rows = (
            int(self._job[place])
            for place in (layout.SLOTS, layout.PRESENT, layout.LEVELS, layout.ROWS_FOUND)
        )
        assert levels == column.level_count
        wanted = self._place.num_rows
        if self._table.numbers is None and wanted >= 0 and rows != wanted:
            raise CorruptFile(
                f"the column chunk has {rows:,} rows, and the row group has {wanted:,}"
            )
        column.row_count = rows
        column.null_count = slots - present
        if slots != column.count:
            _shorten(column, slots)
        if column.null_count == 0 and not keep_valid:
            column.valid = None
        if column.codes is not None:
            column.dictionary = self._dictionary

    def _items_of_strings(self, column: ColumnData, destination: _Array | None) -> ColumnData:
        result = items_of_strings(column, self._wanted_values())
        assert result.values is not None
        if self._wanted.null_bits and result.valid is not None:
            pattern = self._wanted.null_bits.to_bytes(8, "little", signed=True)
            size = self._wanted.item_size
            null = np.frombuffer(pattern.ljust(size, b"\0")[:size], result.values.dtype)
            if size <= 8:
                result.values[~result.valid] = null
        if destination is not None:
            destination[:] = result.values.view(destination.dtype)
            result.values = destination
        return result

    def _wanted_values(self) -> Target:
        return replace(self._wanted, keep_dictionary=False)


def _shorten(column: ColumnData, slots: int) -> None:
    """Make a column have so many slots: fewer than there was memory for."""
    column.count = slots
    if column.values is not None:
        column.values = _shorter(column.values, slots)
    if column.codes is not None:
        column.codes = _shorter(column.codes, slots)
    if column.offsets is not None:
        column.offsets = _shorter(column.offsets, slots + 1)
    if column.valid is not None:
        column.valid = _shorter(column.valid, slots)


def _shorter(array: _Array, count: int) -> _Array:
    if array.base is None and len(array) - count > count >> 3:
        array.resize(count, refcheck=False)
        return array
    return array[:count]

"""The bytes of column chunks: whole ones, or of large ones only the pages that have wanted rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from hocket.parquet.dataset.data_file import DataFile, is_cheap
from hocket.parquet.dataset.read_buffer import read_buffer
from hocket.parquet.decode.place import ChunkPlace, PageSelection
from hocket.parquet.errors import EncryptionError, ParquetError
from hocket.parquet.io.source import Source
from hocket.parquet.records import dataclass

__all__ = ["Extent", "extent_of", "read_extents"]

_Array = np.ndarray[Any, Any]
Segments = list[tuple[int, _Array]]

#: A local file's chunks of at most so many bytes are read whole: looking for pages costs as much.
_WHOLE_NBYTES: Final = 1 << 20
#: Bytes between two ranges that are read with them, for one read less.
_GAP_NBYTES: Final = 1 << 14
#: Readable bytes behind each run of bytes.
_SPARE_NBYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Extent:
    """What to read of a column chunk.

    Parameters
    ----------
    ranges
        Offsets and sizes.
    selection
        Which rows to decode of what is read; None for all.
    """

    ranges: tuple[tuple[int, int], ...]
    selection: PageSelection | None = None


def extent_of(file: DataFile, place: ChunkPlace, rows: _Array | None) -> Extent:
    """Return what to read of a column chunk.

    Parameters
    ----------
    file
        The file.
    place
        The chunk.
    rows
        Which rows are wanted; None for all.
    """
    whole = ((place.start, place.nbytes),)
    if rows is None or place.leaf.max_repetition:
        return Extent(whole)
    if not file.is_local or place.nbytes > _WHOLE_NBYTES:
        try:
            found = _pages(file, place, rows)
        except EncryptionError:
            raise
        except ParquetError:
            # A damaged index is as good as none.
            found = None
        if found is not None:
            return found
    return Extent(whole, PageSelection(rows))


def _pages(file: DataFile, place: ChunkPlace, rows: _Array) -> Extent | None:
    from hocket.parquet.dataset.page_places import offset_index  # noqa: PLC0415 - rarely needed

    places = offset_index(file, place.row_group, place.leaf)
    if places is None or not len(places):
        return None
    wanted = np.unique(np.searchsorted(places.first_rows, rows, side="right") - 1)
    if 2 * len(wanted) > len(places):
        return None
    ranges: list[tuple[int, int]] = []
    if places.offsets[0] > place.start:
        # What lies before the first data page is the dictionary.
        ranges.append((place.start, int(places.offsets[0]) - place.start))
    for page in wanted.tolist():
        offset, nbytes = int(places.offsets[page]), int(places.nbytes[page])
        if ranges and sum(ranges[-1]) == offset:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + nbytes)
        else:
            ranges.append((offset, nbytes))
    return Extent(tuple(ranges), PageSelection(rows, places.offsets, places.first_rows))


def read_extents(
    source: Source, extents: Sequence[Extent], *, is_lasting: bool = False
) -> list[Segments]:
    """Read what was planned, neighbours together.

    Parameters
    ----------
    source
        The file.
    extents
        Of several column chunks.
    is_lasting
        Whether the bytes have to stay when this thread reads on.

    Returns
    -------
    list
        For each chunk, its pieces: where each lies in the file, and its bytes.
    """
    ranges = [each for extent in extents for each in extent.ranges]
    pieces = iter(_read_ranges(source, ranges, is_lasting=is_lasting))
    return [[(offset, next(pieces)) for offset, _ in extent.ranges] for extent in extents]


def _read_ranges(
    source: Source, ranges: Sequence[tuple[int, int]], *, is_lasting: bool
) -> list[_Array]:
    runs: list[tuple[int, int, list[int]]] = []
    for at in sorted(range(len(ranges)), key=ranges.__getitem__):
        start, stop = ranges[at][0], sum(ranges[at])
        if runs and start <= runs[-1][1] + _GAP_NBYTES:
            first, last, members = runs[-1]
            runs[-1] = (first, max(last, stop), members)
            members.append(at)
        else:
            runs.append((start, stop, [at]))
    pieces = _read_runs(source, [(start, stop - start) for start, stop, _ in runs], is_lasting)
    result: list[_Array] = [np.empty(0, np.uint8)] * len(ranges)
    for (start, _, members), piece in zip(runs, pieces, strict=True):
        for at in members:
            begin = ranges[at][0] - start
            result[at] = piece[begin : begin + ranges[at][1]]
    return result


def _read_runs(
    source: Source,
    runs: Sequence[tuple[int, int]],
    is_lasting: bool,  # noqa: FBT001
) -> list[_Array]:
    if is_lasting or not is_cheap(source):
        return source.read_many(runs)
    room = read_buffer(sum(nbytes + _SPARE_NBYTES for _, nbytes in runs))
    if room is None:
        return source.read_many(runs)
    pieces = []
    at = 0
    for offset, nbytes in runs:
        pieces.append(room[at : at + nbytes])
        source.read_into(offset, pieces[-1])
        at += nbytes + _SPARE_NBYTES
    return pieces

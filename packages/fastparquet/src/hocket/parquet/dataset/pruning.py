"""What of a row group a filter can keep, told without reading its values.

Partitions and statistics say of each condition that it holds for all rows of the row group, for
none, or that it is not known. Bloom filters rule out single values; the page index rules out pages.
What damaged indexes say is not believed: then nothing is ruled out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hocket.parquet.dataset.binding import BoundFilter, ColumnTest, PartitionTest
from hocket.parquet.dataset.collection import Collection, RowGroupPlace
from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.dataset.keys import Family, Key, KeyDomain, domain_of_leaf
from hocket.parquet.dataset.page_places import column_index, offset_index
from hocket.parquet.dataset.predicates import Bounds, Shape
from hocket.parquet.dataset.selection import RowRanges
from hocket.parquet.errors import CorruptFile, EncryptionError, ParquetError
from hocket.parquet.metadata.bloom import BloomFilter, hash_of_bytes, parse_bloom_header
from hocket.parquet.metadata.page_index import ColumnIndex, OffsetIndex
from hocket.parquet.metadata.schema import PhysicalType, SchemaNode
from hocket.parquet.metadata.statistics import ColumnStatistics
from hocket.parquet.records import dataclass

if TYPE_CHECKING:
    from hocket.parquet.dataset.evolution.value_change import ValueChange

__all__ = ["Verdict", "judge", "page_ranges"]

#: Members of a list that a Bloom filter is asked for; longer lists are hardly ever ruled out.
_MOST_MEMBERS: Final = 64
_BLOOM_HEADER_NBYTES: Final = 64
_INTEGER_FORMATS: Final = {PhysicalType.INT32: 4, PhysicalType.INT64: 8}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is left of a filter in one row group.

    Parameters
    ----------
    alternatives
        What is still to be tested, of which one must hold. None: no row can be in the result.
        Empty: all rows are.
    """

    alternatives: tuple[tuple[ColumnTest, ...], ...] | None

    @property
    def is_none(self) -> bool:
        """Whether no row can be in the result."""
        return self.alternatives is None

    @property
    def is_all(self) -> bool:
        """Whether all rows are in the result."""
        return self.alternatives == ()


_NONE: Final = Verdict(None)
_ALL: Final = Verdict(())


def judge(
    collection: Collection, place: RowGroupPlace, filters: BoundFilter, *, by_bloom: bool = True
) -> Verdict:
    """Say what is left of a filter in a row group, by partitions, statistics and Bloom filters.

    Parameters
    ----------
    collection
        The files.
    place
        The row group.
    filters
        What rows have to fulfil.
    by_bloom
        Whether to read Bloom filters.
    """
    if not filters:
        return _ALL
    file = collection.files[place.file]
    left = []
    for every in filters:
        tests = _unknown(file, place, every)
        if tests is None:
            continue
        if not tests:
            return _ALL
        if by_bloom and any(_is_ruled_out(file, place.index, test) for test in tests):
            continue
        left.append(tests)
    return Verdict(tuple(left)) if left else _NONE


def _unknown(
    file: DataFile, place: RowGroupPlace, every: Sequence[ColumnTest | PartitionTest]
) -> tuple[ColumnTest, ...] | None:
    """Return the tests that are still open; None if one of them fails for all rows."""
    tests = []
    for test in every:
        if isinstance(test, PartitionTest):
            if not test.holds(place.file):
                return None
            continue
        bounds = _bounds_of_chunk(file, place.index, test)
        if not test.predicate.is_possible(bounds):
            return None
        if not test.predicate.is_certain(bounds):
            tests.append(test)
    return tuple(tests)


def _bounds_of_chunk(file: DataFile, row_group: int, test: ColumnTest) -> Bounds:
    leaf = file.leaf(test.leaf.column_index)
    rows = int(file.metadata.row_group_rows[row_group])
    if leaf is None:
        return Bounds(None, None, rows, rows)
    if leaf.max_definition == 0:
        unknown = Bounds(None, None, 0, rows, may_be_nan=True)
    else:
        unknown = Bounds(None, None, None, rows, may_be_nan=True)
    try:
        statistics = file.metadata.statistics(row_group, leaf.column_index)
    except ParquetError:
        return unknown
    if statistics is None:
        return unknown
    return _bounds(statistics, _Keys.of(file, test), rows, leaf)


@dataclass(frozen=True, slots=True)
class _Keys:
    """How bounds of a file's column become keys of the dataset's.

    Parameters
    ----------
    domain
        The keys of the file's own column.
    change
        How its values become those of the dataset; None if they are the same.
    """

    domain: KeyDomain
    change: ValueChange | None

    @classmethod
    def of(cls, file: DataFile, test: ColumnTest) -> _Keys:
        """Return that of the column that is tested."""
        change = file.change(test.leaf)
        return cls(test.predicate.domain if change is None else domain_of_leaf(change.own), change)

    def key(self, raw: bytes | None) -> Key | None:
        """Return the key of a bound; None if it has none."""
        key = None if raw is None else self.domain.key_of_plain(raw)
        return key if key is None or self.change is None else self.change.key(key)


def _bounds(statistics: ColumnStatistics, keys: _Keys, count: int, leaf: SchemaNode) -> Bounds:
    nulls = 0 if leaf.max_definition == 0 else statistics.null_count
    return Bounds(
        keys.key(statistics.min_bytes),
        keys.key(statistics.max_bytes),
        nulls,
        count,
        may_be_nan=keys.domain.family is Family.FLOAT and statistics.nan_count != 0,
    )


# ------------------------------------------------------------------------------ Bloom filters


def _is_ruled_out(file: DataFile, row_group: int, test: ColumnTest) -> bool:
    """Tell whether a Bloom filter says that none of the wanted values is there."""
    predicate = test.predicate
    if predicate.shape is not Shape.AMONG or len(predicate.members) > _MOST_MEMBERS:
        return False
    leaf = file.leaf(test.leaf.column_index)
    if leaf is None or file.change(test.leaf) is not None:
        return False
    raws = [_plain_bytes(leaf, predicate.domain, key) for key in predicate.members]
    if None in raws:
        return False
    bloom = _or_nothing(lambda: _bloom_filter(file, row_group, leaf))
    if bloom is None:
        return False
    return not any(bloom.might_contain(hash_of_bytes(raw)) for raw in raws if raw is not None)


def _bloom_filter(file: DataFile, row_group: int, leaf: SchemaNode) -> BloomFilter | None:
    chunks, column = file.metadata.chunks, leaf.column_index
    offset = int(chunks.bloom_offset[row_group, column])
    if offset <= 0 or int(chunks.crypto_at[row_group, column]) >= 0:
        return None
    source = file.source
    head = source.read(offset, min(_BLOOM_HEADER_NBYTES, source.nbytes - offset))
    header = parse_bloom_header(head)
    told = int(chunks.bloom_nbytes[row_group, column])
    if 0 < told < header.header_nbytes + header.bitset_nbytes:
        raise CorruptFile(f"a Bloom filter is larger than the {told} bytes that the footer says")
    return BloomFilter(source.read(offset + header.header_nbytes, header.bitset_nbytes))


def _plain_bytes(leaf: SchemaNode, domain: KeyDomain, key: Key) -> bytes | None:
    """Return a key as PLAIN stores it; None if there are several ways, or none."""
    if domain.family is Family.FLOAT:
        # Two zeros are equal, and their bytes differ.
        return (
            struct.pack("<f" if domain.width == 4 else "<d", key)
            if key and domain.width > 2
            else None
        )
    if leaf.physical in _INTEGER_FORMATS:
        nbytes = _INTEGER_FORMATS[leaf.physical]
        try:
            return int(key).to_bytes(nbytes, "little", signed=domain.is_signed)
        except OverflowError:
            return None
    if domain.family in (Family.TEXT, Family.BYTES, Family.UUID):
        return bytes(key)
    return None


# --------------------------------------------------------------------------------- page index


def page_ranges(
    file: DataFile, row_group: int, alternatives: Sequence[Sequence[ColumnTest]]
) -> RowRanges | None:
    """Return the rows that the page index cannot rule out; None if it rules out none.

    Parameters
    ----------
    file
        The file.
    row_group
        Index of the row group in it.
    alternatives
        What rows have to fulfil.
    """
    everything = RowRanges.of_all(int(file.metadata.row_group_rows[row_group]))
    known: dict[int, _Pages | None] = {}
    ranges = []
    for every in alternatives:
        found = everything
        for test in every:
            column = test.leaf.column_index
            if column not in known:
                known[column] = _or_nothing(lambda test=test: _pages(file, row_group, test))  # type: ignore[misc]
            pages = known[column]
            if pages is not None:
                found = found & pages.ranges(test)
        ranges.append(found)
    kept = reduce(RowRanges.__or__, ranges)
    return None if kept == everything else kept


@dataclass(frozen=True, slots=True)
class _Pages:
    """The page index of a column chunk."""

    bounds: ColumnIndex
    places: OffsetIndex
    rows: int
    keys: _Keys

    def ranges(self, test: ColumnTest) -> RowRanges:
        """Return the rows of pages in which the test could hold."""
        counts = self.places.row_counts(self.rows).tolist()
        possible = np.array(
            [
                test.predicate.is_possible(self._bounds(page, count))
                for page, count in enumerate(counts)
            ],
            np.bool_,
        )
        starts = self.places.first_rows
        stops = np.append(starts[1:], self.rows)
        return RowRanges.of_pieces(starts[possible], stops[possible])

    def _bounds(self, page: int, count: int) -> Bounds:
        if self.bounds.null_pages[page]:
            return Bounds(None, None, count, count)
        bounds = _bounds(self.bounds.statistics(page), self.keys, count, self.bounds.node)
        if bounds.null_count is not None and bounds.null_count >= count:
            # A page that is not a null page has values, whatever the count says.
            return Bounds(bounds.low, bounds.high, None, count, bounds.may_be_nan)
        return bounds


def _pages(file: DataFile, row_group: int, test: ColumnTest) -> _Pages | None:
    leaf = file.leaf(test.leaf.column_index)
    if leaf is None:
        return None
    bounds = column_index(file, row_group, leaf)
    places = offset_index(file, row_group, leaf)
    if bounds is None or places is None:
        return None
    if len(bounds) != len(places):
        return None
    rows = int(file.metadata.row_group_rows[row_group])
    return _Pages(bounds, places, rows, _Keys.of(file, test))


def _or_nothing(read: Callable[[], Any]) -> Any:
    """Read an index; what is damaged is as good as not there."""
    try:
        return read()
    except EncryptionError:
        raise
    except ParquetError:
        return None

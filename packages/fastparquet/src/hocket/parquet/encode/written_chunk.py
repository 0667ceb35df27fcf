"""A column chunk, encoded: its bytes, and all that the file's metadata will say of it."""

from __future__ import annotations

from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.records import dataclass

__all__ = ["LevelHistograms", "PageSummary", "ValueBounds", "WrittenChunk"]


@dataclass(frozen=True, slots=True)
class ValueBounds:
    """The least and largest of some values, as plain bytes without lengths; None: not known.

    Parameters
    ----------
    minimum, maximum
        In the column's order. Long byte strings are cut, and then not exact.
    is_minimum_exact, is_maximum_exact
        Whether the values themselves are that.
    nan_count
        Of floats: how many are not numbers; they count for neither bound.
    """

    minimum: bytes | None = None
    maximum: bytes | None = None
    is_minimum_exact: bool = True
    is_maximum_exact: bool = True
    nan_count: int | None = None


@dataclass(frozen=True, slots=True)
class LevelHistograms:
    """How many entries have each level, from 0; empty where the largest level is 0.

    Parameters
    ----------
    definition, repetition
        Counts by level.
    """

    definition: tuple[int, ...] = ()
    repetition: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PageSummary:
    """A data page.

    Parameters
    ----------
    offset
        Of its header, from the chunk's first byte.
    nbytes
        Compressed, the header counted.
    row_count, entry_count, null_count
        What it has.
    bounds
        Of its values; without them if all are missing.
    unencoded_nbytes
        Of BYTE_ARRAY: the bytes of its values without lengths.
    histograms
        Of its levels.
    """

    offset: int
    nbytes: int
    row_count: int
    entry_count: int
    null_count: int
    bounds: ValueBounds
    unencoded_nbytes: int | None = None
    histograms: LevelHistograms = LevelHistograms()


@dataclass(slots=True)
class WrittenChunk:
    """A column chunk.

    Parameters
    ----------
    node
        Its leaf.
    parts
        Its bytes, one after the other.
    codec
        Number of the codec.
    encodings
        Numbers of all encodings in it, those of levels counted, without repetition, sorted.
    page_counts
        How many pages there are by (page type, encoding).
    entry_count, null_count
        What it has.
    uncompressed_nbytes, compressed_nbytes
        Headers counted.
    dictionary_nbytes
        Of the dictionary page, its header counted, which stands first; 0: there is none.
    pages
        The data pages.
    bounds
        Of all values.
    distinct_count
        If it is known.
    histograms
        Of all levels.
    unencoded_nbytes
        Of BYTE_ARRAY: the bytes of all values without lengths.
    bloom
        A Bloom filter's bytes, its header first.
    bounding_box
        Of geometries: x, y, z, m as (least, most) or None; and the WKB types there are.
    """

    node: SchemaNode
    parts: list[bytes | memoryview]
    codec: int
    encodings: tuple[int, ...]
    page_counts: dict[tuple[int, int], int]
    entry_count: int
    null_count: int
    uncompressed_nbytes: int
    compressed_nbytes: int
    dictionary_nbytes: int
    pages: list[PageSummary]
    bounds: ValueBounds
    distinct_count: int | None = None
    histograms: LevelHistograms = LevelHistograms()
    unencoded_nbytes: int | None = None
    bloom: bytes | None = None
    bounding_box: tuple[tuple[tuple[float, float] | None, ...], tuple[int, ...]] | None = None

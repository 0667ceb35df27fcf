"""Statistics, page indexes and Bloom filters that lie: values stay right, or it is an error.

One that agrees with itself may rule out rows that are there; that is all that it may do.
"""

from __future__ import annotations

import struct

import numpy as np
import pytest
from parquet_chunk_writer import ChunkWriter, leaf_of
from parquet_file_maker import FileMaker, values_of_file

from hocket.parquet import CorruptFile, LimitExceeded, ParquetError, ParquetFile
from hocket.parquet.dataset import page_reading
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.logical import PhysicalType
from hocket.parquet.metadata.objects import bytes_of_object

ROWS, PAGE = 40, 10
VALUES = [None if row % 7 == 3 else row for row in range(ROWS)]
HUGE = 1 << 62


def writer() -> ChunkWriter:
    made = ChunkWriter(leaf_of(PhysicalType.INT64, definition=1))
    for start in range(0, ROWS, PAGE):
        made.add(VALUES[start : start + PAGE])
    return made


def number(value: int) -> bytes:
    return struct.pack("<q", value)


def places(change=lambda _index: None) -> ttypes.OffsetIndex:
    parts = writer().parts
    offsets = np.cumsum([4, *map(len, parts)]).tolist()
    made = ttypes.OffsetIndex(
        [
            ttypes.PageLocation(offsets[page], len(part), page * PAGE)
            for page, part in enumerate(parts)
        ]
    )
    change(made)
    return made


def bounds(change=lambda _index: None) -> ttypes.ColumnIndex:
    pages = range(0, ROWS, PAGE)
    made = ttypes.ColumnIndex(
        null_pages=[False for _ in pages],
        min_values=[number(start) for start in pages],
        max_values=[number(start + PAGE - 1) for start in pages],
        boundary_order=1,
        null_counts=[VALUES[start : start + PAGE].count(None) for start in pages],
    )
    change(made)
    return made


def file_of(**changes) -> bytes:
    """Return a file of two equal columns, the first one with indexes; they may be given as bytes.

    `change` gets the first column's chunk.
    """
    change = changes.pop("change", lambda _chunk: None)
    found = {"offset_index": places(), "column_index": bounds(), **changes}
    maker = FileMaker(ROWS).add("a", writer()).add("b", writer())
    for name, thing in found.items():
        raw = thing if isinstance(thing, bytes) else bytes_of_object(thing)
        maker.indexes.append((0, name, raw))
    return maker.written(lambda footer: change(footer.row_groups[0].columns[0]))


@pytest.fixture(autouse=True, params=[False, True], ids=["whole", "pages"])
def _by_pages(request, monkeypatch):
    """Read small chunks, too, page by page, as the offset index says."""
    if request.param:
        monkeypatch.setattr(page_reading, "_WHOLE_NBYTES", 0)


FILTERS = [
    (("a", "==", 15), lambda value: value == 15),
    (("a", ">", 35), lambda value: value is not None and value > 35),
    (("a", "<=", 5), lambda value: value is not None and value <= 5),
    (("a", "in", [1, 38]), lambda value: value in (1, 38)),
    (("a", "is null", None), lambda value: value is None),
    (("a", "not in", [4]), lambda value: value is not None and value != 4),
]


def plain(column) -> list:
    column = column.astype(object)
    return column.where(column.notna(), None).tolist()


def attempt(read, raw: bytes, *, may_fail: bool, **how):
    """Return what a read gives; None if it is refused, and may be."""
    try:
        return read(ParquetFile(raw), **how)
    except ParquetError as error:
        if not may_fail or error.file != "<bytes>":
            raise
    return None


def check(raw: bytes, *, lies: bool) -> None:
    """Assert that all reads give right values or a `ParquetError`.

    Where an index lies, filters may find other rows, or it may be noticed.
    """
    assert values_of_file(raw) == VALUES
    for condition, holds in FILTERS:
        frame = attempt(ParquetFile.to_pandas, raw, may_fail=lies, filters=[condition])
        table = attempt(ParquetFile.to_arrow, raw, may_fail=lies, filters=[condition])
        if frame is None:
            assert table is None
            continue
        assert table.num_rows == len(frame)
        assert lies or plain(frame["a"]) == [value for value in VALUES if holds(value)]
        assert set(plain(frame["a"])) <= set(VALUES)
        assert lies or frame["a"].equals(frame["b"])
    for step in (1, 3, 11):
        mask = np.arange(ROWS) % step == 0
        frame = attempt(ParquetFile.to_pandas, raw, may_fail=lies, row_filter=mask)
        if frame is not None:
            assert plain(frame["b"]) == VALUES[::step]
            assert lies or frame["a"].equals(frame["b"])


def test_the_indexes_of_these_tests_are_sound():
    check(file_of(), lies=False)
    assert bounds().null_counts == [1, 2, 1, 2]


# ----------------------------------------------------------------------------------- statistics


def statistics(**told):
    def change(chunk):
        chunk.meta_data.statistics = ttypes.Statistics(**told)

    return change


@pytest.mark.parametrize(
    "told",
    [
        {"null_count": 0},
        {"null_count": ROWS},
        {"null_count": -1},
        {"null_count": HUGE},
        {"distinct_count": -5},
        {"min_value": b"", "max_value": b""},
        {"min_value": b"x" * 7, "max_value": b"y" * 9},
        {"min_value": number(39), "max_value": number(0)},
        {"min_value": number(100), "max_value": number(200), "null_count": 0},
        {"min": b"\xff", "max": b"\xff" * 1000},
        {"nan_count": HUGE},
    ],
    ids=str,
)
def test_statistics_that_lie(told):
    raw = file_of(change=statistics(**told))
    check(raw, lies=True)
    _ = ParquetFile(raw).statistics
    assert ParquetFile(raw).dtypes.keys() == {"a", "b"}


def test_a_null_count_of_nothing_hides_no_nulls():
    raw = file_of(change=statistics(null_count=0, min_value=number(0), max_value=number(39)))
    for options in ({}, {"pandas_nulls": False}):
        frame = ParquetFile(raw, **options).to_pandas()
        assert frame["a"].isna().tolist() == [value is None for value in VALUES]
        assert frame["a"].dropna().astype(int).tolist() == [v for v in VALUES if v is not None]
    arrays = ParquetFile(raw).to_numpy()
    assert np.ma.getmaskarray(arrays["a"]).tolist() == [value is None for value in VALUES]


# ----------------------------------------------------------------------------------- page index


def in_place(at, **told):
    def change(index):
        for name, value in told.items():
            setattr(index.page_locations[at], name, value)

    return change


def without(at):
    def change(index):
        del index.page_locations[at]

    return change


def swapped(index):
    index.page_locations.reverse()


def doubled(index):
    index.page_locations *= 2


def emptied(index):
    index.page_locations.clear()


LYING_PLACES = {
    "outside": in_place(1, offset=1 << 40),
    "negative": in_place(1, offset=-1),
    "before": in_place(0, offset=0),
    "overlapping": in_place(1, offset=10),
    "shifted": in_place(1, offset=places().page_locations[1].offset + 1),
    "huge": in_place(3, compressed_page_size=(1 << 31) - 1),
    "tiny": in_place(2, compressed_page_size=3),
    "short": in_place(2, compressed_page_size=20),
    "less": in_place(2, compressed_page_size=-7),
    "later": in_place(1, first_row_index=15),
    "sooner": in_place(1, first_row_index=5),
    "same": in_place(1, first_row_index=0),
    "beyond": in_place(3, first_row_index=HUGE),
    "first": in_place(0, first_row_index=3),
    "last": in_place(3, first_row_index=ROWS),
    "minus": in_place(2, first_row_index=-1),
    "fewer": without(2),
    "no first": without(0),
    "swapped": swapped,
    "doubled": doubled,
    "empty": emptied,
}


@pytest.mark.parametrize("lie", LYING_PLACES)
def test_places_that_lie(lie):
    check(file_of(offset_index=places(LYING_PLACES[lie])), lies=True)


def told(name, value):
    return lambda index: setattr(index, name, value)


LYING_BOUNDS = {
    "null pages": told("null_pages", [True] * 4),
    "few": told("null_pages", [False]),
    "many": told("null_pages", [False] * 9),
    "none": told("min_values", []),
    "empty": told("max_values", [b""] * 4),
    "long": told("min_values", [b"\xff" * 100] * 4),
    "wrong": told("min_values", [number(100)] * 4),
    "order": told("boundary_order", 77),
    "descending": told("boundary_order", 2),
    "counts": told("null_counts", [PAGE] * 4),
    "zeros": told("null_counts", [0] * 4),
    "minus": told("null_counts", [-1] * 4),
    "short counts": told("null_counts", [1]),
    "levels": told("definition_level_histograms", [HUGE] * 3),
}


@pytest.mark.parametrize("lie", LYING_BOUNDS)
def test_bounds_that_lie(lie):
    check(file_of(column_index=bounds(LYING_BOUNDS[lie])), lies=True)


@pytest.mark.parametrize("name", ["offset_index", "column_index"])
@pytest.mark.parametrize(
    "raw", [b"\0", b"\xff" * 40, b"\x19" * 3000, b"\x19\xfc\xff\xff\xff\x7f", bytes(range(256))]
)
def test_indexes_of_garbage(name, raw):
    # What is damaged beyond reading is as good as not there.
    check(file_of(**{name: raw}), lies=False)


@pytest.mark.parametrize("offset", [-1, 4, (1 << 63) - 1])
@pytest.mark.parametrize("length", [-1, 5, (1 << 31) - 1])
@pytest.mark.parametrize("name", ["offset_index", "column_index"])
def test_indexes_that_lie_elsewhere(name, offset, length):
    def change(chunk):
        setattr(chunk, f"{name}_offset", offset)
        setattr(chunk, f"{name}_length", length)

    check(file_of(change=change), lies=False)


def test_rows_that_only_the_index_counts():
    maker = FileMaker(ROWS).add("a", writer())
    last = places(in_place(3, first_row_index=HUGE - 1))
    maker.indexes += [(0, "offset_index", bytes_of_object(last))]
    maker.indexes += [(0, "column_index", bytes_of_object(bounds()))]

    def change(footer):
        footer.row_groups[0].num_rows = footer.num_rows = HUGE
        footer.row_groups[0].columns[0].meta_data.num_values = HUGE

    file = ParquetFile(maker.written(change))
    for condition, holds in FILTERS:
        try:
            found = plain(file.to_pandas(filters=[condition])["a"])
        except LimitExceeded:
            continue
        except CorruptFile as error:
            assert error.file == "<bytes>"  # noqa: PT017 - or it finds some of them
            continue
        assert all(map(holds, found))


# --------------------------------------------------------------------------------- Bloom filters


def bloom(nbytes: int, bits: bytes, **changes) -> bytes:
    header = ttypes.BloomFilterHeader(
        nbytes,
        ttypes.BloomFilterAlgorithm(BLOCK=ttypes.SplitBlockAlgorithm()),
        ttypes.BloomFilterHash(XXHASH=ttypes.XxHash()),
        ttypes.BloomFilterCompression(UNCOMPRESSED=ttypes.Uncompressed()),
    )
    for name, value in changes.items():
        setattr(header, name, value)
    return bytes_of_object(header) + bits


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff" * 70,
        bytes(70),
        bloom(32, b""),
        bloom(32, b"\xff" * 31),
        bloom(0, b""),
        bloom(-32, b"\xff" * 32),
        bloom((1 << 31) - 32, b"\xff" * 32),
        bloom(33, b"\xff" * 33),
        bloom(32, bytes(32), algorithm=ttypes.BloomFilterAlgorithm()),
        bloom(32, bytes(32), hash=ttypes.BloomFilterHash()),
    ],
    ids=range(11),
)
def test_bloom_filters_of_garbage(raw):
    check(file_of(bloom_filter=raw), lies=False)


def test_bloom_filters_that_lie():
    check(file_of(bloom_filter=bloom(32, bytes(32))), lies=True)
    check(file_of(bloom_filter=bloom(32, b"\xff" * 32)), lies=False)
    for offset in (-1, 1, 1 << 40, (1 << 63) - 1):

        def change(chunk, at=offset):
            chunk.meta_data.bloom_filter_offset = at

        check(file_of(bloom_filter=bloom(32, b"\xff" * 32), change=change), lies=False)

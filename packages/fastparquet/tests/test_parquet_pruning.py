"""Filters on real files: the rows are those of a mask over all of them, whatever was left out."""

import datetime as dt
import decimal
import math
import uuid

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hocket.parquet as hp
from hocket.parquet.dataset import reading as reading_module
from hocket.parquet.dataset import row_selection
from hocket.parquet.dataset.binding import bind
from hocket.parquet.dataset.filters import parse_filters
from hocket.parquet.dataset.pruning import judge, page_ranges

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = 600
START = dt.datetime.fromisoformat("2026-01-01")
COLUMNS = {
    "i": (pa.int32(), [x // 7 for x in range(ROWS)]),
    "u": (pa.uint64(), [2**63 + x for x in range(ROWS)]),
    "f": (pa.float64(), [math.nan if x % 13 == 5 else (x % 50) / 4 for x in range(ROWS)]),
    "h": (pa.float32(), [x / 10 for x in range(ROWS)]),
    "s": (pa.string(), [f"key {x // 20:03}" for x in range(ROWS)]),
    "y": (pa.binary(), [bytes([x % 7, x % 3]) * (x % 4) for x in range(ROWS)]),
    "x": (pa.binary(3), [bytes([x // 256, x % 256, 7]) for x in range(ROWS)]),
    "t": (pa.timestamp("us"), [START + dt.timedelta(minutes=x) for x in range(ROWS)]),
    "z": (pa.timestamp("ms", "UTC"), [START + dt.timedelta(minutes=x) for x in range(ROWS)]),
    "d": (pa.date32(), [START.date() + dt.timedelta(days=x // 5) for x in range(ROWS)]),
    "m": (pa.time64("us"), [dt.time(x // 60, x % 60) for x in range(ROWS)]),
    "c": (pa.decimal128(9, 2), [decimal.Decimal(x * 5) / 100 for x in range(ROWS)]),
    "w": (pa.decimal128(30, 3), [decimal.Decimal(x - 300) * 10**20 for x in range(ROWS)]),
    "b": (pa.bool_(), [x >= 450 for x in range(ROWS)]),
    "g": (pa.binary(16), [uuid.UUID(int=x).bytes for x in range(ROWS)]),
}


def values_of(name: str) -> list:
    """The column with some nulls, and a row group of nothing else."""
    values = COLUMNS[name][1]
    return [
        None if (x * 31 + len(name)) % 17 == 0 or 200 <= x < 250 else value
        for x, value in enumerate(values)
    ]


VALUES = {name: values_of(name) for name in COLUMNS} | {"row": list(range(ROWS))}


@pytest.fixture(scope="module", params=["plain", "indexed", "small pages"])
def opened(request, tmp_path_factory) -> hp.ParquetFile:
    place = tmp_path_factory.mktemp("pruning") / "a.parquet"
    arrays = [pa.array(VALUES[name], kind) for name, (kind, _) in COLUMNS.items()]
    table = pa.table([*arrays, pa.array(VALUES["row"])], [*COLUMNS, "row"])
    how = {
        "plain": {},
        "indexed": {"write_page_index": True, "use_dictionary": ["s", "y"]},
        "small pages": {
            "write_page_index": True,
            "use_dictionary": False,
            "data_page_size": 128,
            "write_batch_size": 16,
            "data_page_version": "2.0",
        },
    }[request.param]
    pq.write_table(table, place, row_group_size=50, **how)
    return hp.ParquetFile(place)


def holds(operator: str, value, wanted) -> bool:
    if operator == "is null":
        return value is None
    if operator == "is not null":
        return value is not None
    if value is None:
        return False
    if isinstance(value, dt.date) and isinstance(wanted, dt.datetime):
        value = value if isinstance(value, dt.datetime) else dt.datetime.combine(value, dt.time())
    return {
        "==": lambda: value == wanted,
        "!=": lambda: value != wanted,
        "<": lambda: value < wanted,
        "<=": lambda: value <= wanted,
        ">": lambda: value > wanted,
        ">=": lambda: value >= wanted,
        "in": lambda: value in wanted,
        "not in": lambda: value not in wanted,
    }[operator]()


def conditions() -> st.SearchStrategy:
    def on(name: str) -> st.SearchStrategy:
        some = [value for value in COLUMNS[name][1] if value == value]  # noqa: PLR0124
        one = st.sampled_from(some[:: max(1, len(some) // 40)])
        if name == "h":
            one = one.map(lambda x: float(np.float32(x)))
        many = st.lists(one, max_size=3)
        return st.one_of(
            st.tuples(st.just(name), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), one),
            st.tuples(st.just(name), st.sampled_from(["in", "not in"]), many),
            st.tuples(st.just(name), st.sampled_from(["is null", "is not null"])),
        )

    return st.sampled_from(list(COLUMNS)).flatmap(on)


def rows_of(filters: list) -> list[int]:
    def each(row: int, condition: tuple) -> bool:
        name, operator = condition[:2]
        value = VALUES[name][row]
        if name == "h" and value is not None:
            value = float(np.float32(value))
        return holds(operator, value, condition[2] if len(condition) > 2 else None)

    return [
        row
        for row in range(ROWS)
        if any(all(each(row, condition) for condition in every) for every in filters)
    ]


@settings(max_examples=60)
@given(filters=st.lists(st.lists(conditions(), min_size=1, max_size=3), min_size=1, max_size=2))
def test_a_filter_is_a_mask(opened, filters):
    expected = rows_of(filters)
    frame = opened.to_pandas(columns=["row", "s", "i"], filters=filters)
    assert frame["row"].tolist() == expected
    assert [None if pd.isna(x) else x for x in frame["s"]] == [VALUES["s"][x] for x in expected]
    assert [None if pd.isna(x) else x for x in frame["i"]] == [VALUES["i"][x] for x in expected]
    assert opened.count(filters) == opened.count(filters, row_filter=True) == len(expected)
    # Whole row groups: every row that is wanted is among them.
    groups = opened.to_pandas(columns=["row"], filters=filters, row_filter=False)["row"].tolist()
    assert set(expected) <= set(groups)
    assert len(groups) % 50 == 0


@settings(max_examples=60)
@given(filters=st.lists(st.lists(conditions(), min_size=1, max_size=2), min_size=1, max_size=2))
def test_what_is_ruled_out_holds_no_wanted_row(opened, filters):
    expected = set(rows_of(filters))
    collection = opened._collection
    bound = bind(collection, parse_filters(filters))
    for number, place in enumerate(collection.groups):
        here = {row - 50 * number for row in expected if row // 50 == number}
        verdict = judge(collection, place, bound)
        if verdict.alternatives is None:
            assert not here
        elif verdict.is_all:
            assert len(here) == 50
        else:
            ranges = page_ranges(collection.files[0], number, verdict.alternatives)
            assert ranges is None or here <= set(ranges.rows().tolist())


@pytest.mark.parametrize(
    ("condition", "groups"),
    [
        (("i", ">=", 80), {11}),
        (("u", "==", 2**63 + 120), {2}),
        (("s", "==", "key 016"), {6}),
        (("s", "in", ["key 000", "key 029", "other"]), {0, 11}),
        (("t", "<", START + dt.timedelta(minutes=30)), {0}),
        (("z", "<", pd.Timestamp("2026-01-01 01:30", tz="Europe/Berlin")), {0}),
        (("d", "==", "2026-01-01"), {0}),
        (("m", ">", "09:30"), {11}),
        (("c", "<", 1), {0}),
        (("w", ">", decimal.Decimal(0)), {6, 7, 8, 9, 10, 11}),
        (("x", "==", b"\x01\x00\x07"), {5}),
        (("b", "==", True), {9, 10, 11}),
        (("i", "is null"), set(range(12))),
        (("row", "not in", [3]), set(range(12))),
        (("row", "!=", 3), set(range(12))),
    ],
)
def test_statistics_leave_out_row_groups(opened, condition, groups):
    frame = opened.to_pandas(columns=["row"], filters=[condition], row_filter=False)
    assert set(frame["row"] // 50) == groups


def test_nothing_but_what_is_needed_is_decoded(opened, monkeypatch):
    decoded = []

    def spy(original):
        def decode(place, *arguments, **options):
            column = original(place, *arguments, **options)
            if column is not None:
                decoded.append((place.row_group, place.leaf.name))
            return column

        return decode

    for module in (reading_module, row_selection):
        for name in ("decode_chunk", "decode_small_chunk"):
            monkeypatch.setattr(module, name, spy(getattr(module, name)))
    frame = opened.to_pandas(columns=["row", "f", "i"], filters=[("i", "==", 3), ("row", "<", 30)])
    assert frame["row"].tolist() == [x for x in range(21, 28) if VALUES["i"][x] is not None]
    # The columns of the filter once, the other one where a row was found.
    assert sorted(decoded) == [(0, "f"), (0, "i"), (0, "row")]
    decoded.clear()
    assert opened.count([("row", ">=", 100)]) == 500
    assert decoded == []


def test_pages_are_ruled_out(tmp_path):
    table = pa.table({"i": np.arange(1000), "s": [f"{x:05}" for x in range(1000)]})
    place = tmp_path / "a.parquet"
    options = {"data_page_size": 200, "write_batch_size": 20, "use_dictionary": False}
    pq.write_table(table, place, write_page_index=True, **options)
    opened = hp.ParquetFile(place)
    for condition in [("i", "==", 500), ("s", "==", "00500"), ("i", ">", 990)]:
        bound = bind(opened._collection, parse_filters([condition]))
        verdict = judge(opened._collection, opened._collection.groups[0], bound)
        ranges = page_ranges(opened._collection.files[0], 0, verdict.alternatives)
        assert 0 < ranges.count < 100
        expected = [500] if condition[1] == "==" else list(range(991, 1000))
        assert opened.to_pandas(filters=[condition])["i"].tolist() == expected


def test_only_wanted_pages_are_fetched_from_a_store(tmp_path, monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    table = pa.table({"i": np.arange(50_000), "v": np.random.default_rng(0).random(50_000)})
    place = tmp_path / "a.parquet"
    pq.write_table(
        table,
        place,
        write_page_index=True,
        data_page_size=20_000,
        use_dictionary=False,
        compression="none",
    )
    store = fsspec.filesystem("memory")
    store.pipe_file("/hocket-pages.parquet", place.read_bytes())
    opened = hp.ParquetFile("memory://hocket-pages.parquet")
    source = opened._collection.files[0].source
    asked = []
    original = source._fetch
    monkeypatch.setattr(
        source, "_fetch", lambda ranges, into: asked.extend(ranges) or original(ranges, into)
    )
    try:
        frame = opened.to_pandas(filters=[("i", "==", 25_000)])
    finally:
        store.rm("/hocket-pages.parquet")
    assert frame["v"].tolist() == [table.column("v")[25_000].as_py()]
    assert 0 < sum(nbytes for _, nbytes in asked) < 60_000


def test_bloom_filters_rule_out_values(tmp_path):
    if "bloom_filter_options" not in pq.write_table.__doc__:
        pytest.skip("this pyarrow writes no Bloom filters")
    rng = np.random.default_rng(1)
    numbers = rng.permutation(2000) * 2
    table = pa.table({"i": numbers, "s": [f"k{x}" for x in numbers]})
    place = tmp_path / "a.parquet"
    options = {name: {"ndv": 600, "fpp": 0.001} for name in ("i", "s")}
    pq.write_table(table, place, row_group_size=500, bloom_filter_options=options)
    opened = hp.ParquetFile(place)
    position = numbers.tolist().index(1000)
    for condition in [("i", "==", 1000), ("s", "==", "k1000"), ("s", "in", ["k1000", "k1001"])]:
        frame = opened.to_pandas(filters=[condition], row_filter=False)
        assert len(frame) == 500
        assert frame["i"].iloc[position % 500] == 1000
    for condition in [("i", "==", 1001), ("s", "==", "k1001")]:
        assert opened.count([condition], row_filter=False) == 0


def test_masks_of_rows(opened):
    mask = np.zeros(ROWS, bool)
    mask[[0, 49, 50, 333, 599]] = True
    assert opened.to_pandas(columns=["row"], row_filter=mask)["row"].tolist() == [
        0, 49, 50, 333, 599,
    ]  # fmt: skip
    assert opened.count(row_filter=mask) == 5
    assert opened.to_pandas(row_filter=list(~mask)).shape[0] == ROWS - 5
    with pytest.raises(hp.InvalidOption, match="600 rows"):
        opened.to_pandas(row_filter=mask[:5])
    with pytest.raises(hp.InvalidOption, match="both"):
        opened.to_pandas(row_filter=mask, filters=[("i", "==", 1)])


@pytest.mark.parametrize(
    ("filters", "error", "words"),
    [
        ([("nothing", "==", 1)], hp.ColumnMissing, "nothing"),
        ([("i", "==", "1")], hp.InvalidFilter, r"\('i', '==', '1'\).*integers"),
        ([("t", ">", "soon")], hp.InvalidFilter, "timestamps"),
        ([("i", "like", "1")], hp.InvalidFilter, "no operator"),
    ],
)
def test_filters_that_make_no_sense(opened, filters, error, words):
    with pytest.raises(error, match=words):
        opened.to_pandas(filters=filters)


def test_lists_and_structs_do_not_compare(tmp_path):
    rows = [{"l": [1], "s": {"a": 1, "b": "x"}}] * 3
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    opened = hp.ParquetFile(tmp_path / "a.parquet")
    with pytest.raises(hp.InvalidFilter, match="lists"):
        opened.count([("l", "==", 1)])
    with pytest.raises(hp.InvalidFilter, match=r"'s\.a', 's\.b'"):
        opened.count([("s", "==", 1)])
    assert opened.count([("s.b", "==", "x")]) == 3


def test_durations_compare_with_durations(tmp_path):
    spans = [dt.timedelta(seconds=x) for x in range(10)]
    pq.write_table(pa.table({"d": pa.array(spans, pa.duration("ms"))}), tmp_path / "a.parquet")
    opened = hp.ParquetFile(tmp_path / "a.parquet")
    assert opened.count([("d", ">", dt.timedelta(seconds=7))]) == 2
    assert opened.count([("d", "==", "0 days 00:00:03")]) == 1


def test_nested_columns_of_the_rows_that_are_left(tmp_path):
    rows = [
        {
            "n": x,
            "l": None if x % 7 == 0 else [{"k": y, "v": [str(y)] * (y % 3)} for y in range(x % 4)],
            "m": {"a": None if x % 5 else x},
        }
        for x in range(200)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=60)
    opened = hp.ParquetFile(tmp_path / "a.parquet")
    wanted = [x for x in range(200) if x % 9 == 4]
    table = opened.to_arrow(filters=[("n", "in", wanted)]).to_pyarrow()
    assert table.to_pylist() == [rows[x] for x in wanted]
    frame = opened.to_pandas(filters=[("n", "in", wanted)], nested="python")
    assert frame["l"].tolist() == [rows[x]["l"] for x in wanted]
    assert opened.head(65).shape[0] == 65

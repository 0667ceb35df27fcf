"""Files that pyarrow wrote, through our Arrow data, into pyarrow, polars, DuckDB and pandas."""

from __future__ import annotations

import datetime as dt
import gc
import io
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.parquet import CorruptFile, InvalidOption, ParquetFile
from hocket.parquet.assemble.arrow_arrays import ArrowArray
from hocket.parquet.assemble.arrow_export import live_exports
from hocket.parquet.assemble.arrow_table import ArrowReader, ArrowTable, struct_array
from hocket.parquet.assemble.arrow_types import ArrowField, ArrowSchema

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(autouse=True)
def nothing_is_left():
    gc.collect()
    before = live_exports()
    yield
    gc.collect()
    assert live_exports() == before


def written(table, **options):
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def wide(kind):
    """Return a type with the offsets that we give text and bytes."""
    plain = {
        pa.string(): pa.large_string(),
        pa.binary(): pa.large_binary(),
        pa.timestamp("s"): pa.timestamp("ms"),
    }
    if pa.types.is_dictionary(kind):
        return pa.dictionary(pa.int32(), wide(kind.value_type), kind.ordered)
    if pa.types.is_map(kind):
        return pa.map_(wide(kind.key_type), kind.item_field.with_type(wide(kind.item_type)))
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(wide(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([each.with_type(wide(each.type)) for each in kind])
    return plain.get(kind, kind)


D = Decimal
NOON = dt.datetime(2020, 1, 2, 12, 30)  # noqa: DTZ001
COLUMNS = {
    "bool": pa.array([True, None, False]),
    "int8": pa.array([1, None, -3], pa.int8()),
    "uint8": pa.array([1, None, 255], pa.uint8()),
    "int16": pa.array([1, None, -3], pa.int16()),
    "uint16": pa.array([1, None, 65535], pa.uint16()),
    "int32": pa.array([1, None, -3], pa.int32()),
    "uint32": pa.array([1, None, 2**32 - 1], pa.uint32()),
    "int64": pa.array([1, None, -3]),
    "uint64": pa.array([1, None, 2**64 - 1], pa.uint64()),
    "float16": pa.array(np.array([1.5, 0, 2], "f2"), mask=np.array([False, True, False])),
    "float": pa.array([1.5, None, 3], pa.float32()),
    "double": pa.array([1.5, None, float("inf")]),
    "string": pa.array(["a", None, "é"]),
    "binary": pa.array([b"a", None, b"\xff"]),
    "fixed": pa.array([b"abc", None, b"xyz"], pa.binary(3)),
    "decimal5": pa.array([D("1.23"), None, D("-9.99")], pa.decimal128(5, 2)),
    "decimal15": pa.array([D("1.23"), None, D("-9.99")], pa.decimal128(15, 2)),
    "decimal30": pa.array([D("1.23"), None, D("-9.99")], pa.decimal128(30, 2)),
    "decimal60": pa.array([D("1.23"), None, D("-9.99")], pa.decimal256(60, 2)),
    "date": pa.array([dt.date(2020, 1, 1), None, dt.date(1, 1, 1)]),
    "time_ms": pa.array([dt.time(1, 2, 3), None, dt.time(0)], pa.time32("ms")),
    "time_us": pa.array([dt.time(1, 2, 3, 4), None, dt.time(0)], pa.time64("us")),
    "time_ns": pa.array([1000, None, 3000], pa.time64("ns")),
    "timestamp_s": pa.array([NOON, None, NOON], pa.timestamp("s")),
    "timestamp_ms": pa.array([NOON, None, NOON], pa.timestamp("ms")),
    "timestamp_us": pa.array([NOON, None, NOON], pa.timestamp("us")),
    "timestamp_ns": pa.array([NOON, None, NOON], pa.timestamp("ns")),
    "berlin": pa.array([NOON, None, NOON], pa.timestamp("us", "Europe/Berlin")),
    "utc": pa.array([NOON, None, NOON], pa.timestamp("ms", "UTC")),
    "duration": pa.array([1, None, 3], pa.duration("us")),
    "dictionary": pa.array(["x", None, "y"]).dictionary_encode(),
    "no_words": pa.array([None, None, None], pa.string()).dictionary_encode(),
    "null": pa.nulls(3),
    "list": pa.array([[1, None], None, []]),
    "lists": pa.array([[["a"], []], None, [None]]),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
    "map": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
}
#: What a consumer cannot have from Arrow at all, or not without more packages.
NOT_FOR_POLARS = {"decimal60"}
NOT_FOR_DUCKDB = {"decimal60", "float16", "berlin", "utc"}


@pytest.mark.parametrize("name", COLUMNS)
def test_pyarrow_takes(name):
    data = written(pa.table({name: COLUMNS[name]}))
    found = pa.table(ParquetFile(data).to_arrow())
    found.validate(full=True)
    assert found.schema.field(0).type == wide(COLUMNS[name].type)
    assert found.column(0).to_pylist() == COLUMNS[name].to_pylist()


def all_but(names):
    table = pa.table({name: COLUMNS[name] for name in COLUMNS if name not in names})
    return table, ParquetFile(written(table)).to_arrow()


def test_polars_takes():
    pl = pytest.importorskip("polars")
    table, ours = all_but(NOT_FOR_POLARS)
    found = pl.DataFrame(ours)
    same = pa.schema([each.with_type(wide(each.type)) for each in table.schema])
    wanted = pl.DataFrame(table.cast(same))
    assert found.schema == wanted.schema
    assert found.equals(wanted)


def test_duckdb_takes():
    duckdb = pytest.importorskip("duckdb")
    wanted, found = all_but(NOT_FOR_DUCKDB)
    assert found.num_rows == wanted.num_rows
    with duckdb.connect() as connection:
        ours = connection.sql("select * from found").fetchall()
        theirs = connection.sql("select * from wanted").fetchall()
    assert ours == theirs


def test_pandas_takes():
    names = ["int64", "double", "string", "bool", "timestamp_us", "dictionary"]
    table = pa.table({name: COLUMNS[name] for name in names})
    found = pd.DataFrame.from_arrow(ParquetFile(written(table)).to_arrow())
    pd.testing.assert_frame_equal(found, table.to_pandas())


def test_extension_types():
    json = getattr(pa, "json_", None)
    if json is None:
        pytest.skip("this pyarrow has no JSON type")
    columns = {
        "u": pa.array([b"a" * 16, None], pa.uuid()),
        "j": pa.array(["{}", None], pa.json_()),
        "period": pa.array(pd.period_range("2020-01", periods=2, freq="M")),
    }
    data = written(pa.table(columns))
    found = pa.table(ParquetFile(data).to_arrow())
    assert [str(each) for each in found.schema.types[:2]] == [
        "extension<arrow.uuid>",
        "extension<arrow.json>",
    ]
    assert found.schema.types[2] == columns["period"].type
    for name, column in columns.items():
        assert found.column(name).to_pylist() == column.to_pylist()
    plain = pa.table(ParquetFile(data).to_arrow(extension_types=False))
    assert plain.schema.types == [pa.binary(16), pa.large_string(), pa.int64()]


def test_metadata_go_along():
    table = pa.table({"a": pa.array([1, 2])})
    table = table.replace_schema_metadata({"mine": "yes"})
    schema = pa.schema(
        [pa.field("a", pa.int64(), nullable=False, metadata={"PARQUET:field_id": "3"})]
    )
    table = table.cast(schema).replace_schema_metadata({"mine": "yes"})
    found = pa.table(ParquetFile(written(table)).to_arrow())
    assert found.schema.metadata == {b"mine": b"yes"}
    assert found.schema.field(0).metadata == {b"PARQUET:field_id": b"3"}
    assert not found.schema.field(0).nullable
    frame = pd.DataFrame({"x": [1.5, 2.5]}, index=pd.Index(["p", "q"], name="i"))
    again = pa.table(ParquetFile(written(pa.Table.from_pandas(frame))).to_arrow()).to_pandas()
    pd.testing.assert_frame_equal(again, frame)


def test_batches_with_dictionaries_of_their_own():
    words = [f"word {number % 7}" if number % 5 else None for number in range(100)]
    texts = [f"word {number % 3}" for number in range(50)] + words[:50]
    table = pa.table({"w": pa.array(words).dictionary_encode(), "t": texts})
    data = written(table, row_group_size=30)
    found = ParquetFile(data).to_arrow(dictionaries=["w", "t"])
    assert len(found.batches) == 4
    as_pyarrow = found.to_pyarrow()
    assert as_pyarrow.to_pydict() == {"w": words, "t": texts}
    assert pa.types.is_dictionary(as_pyarrow.schema.field("t").type)
    polars, duckdb = pytest.importorskip("polars"), pytest.importorskip("duckdb")
    assert polars.DataFrame(found).to_dict(as_series=False) == {"w": words, "t": texts}
    with duckdb.connect() as connection:
        rows = connection.sql("select * from found").fetchall()
    assert rows == list(zip(words, texts, strict=True))


def test_a_column_that_is_too_wide_for_its_dictionary():
    rng = np.random.default_rng(0)
    words = [f"{number:x}" for number in rng.integers(0, 1 << 60, 3000)]
    data = written(pa.table({"w": words}), dictionary_pagesize_limit=1000, data_page_size=1000)
    found = ParquetFile(data).to_arrow(dictionaries=["w"]).to_pyarrow()
    assert pa.types.is_dictionary(found.schema.field("w").type)
    assert found.column("w").to_pylist() == words


def test_no_rows_and_no_columns():
    empty = pa.schema([("a", pa.list_(pa.string())), ("d", pa.dictionary(pa.int32(), pa.string()))])
    found = pa.table(ParquetFile(written(empty.empty_table())).to_arrow())
    assert (found.num_rows, found.schema.names) == (0, ["a", "d"])
    table = ParquetFile(written(pa.table({"a": [1, 2, 3]}))).to_arrow([])
    assert (table.num_rows, table.num_columns) == (3, 0)
    assert pa.RecordBatchReader.from_stream(table).read_next_batch().num_rows == 3


def test_parts_of_nested_columns():
    rows = [{"a": 1, "l": [{"p": 1, "q": "x"}]}, None, {"a": None, "l": None}, {"a": 2, "l": []}]
    data = written(pa.table({"s": rows, "z": [1, 2, 3, 4]}))
    found = pa.table(ParquetFile(data).to_arrow(["z", "s.l.q"]))
    assert found.schema.names == ["z", "s"]
    wanted = [{"l": [{"q": "x"}]}, None, {"l": None}, {"l": []}]
    assert found.column("s").to_pylist() == wanted
    assert pa.table(ParquetFile(data).to_arrow(["s.a"])).column("s").to_pylist() == [
        {"a": 1},
        None,
        {"a": None},
        {"a": 2},
    ]


def test_wide_offsets():
    rows = [["a", None], None, []]
    found = pa.table(ParquetFile(written(pa.table({"l": rows}))).to_arrow(wide_offsets=True))
    assert found.schema.field(0).type == pa.large_list(pa.large_string())
    assert found.column(0).to_pylist() == rows
    maps = pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64()))
    found = pa.table(ParquetFile(written(pa.table({"m": maps}))).to_arrow(wide_offsets=True))
    assert found.column(0).to_pylist() == maps.to_pylist()


# --------------------------------------------------------------------------- tables of any shape

leaves = st.one_of(
    st.sampled_from([pa.int64(), pa.int8(), pa.bool_(), pa.string(), pa.float64()]),
    st.sampled_from([pa.decimal128(7, 2), pa.date32(), pa.timestamp("us", "UTC"), pa.binary(2)]),
    st.sampled_from([pa.null(), pa.dictionary(pa.int32(), pa.string())]),
)


def field(name, kind, *, nullable):
    return pa.field(name, kind, nullable or pa.types.is_null(kind))


@st.composite
def struct_types(draw, inside):
    members = draw(st.lists(st.tuples(inside, st.booleans()), min_size=1, max_size=3))
    return pa.struct(
        [field("abc"[at], kind, nullable=nullable) for at, (kind, nullable) in enumerate(members)]
    )


kinds = st.recursive(
    leaves,
    lambda inside: st.one_of(
        st.builds(
            lambda kind, nullable: pa.list_(field("element", kind, nullable=nullable)),
            inside,
            st.booleans(),
        ),
        struct_types(inside),
        st.builds(lambda value: pa.map_(pa.string(), value), inside),
    ),
    max_leaves=5,
)

VALUES = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.int8(): st.integers(-128, 127),
    pa.bool_(): st.booleans(),
    pa.string(): st.text("aé€😀", max_size=4),
    pa.float64(): st.floats(allow_nan=False),
    pa.decimal128(7, 2): st.decimals(D(-9999), D(9999), places=2),
    pa.date32(): st.dates(),
    pa.timestamp("us", "UTC"): st.datetimes(timezones=st.just(dt.UTC)),
    pa.binary(2): st.binary(min_size=2, max_size=2),
    pa.null(): st.none(),
    pa.dictionary(pa.int32(), pa.string()): st.sampled_from(["x", "yy", ""]),
}


def values_of(kind, *, nullable=True):
    if pa.types.is_map(kind):
        pairs = st.tuples(VALUES[pa.string()], values_of(kind.item_type))
        one = st.lists(pairs, max_size=3)
    elif pa.types.is_list(kind):
        inside = values_of(kind.value_type, nullable=kind.value_field.nullable)
        one = st.lists(inside, max_size=3)
    elif pa.types.is_struct(kind):
        one = st.fixed_dictionaries(
            {each.name: values_of(each.type, nullable=each.nullable) for each in kind}
        )
    else:
        one = VALUES[kind]
    return st.none() | one if nullable else one


@st.composite
def tables(draw):
    columns = {}
    count = draw(st.integers(0, 12))
    for name in "pqr"[: draw(st.integers(1, 3))]:
        kind = draw(kinds)
        rows = draw(st.lists(values_of(kind), min_size=count, max_size=count))
        columns[name] = pa.array(rows, kind)
    return pa.table(columns)


@settings(max_examples=100)
@given(
    tables(),
    st.sampled_from(["1.0", "2.0"]),
    st.sampled_from(["none", "snappy", "zstd"]),
    st.integers(1, 12),
    st.booleans(),
)
def test_any_table_comes_back(table, page_version, codec, row_group_size, store_schema):
    data = written(
        table,
        data_page_version=page_version,
        compression=codec,
        row_group_size=row_group_size,
        store_schema=store_schema,
        write_batch_size=3,
        data_page_size=40,
    )
    found = ParquetFile(data).to_arrow().to_pyarrow()
    found.validate(full=True)
    # (What was written, not what pyarrow reads: it loses required dictionary values in lists.)
    assert found.to_pydict() == table.to_pydict()
    for ours, theirs in zip(found.schema, pq.read_schema(io.BytesIO(data)), strict=True):
        assert ours.nullable == theirs.nullable
        if store_schema:
            assert ours.type == wide(theirs.type)


# ------------------------------------------------------------------------------------- failures

NUMBERS = ArrowField("a", "l", nullable=True)
SCHEMA = ArrowSchema((NUMBERS,))


def failing():
    yield struct_array(SCHEMA, (ArrowArray(NUMBERS, 2, 0, (None, np.arange(2))),), 2)
    raise CorruptFile("the file is damaged", file="some.parquet")


def into_polars(reader):
    return pytest.importorskip("polars").DataFrame(reader)


def into_duckdb(reader):
    with pytest.importorskip("duckdb").connect() as connection:
        return connection.from_arrow(reader).fetchall()


@pytest.mark.parametrize("take", [pa.table, into_polars, into_duckdb, pd.DataFrame.from_arrow])
def test_what_goes_wrong_on_the_way_is_told(take):
    with pytest.raises(Exception, match=r"some\.parquet: the file is damaged"):
        take(ArrowReader(SCHEMA, failing()))


def test_a_reader_of_batches():
    table = pa.table({"a": list(range(10))})
    reader = ParquetFile(written(table, row_group_size=4)).iter_arrow()
    assert [each.num_rows for each in reader] == [4, 4, 2]
    reader = ParquetFile(written(table, row_group_size=4)).iter_arrow().to_pyarrow()
    assert reader.read_next_batch().num_rows == 4
    del reader


def test_without_pyarrow(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(InvalidOption, match="pyarrow is not installed"):
        ArrowTable(SCHEMA, []).to_pyarrow()

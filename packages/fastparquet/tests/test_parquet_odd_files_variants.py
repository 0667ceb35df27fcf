"""Variants shredded in every legal way, and some others: as Python values, and whole in Arrow."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import pandas as pd
import pytest
from parquet_record_writer import (
    LIST,
    OPTIONAL,
    REPEATED,
    REQUIRED,
    STRING,
    file_of_rows,
    node,
)

from hocket.parquet import ParquetError, ParquetFile
from hocket.parquet.errors import CorruptFile, UnsupportedFeature
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.logical import PhysicalType
from hocket.parquet.variant import decode

pa = pytest.importorskip("pyarrow")

P = PhysicalType
NAMES = b"\x01\x05\x00\x01\x02\x03\x04\x05abcde"
NO_NAMES = b"\x01\x00\x00"
NULL = b"\x00"
VARIANT = {"logicalType": ttypes.LogicalType(VARIANT=ttypes.VariantType())}


# ---------------------------------------------------------------------------------- the bytes


def int32(value):
    return b"\x14" + value.to_bytes(4, "little", signed=True)


def text(value):
    raw = value.encode()
    short = bytes([len(raw) << 2 | 1])
    return (short if len(raw) < 64 else b"\x40" + len(raw).to_bytes(4, "little")) + raw


def obj(**fields):
    """An object, its values in another order than its names."""
    names = sorted(fields)
    body, places = b"", {}
    for name in reversed(names):
        places[name] = len(body)
        body += fields[name]
    ids = bytes("abcde".index(name) for name in names)
    ends = bytes([*(places[name] for name in names), len(body)])
    return bytes([2, len(names)]) + ids + ends + body


def arr(*elements):
    ends = [sum(map(len, elements[:count])) for count in range(len(elements) + 1)]
    return bytes([3, len(elements), *ends]) + b"".join(elements)


# ------------------------------------------------------------------------------------- the columns


def typed(what, **element):
    return node("typed_value", OPTIONAL, what, **element)


def part(name, typed_value, repetition=REQUIRED, *, value=True):
    members = [node("value", OPTIONAL, P.BYTE_ARRAY)] if value else []
    members += [typed_value] if typed_value is not None else []
    return node(name, repetition, members)


def fields(*parts):
    return typed(list(parts))


def elements(typed_value, **options):
    element = part("element", typed_value, **options)
    return typed([node("list", REPEATED, [element])], **LIST)


def variant(typed_value, repetition=OPTIONAL, *, value=True):
    whole = part("v", typed_value, repetition, value=value)
    whole.what.insert(0, node("metadata", REQUIRED, P.BYTE_ARRAY))
    whole.element = VARIANT
    return whole


def is_(value):
    """What a part holds whose value is of the type of its column."""
    return {"typed_value": value}


def items(*parts):
    return is_({"list": [{"element": each} for each in parts]})


def row(value=None, names=NAMES, **parts):
    return {"v": {"metadata": names, "value": value, **parts}}


def read(column, *rows):
    """The values, and the same from what Arrow gets; these carry nulls of both kinds."""
    raw = file_of_rows([column], rows)
    values = ParquetFile(raw).to_pandas()["v"].tolist()
    table = pa.table(ParquetFile(raw).to_arrow())
    for value, encoded in zip(values, table["v"].to_pylist(), strict=True):
        if encoded is not None:
            assert list(encoded) == ["metadata", "value"]
            assert decode(encoded["metadata"], encoded["value"]) == value
    return values


def annotated(**kind):
    return {"logicalType": ttypes.LogicalType(**kind)}


def decimal(precision, scale):
    return annotated(DECIMAL=ttypes.DecimalType(scale=scale, precision=precision))


def timestamp(unit, *, is_utc):
    units = {"us": {"MICROS": ttypes.MicroSeconds()}, "ns": {"NANOS": ttypes.NanoSeconds()}}
    unit = ttypes.TimeUnit(**units[unit])
    return annotated(TIMESTAMP=ttypes.TimestampType(isAdjustedToUTC=is_utc, unit=unit))


def integer(bits):
    return annotated(INTEGER=ttypes.IntType(bitWidth=bits, isSigned=True))


MICROS = ttypes.TimeUnit(MICROS=ttypes.MicroSeconds())
MOMENT = datetime(1957, 11, 7, 12, 33, 54, 123456)  # noqa: DTZ001
MOMENT_US = -383_397_965_876_544
AN_ID = UUID("f24f9b64-81fa-49d1-b74e-8c09a6e31c56")
BIG = 9_876_543_210_123_456_789


@pytest.mark.parametrize(
    ("column", "stored", "value"),
    [
        (typed(P.BOOLEAN), True, True),
        (typed(P.BOOLEAN), False, False),
        (typed(P.INT32, **integer(8)), -34, -34),
        (typed(P.INT32, **integer(16)), -1234, -1234),
        (typed(P.INT32), 12345, 12345),
        (typed(P.INT32, **integer(32)), -5, -5),
        (typed(P.INT64), -9876543210, -9876543210),
        (typed(P.INT64, **integer(64)), 1 << 62, 1 << 62),
        (typed(P.FLOAT), 10.125, 10.125),
        (typed(P.DOUBLE), -14.3, -14.3),
        (typed(P.INT32, **annotated(DATE=ttypes.DateType())), -4438, date(1957, 11, 7)),
        (typed(P.INT64, **timestamp("us", is_utc=True)), MOMENT_US, MOMENT.replace(tzinfo=UTC)),
        (typed(P.INT64, **timestamp("us", is_utc=False)), MOMENT_US, MOMENT),
        (
            typed(P.INT64, **timestamp("ns", is_utc=True)),
            MOMENT_US * 1000 + 789,
            pd.Timestamp(MOMENT_US * 1000 + 789, tz="UTC"),
        ),
        (
            typed(P.INT64, **timestamp("ns", is_utc=False)),
            MOMENT_US * 1000 + 789,
            pd.Timestamp(MOMENT_US * 1000 + 789),
        ),
        (
            typed(P.INT64, **annotated(TIME=ttypes.TimeType(isAdjustedToUTC=False, unit=MICROS))),
            45_234_123_456,
            time(12, 33, 54, 123456),
        ),
        (typed(P.INT32, **decimal(9, 4)), 123456789, Decimal("12345.6789")),
        (typed(P.INT64, **decimal(18, 9)), -BIG // 10, Decimal(-BIG // 10).scaleb(-9)),
        (
            typed(P.BYTE_ARRAY, **decimal(38, 9)),
            (-BIG).to_bytes(9, "big", signed=True),
            Decimal(-BIG).scaleb(-9),
        ),
        (
            typed(P.FIXED_LEN_BYTE_ARRAY, type_length=9, **decimal(20, 9)),
            BIG.to_bytes(9, "big", signed=True),
            Decimal(BIG).scaleb(-9),
        ),
        (typed(P.BYTE_ARRAY), b"\x0a\x0b\x0c\x0d", b"\x0a\x0b\x0c\x0d"),
        (typed(P.BYTE_ARRAY, **STRING), b"iceberg", "iceberg"),
        (typed(P.BYTE_ARRAY, **STRING), b"x" * 63, "x" * 63),
        (typed(P.BYTE_ARRAY, **STRING), "é".encode() * 32, "é" * 32),
        (
            typed(P.FIXED_LEN_BYTE_ARRAY, type_length=16, **annotated(UUID=ttypes.UUIDType())),
            AN_ID.bytes,
            AN_ID,
        ),
    ],
)
@pytest.mark.parametrize("has_value", [True, False])
def test_values_in_typed_columns(column, stored, value, has_value):
    rows = [row(typed_value=stored), {"v": None}, row(), row(NULL if has_value else None)]
    rows += [row(text("n/a"), NO_NAMES)] if has_value else []
    wanted = [value, None, None, None, *(["n/a"] if has_value else [])]
    found = read(variant(column, value=has_value), *rows)
    assert found == wanted
    assert type(found[0]) is type(value)


A_AND_B = (part("a", typed(P.INT32)), part("b", typed(P.BYTE_ARRAY, **STRING)))


def both(a, b):
    return is_({"a": a, "b": b})


def test_objects():
    found = read(
        variant(fields(*A_AND_B)),
        row(**both(is_(34), is_(b"iceberg"))),
        row(**both({"value": NULL}, is_(b""))),
        row(**both({"value": text("x")}, {})),
        row(**both({}, {})),
        row(obj(d=int32(7), c=arr(NULL, text("y"))), **both(is_(1), {})),
        row(int32(34)),
        row(NULL),
        row(),
        row(arr()),
    )
    assert found == [
        {"a": 34, "b": "iceberg"},
        {"a": None, "b": ""},
        {"a": "x"},
        {},
        {"a": 1, "c": [None, "y"], "d": 7},
        34,
        None,
        None,
        [],
    ]


def test_objects_of_fewer_columns():
    """Without `value`, without `typed_value`, with groups that are wrongly optional."""
    string = typed(P.BYTE_ARRAY, **STRING)
    typed_only = fields(part("a", typed(P.INT32), value=False), part("b", string, value=False))
    assert read(variant(typed_only), row(**both({}, is_(b"x")))) == [{"b": "x"}]
    value_only = fields(part("a", None), part("b", None))
    assert read(variant(value_only), row(**both({}, {"value": text("x")}))) == [{"b": "x"}]
    no_value = variant(fields(*A_AND_B), value=False)
    assert read(no_value, row(**both({"value": int32(5)}, is_(b"x")))) == [{"a": 5, "b": "x"}]
    optional = fields(
        part("a", typed(P.INT32), OPTIONAL),
        part("b", string, OPTIONAL),
        part("c", typed(P.DOUBLE), OPTIONAL),
    )
    cells = is_({"a": {"value": int32(34)}, "b": is_(b"x"), "c": None})
    assert read(variant(optional), row(**cells)) == [{"a": 34, "b": "x"}]


def test_a_shredded_field_in_the_value_does_not_count():
    conflict = obj(b=text("old"), d=int32(1))
    found = read(
        variant(fields(*A_AND_B)),
        row(conflict, **both({"value": NULL}, is_(b"new"))),
        row(conflict, **both({"value": NULL}, {})),
    )
    assert found == [{"a": None, "b": "new", "d": 1}, {"a": None, "d": 1}]


def test_arrays():
    string = typed(P.BYTE_ARRAY, **STRING)
    found = read(
        variant(elements(string)),
        row(**items(is_(b"comedy"), {"value": NULL}, {"value": int32(3)}, {})),
        row(**items()),
        row(obj(a=NULL, d=text("x"))),
        row(NULL),
        {"v": None},
    )
    assert found == [["comedy", None, 3, None], [], {"a": None, "d": "x"}, None, None]
    no_value = variant(elements(string, value=False))
    assert read(no_value, row(**items(is_(b"x"), is_(b"y")))) == [["x", "y"]]
    nothing_typed = variant(elements(None))
    assert read(nothing_typed, row(**items({"value": arr(NULL)}))) == [[[None]]]


def test_arrays_of_arrays_of_objects():
    found = read(
        variant(elements(elements(fields(*A_AND_B)))),
        row(
            **items(
                items(
                    both(is_(1), is_(b"q")),
                    {"value": obj(d=int32(9)), **both({}, is_(b"r"))},
                    {"value": NULL},
                ),
                {"value": arr(text("s"))},
                items(),
            )
        ),
    )
    assert found == [[[{"a": 1, "b": "q"}, {"b": "r", "d": 9}, None], ["s"], []]]


def test_objects_in_objects():
    inner = part("c", fields(*A_AND_B))
    column = variant(fields(inner, part("d", typed(P.DOUBLE))))
    found = read(
        column,
        row(**is_({"c": both({}, is_(b"x")), "d": {}})),
        row(**is_({"c": {"value": b"\x0c\x08"}, "d": is_(-0.0)})),
        row(
            obj(e=NULL),
            **is_({"c": {"value": obj(e=text("z")), **both(is_(3), {})}, "d": is_(0.5)}),
        ),
    )
    assert found == [
        {"c": {"b": "x"}},
        {"c": 8, "d": -0.0},
        {"c": {"a": 3, "e": "z"}, "d": 0.5, "e": None},
    ]


def test_variants_in_lists():
    element = variant(typed(P.INT32))
    element.name = "element"
    top = node("v", OPTIONAL, [node("list", REPEATED, [element])], **LIST)
    cells = [{"metadata": NO_NAMES, "typed_value": 1}, None, {"metadata": NO_NAMES, "value": NULL}]
    raw = file_of_rows([top], [{"v": {"list": [{"element": each} for each in cells]}}, {"v": None}])
    assert ParquetFile(raw).to_pandas()["v"].tolist() == [[1, None, None], None]
    found = pa.table(ParquetFile(raw).to_arrow())["v"].to_pylist()
    assert [each and each["value"] for each in found[0]] == [int32(1), None, NULL]
    assert found[1] is None


def test_columns_in_any_order():
    column = variant(fields(*reversed(A_AND_B)))
    column.what.reverse()
    assert read(column, row(**both(is_(5), is_(b"f")))) == [{"b": "f", "a": 5}]


def test_columns_that_do_not_belong_to_it():
    column = variant(fields(part("a", typed(P.INT32))))
    column.what.append(node("note", OPTIONAL, P.INT32))
    column.what[2].what[0].what.append(node("note", OPTIONAL, P.DOUBLE))
    assert read(column, row(note=1, **is_({"a": is_(5) | {"note": 0.5}}))) == [{"a": 5}]


@pytest.mark.parametrize("name", ["array", "typed_value_tuple"])
def test_lists_in_older_layouts_are_refused(name):
    column = elements(typed(P.INT32))
    column.what[0].name = name
    cells = row(typed_value={name: [{"element": is_(1)}]})
    for method in ("to_pandas", "to_arrow"):
        with pytest.raises(UnsupportedFeature):
            getattr(ParquetFile(file_of_rows([variant(column)], [cells])), method)()


def test_shredded_as_they_are_stored():
    raw = file_of_rows([variant(typed(P.INT32))], [row(typed_value=3)])
    (found,) = pa.table(ParquetFile(raw).to_arrow(variants="stored"))["v"].to_pylist()
    assert found == {"metadata": NAMES, "value": None, "typed_value": 3}
    with pytest.raises(ParquetError, match="whole, stored"):
        ParquetFile(raw).to_arrow(variants="both")


@pytest.mark.parametrize(
    ("column", "cells", "words"),
    [
        (typed(P.INT32), row(text("x"), typed_value=34), "contradict"),
        (fields(*A_AND_B), row(int32(34), **both({"value": NULL}, {})), "is no object"),
        (fields(*A_AND_B), row(NULL, **both({}, {})), "is no object"),
        (fields(*A_AND_B), row(**both({"value": NULL, **is_(1)}, {})), "contradict"),
        (elements(typed(P.INT32)), row(NULL, **items()), "contradict"),
        (elements(typed(P.INT32)), row(**items({"value": NULL, **is_(1)})), "contradict"),
        (typed(P.INT32), row(b""), "no bytes"),
        (typed(P.INT32), row(NULL, b""), "no bytes"),
    ],
)
def test_what_contradicts_itself_is_refused(column, cells, words):
    raw = file_of_rows([variant(column)], [cells])
    for method in ("to_pandas", "to_arrow"):
        if method == "to_arrow" and cells["v"]["metadata"] == b"":
            continue  # It is not looked at where nothing is put together.
        with pytest.raises(CorruptFile, match=words) as caught:
            getattr(ParquetFile(raw), method)()
        assert caught.value.column == "v"


@pytest.mark.parametrize(
    "column",
    [
        typed(P.INT32, **annotated(INTEGER=ttypes.IntType(bitWidth=32, isSigned=False))),
        typed(P.FIXED_LEN_BYTE_ARRAY, type_length=4),
        typed(P.INT96),
        typed(
            P.INT32,
            **annotated(TIME=ttypes.TimeType(True, ttypes.TimeUnit(MILLIS=ttypes.MilliSeconds()))),
        ),
        typed(P.BYTE_ARRAY, **decimal(39, 2)),
    ],
)
def test_types_that_variants_do_not_have_are_refused(column):
    stored = {P.INT32: 1}.get(column.what, bytes(12 if column.what is P.INT96 else 4))
    raw = file_of_rows([variant(column)], [row(typed_value=stored)])
    for method in ("to_pandas", "to_arrow"):
        with pytest.raises(UnsupportedFeature):
            getattr(ParquetFile(raw), method)()


def test_fields_that_the_metadata_does_not_name():
    cells = row(names=NO_NAMES, **both(is_(1), {}))
    raw = file_of_rows([variant(fields(*A_AND_B))], [cells])
    assert ParquetFile(raw).to_pandas()["v"].tolist() == [{"a": 1}]
    with pytest.raises(CorruptFile, match="does not name"):
        ParquetFile(raw).to_arrow()

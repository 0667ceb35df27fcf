"""Types as users write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.errors import InvalidOption
from hocket.parquet.intake.arrow_of_values import arrow_of_values
from hocket.parquet.intake.arrow_texts import arrow_text
from hocket.parquet.intake.type_texts import parse_type
from hocket.parquet.intake.value_types import TypeKind, ValueType, decimal_nbytes, field_of

_LEAVES = st.sampled_from(
    [
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64", "string", "json", "binary", "binary(12)", "uuid"),
        *("date", "time(ms)", "time(us)", "time(ns)", "duration(s)", "duration(ns)", "interval"),
        *("variant", "geometry", "timestamp(us)", "timestamp(ms,UTC)", "decimal(9,2)"),
        *("decimal(76,0)", "null"),
    ]
)
_TEXTS = st.recursive(
    _LEAVES,
    lambda inner: (
        inner.map(lambda each: f"list<{each}>")
        | st.tuples(inner, inner).map(lambda pair: f"map<{pair[0]}, {pair[1]}>")
        | st.lists(inner, min_size=1, max_size=3).map(
            lambda each: f"struct<{', '.join(f'm{at}: {text}' for at, text in enumerate(each))}>"
        )
    ),
    max_leaves=5,
)


@given(_TEXTS)
def test_errors_call_types_as_users_do(text):
    arrow = arrow_of_values("x", parse_type(text))
    assert parse_type(arrow_text(arrow)) == parse_type(text)


@given(_TEXTS)
def test_every_type_has_a_field(text):
    values = parse_type(text)
    field = field_of("x", values, nullable=False, field_id=3)
    assert (field.name, field.field_id) == ("x", 3)
    assert field.nullable == (values.kind is TypeKind.NULL)


def test_what_words_mean():
    assert parse_type(" Decimal ( 12 , 2 ) ") == parse_type("decimal(12,2)")
    assert parse_type("timestamp(ns, Europe/Paris)").timezone == "Europe/Paris"
    assert parse_type("int96").stored_unit == "int96"
    assert parse_type("geography(EPSG:4267, karney)").algorithm == "karney"
    assert parse_type("struct<`a b`: int32>").names == ("a b",)
    assert parse_type("map") == ValueType(TypeKind.MAP)
    assert parse_type("decimal") == ValueType(TypeKind.DECIMAL)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a name is missing at character 0"),
        ("strin", "'strin' is no type"),
        ("decimal(2, 3)", "decimal(2, 3) makes no sense"),
        ("decimal(0)", "decimal(0) makes no sense"),
        ("decimal(1,2,3)", "makes no sense"),
        ("binary(0)", "binary(0) makes no sense"),
        ("int32(4)", "int32(4) makes no sense"),
        ("time(s)", "time(s) makes no sense"),
        ("timestamp(s)", "timestamp(s) makes no sense"),
        ("timestamp(us, )", "makes no sense"),
        ("geography(x, flat)", "makes no sense"),
        ("list<int32", "'>' is missing"),
        ("list", "'<' is missing"),
        ("map<int32>", "',' is missing"),
        ("struct<a int32>", "':' is missing"),
        ("struct<a: int32, a: int32>", "two members have one name"),
        ("int32 int32", "'int32' is too much"),
        ("list<" * 70 + "int32" + ">" * 70, "more than 60 levels"),
        (12, "12 is no type"),
    ],
)
def test_what_makes_no_sense(text, reason):
    with pytest.raises(InvalidOption) as caught:
        parse_type(text)
    assert reason in caught.value.reason
    assert "decimal(p, s)" in caught.value.reason


@given(st.integers(1, 76))
def test_bytes_of_decimals(precision):
    nbytes = decimal_nbytes(precision)
    most = 10**precision - 1
    assert most.to_bytes(nbytes, "big", signed=True)
    with pytest.raises(OverflowError):
        most.to_bytes(nbytes - 1, "big", signed=True)

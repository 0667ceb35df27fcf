"""Variant's binary encoding: every type, every width, and nothing but clean errors on bad bytes."""

import contextlib
import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.errors import CorruptFile, UnsupportedFeature
from hocket.parquet.variant import decode

EMPTY = b"\x01\x00\x00"
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
MICROSECOND = timedelta(microseconds=1)


def integer(value, width):
    return value.to_bytes(width, "little")


def width_of(value):
    return max(1, (value.bit_length() + 7) // 8)


def dictionary(names, *, width=None, is_sorted=False):
    raw = [name.encode() for name in names]
    ends = np.cumsum([0, *map(len, raw)]).tolist()
    width = width or width_of(max(ends[-1], len(raw)))
    table = b"".join(integer(end, width) for end in ends)
    head = 1 | is_sorted << 4 | (width - 1) << 6
    return bytes([head]) + integer(len(raw), width) + table + b"".join(raw)


def primitive(kind, data=b""):
    return bytes([kind << 2]) + data


def string(text):
    raw = text.encode()
    return bytes([len(raw) << 2 | 1]) + raw if len(raw) < 64 else long_string(raw)


def long_string(raw, kind=16):
    return primitive(kind, integer(len(raw), 4) + raw)


def array(elements, *, width=None, is_large=None):
    ends = np.cumsum([0, *map(len, elements)]).tolist()
    width = width or width_of(ends[-1])
    is_large = len(elements) > 255 if is_large is None else is_large
    head = ((is_large << 2 | width - 1) << 2) | 3
    count = integer(len(elements), 4 if is_large else 1)
    table = b"".join(integer(end, width) for end in ends)
    return bytes([head]) + count + table + b"".join(elements)


def struct_of(fields, *, id_width=None, width=None, is_large=None, backwards=False):
    """Encode an object of (id, value) pairs, its values in the opposite order if wanted."""
    order = fields[::-1] if backwards else fields
    starts, end = {}, 0
    for name_id, value in order:
        starts[name_id] = end
        end += len(value)
    width = width or width_of(end)
    id_width = id_width or width_of(max((name_id for name_id, _ in fields), default=0))
    is_large = len(fields) > 255 if is_large is None else is_large
    head = ((is_large << 4 | id_width - 1 << 2 | width - 1) << 2) | 2
    parts = [bytes([head]), integer(len(fields), 4 if is_large else 1)]
    parts += [integer(name_id, id_width) for name_id, _ in fields]
    parts += [integer(starts[name_id], width) for name_id, _ in fields]
    parts += [integer(end, width)]
    parts += [value for _, value in order]
    return b"".join(parts)


def decimal(value):
    sign, digits, exponent = value.as_tuple()
    unscaled = int("".join(map(str, digits))) * (-1 if sign else 1)
    return primitive(10, integer(-exponent, 1) + unscaled.to_bytes(16, "little", signed=True))


def moment(value):
    kind = 13 if value.tzinfo is None else 12
    return primitive(kind, struct.pack("<q", (value.replace(tzinfo=None) - EPOCH) // MICROSECOND))


def time_of_day(value):
    return primitive(17, struct.pack("<q", (datetime.combine(EPOCH, value) - EPOCH) // MICROSECOND))


ENCODERS = {
    type(None): lambda _: primitive(0),
    bool: lambda value: primitive(1 if value else 2),
    int: lambda value: primitive(6, struct.pack("<q", value)),
    float: lambda value: primitive(7, struct.pack("<d", value)),
    bytes: lambda value: long_string(value, 15),
    str: string,
    UUID: lambda value: primitive(20, value.bytes),
    Decimal: decimal,
    datetime: moment,
    date: lambda value: primitive(11, struct.pack("<i", (value - EPOCH.date()).days)),
    time: time_of_day,
}


def encode(value, names):
    """Encode a tree of Python values; the names of its fields are collected."""
    if isinstance(value, list):
        return array([encode(each, names) for each in value])
    if isinstance(value, dict):
        fields = [(names.setdefault(k, len(names)), encode(v, names)) for k, v in value.items()]
        return struct_of(fields, backwards=len(fields) % 2 == 0)
    return ENCODERS[type(value)](value)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False)
    | st.decimals(-(10**15), 10**15, places=3)
    | st.binary(max_size=80)
    | st.text(max_size=40)
    | st.uuids()
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


@given(trees)
def test_any_tree_comes_back(tree):
    names = {}
    value = encode(tree, names)
    assert decode(dictionary(names), value) == tree


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (primitive(3, b"\xd6"), -42),
        (primitive(4, struct.pack("<h", -1234)), -1234),
        (primitive(5, struct.pack("<i", -123_456)), -123_456),
        (primitive(6, struct.pack("<q", -(1 << 63))), -(1 << 63)),
        (primitive(7, struct.pack("<d", -0.1)), -0.1),
        (primitive(14, struct.pack("<f", 0.1)), float(np.float32(0.1))),
        (primitive(8, b"\x02" + struct.pack("<i", -1234)), Decimal("-12.34")),
        (primitive(9, b"\x12" + struct.pack("<q", 7)), Decimal("0.000000000000000007")),
        (primitive(10, b"\x26" + (10**38 - 1).to_bytes(16, "little")), Decimal("0." + "9" * 38)),
        (primitive(10, b"\0" + b"\xff" * 16), Decimal(-1)),
        (primitive(11, struct.pack("<i", -719_162)), date(1, 1, 1)),
        (primitive(11, struct.pack("<i", 2_932_897)), np.datetime64("10000-01-01")),
        (primitive(12, struct.pack("<q", -1)), datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)),
        (primitive(13, struct.pack("<q", 1 << 62)), np.datetime64(1 << 62, "us")),
        (primitive(12, struct.pack("<q", -(1 << 62))), np.datetime64(-(1 << 62), "us")),
        (primitive(17, struct.pack("<q", 86_399_999_999)), time(23, 59, 59, 999_999)),
        (primitive(18, struct.pack("<q", -1)), pd.Timestamp(-1, tz="UTC")),
        (primitive(19, struct.pack("<q", (1 << 63) - 1)), pd.Timestamp.max),
        (long_string(b""), ""),
        (long_string("é".encode() * 100), "é" * 100),
        (bytes([63 << 2 | 1]) + b"x" * 63, "x" * 63),
        (b"\x01", ""),
        (array([]), []),
        (struct_of([]), {}),
    ],
)
def test_primitive_types_keep_all_that_they_say(data, expected):
    found = decode(EMPTY, data)
    assert found == expected
    assert type(found) is type(expected)
    assert str(found) == str(expected)
    # Bytes that follow belong to nobody.
    assert decode(EMPTY, data + b"\xff" * 5) == expected


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("is_large", [False, True])
def test_every_width_of_offsets_and_ids(width, is_large):
    names = dictionary(["a", "bc", "", "é"], width=width, is_sorted=True)
    values = [primitive(3, bytes([index])) for index in range(4)]
    assert decode(names, array(values, width=width, is_large=is_large)) == [0, 1, 2, 3]
    for id_width in (1, 2, 3, 4):
        for backwards in (False, True):
            data = struct_of(
                list(enumerate(values)),
                id_width=id_width,
                width=width,
                is_large=is_large,
                backwards=backwards,
            )
            found = decode(names, data)
            assert list(found.items()) == [("a", 0), ("bc", 1), ("", 2), ("é", 3)]


def test_many_elements_and_long_values():
    elements = [string(str(index) * 30) for index in range(20_000)]
    assert decode(EMPTY, array(elements))[19_999] == "19999" * 30
    names = [f"name{index}" for index in range(20_000)]
    fields = [(index, primitive(5, struct.pack("<i", index))) for index in range(20_000)]
    found = decode(dictionary(names), struct_of(fields))
    assert len(found) == 20_000
    assert found["name19999"] == 19_999


def nested(levels, wrap):
    data = primitive(0)
    for _ in range(levels):
        data = wrap(data)
    return data


@pytest.mark.parametrize("wrap", [lambda data: array([data]), lambda data: struct_of([(0, data)])])
def test_depth_is_bounded_and_needs_no_stack(wrap):
    found = decode(dictionary(["a"]), nested(500, wrap))
    for _ in range(500):
        (found,) = found if isinstance(found, list) else found.values()
    assert found is None
    with pytest.raises(CorruptFile, match="more than 500 levels"):
        decode(dictionary(["a"]), nested(501, wrap))


def test_a_value_that_stands_for_many_is_refused():
    # Each level's fields both point to the same next level: 2**40 values in a few hundred bytes.
    data = primitive(0)
    for _ in range(40):
        data = bytes([6, 2, 0, 1, 0, 0, 0, 0]) + integer(len(data), 2) + data
    with pytest.raises(CorruptFile, match="overlap"):
        decode(dictionary(["a", "b"]), data)
    text = long_string(b"x" * 1000)
    data = bytes([6, 3, 0, 1, 2]) + bytes(6) + integer(len(text), 2) + text
    with pytest.raises(CorruptFile, match="overlap"):
        decode(dictionary(["a", "b", "c"]), data)


@pytest.mark.parametrize(
    ("metadata", "data", "reason"),
    [
        (b"", b"\0", "metadata of a Variant has no bytes"),
        (b"\x01", b"\0", "ends before its number of names"),
        (b"\xc1\0\0\0", b"\0", "ends before its number of names"),
        (b"\x01\xff\x00", b"\0", "claims 255 names in 3 bytes"),
        (b"\xc1\xff\xff\xff\xff" + bytes(9), b"\0", "claims 4,294,967,295 names"),
        (b"\x01\x01\x00\x02a", b"\0", "names of a Variant end at 2 of 1 bytes"),
        (EMPTY, b"", "has no bytes"),
        (EMPTY, struct_of([(0, b"\0")]), "name 0 of 0"),
        (b"\x01\x02\x00\x02\x01a", struct_of([(0, b"\0")]), "name 0 lies outside"),
        (b"\x01\x02\x00\x02\x01a", struct_of([(1, b"\0")]), "name 1 lies outside"),
        (b"\x01\x01\x00\x01\xff", struct_of([(0, b"\0")]), "not UTF-8"),
        (dictionary("aa"), struct_of([(0, b"\0"), (1, b"\0")]), "two fields 'a'"),
        (EMPTY, primitive(5, b"abc"), "takes 4 bytes, and there are 3"),
        (EMPTY, primitive(20, b"abc"), "takes 16 bytes"),
        (EMPTY, primitive(8, b"\x27" + bytes(4)), "39 digits"),
        (EMPTY, primitive(17, struct.pack("<q", -1)), "time of day"),
        (EMPTY, primitive(17, struct.pack("<q", 86_400_000_000)), "time of day"),
        (EMPTY, primitive(16, b"\1\0\0"), "claims 0 bytes"),
        (EMPTY, primitive(16, b"\2\0\0\0a"), "claims 2 bytes, and there are 1"),
        (EMPTY, primitive(15, b"\xff\xff\xff\xff"), "claims 4,294,967,295 bytes"),
        (EMPTY, b"\x09a", "takes 2 bytes, and there are 1"),
        (EMPTY, b"\x05\xff", "not UTF-8"),
        (EMPTY, long_string(b"\xed\xa0\x80"), "not UTF-8"),
        (EMPTY, b"\x03", "no number of elements"),
        (EMPTY, b"\x13\1\0\0", "no number of elements"),
        (EMPTY, b"\x13\xff\xff\xff\xff", "claims 4,294,967,295 elements in 4 bytes"),
        (EMPTY, b"\x42\xff\xff\xff\xff", "claims 4,294,967,295 elements in 4 bytes"),
        (EMPTY, b"\x03\1\0\2\0", "claim 2 bytes, and there are 1"),
        (EMPTY, b"\x03\2\0\2\1\0", "outside the array"),
        (EMPTY, b"\x03\2\0\0\1\0", "a value in a Variant has no bytes"),
        (EMPTY, b"\x03\1\0\6\x13\0\0\0\x10\0", "claims 268,435,456 elements"),
        (dictionary("a"), b"\x02\1\0\1\1\0", "a value in a Variant has no bytes"),
        (dictionary("a"), b"\x02\1\0\0\3\0", "claim 3 bytes, and there are 1"),
    ],
)
def test_bytes_that_contradict_themselves_are_errors(metadata, data, reason):
    with pytest.raises(CorruptFile, match=reason):
        decode(metadata, data)


def test_what_later_versions_may_bring_is_told_apart_from_damage():
    for version in (0, 2, 15):
        with pytest.raises(UnsupportedFeature, match=f"version {version}"):
            decode(bytes([version]) + EMPTY[1:], b"\0")
    for kind in (21, 63):
        with pytest.raises(UnsupportedFeature, match=f"primitive type {kind}"):
            decode(EMPTY, primitive(kind, bytes(30)))
    with pytest.raises(UnsupportedFeature, match="NumPy and pandas"):
        decode(EMPTY, primitive(18, struct.pack("<q", -(1 << 63))))


@given(st.binary(max_size=40), st.binary(max_size=60))
def test_random_bytes_are_a_value_or_a_clean_error(metadata, data):
    for names in (metadata, dictionary(["a", "b"])):
        with contextlib.suppress(CorruptFile, UnsupportedFeature):
            decode(names, data)


@given(trees, st.data())
def test_a_changed_or_shorter_value_is_a_value_or_a_clean_error(tree, data):
    names = {}
    value = bytearray(encode(tree, names))
    metadata = dictionary(names)
    for _ in range(3):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(value)))
    for changed in (bytes(value), bytes(value[:cut])):
        with contextlib.suppress(CorruptFile, UnsupportedFeature):
            decode(metadata, changed)

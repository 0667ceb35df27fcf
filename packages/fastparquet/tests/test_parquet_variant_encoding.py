"""Variants in binary: put together, taken apart, and refused where they make no sense."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.parquet.errors import ParquetError
from hocket.parquet.variant import decode
from hocket.parquet.variant.encoding import NULL, array_of, fields_of, object_of
from hocket.parquet.variant.names import Names

NO_NAMES = b"\x01\x00\x00"
A_TO_E = b"\x01\x05\x00\x01\x02\x03\x04\x05abcde"
#: 000 to 299, not told to be sorted.
MANY_NAMES = b"\xc1" + struct.pack("<I301I", 300, *range(0, 903, 3))
MANY_NAMES += b"".join(b"%03d" % name for name in range(300))


def text(value):
    raw = value.encode()
    return b"\x40" + len(raw).to_bytes(4, "little") + raw


@settings(max_examples=60)
@given(st.dictionaries(st.integers(0, 299), st.binary(max_size=400)), st.data())
def test_objects_of_any_size(chosen, data):
    names = Names(MANY_NAMES)
    wanted = {f"{name:03d}": raw.hex() for name, raw in chosen.items()}
    parts = {name: text(value) for name, value in wanted.items()}
    made = object_of(names, parts)
    assert fields_of(names, made) == parts
    assert decode(MANY_NAMES, made) == wanted
    broken = bytearray(made)
    broken[data.draw(st.integers(1, len(made) - 1))] ^= data.draw(st.integers(1, 255))
    del broken[data.draw(st.integers(1, len(made))) :]
    try:
        found = fields_of(names, bytes(broken))
    except ParquetError:
        return
    assert all(part in broken for part in found.values())


def test_fields_that_lie_in_another_order():
    names = Names(A_TO_E)
    number, array = b"\x0c\x07", array_of([NULL, text("x")])
    places = bytes([len(array) + len(number), 0, len(array), len(array) + len(number) + 1])
    made = b"\x02\x03\x00\x02\x03" + places + array + number + NULL
    assert fields_of(names, made) == {"a": NULL, "c": array, "d": number}
    inner = object_of(names, {"e": made})
    assert fields_of(names, inner) == {"e": made}


@pytest.mark.parametrize("count", [0, 1, 255, 256, 70_000])
def test_arrays_of_any_size(count):
    names = Names(A_TO_E)
    made = array_of([text("abc")] * count)
    assert decode(NO_NAMES, made) == ["abc"] * count
    assert fields_of(names, object_of(names, {"a": made})) == {"a": made}


MALFORMED = {
    "the offset of an element is outside": (NO_NAMES, b"\x03\x01\xff\x01\x00"),
    "more elements than bytes": (NO_NAMES, b"\x13\x00\x00\x00\x10\x00"),
    "more names than bytes": (b"\x01\xff\x00", b"\x03\x01\x00\x01\x00"),
    "a number of names that would be negative": (b"\xc1\xff\xff\xff\xff\x00", NULL),
    "two fields in one place": (A_TO_E, b"\x02\x02\x00\x01\x00\x00\x02\x0c\x01"),
    "a field without a name": (A_TO_E, b"\x02\x01\x07\x00\x01\x00"),
    "a short string longer than its bytes": (NO_NAMES, b"\xfdabc"),
    "a long string longer than its bytes": (NO_NAMES, b"\x40\xff\xff\xff\x7fabc"),
    "a number cut short": (NO_NAMES, b"\x18\x00\x00"),
    "a type that is not known": (NO_NAMES, b"\xfc"),
    "another version": (b"\x02\x00\x00", NULL),
    "a broken child": (NO_NAMES, b"\x03\x01\x00\x06\x13\x00\x00\x00\x10\x00"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_variants_are_refused(name):
    with pytest.raises(ParquetError):
        decode(*MALFORMED[name])


def test_variants_are_not_nested_without_end():
    made = NULL
    for _ in range(500):
        made = array_of([made])
    assert decode(NO_NAMES, made) != []
    with pytest.raises(ParquetError, match="more than 500 levels"):
        decode(NO_NAMES, array_of([made]))

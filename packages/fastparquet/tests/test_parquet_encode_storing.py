"""Values as files store them: gathered from any slots, converted, or refused."""

from __future__ import annotations

import struct
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_encoder_runner import run_encoder
from parquet_leaf_maker import chosen, entries_of, fixed

from hocket.parquet.arrays.value_array import ArrayKind, Nulls, ValueArray
from hocket.parquet.arrays.write_field import Storing
from hocket.parquet.encode.storing import dense_values
from hocket.parquet.errors import ValueOutOfRange, ValueUnstorable
from hocket.parquet.kernels import faults
from hocket.parquet.kernels.faults import fault_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import convert, storing
from hocket.parquet.metadata.logical import LogicalKind, PhysicalType

INT32, INT64 = PhysicalType.INT32, PhysicalType.INT64
FLOAT, DOUBLE = PhysicalType.FLOAT, PhysicalType.DOUBLE
FIXED = PhysicalType.FIXED_LEN_BYTE_ARRAY
DAY_NS = 86_400 * 10**9


def integers(bits, *, is_signed=True):
    low = -(1 << bits - 1) if is_signed else 0
    high = (1 << bits - 1) - 1 if is_signed else (1 << bits) - 1
    return st.lists(st.integers(low, high) | st.sampled_from([low, high, 0, 1]), max_size=30)


def assert_stored(data, entries, wanted, dtype):
    """Check values of any slots; `wanted` are those of all."""
    told, slots = data.draw(chosen(entries))
    dense = dense_values(told)
    assert dense.count == len(slots)
    assert dense.values.dtype == dtype
    assert dense.values.flags.c_contiguous
    expected = np.array(wanted, dtype)[np.array(slots, np.int64)]
    assert dense.values.tobytes() == expected.tobytes()


@pytest.mark.parametrize("physical", [INT32, INT64])
@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
@settings(max_examples=40)
@given(st.data())
def test_integers(physical, dtype, data):
    width = np.dtype(dtype).itemsize
    values = data.draw(integers(8 * width, is_signed=dtype[0] == "i"))
    entries = entries_of(fixed(np.array(values, dtype)), physical)
    size = 4 if physical is INT32 else 8
    if width > size:
        with pytest.raises(ValueUnstorable, match="64 cannot be stored as INT32"):
            dense_values(entries)
        return
    # What is unsigned keeps its bits.
    half = 1 << 8 * size - 1
    wanted = [(value + half) % (2 * half) - half for value in values]
    assert_stored(data, entries, wanted, f"i{size}")


@pytest.mark.parametrize(
    ("dtype", "physical", "stored"),
    [("f2", FLOAT, "f4"), ("f4", FLOAT, "f4"), ("f4", DOUBLE, "f8"), ("f8", DOUBLE, "f8")],
)
@settings(max_examples=40)
@given(st.data())
def test_floats_are_widened(dtype, physical, stored, data):
    width = 8 * np.dtype(dtype).itemsize
    numbers = st.floats(width=width, allow_nan=False)
    values = np.array(data.draw(st.lists(numbers, max_size=20)), dtype)
    assert_stored(data, entries_of(fixed(values), physical), values.astype(stored), stored)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@settings(max_examples=60)
@given(st.data())
def test_floats_are_narrowed(dtype, data):
    width = 8 * np.dtype(dtype).itemsize
    # Halves of what is between two neighbours, too large, too small, and not a number.
    odd = [65519.0, 65520.0, 2.0**-24, 2.0**-25, 3 * 2.0**-26, 2049.0, 2051.0, float("nan"), -0.0]
    numbers = st.floats(width=width) | st.sampled_from(odd)
    values = np.array(data.draw(st.lists(numbers, max_size=20)), dtype)
    narrowed = {"storing": Storing.NARROWED}
    with np.errstate(over="ignore", invalid="ignore"):
        single, half = values.astype("f4"), values.astype("f2")
    assert_stored(data, entries_of(fixed(values), FLOAT, **narrowed), single, "f4")
    entries = entries_of(fixed(values), FIXED, LogicalKind.FLOAT16, length=2, **narrowed)
    assert_stored(data, entries, half.view("V2"), "V2")


def test_halves_are_the_nearest_ones():
    values = np.array([65519.999, 65520.0, 2.0**-24, 2.0**-25, 1.5 * 2.0**-25, 2049.0, 2051.0])
    entries = entries_of(
        fixed(values), FIXED, LogicalKind.FLOAT16, length=2, storing=Storing.NARROWED
    )
    found = dense_values(entries).values.view("f2").tolist()
    assert found == [65504.0, float("inf"), 2.0**-24, 0.0, 2.0**-24, 2048.0, 2052.0]


# ----------------------------------------------------------------------------------------- factors


@pytest.mark.parametrize("physical", [INT32, INT64])
@pytest.mark.parametrize("dtype", ["i4", "i8"])
@settings(max_examples=60)
@given(st.data(), st.sampled_from([1, 3, 1000, 10**6, 10**9, 86_400_000]))
def test_times(physical, dtype, data, factor):
    values = data.draw(integers(8 * np.dtype(dtype).itemsize))
    entries = entries_of(
        fixed(np.array(values, dtype)), physical, storing=Storing.TIMES, factor=factor
    )
    size = 4 if physical is INT32 else 8
    half = 1 << 8 * size - 1
    products = [value * factor for value in values]
    bad = [slot for slot, product in enumerate(products) if not -half <= product < half]
    if bad:
        words = rf"slot {bad[0]}: {values[bad[0]]} times {factor:,} does not fit into {8 * size}"
        with pytest.raises(ValueOutOfRange, match=words) as raised:
            dense_values(entries)
        assert raised.value.column == "x"
    else:
        assert_stored(data, entries, products, f"i{size}")


FACTORS = [1, 7, 1000, 10**6, 10**9, 86_400, 86_400_000, 86_400 * 10**6, DAY_NS]


@pytest.mark.parametrize("physical", [INT32, INT64])
@pytest.mark.parametrize("dtype", ["i4", "i8"])
@settings(max_examples=60)
@given(st.data(), st.sampled_from(FACTORS), st.booleans())
def test_divided(physical, dtype, data, factor, is_lossy):
    limit = (1 << 8 * np.dtype(dtype).itemsize - 1) - 1
    values = data.draw(integers(8 * np.dtype(dtype).itemsize))
    if data.draw(st.booleans()):
        values = [value % (limit // factor) * factor for value in values if limit > factor]
    entries = entries_of(
        fixed(np.array(values, dtype)),
        physical,
        storing=Storing.DIVIDED,
        factor=factor,
        is_lossy=is_lossy,
    )
    size = 4 if physical is INT32 else 8
    half = 1 << 8 * size - 1
    quotients = [value // factor for value in values]
    bad = [
        slot
        for slot, value in enumerate(values)
        if (value % factor and not is_lossy) or not -half <= quotients[slot] < half
    ]
    if bad:
        with pytest.raises(ValueOutOfRange, match=rf"slot {bad[0]}: {values[bad[0]]} "):
            dense_values(entries)
    else:
        assert_stored(data, entries, quotients, f"i{size}")


@given(st.data())
def test_moments_of_96_bits(data):
    values = data.draw(integers(64))
    entries = entries_of(
        fixed(np.array(values, np.int64)), PhysicalType.INT96, storing=Storing.INT96
    )
    raw = [struct.pack("<qi", value % DAY_NS, value // DAY_NS + 2_440_588) for value in values]
    assert_stored(data, entries, np.array(raw, "V12"), "V12")
    stored = dense_values(entries).values
    again = np.zeros(len(values) + 8, np.int64)
    padded = np.concatenate([stored.view(np.uint8), np.zeros(64, np.uint8)])
    least = -(1 << 63)
    fits = all(value != least for value in values)
    arguments = convert.INT96_TO_NANOS, address(padded), address(again), len(values), 12
    assert KERNEL.convert(*arguments) == (0 if fits else -faults.VALUE_RANGE)
    assert again[: len(values)].tolist() == values


# ---------------------------------------------------------------------------------------- decimals


def stored_decimals(values, width, physical, length, precision):
    raw = b"".join(value.to_bytes(width, "little", signed=True) for value in values)
    dtype = {4: "i4", 8: "i8"}.get(width, f"V{width}")
    return entries_of(
        fixed(np.frombuffer(raw, dtype)),
        physical,
        LogicalKind.DECIMAL,
        storing=Storing.DECIMAL,
        length=length,
        precision=precision,
        scale=2,
    )


@settings(max_examples=200)
@given(st.data())
def test_decimals(data):
    width = data.draw(st.sampled_from([4, 8, 16, 32]))
    physical = data.draw(st.sampled_from([INT32, INT64, FIXED]))
    length = data.draw(st.integers(1, 34)) if physical is FIXED else 0
    size = length or (4 if physical is INT32 else 8)
    room = 1 << 8 * min(size, width) - 1
    precision = data.draw(st.integers(1, max(len(str(room)) - 1, 1)))
    limit = 10**precision
    half = 1 << 8 * width - 1
    near = [limit - 1, 1 - limit, limit, -limit, room - 1, -room, half - 1, -half, 0, -1]
    value = st.integers(1 - limit, limit - 1) | st.sampled_from(near)
    value = value.filter(lambda each: -half <= each < half)
    values = data.draw(st.lists(value, max_size=12))
    entries = stored_decimals(values, width, physical, length, precision)
    largest = min(limit - 1, (1 << 8 * size - 1) - 1)
    bad = [slot for slot, each in enumerate(values) if not -largest <= each <= largest]
    if limit - 1 > largest:
        bad = [slot for slot in bad if values[slot] != -(1 << 8 * size - 1)]
    if bad:
        with pytest.raises(ValueOutOfRange, match=rf"slot {bad[0]}: {values[bad[0]]} \(unscaled"):
            dense_values(entries)
        return
    if physical is FIXED:
        raw = b"".join(each.to_bytes(size, "big", signed=True) for each in values)
        assert_stored(data, entries, np.frombuffer(raw, f"V{size}"), f"V{size}")
    else:
        assert_stored(data, entries, values, f"i{size}")


def test_a_decimal_with_too_many_digits_is_named():
    values = [int(Decimal("99.99") * 100), int(Decimal("123.45") * 100)]
    with pytest.raises(ValueOutOfRange, match=r"12345 \(unscaled\) has more than the 4 digits"):
        dense_values(stored_decimals(values, 16, INT32, 0, 4))


# ------------------------------------------------------------------------- bytes of one size, bits


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 12, 16, 20])
@settings(max_examples=30)
@given(st.data())
def test_bytes_of_one_size(size, data):
    raw = np.random.default_rng(size).bytes(size * data.draw(st.integers(0, 20)))
    values = np.frombuffer(raw, f"V{size}")
    assert_stored(data, entries_of(fixed(values), FIXED, length=size), values, f"V{size}")


@given(st.data(), st.lists(st.booleans(), max_size=40), st.integers(0, 7))
def test_booleans(data, flags, offset):
    entries = entries_of(fixed(np.array(flags, bool)), PhysicalType.BOOLEAN)
    assert_stored(data, entries, flags, "u1")
    bits = np.packbits(np.array([True] * offset + flags, bool), bitorder="little")
    array = ValueArray(ArrayKind.BITS, len(flags), values=bits, bit_offset=offset)
    assert_stored(data, entries_of(array, PhysicalType.BOOLEAN), flags, "u1")


# ------------------------------------------------------------------------------------ all together


@pytest.mark.parametrize(
    ("dtype", "physical", "length"), [("i4", INT32, 0), ("f8", DOUBLE, 0), ("V3", FIXED, 3)]
)
def test_what_needs_nothing_is_not_copied(dtype, physical, length):
    values = np.zeros(24, np.uint8).view(dtype)
    assert np.shares_memory(
        dense_values(entries_of(fixed(values), physical, length=length)).values, values
    )
    dense = dense_values(entries_of(fixed(values), physical, length=length, slots=[1, 2]))
    assert np.shares_memory(dense.values, values)


def test_strides_byte_orders_and_moments():
    values = np.arange(20, dtype=np.int64)
    wanted = values[::2].tolist()
    for array in (values[::2], values[::2].astype(">i8"), values[::2].view("M8[us]")):
        assert dense_values(entries_of(fixed(array), INT64)).values.tolist() == wanted


def test_levels_of_nested_columns_are_not_taken_for_flags():
    mask = Nulls(np.array([0, 1, 0], np.uint8), is_bitmap=False)
    array = ValueArray(ArrayKind.FIXED, 3, nulls=mask, values=np.array([1, 2, 3]))
    entries = entries_of(array, INT64)
    entries.node.max_definition = 2
    object.__setattr__(entries, "definition", np.array([2, 1, 2], np.uint8))
    assert dense_values(entries).values.tolist() == [1, 3]


def test_an_array_of_nothing():
    for physical, dtype in ((INT32, "i4"), (PhysicalType.BYTE_ARRAY, "u1"), (FIXED, "V4")):
        array = ValueArray(ArrayKind.NULL, 5)
        dense = dense_values(entries_of(array, physical, length=4))
        assert (dense.count, dense.values.size, dense.values.dtype) == (0, 0, dtype)


@pytest.mark.parametrize(
    ("dtype", "physical", "options"),
    [
        ("f8", INT64, {}),
        ("i8", DOUBLE, {}),
        ("f8", FLOAT, {}),
        ("i8", PhysicalType.BOOLEAN, {}),
        ("V4", FIXED, {"length": 5}),
        ("f8", INT64, {"storing": Storing.TIMES}),
        ("i8", DOUBLE, {"storing": Storing.DIVIDED}),
        ("i4", PhysicalType.INT96, {"storing": Storing.INT96}),
        ("f8", INT64, {"storing": Storing.DECIMAL}),
        ("i8", DOUBLE, {"storing": Storing.DECIMAL}),
        ("i8", FLOAT, {"storing": Storing.NARROWED}),
        ("i8", PhysicalType.BYTE_ARRAY, {}),
    ],
)
def test_what_fits_no_column(dtype, physical, options):
    with pytest.raises(ValueUnstorable, match="dtype"):
        dense_values(entries_of(fixed(np.zeros(3, dtype)), physical, **options))


@pytest.mark.parametrize("way", ["all", "flags", "slots"])
@pytest.mark.parametrize("number", range(storing.WIDEN_SIGNED, storing.DOUBLE_TO_FLOAT + 1))
def test_within_bounds(way, number):
    count = 2 * storing.BLOCK_SIZE + 3
    parameters = np.zeros(storing.PARAMETER_COUNT, np.int64)
    parameters[[storing.FACTOR, storing.IS_LOSSY]] = 1000, 1
    parameters[storing.LEAST : storing.LEAST + 4] = -(1 << 50), -1, -1, -1
    parameters[storing.MOST] = 1 << 50
    widths = {storing.FLOAT_TO_DOUBLE: [(4, 8)], storing.DOUBLE_TO_FLOAT: [(8, 4)]}
    for item_size, size in widths.get(number, [(8, 8)] if number == storing.INT96 else []) or [
        (each, size)
        for each in ((1, 2, 4) if number < storing.TIMES else (4, 8))
        for size in (4, 8)
        if number >= storing.TIMES or each < size
    ]:
        stored = 12 if number == storing.INT96 else size
        values = np.random.default_rng(1).integers(0, 1 << 15, count, np.int64)
        if number < storing.TIMES or number < storing.FLOAT_TO_DOUBLE:
            values = values.astype(f"i{item_size}")
        else:
            values = values.astype(f"f{item_size}")
        flags = (np.arange(count) % 7 > 0).astype(np.uint8)
        slots = np.arange(count, dtype=np.int64)[::-1].copy()
        many = int(flags.sum()) if way == "flags" else count
        answer, _ = run_encoder(
            "store_values",
            lambda source, room: (
                number,
                source(flags) if way == "flags" else 0,  # noqa: B023
                source(slots) if way == "slots" else 0,  # noqa: B023
                count,
                source(values),  # noqa: B023
                values.itemsize,  # noqa: B023
                source(parameters),
                room((storing.BLOCK_SIZE + 1) * 8),
                room(many * stored, 8),  # noqa: B023
                stored,  # noqa: B023
            ),
        )
        assert answer == many


def test_a_conversion_that_there_is_not():
    assert fault_of(KERNEL.store_values(0, 0, 0, 0, 0, 8, 0, 0, 0, 8)) == faults.ENCODING_UNFIT

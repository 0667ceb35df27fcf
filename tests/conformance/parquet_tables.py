"""Tables of all kinds for the tests that compare with other Parquet writers.

Hypothesis chooses types, lengths, densities of nulls, and some values; a random generator that it
seeds makes columns of hundreds of rows from them, which Hypothesis alone would take too long for.

The environment variable ``HOCKET_PARQUET_EXAMPLES`` multiplies the number of examples (a long run:
``HOCKET_PARQUET_EXAMPLES=50 pytest --hypothesis-profile=default --timeout=0 tests/conformance``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

__all__ = ["examples", "leaf_types", "nested_types", "schemas", "tables"]

_NANOS_OF_DAY: Final = 86400 * 10**9
_TICKS: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_TEXTS: Final = (
    "",
    "a",
    "ab",
    "ba",
    "\0",
    "é",
    "日本語",
    "\U0001f980",
    "x" * 12,
    "y" * 13,
    "z" * 300,
)
_ZONES: Final = ("UTC", "Europe/Berlin", "America/New_York", "+05:30", "-03:00", "Asia/Kolkata")


def examples(count: int) -> settings:
    """Return settings for so many examples, or for the multiple that was asked for."""
    factor = float(os.environ.get("HOCKET_PARQUET_EXAMPLES", "1"))
    # They take some milliseconds each, and draw much.
    unfussy = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    return settings(
        max_examples=max(1, round(count * factor)), deadline=None, suppress_health_check=unfussy
    )


# ---------------------------------------------------------------------------------------- types


def _decimal_type(precision: int, scale: int) -> pa.DataType:
    scale = min(scale, precision)
    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)


INTEGERS: Final = (
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
)
FLOATS: Final = (pa.float16(), pa.float32(), pa.float64())
BYTES: Final = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
TIMES: Final = (
    *(pa.date32(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
    *(pa.timestamp(unit) for unit in _TICKS),
    *(pa.duration(unit) for unit in _TICKS),
)


def leaf_types(*, has_wide_decimals: bool = True) -> st.SearchStrategy[pa.DataType]:
    """Types of values that are one thing."""
    digits = 76 if has_wide_decimals else 38
    return st.one_of(
        st.sampled_from([pa.bool_(), *INTEGERS]),
        st.sampled_from([*FLOATS, *BYTES]),
        st.sampled_from(TIMES),
        st.builds(pa.timestamp, st.sampled_from(list(_TICKS)), st.sampled_from(_ZONES)),
        st.builds(_decimal_type, st.integers(1, digits), st.integers(0, digits)),
        st.builds(pa.binary, st.sampled_from([1, 2, 3, 4, 7, 8, 12, 16, 17, 40])),
    )


def _nested(
    inner: st.SearchStrategy[pa.DataType], nullable: st.SearchStrategy[bool]
) -> st.SearchStrategy[pa.DataType]:
    element = st.builds(_field, st.just("element"), inner, nullable)
    key = st.sampled_from([pa.string(), pa.int32(), pa.int64(), pa.binary(), pa.date32()])
    members = st.lists(st.tuples(inner, nullable), min_size=1, max_size=3).map(
        lambda pairs: pa.struct([_field(f"m{at}", *pair) for at, pair in enumerate(pairs)])
    )
    return st.one_of(st.builds(pa.list_, element), members, st.builds(pa.map_, key, inner), members)


def _field(name: str, kind: pa.DataType, nullable: bool) -> pa.Field:
    # A null that must not be null would be none at all.
    return pa.field(name, kind, nullable=nullable or pa.types.is_null(kind))


def nested_types(
    leaves: st.SearchStrategy[pa.DataType] | None = None, *, has_required: bool = True
) -> st.SearchStrategy[pa.DataType]:
    """Lists, structs and maps, in each other."""
    leaves = leaf_types() if leaves is None else leaves
    nullable = st.booleans() if has_required else st.just(value=True)
    return _nested(
        st.recursive(leaves, lambda inner: _nested(inner, nullable), max_leaves=4), nullable
    )


def schemas(
    types: st.SearchStrategy[pa.DataType], max_columns: int = 5, min_columns: int = 0
) -> st.SearchStrategy[pa.Schema]:
    """Some columns, called ``c0``, ``c1`` and so on."""
    column = st.tuples(types, st.sampled_from([True, True, True, False]))
    return st.lists(column, min_size=min_columns, max_size=max_columns).map(
        lambda columns: pa.schema([_field(f"c{at}", *pair) for at, pair in enumerate(columns)])
    )


# --------------------------------------------------------------------------------------- values


def _wide_integers(rng: np.random.Generator, bits: int, count: int, *, signed: bool) -> list[int]:
    """Return numbers of all magnitudes."""
    widths = rng.integers(0, bits + 1, count)
    raw = rng.bytes(count * 16)
    numbers = [
        int.from_bytes(raw[at * 16 : at * 16 + 16], "little") & ((1 << int(width)) - 1)
        for at, width in enumerate(widths)
    ]
    if not signed:
        return numbers
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    signs = rng.integers(0, 2, count)
    return [
        min(max(-each if sign else each, low), high)
        for each, sign in zip(numbers, signs, strict=True)
    ]


def _integers(rng: np.random.Generator, kind: pa.DataType, count: int) -> pa.Array:
    signed = pa.types.is_signed_integer(kind)
    numbers = _wide_integers(rng, kind.bit_width, count, signed=signed)
    return pa.array(numbers, kind)


def _bounded(rng: np.random.Generator, kind: pa.DataType, count: int) -> pa.Array:
    """Return times that every writer can store, and pandas can tell from "not a time"."""
    limit = (1 << 63) - 1
    storage = pa.int64()
    if pa.types.is_date64(kind):
        return _bounded(rng, pa.date32(), count).cast(kind)
    if pa.types.is_date32(kind):
        limit, storage = (1 << 31) - 1, pa.int32()
    elif pa.types.is_time(kind):
        limit = _NANOS_OF_DAY // (10**9 // _TICKS[kind.unit]) - 1
        storage = pa.int32() if kind.bit_width == 32 else pa.int64()
    elif kind.unit == "s":
        limit //= 1000  # Parquet has milliseconds.
    numbers = _wide_integers(rng, 64, count, signed=True)
    low = 0 if pa.types.is_time(kind) else -limit
    numbers = [min(max(abs(each) if low == 0 else each, low), limit) for each in numbers]
    return pa.array(numbers, storage).cast(kind)


def _floats(rng: np.random.Generator, kind: pa.DataType, count: int) -> pa.Array:
    dtype = np.dtype(f"f{kind.bit_width // 8}")
    special = np.array([0.0, -0.0, 1.5, -1.5, 0.1, np.inf, -np.inf, np.nan], dtype)
    bits = np.frombuffer(rng.bytes(count * dtype.itemsize), dtype)
    rounded = (rng.integers(-5000, 5000, count) / 100).astype(dtype)
    which = rng.integers(0, 3, count)
    chosen = np.where(which == 0, special[rng.integers(0, 8, count)], rounded)
    return pa.array(np.where(which == 2, bits, chosen), kind)


def _decimals(rng: np.random.Generator, kind: pa.DataType, count: int) -> pa.Array:
    digits = rng.integers(0, kind.precision + 1, count)
    signs = rng.integers(0, 2, count)
    numbers = []
    for many, sign in zip(digits, signs, strict=True):
        text = "".join(map(str, rng.integers(0, 10, int(many)))) or "0"
        # Not by arithmetic: that rounds to 28 digits.
        parts = Decimal(text).as_tuple().digits
        numbers.append(Decimal((int(sign), parts, -kind.scale)))
    return pa.array(numbers, kind)


def _texts(rng: np.random.Generator, kind: pa.DataType, count: int) -> pa.Array:
    mostly_ascii = bool(rng.integers(0, 2))
    made = []
    for _ in range(count):
        choice = rng.integers(0, 4)
        if choice == 0 and not mostly_ascii:
            text = str(rng.choice(_TEXTS)) * int(rng.integers(1, 4))
        elif choice == 1:
            text = f"prefix-{int(rng.integers(0, 1 << 30)):09d}"
        else:
            text = "".join(map(chr, rng.integers(32, 127, int(rng.integers(0, 20)))))
        made.append(text)
    return pa.array(made, kind)


def _byte_strings(rng: np.random.Generator, kind: pa.DataType, count: int) -> pa.Array:
    if pa.types.is_fixed_size_binary(kind):
        width = kind.byte_width
        made = [rng.bytes(width) for _ in range(count)]
        zeros = rng.integers(0, 3, count)
        return pa.array(
            [bytes(width) if zero == 0 else each for zero, each in zip(zeros, made, strict=True)],
            kind,
        )
    lengths = rng.integers(0, 24, count) * rng.integers(0, 2, count)
    return pa.array([rng.bytes(int(length)) for length in lengths], kind)


_MAKERS: Final[list[tuple[Callable[[pa.DataType], bool], Callable[..., pa.Array]]]] = [
    (pa.types.is_integer, _integers),
    (pa.types.is_floating, _floats),
    (pa.types.is_decimal, _decimals),
    (pa.types.is_temporal, _bounded),
    (pa.types.is_string, _texts),
    (pa.types.is_large_string, _texts),
    (
        pa.types.is_boolean,
        lambda rng, kind, count: pa.array(rng.integers(0, 2, count).astype(bool), kind),
    ),
]


def _values(rng: np.random.Generator, kind: pa.DataType, count: int) -> pa.Array:
    for fits, make in _MAKERS:
        if fits(kind):
            return make(rng, kind, count)
    return _byte_strings(rng, kind, count)


class _Maker:
    """Makes arrays.

    Parameters
    ----------
    draw
        What Hypothesis chooses with.
    hides_values
        Whether there can be values in structs that are null themselves.
    """

    def __init__(self, draw: Any, *, hides_values: bool) -> None:
        self._draw = draw
        self._rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        self._hides_values = hides_values

    def array(  # noqa: PLR0911 - a kind a line
        self, kind: pa.DataType, count: int, *, nullable: bool = True
    ) -> pa.Array:
        """Make an array of a type."""
        if pa.types.is_null(kind):
            return pa.nulls(count)
        if kind in _VIEWS:
            return self.array(_VIEWS[kind], count, nullable=nullable).cast(kind)
        if isinstance(kind, pa.BaseExtensionType):
            storage = self.array(kind.storage_type, count, nullable=nullable)
            return pa.ExtensionArray.from_storage(kind, storage)
        if pa.types.is_fixed_size_list(kind):
            inner = kind.value_field
            child = self.array(inner.type, count * kind.list_size, nullable=inner.nullable)
            # pyarrow's writer refuses null ones, as they have elements.
            return pa.FixedSizeListArray.from_arrays(child, type=kind)
        absent = self._absent(count, nullable=nullable)
        if pa.types.is_nested(kind):
            make = self._structs if pa.types.is_struct(kind) else self._lists
            return make(kind, count, absent)
        if pa.types.is_dictionary(kind):
            size = self._draw(st.integers(1, min(100, 1 << (kind.index_type.bit_width - 1))))
            values = _values(self._rng, kind.value_type, size).unique()
            codes = pa.array(self._places(len(values), count), kind.index_type, mask=absent)
            return pa.DictionaryArray.from_arrays(codes, values, ordered=kind.ordered)
        size = self._draw(st.sampled_from([1, 2, 3, 9, 40, 300, 300]))
        pool = _values(self._rng, kind, size)
        return pool.take(pa.array(self._places(size, count), pa.int64(), mask=absent))

    def _places(self, pool: int, count: int) -> np.ndarray:
        """Say which of some values stands at each place."""
        order = self._draw(st.sampled_from(["mixed", "runs", "sorted", "all", "late"]))
        places = self._rng.integers(0, pool, count)
        if order == "runs":
            places = np.repeat(places, self._rng.integers(1, 100, count))[:count]
        elif order == "sorted":
            places = np.sort(places)
        elif order == "all":
            places = np.arange(count) % pool
        elif order == "late":  # Long one value, then many.
            places[: count // 2] = 0
        return places

    def _absent(self, count: int, *, nullable: bool) -> np.ndarray:
        """Say which places are null."""
        densities = st.sampled_from([0.0, 0.0, 0.02, 0.3, 0.97, 1.0])
        density = self._draw(densities) if nullable else 0.0
        absent = self._rng.random(count) < density
        if 0 < density < 1 and self._draw(st.booleans()):
            absent = np.sort(absent)  # Long runs of both.
        return absent

    def _structs(self, kind: pa.StructType, count: int, absent: np.ndarray) -> pa.Array:
        parts = [self.array(part.type, count, nullable=part.nullable) for part in kind.fields]
        if not self._hides_values:
            visible = pa.array(np.arange(count), mask=absent)
            parts = [part.take(visible) for part in parts]
        return pa.StructArray.from_arrays(parts, fields=kind.fields, mask=pa.array(absent))

    def _lists(self, kind: pa.DataType, count: int, absent: np.ndarray) -> pa.Array:
        longest = self._draw(st.sampled_from([0, 1, 2, 5]))
        lengths = self._rng.integers(0, longest + 1, count)
        if count and longest and self._draw(st.booleans()):
            lengths[self._rng.integers(0, count)] += 40
        lengths[absent] = 0
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        mask = pa.array(absent)
        if pa.types.is_map(kind):
            keys = self._keys(kind.key_type, lengths)
            item = kind.item_field
            items = self.array(item.type, len(keys), nullable=item.nullable)
            return pa.MapArray.from_arrays(
                pa.array(offsets, pa.int32()), keys, items, type=kind, mask=mask
            )
        inner = kind.value_field
        child = self.array(inner.type, int(offsets[-1]), nullable=inner.nullable)
        made, width = (
            (pa.LargeListArray, pa.int64())
            if pa.types.is_large_list(kind)
            else (pa.ListArray, pa.int32())
        )
        return made.from_arrays(pa.array(offsets, width), child, type=kind, mask=mask)

    def _keys(self, kind: pa.DataType, lengths: np.ndarray) -> pa.Array:
        """Make the keys of maps, most often each once in a map."""
        total = int(lengths.sum())
        pool = _values(self._rng, kind, 300).unique()
        if self._draw(st.integers(0, 3)) == 0 or lengths.max(initial=0) > len(pool):
            return self.array(kind, total, nullable=False)
        starts = np.repeat(self._rng.integers(0, len(pool), len(lengths)), lengths)
        within = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return pool.take(pa.array((starts + within) % len(pool)))


#: Types of which pyarrow can do little, and those they are made from.
_VIEWS: Final = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}


def row_counts() -> st.SearchStrategy[int]:
    """How many rows: none, few, around the sizes of blocks, some hundreds."""
    return st.one_of(
        st.integers(0, 40), st.sampled_from([63, 64, 65, 127, 128, 129, 255, 257, 1000, 1025])
    )


@st.composite
def tables(
    draw: Any, kinds: st.SearchStrategy[pa.Schema], *, hides_values: bool = True
) -> pa.Table:
    """Tables of schemas."""
    schema, rows = draw(kinds), draw(row_counts())
    maker = _Maker(draw, hides_values=hides_values)
    arrays = [maker.array(each.type, rows, nullable=each.nullable) for each in schema]
    return pa.Table.from_arrays(arrays, schema=schema)

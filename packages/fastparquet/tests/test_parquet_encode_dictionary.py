"""Dictionaries: different values in the order of their first appearance, codes, and limits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_encoder_runner import run_encoder
from parquet_slow_decoder import leaf

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.dictionary import build_dictionary, distinct_in_sample
from hocket.parquet.encode.expanding import without_dictionary
from hocket.parquet.errors import CorruptFile
from hocket.parquet.metadata.schema import LogicalKind, PhysicalType

NO_LIMITS = {"most_nbytes": 1 << 40, "most_count": 1 << 30}
STRINGS = st.lists(
    st.binary(max_size=3)
    | st.sampled_from(
        [b"x" * n + tail for n in (0, 7, 8, 9, 15, 16, 17, 31) for tail in (b"", b"!")]
    )
    | st.binary(min_size=5, max_size=40),
    max_size=40,
)
TYPES = {
    PhysicalType.INT32: "<i4",
    PhysicalType.INT64: "<i8",
    PhysicalType.FLOAT: "<f4",
    PhysicalType.DOUBLE: "<f8",
    PhysicalType.INT96: "V12",
}


def joined(strings, start=0):
    ends = np.cumsum([start, *map(len, strings)]).astype(np.int64)
    return ends, np.frombuffer(b"#" * start + b"".join(strings), np.uint8)


def of_strings(strings, start=0, codes=None):
    offsets, data = joined(strings, start)
    count = len(strings) if codes is None else len(codes)
    node = leaf(PhysicalType.BYTE_ARRAY, LogicalKind.STRING)
    return DenseValues(node, count, data, offsets, codes)


def of_array(array, physical, codes=None):
    length = array.itemsize if physical is PhysicalType.FIXED_LEN_BYTE_ARRAY else 0
    count = len(array) if codes is None else len(codes)
    return DenseValues(leaf(physical, length=length), count, array, None, codes)


def listed(values):
    """Return each value's bytes, of entries if there are codes."""
    if values.offsets is None:
        return [values.values[i : i + 1].tobytes() for i in range(len(values.values))]
    ends = values.offsets.tolist()
    raw = values.values.tobytes()
    return [raw[a:b] for a, b in itertools.pairwise(ends)]


def decoded(values):
    entries = listed(values)
    return [entries[code] for code in values.codes.tolist()]


@settings(max_examples=200)
@given(STRINGS, st.integers(0, 9))
def test_strings_are_numbered_as_they_appear(strings, start):
    found = build_dictionary(of_strings(strings, start), **NO_LIMITS)
    if not strings:
        assert found is None
        return
    assert found.codes.dtype == np.uint32
    assert found.count == len(strings)
    assert decoded(found) == strings
    assert listed(found) == list(dict.fromkeys(strings))


@settings(max_examples=100)
@given(st.sampled_from(sorted(TYPES)), st.lists(st.binary(min_size=12, max_size=12), max_size=20))
def test_values_of_a_width_are_numbered_by_their_bytes(physical, raws):
    dtype = np.dtype(TYPES[physical])
    wanted = [raw[: dtype.itemsize] for raw in raws] * 2
    array = np.frombuffer(b"".join(wanted), dtype)
    found = build_dictionary(of_array(array, physical), **NO_LIMITS)
    if not wanted:
        assert found is None
        return
    assert found.values.dtype == dtype
    assert decoded(found) == wanted
    assert listed(found) == list(dict.fromkeys(wanted))


@settings(max_examples=100)
@given(st.integers(1, 40), st.binary(max_size=200))
def test_fixed_bytes_of_any_length(width, raw):
    raw = (raw * 2)[: len(raw) * 2 // width * width]
    array = np.frombuffer(raw, f"V{width}")
    found = build_dictionary(of_array(array, PhysicalType.FIXED_LEN_BYTE_ARRAY), **NO_LIMITS)
    wanted = [raw[at : at + width] for at in range(0, len(raw), width)]
    assert (decoded(found) if wanted else []) == wanted


def test_zeros_and_nans_stay_what_they_are():
    nans = np.array([0x7FF8000000000000, 0xFFF8000000000001], np.uint64).view(np.float64)
    array = np.array([0.0, -0.0, *nans, 0.0, *nans])
    found = build_dictionary(of_array(array, PhysicalType.DOUBLE), **NO_LIMITS)
    assert found.codes.tolist() == [0, 1, 2, 3, 0, 2, 3]
    assert found.values.tobytes() == array[:4].tobytes()


@pytest.mark.parametrize("count", [1, 1000, 1024, 1025, 5000, 70_000, 300_000])
@pytest.mark.parametrize("physical", [PhysicalType.INT32, PhysicalType.DOUBLE])
def test_the_table_grows(physical, count):
    chance = np.random.default_rng(count)
    array = chance.permutation(np.tile(np.arange(count), 2)).astype(TYPES[physical])
    found = build_dictionary(of_array(array, physical), **NO_LIMITS)
    assert len(found.values) == count
    assert (found.values[found.codes] == array).all()
    assert found.codes[np.sort(np.unique(array, return_index=True)[1])].tolist() == [*range(count)]


@pytest.mark.parametrize("count", [1, 1025, 40_000])
def test_the_table_and_the_bytes_of_strings_grow(count):
    chance = np.random.default_rng(count)
    entries = [b"%d" % i * int(chance.integers(1, 6)) for i in range(count)]
    picked = chance.permutation(np.tile(np.arange(count), 2)).tolist()
    strings = [entries[i] for i in picked]
    found = build_dictionary(of_strings(strings), **NO_LIMITS)
    assert decoded(found) == strings
    long = [bytes([65 + i % 26]) * 30_000 + b"%d" % (i % 7) for i in range(30)]
    assert decoded(build_dictionary(of_strings(long), **NO_LIMITS)) == long


def test_booleans_and_nothing_get_none():
    booleans = np.zeros(9, np.uint8)
    assert build_dictionary(of_array(booleans, PhysicalType.BOOLEAN), **NO_LIMITS) is None
    nothing = np.zeros(0, np.int64)
    assert build_dictionary(of_array(nothing, PhysicalType.INT64), **NO_LIMITS) is None


# ---------------------------------------------------------------------------------------- limits


@settings(max_examples=150)
@given(STRINGS.filter(bool), st.integers(0, 300), st.integers(0, 12), st.booleans())
def test_limits_of_strings_hold_exactly(strings, most_nbytes, most_count, has_codes):
    different = list(dict.fromkeys(strings))
    nbytes = sum(4 + len(each) for each in different)
    values = of_strings(strings)
    if has_codes:
        values = of_strings(strings, codes=np.arange(len(strings), dtype=np.uint32))
    found = build_dictionary(values, most_nbytes=most_nbytes, most_count=most_count)
    assert (found is None) == (nbytes > most_nbytes or len(different) > most_count)
    assert found is None or decoded(found) == strings


@pytest.mark.parametrize("width", [4, 8, 12, 16, 3])
@pytest.mark.parametrize("count", [0, 1, 7, 2000])
def test_limits_of_fixed_values_hold_exactly(width, count):
    raw = np.arange(4 * max(count, 1), dtype=np.uint32).view(np.uint8)
    numbers = np.zeros((count, width), np.uint8)
    numbers[:, :3] = raw[: 4 * count].reshape(-1, 4)[:, :3]
    array = np.tile(numbers.view(f"V{width}").reshape(-1), 2)
    if not count:
        array = np.zeros(1, f"V{width}")
    values = of_array(array, PhysicalType.FIXED_LEN_BYTE_ARRAY)
    different = max(count, 1)
    for nbytes, most, fits in [
        (different * width, different, True),
        (different * width - 1, different, False),
        (different * width, different - 1, False),
        (0, different, False),
    ]:
        found = build_dictionary(values, most_nbytes=nbytes, most_count=most)
        assert (found is not None) == fits
        assert found is None or len(found.values) == different


# ------------------------------------------------------------------------------ codes there are


@settings(max_examples=150)
@given(STRINGS.filter(bool), st.data())
def test_entries_unused_or_there_twice_go(entries, data):
    codes = data.draw(st.lists(st.integers(0, len(entries) - 1), min_size=1, max_size=40))
    values = of_strings(entries, 3, np.array(codes, np.uint32))
    found = build_dictionary(values, **NO_LIMITS)
    used = [each for code, each in enumerate(entries) if code in set(codes)]
    assert listed(found) == list(dict.fromkeys(used))
    assert decoded(found) == decoded(values)
    assert listed(without_dictionary(found)) == decoded(values)
    assert listed(without_dictionary(values, 1, len(codes))) == decoded(values)[1:]


def test_codes_of_numbers():
    entries = np.array([5, 7, 5, 9], np.int64)
    values = of_array(entries, PhysicalType.INT64, np.array([3, 0, 2, 0], np.uint32))
    found = build_dictionary(values, **NO_LIMITS)
    assert (found.values.tolist(), found.codes.tolist()) == ([5, 9], [1, 0, 0, 0])
    assert without_dictionary(found).values.tolist() == [9, 5, 5, 5]
    clean = of_array(np.array([5, 7]), PhysicalType.INT64, np.array([1, 0, 1], np.uint32))
    assert build_dictionary(clean, **NO_LIMITS).values is clean.values


def test_codes_outside_are_refused():
    codes = np.array([0, 2], np.uint32)
    with pytest.raises(CorruptFile, match="outside of the dictionary"):
        build_dictionary(of_strings([b"a", b"b"], codes=codes), **NO_LIMITS)
    with pytest.raises(CorruptFile, match="outside of the dictionary"):
        without_dictionary(of_strings([b"a", b"b"], codes=codes))


@pytest.mark.parametrize("offsets", [[0, 2, 1], [-1, 0, 1], [0, 2, 4], [0, 3, 3 << 40]])
def test_offsets_that_lie_are_refused(offsets):
    node = leaf(PhysicalType.BYTE_ARRAY)
    values = DenseValues(node, 2, np.zeros(3, np.uint8), np.array(offsets, np.int64))
    with pytest.raises(CorruptFile):
        build_dictionary(values, **NO_LIMITS)


# ---------------------------------------------------------------------------------------- samples


def test_samples_tell_few_from_many():
    chance = np.random.default_rng(1)
    few = of_array(chance.integers(0, 9, 50_000), PhysicalType.INT64)
    many = of_array(np.arange(50_000), PhysicalType.INT64)
    assert distinct_in_sample(few, 4096) == 9
    assert distinct_in_sample(many, 4096) == 4096
    assert distinct_in_sample(many, 50_000) == 50_000
    assert distinct_in_sample(few, 1 << 20) == 9
    strings = of_strings([b"%d" % (i // 100) for i in range(20_000)])
    assert distinct_in_sample(strings, 20_000) == 200
    assert 8 <= distinct_in_sample(strings, 800) <= 16
    coded = of_strings([b"a", b"b"], codes=np.zeros(100, np.uint32))
    assert distinct_in_sample(coded, 10) == 1


# ---------------------------------------------------------------------------------------- kernels


@settings(max_examples=80)
@given(STRINGS, st.integers(0, 12), st.integers(0, 100), st.integers(0, 5))
def test_strings_between_bounds_of_memory(strings, capacity, nbytes, start):
    offsets, data = joined(strings, start)
    table = np.zeros(32, np.int64)

    def arguments(source, room):
        places = source(offsets), source(data), data.size, 0, len(strings)
        codes = room(4 * len(strings), content=np.zeros(len(strings), np.uint32))
        records = room(32 * capacity), capacity
        state = room(16, content=np.zeros(2, np.int64))
        return *places, codes, room(256, content=table), 5, *records, room(nbytes), nbytes, state

    done, (codes, records, state, _, entries) = run_encoder("number_strings", arguments)
    known, used = state.view(np.int64).tolist()
    seen = list(dict.fromkeys(strings[:done]))
    assert (known, used) == (len(seen), sum(map(len, seen)))
    assert entries[:used].tobytes() == b"".join(seen)
    assert records.view(np.int64).reshape(-1, 4)[:known, 1].tolist() == [*map(len, seen)]
    assert [seen[code] for code in codes.view(np.uint32)[:done].tolist()] == strings[:done]
    if done < len(strings):
        assert strings[done] not in seen
        assert known == capacity or used + len(strings[done]) > nbytes


@settings(max_examples=60)
@given(st.integers(1, 20), st.binary(max_size=120), st.integers(0, 12))
def test_fixed_bytes_between_bounds_of_memory(width, raw, capacity):
    count = len(raw) // width
    data = np.frombuffer(raw[: count * width], np.uint8)

    def arguments(source, room):
        places = width, source(data), data.size, 0, count
        codes = room(4 * count, content=np.zeros(count, np.uint32))
        records = room(32 * capacity), capacity
        state = room(16, content=np.zeros(2, np.int64))
        table = room(256, content=np.zeros(32, np.int64))
        return *places, codes, table, 5, *records, room(width * capacity), width * capacity, state

    done, (codes, _, state, _, _) = run_encoder("number_fixed", arguments)
    known, _ = state.view(np.int64).tolist()
    values = [raw[at * width :][:width] for at in range(count)]
    seen = list(dict.fromkeys(values[:done]))
    assert done == count or values[done] not in seen
    assert known == len(seen)
    assert [seen[code] for code in codes.view(np.uint32)[:done].tolist()] == values[:done]


@settings(max_examples=60)
@given(st.sampled_from([4, 8]), st.lists(st.integers(0, 20), max_size=30), st.integers(0, 15))
def test_words_between_bounds_of_memory(width, numbers, capacity):
    # Those that differ in their highest bits alone, too.
    array = np.array([(n << (8 * width - 5)) | n // 3 for n in numbers], f"<u{width}")

    def arguments(source, room):
        codes = room(4 * len(array), content=np.zeros(len(array), np.uint32))
        table = room(256, content=np.zeros(32, np.int64))
        state = room(16, content=np.zeros(2, np.int64))
        places = width, source(array), 0, len(array), codes, table, 5
        return *places, room(8 * capacity), capacity, state

    done, (codes, _, state, entries) = run_encoder("number_words", arguments)
    known, _ = state.view(np.int64).tolist()
    assert done == len(array) or array[done] not in array[:done]
    found = entries.view(np.uint64)[codes.view(np.uint32)[:done]]
    assert (found == array[:done]).all()
    assert known == len(set(array[:done].tolist()))


@settings(max_examples=60)
@given(st.sampled_from([4, 8]), st.lists(st.integers(-9, 9), max_size=30), st.integers(0, 20))
def test_near_integers_between_bounds_of_memory(width, numbers, capacity):
    array = np.array(numbers, f"<i{width}")
    least, most = min(numbers, default=0), max(numbers, default=0)

    def arguments(source, room):
        codes = room(4 * len(array), content=np.zeros(len(array), np.uint32))
        table = room(4 * (most - least + 1), content=np.zeros(most - least + 1, np.uint32))
        return width, source(array), len(array), least, codes, table, room(8 * capacity), capacity

    answer, (codes, _, entries) = run_encoder("number_near", arguments)
    seen = list(dict.fromkeys(numbers))
    assert answer == (len(seen) if len(seen) <= capacity else -1)
    if answer >= 0:
        assert entries.view(np.int64)[:answer].tolist() == seen
        assert [seen[code] for code in codes.view(np.uint32)] == numbers


@pytest.mark.parametrize("dtype", ["<i4", "<i8"])
@settings(max_examples=60)
@given(st.integers(-100, 100), st.integers(0, 40), st.data())
def test_integers_near_and_far(dtype, first, power, data):
    info = np.iinfo(dtype)
    steps = st.integers(0, (1 << min(power, 29)) - 1) | st.just(0)
    numbers = [first + each for each in data.draw(st.lists(steps, min_size=1, max_size=30))]
    if data.draw(st.booleans()):
        numbers += [int(info.min), int(info.max)]
    most = data.draw(st.integers(0, 32))
    physical = PhysicalType.INT32 if dtype == "<i4" else PhysicalType.INT64
    values = of_array(np.array(numbers, dtype), physical)
    found = build_dictionary(values, most_nbytes=1 << 40, most_count=most)
    seen = list(dict.fromkeys(numbers))
    assert (found is None) == (len(seen) > most)
    if found is not None:
        assert found.values.dtype == values.values.dtype
        assert found.values.tolist() == seen
        assert found.values[found.codes].tolist() == numbers


def test_a_grown_table_knows_all():
    chance = np.random.default_rng(3)
    table = np.zeros(64, np.int64)
    places = chance.choice(64, 32, replace=False)
    table[places] = chance.integers(-(1 << 63), 1 << 63, 32) & -(1 << 32) | np.arange(1, 33)

    def arguments(source, room):
        return source(table), 6, room(8 << 8, content=np.zeros(256, np.int64)), 8

    answer, (larger,) = run_encoder("grow_table", arguments)
    assert answer == 0
    found = larger.view(np.int64)
    assert sorted(found[found != 0]) == sorted(table[table != 0])
    for entry in found[found != 0].tolist():
        place = (entry & ((1 << 64) - 1)) >> 56
        while found[place] != entry:
            assert found[place] != 0
            place = (place + 1) % 256

"""Column chunks of all encodings, page versions, codecs and patterns of nulls."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parquet_chunk_writer import (
    BIT_PACKED,
    DELTA,
    DELTA_LENGTH,
    DELTA_STRINGS,
    PLAIN,
    PLAIN_DICTIONARY,
    RLE,
    RLE_DICTIONARY,
    SPLIT,
    ChunkWriter,
    leaf_of,
    values_of,
)

from hocket.parquet.decode.chunk import decode_chunk
from hocket.parquet.decode.target import natural_target
from hocket.parquet.errors import CorruptFile
from hocket.parquet.metadata.logical import PhysicalType

P = PhysicalType
FIXED = {"type_length": 5}
TYPES = {
    "boolean": (P.BOOLEAN, {}, lambda i: i % 3 == 0, [PLAIN, RLE]),
    "int32": (P.INT32, {}, lambda i: i * i % 1000 - 500, [PLAIN, RLE_DICTIONARY, DELTA, SPLIT]),
    "int64": (P.INT64, {}, lambda i: (i * 7919 % 50) << 40, [PLAIN, RLE_DICTIONARY, DELTA, SPLIT]),
    "float": (P.FLOAT, {}, lambda i: i % 37 / 4, [PLAIN, RLE_DICTIONARY, SPLIT]),
    "double": (P.DOUBLE, {}, lambda i: i % 41 / 3, [PLAIN, RLE_DICTIONARY, SPLIT]),
    "fixed": (
        P.FIXED_LEN_BYTE_ARRAY,
        FIXED,
        lambda i: b"%05d" % (i % 60),
        [PLAIN, RLE_DICTIONARY, DELTA_STRINGS, SPLIT],
    ),
    "string": (
        P.BYTE_ARRAY,
        {},
        lambda i: b"<%d>" % (i % 30) * (i % 5),
        [PLAIN, PLAIN_DICTIONARY, DELTA_LENGTH, DELTA_STRINGS],
    ),
}
NULLS = {
    "required": None,
    "none": lambda _: False,
    "all": lambda _: True,
    "some": lambda i: i % 7 == 3 or i // 40 % 5 == 2,
}
CODECS = [0, 1, 2, 4, 6, 7]
CASES = [
    (name, encoding, version, nulls)
    for name, (_, _, _, encodings) in TYPES.items()
    for encoding, version, nulls in itertools.product(encodings, (1, 2), NULLS)
]


def written(name, encoding, version, nulls, codec, count=300):
    physical, kind, value_at, _ = TYPES[name]
    is_null = NULLS[nulls]
    leaf = leaf_of(physical, definition=0 if is_null is None else 1, **kind)
    writer = ChunkWriter(leaf, codec)
    values = [None if is_null and is_null(i) else value_at(i) for i in range(count)]
    if encoding in (PLAIN_DICTIONARY, RLE_DICTIONARY):
        writer.add_dictionary(dict.fromkeys(value_at(i) for i in range(count)))
    for part in (values[:170], values[170:171], values[171:]):
        writer.add(part, encoding, version=version)
    return writer, values


def decoded(writer, **options):
    target = options.pop("target", None) or natural_target(writer.leaf)
    place = writer.place(**options.pop("place", {}))
    return decode_chunk(place, writer.segments(), target, **options)


@pytest.mark.parametrize(("name", "encoding", "version", "nulls"), CASES)
def test_every_encoding_version_and_pattern_of_nulls(name, encoding, version, nulls):
    codec = CODECS[CASES.index((name, encoding, version, nulls)) % len(CODECS)]
    writer, values = written(name, encoding, version, nulls, codec)
    column = decoded(writer)
    assert values_of(column) == values
    assert column.count == column.row_count == column.level_count == len(values)
    assert column.null_count == values.count(None)
    assert (column.valid is None) == (column.null_count == 0)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("version", [1, 2])
def test_every_codec(codec, version):
    for name in ("int64", "string"):
        writer, values = written(name, RLE_DICTIONARY, version, "some", codec)
        assert values_of(decoded(writer)) == values


@pytest.mark.parametrize("name", [name for name in TYPES if name != "string"])
def test_values_go_to_the_destination_and_nowhere_else(name):
    writer, values = written(name, PLAIN, 1, "some", 1)
    dtype = natural_target(writer.leaf).dtype
    whole = np.full((len(values) + 20) * dtype.itemsize, 0x5C, np.uint8)
    room = whole.view(dtype)[10:-10]
    flags = np.zeros(len(values) + 2, bool)
    column = decoded(writer, destination=room, valid_destination=flags[1:-1])
    assert np.shares_memory(column.values, room)
    assert values_of(column) == values
    assert (whole[: 10 * dtype.itemsize] == 0x5C).all()
    assert (whole[-10 * dtype.itemsize :] == 0x5C).all()
    assert not flags[0]
    assert not flags[-1]


def test_null_slots_hold_the_target_s_pattern():
    writer, values = written("double", PLAIN, 1, "some", 0)
    column = decoded(writer, want_valid=False)
    assert column.valid is None
    assert column.null_count == values.count(None) > 0
    assert np.isnan(column.values).tolist() == [value is None for value in values]
    target = replace(natural_target(writer.leaf), null_bits=-5)
    column = decoded(writer, target=target, want_valid=False)
    assert (column.values.view("i8") == -5).tolist() == [value is None for value in values]


def test_flags_are_written_even_if_nothing_is_missing():
    for nulls in ("none", "required"):
        writer, values = written("int32", PLAIN, 2, nulls, 0)
        flags = np.zeros(len(values), bool)
        assert decoded(writer, valid_destination=flags).valid is flags
        assert flags.all()


def test_flags_of_pages_before_the_first_null():
    writer = ChunkWriter(leaf_of(P.INT32, definition=1))
    values = [*range(40), None, *range(5)]
    for at in range(0, len(values), 9):
        writer.add(values[at : at + 9])
    assert values_of(decoded(writer)) == values


@pytest.mark.parametrize("name", ["int64", "string", "fixed"])
def test_a_dictionary_that_was_given_up(name):
    physical, kind, value_at, encodings = TYPES[name]
    writer = ChunkWriter(leaf_of(physical, definition=1, **kind), 1)
    entries = list(dict.fromkeys(value_at(i) for i in range(20)))
    values = []
    writer.add_dictionary(entries)
    for encoding in (RLE_DICTIONARY, *encodings, PLAIN_DICTIONARY):
        page = [None if i % 4 == 1 else value_at(i % 20) for i in range(50)]
        writer.add(page, encoding)
        values += page
    assert values_of(decoded(writer)) == values
    target = replace(natural_target(writer.leaf), keep_dictionary=True)
    column = decoded(writer, target=target)
    assert column.codes is None
    assert values_of(column) == values


@pytest.mark.parametrize("name", ["int32", "int64", "double", "fixed", "string"])
@pytest.mark.parametrize("nulls", NULLS)
def test_codes_and_the_dictionary(name, nulls):
    writer, values = written(name, RLE_DICTIONARY, 1, nulls, 1)
    target = replace(natural_target(writer.leaf), keep_dictionary=True)
    column = decoded(writer, target=target)
    assert column.codes.dtype == np.int32
    assert values_of(column) == values
    assert values_of(column.dictionary) == writer.dictionary
    assert (column.codes == -1).sum() == values.count(None)


def test_many_tiny_and_empty_pages():
    writer = ChunkWriter(leaf_of(P.BYTE_ARRAY, definition=1), 1)
    values = [None if i % 5 == 2 else b"v%d" % i for i in range(700)]
    writer.add_dictionary([b"unused"])
    for value in values:
        writer.add([])
        writer.add([value])
    assert values_of(decoded(writer)) == values


def test_pages_of_nothing_may_have_no_bytes():
    writer = ChunkWriter(leaf_of(P.INT32, definition=1), 1)
    writer.page(0, 5, {1: 0, 2: PLAIN, 3: RLE, 4: RLE}, b"", 0)
    writer.page(3, 8, {1: 0, 2: 0, 3: 0, 4: PLAIN, 5: 0, 6: 0}, b"", 0)
    writer.add([1, None])
    assert values_of(decoded(writer)) == [1, None]


def test_a_page_of_nulls_alone_needs_no_dictionary():
    writer = ChunkWriter(leaf_of(P.INT64, definition=1))
    writer.add([None] * 9, RLE_DICTIONARY)
    assert values_of(decoded(writer)) == [None] * 9
    target = replace(natural_target(writer.leaf), keep_dictionary=True)
    assert values_of(decoded(writer, target=target)) == [None] * 9


@pytest.mark.parametrize("name", ["int32", "string", "fixed", "boolean"])
def test_a_chunk_of_no_values(name):
    physical, kind, _, _ = TYPES[name]
    writer = ChunkWriter(leaf_of(physical, definition=1, **kind))
    for _ in range(2):
        column = decoded(writer)
        assert values_of(column) == []
        assert column.count == 0
        writer.add([])


def test_deprecated_levels():
    writer = ChunkWriter(leaf_of(P.INT32, definition=3))
    levels = [3, 0, 1, 2, 3, 3, 1, 0, 3]
    values = [i if level == 3 else None for i, level in enumerate(levels)]
    writer.add(values, definitions=levels, level_encoding=BIT_PACKED)
    column = decoded(writer, with_levels=True)
    assert values_of(column) == values
    assert column.definition_levels.tolist() == levels
    assert column.repetition_levels is None


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("physical", [P.INT32, P.BYTE_ARRAY])
def test_levels_below_lists(version, physical):
    leaf = leaf_of(physical, definition=3, repetition=1, slot_definition=2)
    # [], null, [1, null], [2], [null]
    writer = ChunkWriter(leaf, 1)
    some = [1, 2] if physical is P.INT32 else [b"one", b""]
    for _ in range(3):
        writer.add(
            [None, None, some[0], None, some[1], None],
            version=version,
            definitions=[1, 0, 3, 2, 3, 2],
            repetitions=[0, 0, 0, 1, 0, 0],
        )
    column = decoded(writer, with_levels=True)
    assert values_of(column) == [some[0], None, some[1], None] * 3
    assert column.definition_levels.tolist() == [1, 0, 3, 2, 3, 2] * 3
    assert column.repetition_levels.tolist() == [0, 0, 0, 1, 0, 0] * 3
    assert (column.count, column.null_count, column.level_count) == (12, 6, 18)
    assert column.row_count == 15
    without = decoded(writer)
    assert without.definition_levels is None
    assert values_of(without) == values_of(column)


def test_a_list_may_go_on_in_the_next_page():
    leaf = leaf_of(P.INT32, definition=1, repetition=1, slot_definition=1)
    writer = ChunkWriter(leaf)
    writer.add([1, 2], repetitions=[0, 1], definitions=[1, 1])
    writer.add([3, 4], repetitions=[1, 0], definitions=[1, 1])
    assert decoded(writer, with_levels=True).repetition_levels.tolist() == [0, 1, 1, 0]
    late = ChunkWriter(leaf)
    late.add([1, 2], repetitions=[1, 0], definitions=[1, 1])
    with pytest.raises(CorruptFile, match="first repetition level"):
        decoded(late, with_levels=True)


@given(st.lists(st.lists(st.none() | st.binary(max_size=70), max_size=40), max_size=8), st.data())
def test_any_byte_strings(pages, data):
    writer = ChunkWriter(leaf_of(P.BYTE_ARRAY, definition=1), data.draw(st.sampled_from(CODECS)))
    every = list(dict.fromkeys(itertools.chain(*pages)) - {None: 0}.keys())
    if data.draw(st.booleans()):
        writer.add_dictionary(every)
    encodings = [PLAIN, DELTA_LENGTH, DELTA_STRINGS] + [RLE_DICTIONARY] * bool(writer.dictionary)
    for page in pages:
        encoding = data.draw(st.sampled_from(encodings))
        writer.add(page, encoding, version=data.draw(st.sampled_from([1, 2])))
    assert values_of(decoded(writer)) == list(itertools.chain(*pages))

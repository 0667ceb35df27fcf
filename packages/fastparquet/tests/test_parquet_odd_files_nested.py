"""Lists and maps as programs declared them, by the book or not."""

import pytest
from parquet_chunk_writer import ChunkWriter, hybrid, leaf_of, plain
from parquet_file_maker import FileMaker, refused
from parquet_record_writer import (
    LIST,
    MAP,
    OPTIONAL,
    REPEATED,
    REQUIRED,
    STRING,
    file_of_rows,
    node,
)

from hocket.parquet import ParquetError, ParquetFile
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.logical import PhysicalType

P = PhysicalType


def rows_of(raw, name):
    """A column as Python values, and the same by way of Arrow."""
    values = ParquetFile(raw).to_pandas(nested="python")[name].tolist()
    arrow = pytest.importorskip("pyarrow").table(ParquetFile(raw).to_arrow())
    assert [_plain(value) for value in arrow[name].to_pylist()] == [_plain(each) for each in values]
    return values


def _plain(value):
    """Maps come as pairs from Arrow."""
    if isinstance(value, dict):
        return [(key, _plain(each)) for key, each in value.items()]
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


def map_of(key, value, inner="key_value", **annotation):
    members = [node("key", key, P.BYTE_ARRAY, **STRING)]
    members += [node("value", value, P.BYTE_ARRAY, **STRING)] if value is not None else []
    entries = node(inner, REPEATED, members)
    return node("m", OPTIONAL, [entries], **(annotation or MAP))


@pytest.mark.parametrize("inner", ["key_value", "map", "entries"])
@pytest.mark.parametrize("key", [REQUIRED, OPTIONAL])
@pytest.mark.parametrize("annotation", [{}, {"converted_type": 2}])
def test_maps_as_they_are_declared(inner, key, annotation):
    """Presto declared keys as optional; others annotated the outer group as the inner one."""
    pairs = [{"key": b"parent", "value": b"another"}, {"key": b"name", "value": None}]
    rows = [{"m": {inner: pairs}}, {"m": None}, {"m": {inner: []}}]
    raw = file_of_rows([map_of(key, OPTIONAL, inner, **annotation)], rows)
    assert rows_of(raw, "m") == [{"parent": "another", "name": None}, None, {}]


def test_keys_that_are_missing():
    rows = [{"m": {"key_value": [{"key": None, "value": b"x"}, {"key": b"k", "value": b"y"}]}}]
    raw = file_of_rows([map_of(OPTIONAL, OPTIONAL)], rows)
    assert ParquetFile(raw).to_pandas(nested="python")["m"].tolist() == [{None: "x", "k": "y"}]
    with pytest.raises(ParquetError, match="keys of a map are missing") as caught:
        ParquetFile(raw).to_arrow()
    assert caught.value.file == "<bytes>"


def test_maps_without_values_are_lists_of_their_keys():
    rows = [{"m": {"key_value": [{"key": b"a"}, {"key": b"b"}]}}, {"m": {"key_value": []}}]
    assert rows_of(file_of_rows([map_of(REQUIRED, None)], rows), "m") == [["a", "b"], []]


def test_an_empty_list_and_nothing_else():
    item = node("item", OPTIONAL, P.INT32)
    for element in ({}, {"logicalType": ttypes.LogicalType(UNKNOWN=ttypes.NullType())}):
        item.element = element
        empty = node("emptylist", OPTIONAL, [node("list", REPEATED, [item])], **LIST)
        raw = file_of_rows([empty], [{"emptylist": {"list": []}}])
        assert rows_of(raw, "emptylist") == [[]]


def test_repeated_values_without_a_list_around_them():
    numbers = node("numbers", REPEATED, P.INT32)
    words = node("words", REPEATED, P.BYTE_ARRAY, **STRING)
    groups = node("people", REPEATED, [node("kind", OPTIONAL, P.BYTE_ARRAY, **STRING), numbers])
    group = node("inner", REQUIRED, [numbers, words])
    rows = [
        {"numbers": [0, 1, 2], "inner": {"numbers": [5], "words": [b"foo", b""]}, "people": []},
        {"people": [{"kind": b"x", "numbers": [1, 2]}, {"kind": None, "numbers": []}]},
        {"numbers": [3], "inner": {"words": [b"a"]}},
    ]
    raw = file_of_rows([numbers, groups, group], rows)
    assert rows_of(raw, "numbers") == [[0, 1, 2], [], [3]]
    assert rows_of(raw, "people") == [
        [],
        [{"kind": "x", "numbers": [1, 2]}, {"kind": None, "numbers": []}],
        [],
    ]
    assert rows_of(raw, "inner") == [
        {"numbers": [5], "words": ["foo", ""]},
        {"numbers": [], "words": []},
        {"numbers": [], "words": ["a"]},
    ]


# ------------------------------------------------------------------------------ what is broken

ELEMENTS = [
    ttypes.SchemaElement(name="numbers", repetition_type=1, num_children=1, converted_type=3),
    ttypes.SchemaElement(name="list", repetition_type=2, num_children=1),
    ttypes.SchemaElement(name="element", repetition_type=1, type=1),
]


def list_file(repetitions, told, rows, count=21):
    """A page that says it has `count` values, and has levels for as many as there are."""
    leaf = leaf_of(P.INT32, definition=3, repetition=1)
    writer = ChunkWriter(leaf)
    definitions = hybrid([3] * count, 2)
    levels = hybrid(repetitions, 1, run=99)
    body = b"".join(len(each).to_bytes(4, "little") + each for each in (levels, definitions))
    body += plain(list(range(count)), leaf)
    writer.page(0, 5, {1: count, 2: 0, 3: 3, 4: 3}, body, len(body))
    writer.num_values = told
    return FileMaker(rows).add_nested(ELEMENTS, writer).written()


@pytest.mark.parametrize("repetitions", [[], [0], [0] + [1] * 15])
def test_too_few_repetition_levels(repetitions):
    refused(list_file(repetitions, 21, 1), "the bytes end before", page=0)
    refused(list_file(repetitions, 1, 1), "more than the 1 that the footer says")


def test_rows_that_begin_in_the_middle():
    refused(list_file([1, 0] * 10 + [0], 21, 11), "first repetition level is not 0", page=0)


def test_a_page_may_go_on_with_the_row_of_the_last_one():
    leaf = leaf_of(P.INT64, definition=1, repetition=1)
    for version in (1, 2):
        writer = ChunkWriter(leaf)
        writer.add([0, 1, 2], definitions=[1] * 3, repetitions=[0, 1, 0], version=version)
        writer.add([3, 4], definitions=[1] * 2, repetitions=[1, 0], version=version)
        raw = FileMaker(3).add("a", writer, repetition_type=2).written()
        assert rows_of(raw, "a") == [[0, 1], [2, 3], [4]]

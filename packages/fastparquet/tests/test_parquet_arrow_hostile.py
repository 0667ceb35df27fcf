"""Producers of Arrow data that are wrong, hostile, or ask for what Parquet does not have."""

from __future__ import annotations

import ctypes
import gc

import numpy as np
import pyarrow as pa
import pytest
from parquet_plain_values import values_of

from hocket.parquet.arrays.arrow_interface import SchemaStructure, StreamStructure
from hocket.parquet.assemble.arrow_arrays import ArrowArray
from hocket.parquet.assemble.arrow_export import live_exports
from hocket.parquet.assemble.arrow_table import ArrowTable
from hocket.parquet.assemble.arrow_types import ArrowField, ArrowSchema
from hocket.parquet.errors import InvalidArrow, ValueUnstorable
from hocket.parquet.intake.arrow_import import arrow_batches

BYTES = np.frombuffer(b"abcdefgh" * 16, np.uint8)


@pytest.fixture(autouse=True)
def all_is_released():
    gc.collect()
    before = live_exports()
    yield
    gc.collect()
    assert live_exports() == before


def field(layout, *children, name="x", dictionary=None, metadata=None):
    return ArrowField(
        name,
        layout,
        nullable=True,
        children=children,
        dictionary=dictionary,
        metadata=metadata or {},
    )


def array(told, length, buffers, *children, null_count=0, dictionary=None):
    return ArrowArray(told, length, null_count, tuple(buffers), children, dictionary=dictionary)


def taken(column, length=None):
    """Take an array as the only column of a table."""
    schema = ArrowSchema((column.field,))
    root = ArrowField("", "+s", nullable=False, children=schema.fields)
    rows = column.length if length is None else length
    batch = ArrowArray(root, rows, 0, (None,), (column,))
    return [values_of(each) for (each,) in arrow_batches(ArrowTable(schema, (batch,)))]


def numbers(length=3, name="x"):
    return array(field("l", name=name), length, (None, np.arange(length)))


def offsets(*values):
    return np.array(values, np.int32)


def test_what_is_right_is_taken():
    assert taken(numbers()) == [[0, 1, 2]]
    words = array(field("u"), 2, (None, offsets(1, 3, 4), BYTES))
    assert taken(words) == [[b"bc", b"d"]]
    months = array(field("tiM"), 1, (None, np.array([14], np.int32)))
    assert taken(months) == [[np.array([14, 0, 0], "<u4").tobytes()]]
    days = array(field("tiD"), 1, (None, np.array([3, 4], np.int32)))
    assert taken(days) == [[np.array([0, 3, 4], "<u4").tobytes()]]


CODES = field("c", dictionary=field("l"))
VIEWS = np.zeros(4, np.int32)


def view(length, buffer, start):
    return np.array([length, 0, buffer, start], np.int32)


WRONG = {
    "a length below 0": (numbers(-1), "length is -1"),
    "more missing than there is": (
        array(field("l"), 2, (None, np.arange(2)), null_count=3),
        "of 2 values, 3 are missing",
    ),
    "missing, and no bitmap": (
        array(field("l"), 2, (None, np.arange(2)), null_count=1),
        "1 values are missing, and nothing tells which",
    ),
    "no values": (array(field("l"), 2, (None, None)), "buffer 1 is a null pointer"),
    "one buffer": (array(field("l"), 2, (None,)), "has 1 buffers, and must have 2"),
    "no bytes": (array(field("u"), 1, (None, offsets(0, 1), None)), "buffer 2 is a null pointer"),
    "offsets go back": (
        array(field("u"), 2, (None, offsets(0, 5, 3), BYTES)),
        "offsets go backwards: 5 is followed by 3",
    ),
    "offsets below 0": (array(field("u"), 2, (None, offsets(-3, 1, 2), BYTES)), "offsets"),
    "lists behind the end": (
        array(field("+l", field("l")), 1, (None, offsets(0, 4)), numbers()),
        "its lists end at 4 of 3 elements",
    ),
    "lists go back": (
        array(field("+l", field("l")), 2, (None, offsets(0, 2, 1)), numbers()),
        "offsets go backwards",
    ),
    "no child": (array(field("+l", field("l")), 1, (None, offsets(0, 1))), "has 0 children"),
    "a short member": (
        array(field("+s", field("l", name="a")), 4, (None,), numbers(3, "a")),
        "column 'x.a': it has 3 slots, and what it is a part of needs 4",
    ),
    "too few for fixed lists": (
        array(field("+w:2", field("l")), 2, (None,), numbers()),
        "2 lists of 2 elements are told, and there are 3",
    ),
    "views outside": (
        array(field("+vl", field("l")), 1, (None, offsets(2), offsets(2)), numbers()),
        "its lists reach outside of the 3 elements",
    ),
    "codes outside": (
        array(CODES, 2, (None, np.array([0, 3], np.int8)), dictionary=numbers()),
        "codes are between 0 and 3, and its dictionary has 3 values",
    ),
    "codes below 0": (
        array(CODES, 2, (None, np.array([0, -1], np.int8)), dictionary=numbers()),
        "codes are between -1 and 0",
    ),
    "codes of floats": (
        array(field("g", dictionary=field("l")), 1, (None, np.zeros(1)), dictionary=numbers()),
        "codes of dictionaries cannot be of Arrow type 'g'",
    ),
    "no dictionary": (array(CODES, 1, (None, np.zeros(1, np.int8))), "dictionary is a null"),
    "runs do not reach": (
        array(
            field("+r", field("i", name="run_ends"), field("l", name="values")),
            5,
            (),
            array(field("i"), 2, (None, offsets(2, 4))),
            numbers(2),
        ),
        "ends of runs do not grow, or do not reach",
    ),
    "runs go back": (
        array(
            field("+r", field("i", name="run_ends"), field("l", name="values")),
            2,
            (),
            array(field("i"), 2, (None, offsets(2, 2))),
            numbers(2),
        ),
        "ends of runs do not grow",
    ),
    "a string view below 0": (
        array(field("vu"), 1, (None, view(-1, 0, 0), None)),
        "views of strings make no sense: a length is negative",
    ),
    "a string view of no buffer": (
        array(field("vu"), 1, (None, view(13, 0, 0), None)),
        "views of strings make no sense",
    ),
    "a string view behind the end": (
        array(field("vu"), 1, (None, view(13, 0, 4), BYTES, np.array([16]))),
        "views of strings make no sense",
    ),
    "a string view without its buffer": (
        array(field("vu"), 1, (None, view(13, 0, 0), None, np.array([16]))),
        "a buffer of its strings is a null pointer",
    ),
    "views without lengths": (array(field("vu"), 1, (None, VIEWS)), "views have 3 at least"),
}


@pytest.mark.parametrize("name", WRONG)
def test_arrays_that_contradict_themselves_are_an_error(name):
    column, words = WRONG[name]
    with pytest.raises(InvalidArrow) as told:
        taken(column, max(column.length, 1))
    assert words in str(told.value)
    assert "column 'x" in str(told.value)


def test_a_batch_longer_than_its_columns():
    with pytest.raises(InvalidArrow, match=r"column 'x': it has 3 slots, and .* needs 5"):
        taken(numbers(3), 5)


UNSTORABLE = {
    "+ud:0,1": "Parquet has no unions",
    "+us:0,1": "Parquet has no unions",
    "+s": "a struct without members",
    "d:5,-2": "of which -2 follow the point; cast the column to decimal\\(7, 0\\)",
    "d:3,5": "cast the column to decimal\\(5, 5\\)",
    "d:99,2": "is not known",
    "d:x": "is not known",
    "q": "is not known",
    "tsx:": "is not known",
    "+q": "is not known",
    "+l": "has 0 children, and must have 1",
}


@pytest.mark.parametrize("layout", UNSTORABLE)
@pytest.mark.parametrize("is_inside", [False, True])
def test_types_that_parquet_has_not(layout, is_inside):
    column = array(field(layout, name="element" if is_inside else "x"), 0, ())
    if is_inside:
        column = array(field("+l", column.field), 0, (), column)
    where = "x.element" if is_inside else "x"
    with pytest.raises(ValueUnstorable, match=f"column '{where}': .*{UNSTORABLE[layout]}"):
        taken(column)


def test_schemas_nested_without_end_are_an_error():
    told = field("l")
    for _ in range(70):
        told = field("+l", told)
    with pytest.raises(InvalidArrow, match="nested more than 64 levels"):
        taken(array(told, 0, ()))


# -------------------------------------------------------------------------------- whole structures


def capsule(structure, name):
    make = ctypes.pythonapi["PyCapsule_New"]
    make.restype = ctypes.py_object
    make.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return make(ctypes.addressof(structure), name, None)


RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
GET = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
LAST_ERROR = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)


def address_of(function):
    return ctypes.cast(function, ctypes.c_void_p).value


class Producer:
    """A stream whose functions answer what a test says, and that counts releases."""

    def __init__(self, schema_answer=0, next_answer=0, words=None):
        self.released = []
        self.words = None if words is None else ctypes.create_string_buffer(words)
        self.schema = SchemaStructure()
        self.functions = (
            GET(lambda at, into: schema_answer or self._give_schema(into)),
            GET(lambda at, into: next_answer),
            LAST_ERROR(lambda at: None if self.words is None else ctypes.addressof(self.words)),
            RELEASE(self._release),
        )
        self.structure = StreamStructure(*map(address_of, self.functions), None)

    def _give_schema(self, into):
        ctypes.memmove(into, ctypes.addressof(self.schema), ctypes.sizeof(SchemaStructure))
        return 0

    def _release(self, at):
        self.released.append(at)
        StreamStructure.from_address(at).release = None

    def __arrow_c_stream__(self, requested_schema=None):
        return capsule(self.structure, b"arrow_array_stream")


def told(producer):
    with pytest.raises(InvalidArrow) as failure:
        arrow_batches(producer)
    gc.collect()
    assert len(producer.released) == 1
    return str(failure.value)


def test_streams_that_fail_are_released_once():
    assert "error 5: no \ufffd luck" in told(Producer(schema_answer=5, words=b"no \xff luck"))
    assert "error 12: " in told(Producer(schema_answer=12))
    assert "gave no schema" in told(Producer())


def test_schemas_without_a_format_are_released_once():
    producer = Producer()
    releases = []

    @RELEASE
    def release(at):
        releases.append(at)
        SchemaStructure.from_address(at).release = None

    producer.schema.release = address_of(release)
    assert "has no format" in told(producer)
    assert len(releases) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_children": -1}, "there are -1 children"),
        ({"n_children": 1 << 40}, "children of a schema"),
        ({"n_children": 2}, "2 children of a schema are behind a null pointer"),
    ],
)
def test_schemas_whose_counts_make_no_sense(change, words):
    producer = Producer()
    layout = ctypes.create_string_buffer(b"+s")
    producer.schema.format = ctypes.addressof(layout)
    release = RELEASE(lambda at: None)
    producer.schema.release = address_of(release)
    for name, value in change.items():
        setattr(producer.schema, name, value)
    assert words in told(producer)


def test_metadata_with_lengths_below_0_is_an_error():
    producer = Producer()
    layout = ctypes.create_string_buffer(b"+s")
    metadata = (ctypes.c_int32 * 3)(1, -4, 0)
    producer.schema.format = ctypes.addressof(layout)
    producer.schema.metadata = ctypes.addressof(metadata)
    release = RELEASE(lambda at: None)
    producer.schema.release = address_of(release)
    assert "has the length -4" in told(producer)


def test_a_stream_without_functions_is_an_error():
    producer = Producer()
    producer.structure.get_next = None
    assert "is a null pointer" in told(producer)


def test_capsules_of_other_names_are_an_error():
    class Wrong:
        def __arrow_c_stream__(self, requested_schema=None):
            return pa.schema([("a", pa.int8())]).__arrow_c_schema__()

    with pytest.raises(InvalidArrow, match="no capsule of the name 'arrow_array_stream'"):
        arrow_batches(Wrong())

    class NoPair:
        def __arrow_c_array__(self, requested_schema=None):
            return None

    with pytest.raises(InvalidArrow, match="has to return two capsules"):
        arrow_batches(NoPair())

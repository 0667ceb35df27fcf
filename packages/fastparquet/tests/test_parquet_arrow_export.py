"""Arrow's C interface: what is handed out, how long it lives, and who may release it when."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.arrays.arrow_interface import ArrayStructure, SchemaStructure, StreamStructure
from hocket.parquet.assemble import arrow_export
from hocket.parquet.assemble.arrow_arrays import ArrowArray
from hocket.parquet.assemble.arrow_callbacks import Callbacks
from hocket.parquet.assemble.arrow_export import (
    array_capsules,
    live_exports,
    schema_capsule,
    stream_capsule,
)
from hocket.parquet.assemble.arrow_table import ArrowReader, ArrowTable, struct_array
from hocket.parquet.assemble.arrow_types import ArrowField, ArrowSchema
from hocket.parquet.errors import InvalidOption
from hocket.parquet.kernels.library import KERNEL, VARIABLE

Pointer = ctypes.c_void_p
RELEASE = ctypes.CFUNCTYPE(None, Pointer)
GET = ctypes.CFUNCTYPE(ctypes.c_int, Pointer, Pointer)
LAST_ERROR = ctypes.CFUNCTYPE(ctypes.c_char_p, Pointer)

NUMBERS = ArrowField("a", "l", nullable=True)
WORDS = ArrowField("wörter", "U", nullable=False, metadata={"k": "v"})
CODES = ArrowField(
    "codes", "i", nullable=True, dictionary=ArrowField("", "U", nullable=True), is_ordered=True
)
LISTS = ArrowField("lists", "+l", nullable=True, children=(NUMBERS,))
SCHEMA = ArrowSchema((NUMBERS, WORDS, CODES, LISTS), {"file": b"\xff\x00", "is": "this"})


def words(field, texts):
    offsets = np.cumsum([0, *(len(text) for text in texts)])
    data = np.frombuffer("".join(texts).encode() or b"\0", np.uint8)
    return ArrowArray(field, len(texts), 0, (None, offsets, data))


def batch(count):
    numbers = ArrowArray(NUMBERS, count, 0, (None, np.arange(count)))
    codes = ArrowArray(
        CODES,
        count,
        0,
        (None, np.zeros(count, np.int32)),
        dictionary=words(CODES.dictionary, ["x"]),
    )
    offsets = np.arange(count + 1, dtype=np.int32)
    lists = ArrowArray(LISTS, count, 0, (None, offsets), (numbers,))
    return struct_array(SCHEMA, (numbers, words(WORDS, ["ab"] * count), codes, lists), count)


#: Without them streams are read when they are asked for, and exceptions do not pass.
needs_compiled_kernels = pytest.mark.skipif(
    os.environ.get(VARIABLE) == "interpreted", reason="needs compiled kernels"
)


@pytest.fixture(autouse=True)
def nothing_is_left():
    gc.collect()
    before = live_exports()
    yield
    gc.collect()
    assert live_exports() == before
    assert arrow_export._IN_CAPSULES == {}


def inside(capsule, kind, name):
    get = ctypes.pythonapi["PyCapsule_GetPointer"]
    get.restype, get.argtypes = Pointer, [ctypes.py_object, ctypes.c_char_p]
    return kind.from_address(get(capsule, name))


def moved(structure):
    """Take a structure out of where it is, as consumers do."""
    copy = type(structure).from_buffer_copy(structure)
    structure.release = None
    return copy


def release(structure):
    RELEASE(structure.release)(ctypes.addressof(structure))
    assert structure.release is None


def text(at):
    return ctypes.string_at(at).decode()


def taken(capsule):
    return moved(inside(capsule, StreamStructure, b"arrow_array_stream"))


def next_of(stream):
    array = ArrayStructure()
    answer = GET(stream.get_next)(ctypes.addressof(stream), ctypes.addressof(array))
    return answer, array


def child(structure, index):
    pointers = (Pointer * structure.n_children).from_address(structure.children)
    return type(structure).from_address(pointers[index])


def test_a_schema_as_c_sees_it():
    capsule = schema_capsule(SCHEMA)
    schema = moved(inside(capsule, SchemaStructure, b"arrow_schema"))
    del capsule
    assert (text(schema.format), schema.n_children, schema.flags) == ("+s", 4, 0)
    metadata = b"\2\0\0\0\4\0\0\0file\2\0\0\0\xff\0\2\0\0\0is\4\0\0\0this"
    assert ctypes.string_at(schema.metadata, len(metadata)) == metadata
    children = [child(schema, index) for index in range(4)]
    assert [text(each.name) for each in children] == ["a", "wörter", "codes", "lists"]
    assert [text(each.format) for each in children] == ["l", "U", "i", "+l"]
    assert [each.flags for each in children] == [2, 0, 3, 2]
    assert children[0].metadata is None
    assert ctypes.string_at(children[1].metadata, 14) == b"\1\0\0\0\1\0\0\0k\1\0\0\0v"
    assert text(SchemaStructure.from_address(children[2].dictionary).format) == "U"
    assert text(child(children[3], 0).name) == "a"
    release(schema)


def test_names_with_a_zero_are_not_cut():
    capsule = schema_capsule(ArrowSchema((ArrowField("a\0b", "l", nullable=True),)))
    schema = inside(capsule, SchemaStructure, b"arrow_schema")
    assert text(child(schema, 0).name) == r"a\x00b"


def test_an_array_as_c_sees_it():
    schema, array = array_capsules(SCHEMA, batch(3))
    assert inside(schema, SchemaStructure, b"arrow_schema").n_children == 4
    found = moved(inside(array, ArrayStructure, b"arrow_array"))
    del schema, array
    gc.collect()
    assert (found.length, found.null_count, found.n_buffers, found.offset) == (3, 0, 1, 0)
    numbers = child(found, 0)
    buffers = (Pointer * 2).from_address(numbers.buffers)
    assert buffers[0] is None
    assert (ctypes.c_int64 * 3).from_address(buffers[1])[:] == [0, 1, 2]
    assert ArrayStructure.from_address(child(found, 2).dictionary).length == 1
    assert child(child(found, 3), 0).length == 3
    # A child that was moved away outlives its parent.
    kept = moved(child(found, 1))
    release(found)
    buffers = (Pointer * 3).from_address(kept.buffers)
    assert ctypes.string_at(buffers[2], 6) == b"ababab"
    release(kept)


def test_a_stream_gives_batches_and_then_nothing():
    stream = taken(stream_capsule(SCHEMA, [batch(2), batch(0)]))
    schema = SchemaStructure()
    assert GET(stream.get_schema)(ctypes.addressof(stream), ctypes.addressof(schema)) == 0
    assert schema.n_children == 4
    release(schema)
    for length in (2, 0):
        answer, array = next_of(stream)
        assert (answer, array.length) == (0, length)
        release(array)
    for _ in range(2):
        answer, array = next_of(stream)
        assert (answer, array.release) == (0, None)
    assert LAST_ERROR(stream.get_last_error)(ctypes.addressof(stream)) is None
    release(stream)


def failing(error):
    yield batch(1)
    raise error


@needs_compiled_kernels
def test_an_error_becomes_words():
    stream = taken(stream_capsule(SCHEMA, failing(ValueError("no\0t so"))))
    release(next_of(stream)[1])
    answer, array = next_of(stream)
    assert answer == 5
    assert array.release is None
    words = LAST_ERROR(stream.get_last_error)(ctypes.addressof(stream))
    assert words == rb"ValueError: no\x00t so"
    release(stream)


@needs_compiled_kernels
def test_an_interruption_is_an_error():
    stream = taken(stream_capsule(SCHEMA, failing(KeyboardInterrupt())))
    release(next_of(stream)[1])
    assert next_of(stream)[0] == 5
    words = LAST_ERROR(stream.get_last_error)(ctypes.addressof(stream))
    assert words == b"KeyboardInterrupt: "
    release(stream)


def test_capsules_that_nobody_takes():
    table = ArrowTable(SCHEMA, [batch(1)])
    capsules = [
        table.__arrow_c_stream__(),
        table.__arrow_c_schema__(),
        *array_capsules(SCHEMA, batch(1)),
    ]
    assert live_exports() > 8
    capsules.clear()


def test_releasing_twice_does_nothing():
    capsule = schema_capsule(SCHEMA)
    schema = inside(capsule, SchemaStructure, b"arrow_schema")
    callback = RELEASE(schema.release)
    callback(ctypes.addressof(schema))
    callback(ctypes.addressof(schema))


def test_callbacks_are_made_anew_when_kernels_are_compiled(monkeypatch):
    monkeypatch.setattr(arrow_export, "_MADE", [])
    names = [*arrow_export._IN_PYTHON, "get_last_error"]
    with monkeypatch.context() as patch:
        for name in names:
            patch.setitem(KERNEL.__dict__, name, len)
        assert not arrow_export._callbacks().is_compiled
        assert arrow_export._callbacks() is arrow_export._callbacks()
        early = stream_capsule(SCHEMA, [batch(1)])
    if os.environ.get(VARIABLE) != "interpreted":
        assert arrow_export._callbacks().is_compiled
    for capsule in (early, stream_capsule(SCHEMA, [batch(1)])):
        stream = taken(capsule)
        release(next_of(stream)[1])
        release(stream)


@given(st.lists(st.integers(0, 5), max_size=30))
def test_any_order_of_taking_and_releasing(steps):
    table = ArrowTable(SCHEMA, [batch(3), batch(1)])
    capsules, streams, arrays = [], [], []
    for step in steps:
        if step == 0:
            capsules.append(table.__arrow_c_stream__())
        elif step == 1 and capsules:
            streams.append(taken(capsules.pop(0)))
        elif step == 2 and streams:
            array = next_of(streams[-1])[1]
            if array.release:
                arrays.append(array)
        elif step == 3 and arrays:
            whole = arrays.pop(0)
            if whole.n_children:
                arrays.append(moved(child(whole, len(arrays) % whole.n_children)))
            release(whole)
        elif step == 4 and streams:
            release(streams.pop(0))
        elif step == 5 and capsules:
            capsules.pop()
    for each in (*streams, *arrays):
        release(each)


def test_other_threads_take_and_release():
    def consume():
        for _ in range(50):
            stream = taken(table.__arrow_c_stream__())
            arrays = [next_of(stream)[1] for _ in range(2)]
            release(stream)
            for each in arrays:
                assert each.length == 4
                release(each)
            done.append(1)

    done = []
    table = ArrowTable(SCHEMA, [batch(4)] * 2)
    threads = [threading.Thread(target=consume) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(done) == 200


# ------------------------------------------------------------- while an exception is on its way


@needs_compiled_kernels
def test_an_exception_passes_through_what_is_released():
    # Raised in C, which drops the capsule while the exception is set.
    with pytest.raises(TypeError, match="int"):
        int(stream_capsule(SCHEMA, []))
    with pytest.raises(TypeError, match="int"):
        int(ArrowTable(SCHEMA, [batch(1)]).__arrow_c_schema__())


@pytest.fixture
def without_compiled_kernels(monkeypatch):
    with monkeypatch.context() as patch:
        for name in (*arrow_export._IN_PYTHON, "get_last_error"):
            patch.setitem(KERNEL.__dict__, name, len)
        callbacks = Callbacks(arrow_export._IN_PYTHON)
    monkeypatch.setattr(arrow_export, "_callbacks", lambda: callbacks)


@pytest.mark.usefixtures("without_compiled_kernels")
def test_without_kernels_everything_is_released_and_the_exception_is_reported(monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    capsule = stream_capsule(SCHEMA, [batch(1)])
    stream = taken(capsule)
    release(next_of(stream)[1])
    assert LAST_ERROR(stream.get_last_error)(ctypes.addressof(stream)) is None
    release(stream)
    # Batches are taken at once, so that their errors are no consumer's.
    with pytest.raises(ValueError, match="my words"):
        stream_capsule(SCHEMA, failing(ValueError("my words")))
    stream = taken(stream_capsule(SCHEMA, [None, 5]))
    assert next_of(stream)[0] == 0
    assert next_of(stream)[0] == 5
    words = LAST_ERROR(stream.get_last_error)(ctypes.addressof(stream))
    assert words.startswith(b"AttributeError: 'int'")
    release(stream)
    assert reported == []
    del capsule
    # Python code run by ctypes cannot give back an exception that it finds.
    with pytest.raises(SystemError):
        int(stream_capsule(SCHEMA, []))
    (lost,) = reported
    assert lost.exc_type is TypeError
    reported.clear()


AT_THE_END = """
import sys
import numpy as np
from hocket.parquet.assemble.arrow_arrays import ArrowArray
from hocket.parquet.assemble.arrow_export import stream_capsule
from hocket.parquet.assemble.arrow_types import ArrowField, ArrowSchema
from hocket.parquet.assemble.arrow_table import struct_array

field = ArrowField("a", "l", nullable=True)
schema = ArrowSchema((field,))
batch = struct_array(schema, (ArrowArray(field, 3, 0, (None, np.arange(3))),), 3)
# Released when modules are cleared, in whatever order, or never.
sys.modules["kept"] = [stream_capsule(schema, [batch])]
circle = [stream_capsule(schema, [batch])]
circle.append(circle)
sys.stdout.write("done")
"""


def test_the_interpreter_may_end_before_consumers_do():
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", AT_THE_END], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"done", b"")


# -------------------------------------------------------------------------- tables and readers


def test_a_table_tells_what_it_is():
    table = ArrowTable(SCHEMA, [batch(2), batch(3)])
    assert (table.num_rows, table.num_columns, table.shape, len(table)) == (5, 4, (5, 4), 5)
    assert table.column_names == ["a", "wörter", "codes", "lists"]
    assert table.nbytes == sum(each.nbytes for each in table.batches)
    assert repr(table) == "<ArrowTable of 5 rows: a, wörter, codes, lists>"


def test_batches_are_of_one_length():
    with pytest.raises(ValueError, match="a has 2 rows of 3"):
        struct_array(SCHEMA, batch(2).children, 3)


@needs_compiled_kernels
def test_a_reader_makes_batches_when_they_are_asked_for_and_once():
    made, closed = [], []

    def batches():
        for count in (1, 2):
            made.append(count)
            yield batch(count)

    reader = ArrowReader(SCHEMA, batches(), lambda: closed.append(1))
    assert reader.column_names == SCHEMA.names
    stream = taken(reader.__arrow_c_stream__())
    assert made == []
    release(next_of(stream)[1])
    assert made == [1]
    release(next_of(stream)[1])
    assert (made, closed) == ([1, 2], [])
    assert next_of(stream)[1].release is None
    assert closed == [1]
    release(stream)
    with pytest.raises(InvalidOption, match="have been taken"):
        reader.__arrow_c_stream__()


@needs_compiled_kernels
def test_a_reader_is_closed_when_it_fails_or_is_left():
    closed = []
    reader = ArrowReader(SCHEMA, failing(ValueError("x")), lambda: closed.append(1))
    with pytest.raises(ValueError, match="x"):
        list(reader)
    assert closed == [1]
    reader = ArrowReader(SCHEMA, [batch(1), batch(2)], lambda: closed.append(2))
    for table in reader:
        assert table.num_rows == 1
        break
    del table
    gc.collect()
    assert closed == [1, 2]
    reader = ArrowReader(SCHEMA, [batch(1)], lambda: closed.append(3))
    stream = taken(reader.__arrow_c_stream__())
    release(next_of(stream)[1])
    # The consumer has enough.
    release(stream)
    gc.collect()
    assert closed == [1, 2, 3]
    reader.close()
    assert closed == [1, 2, 3]

"""Every primitive means the same in Python, in checked memory and in machine code."""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.kernels import catalogue, translation
from hocket.parquet.kernels import language as lang
from hocket.parquet.kernels.checked import CheckedMemory
from hocket.parquet.kernels.language import (
    call,
    copy,
    fill,
    float_of_integer,
    load_8,
    load_16,
    load_32,
    load_64,
    load_float32,
    load_float64,
    load_signed_8,
    load_signed_16,
    load_signed_32,
    move_8,
    move_16,
    move_32,
    population,
    reverse_bytes_32,
    reverse_bytes_64,
    shift_right,
    store_8,
    store_16,
    store_32,
    store_64,
    store_float32,
    store_float64,
    trailing_zeros,
    unsigned_less,
    wrap,
)
from hocket.parquet.kernels.library import address
from hocket.parquet.kernels.linking import NoLinker, link
from hocket.parquet.kernels.shared_library import function_in, suffix

LOADS = (load_8, load_16, load_32, load_64, load_signed_8, load_signed_16, load_signed_32)
STORES = (store_8, store_16, store_32, store_64)
MOVES = {8: move_8, 16: move_16, 32: move_32}

WORDS = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(-300, 300),
    st.integers(0, 63).map(lambda bit: wrap(1 << bit)),
    st.sampled_from([-(1 << 63), (1 << 63) - 1, (1 << 31) - 1, -(1 << 31), 0xFFFFFFFF]),
)
COUNTS = st.integers(0, 63)


# What follows is compiled: the language of the kernels, no more.


def numbers(which: int, left: int, right: int) -> int:  # noqa: PLR0911
    if which == 0:
        return wrap(left + right)
    if which == 1:
        return wrap(left * right)
    if which == 2:
        return wrap(left - right)
    if which == 3:
        return reverse_bytes_64(left)
    if which == 4:
        return reverse_bytes_32(left)
    if which == 5:
        return population(left)
    if which == 6:
        return trailing_zeros(left)
    if which == 7:
        return 1 if unsigned_less(left, right) else 0
    if which == 8:
        return left & right
    if which == 9:
        return (left | right) ^ ~left
    return 1 if wrap(left + 1) > left else 0


def shifts(which: int, value: int, count: int) -> int:
    if which == 0:
        return shift_right(value, count)
    if which == 1:
        return value >> count
    return wrap(value << count)


def divisions(which: int, value: int, by: int) -> int:
    return value // by if which == 0 else value % by


def load(which: int, base: int, offset: int) -> int:  # noqa: PLR0911
    if which == 0:
        return load_8(base, offset)
    if which == 1:
        return load_16(base, offset)
    if which == 2:
        return load_32(base, offset)
    if which == 3:
        return load_64(base, offset)
    if which == 4:
        return load_signed_8(base, offset)
    if which == 5:
        return load_signed_16(base, offset)
    return load_signed_32(base, offset)


def store(which: int, base: int, offset: int, value: int) -> int:
    if which == 0:
        store_8(base, offset, value)
    elif which == 1:
        store_16(base, offset, value)
    elif which == 2:
        store_32(base, offset, value)
    else:
        store_64(base, offset, value)
    return which


def floats(source: int, destination: int) -> int:
    store_float64(destination, 0, load_float64(source, 0))
    store_float32(destination, 8, load_float64(source, 0))
    store_float64(destination, 16, load_float32(source, 0))
    store_float32(destination, 24, load_float32(source, 4))
    store_float64(destination, 32, float_of_integer(load_64(source, 0)))
    return 0


def blocks(which: int, destination: int, source: int, nbytes: int) -> int:
    if which == 0:
        copy(destination, source, nbytes)
    elif which == 1:
        fill(destination, source, nbytes)
    elif which == 8:
        move_8(destination, source)
    elif which == 16:
        move_16(destination, source)
    else:
        move_32(destination, source)
    return 0


@lang.helper
def halves(value: int) -> tuple[int, int]:
    return value & 0xFFFFFFFF, value >> 32


@lang.inlined
def sum_of(base: int, count: int, item_size: int) -> int:
    total = 0
    for index in range(count):
        if item_size == 4:
            total = wrap(total + load_signed_32(base, index * 4))
        else:
            total = wrap(total + load_64(base, index * 8))
    return total


def calls(base: int, count: int, value: int) -> int:
    low, high = halves(value)
    low = min(max(low, -5), 1 << 31)
    return wrap(sum_of(base, count, 4) * 3 + sum_of(base, count // 2, 8) + low - high)


def foreign(function: int, destination: int, source: int, nbytes: int) -> int:
    return call(function, destination, source, nbytes)


def asks_libm(source: int) -> int:
    return 1 if math.erf(load_float64(source, 0)) > 0 else 0


WRITTEN = (numbers, shifts, divisions, load, store, floats, blocks, calls, foreign)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> dict[str, Callable[..., int]]:
    compiler = pytest.importorskip("hocket.parquet.kernels.compiler")
    path = tmp_path_factory.mktemp("kernels") / f"kernels{suffix()}"
    try:
        path.write_bytes(link(compiler.optimise_and_emit(compiler.assemble(WRITTEN))))
    except NoLinker as reason:
        pytest.skip(str(reason))
    library = ctypes.CDLL(str(path))
    return {f.__name__: function_in(library, f.__name__, f.__code__.co_argcount) for f in WRITTEN}


def test_loaded_without_a_linker() -> None:
    compiler = pytest.importorskip("hocket.parquet.kernels.compiler")
    object_code = pytest.importorskip("hocket.parquet.kernels.object_code")
    code = compiler.optimise_and_emit(compiler.assemble([calls, numbers]))
    found = object_code.functions_of(code, {"calls": 3, "numbers": 3})
    assert found["numbers"](0, 40, 2) == 42
    assert found["calls"](0, 0, 7 << 32) == calls(0, 0, 7 << 32)


def test_nothing_foreign_is_called() -> None:
    compiler = pytest.importorskip("hocket.parquet.kernels.compiler")
    with pytest.raises(ValueError, match="which is not theirs"):
        compiler.assemble([asks_libm])


def checked(function: Callable[..., int]) -> Callable[..., int]:
    return CheckedMemory().rebound(function)


@given(st.integers(0, 10), WORDS, WORDS)
def test_numbers(compiled, which, left, right) -> None:
    answer = numbers(which, left, right)
    assert -(1 << 63) <= answer < 1 << 63
    assert compiled["numbers"](which, left, right) == answer
    assert checked(numbers)(which, left, right) == answer


@given(st.integers(0, 2), WORDS, COUNTS)
def test_shifts(compiled, which, value, count) -> None:
    answer = shifts(which, value, count)
    assert compiled["shifts"](which, value, count) == answer
    assert checked(shifts)(which, value, count) == answer


@given(st.integers(0, 1), WORDS, WORDS.filter(lambda by: by not in {0, -1}))
def test_divisions_round_down(compiled, which, value, by) -> None:
    answer = divisions(which, value, by)
    assert compiled["divisions"](which, value, by) == answer
    assert checked(divisions)(which, value, by) == answer


def test_what_a_primitive_says() -> None:
    assert wrap(1 << 63) == -(1 << 63)
    assert shift_right(-1, 60) == 15
    assert unsigned_less(1, -1)
    assert not unsigned_less(-1, 1)
    assert reverse_bytes_64(1) == 1 << 56
    assert reverse_bytes_32(0x80) == 1 << 31
    assert population(-1) == trailing_zeros(0) == 64
    assert trailing_zeros(-(1 << 63)) == 63


@given(st.integers(0, 6), st.binary(min_size=16, max_size=16), st.integers(0, 8))
def test_loads(compiled, which, data, offset) -> None:
    size = (1, 2, 4, 8, 1, 2, 4)[which]
    expected = int.from_bytes(data[offset:][:size], "little", signed=which >= 3)
    memory = CheckedMemory()
    source = memory.source(data)
    assert load(which, source, offset) == expected
    assert compiled["load"](which, source, offset) == expected
    assert memory.rebound(load)(which, source, offset) == expected


@given(st.integers(0, 3), WORDS, st.integers(0, 8))
def test_stores(compiled, which, value, offset) -> None:
    size = 1 << which
    expected = bytearray(b"\xa5" * 16)
    expected[offset : offset + size] = (value % (1 << 64)).to_bytes(8, "little")[:size]
    for kind in ("plain", "compiled", "checked"):
        memory = CheckedMemory()
        room = memory.room(16)
        function = {"plain": store, "compiled": compiled["store"]}.get(kind)
        (function or memory.rebound(store))(which, address(room), offset, value)
        assert room.tobytes() == expected, kind


def same_floats(left: bytes, right: bytes, kind: str) -> bool:
    # Which of the many a NaN is, and its sign, does not matter to anybody.
    (ours,), (theirs,) = np.frombuffer(left, kind), np.frombuffer(right, kind)
    return left == right or bool(np.isnan(ours) and np.isnan(theirs))


@given(
    st.one_of(
        st.floats().map(lambda value: struct.pack("<d", value)),
        st.floats(width=32).map(lambda value: struct.pack("<ff", value, -value)),
        st.sampled_from([3.4028235677973366e38, 3.4028235677973362e38, -1e300, 1e-46]).map(
            lambda value: struct.pack("<d", value)
        ),
        st.binary(min_size=8, max_size=8),
    )
)
def test_floats(compiled, data) -> None:
    results = []
    for kind in ("plain", "compiled", "checked"):
        memory = CheckedMemory()
        source, room = memory.source(data), memory.room(40)
        function = {"plain": floats, "compiled": compiled["floats"]}.get(kind)
        (function or memory.rebound(floats))(source, address(room))
        results.append(room.tobytes())
    for other in results[1:]:
        assert same_floats(results[0][:8], other[:8], "<f8")
        assert same_floats(results[0][8:12], other[8:12], "<f4")
        assert same_floats(results[0][16:24], other[16:24], "<f8")
        assert same_floats(results[0][24:28], other[24:28], "<f4")
        assert same_floats(results[0][32:], other[32:], "<f8")
    with np.errstate(all="ignore"):
        single = np.frombuffer(data, "<f8").astype("<f4").tobytes()
        double = np.frombuffer(data[:4], "<f4").astype("<f8").tobytes()
    assert same_floats(results[0][8:12], single, "<f4")
    assert same_floats(results[0][16:24], double, "<f8")


@given(
    st.sampled_from([0, 1, 8, 16, 32]),
    st.binary(min_size=64, max_size=64),
    st.integers(0, 32),
)
def test_blocks(compiled, which, data, nbytes) -> None:
    results = []
    for kind in ("plain", "compiled", "checked"):
        memory = CheckedMemory()
        source, room = memory.source(data), memory.room(40)
        function = {"plain": blocks, "compiled": compiled["blocks"]}.get(kind)
        said = source if which != 1 else data[0]
        (function or memory.rebound(blocks))(which, address(room), said, nbytes)
        results.append(room.tobytes())
    moved = {0: nbytes, 1: nbytes}.get(which, which)
    written = data[:1] * moved if which == 1 else data[:moved]
    assert results == [written + b"\xa5" * (40 - moved)] * 3


@given(st.integers(2, 32))
def test_a_move_reads_all_before_it_writes(compiled, step) -> None:
    for kind in ("plain", "compiled", "checked"):
        memory = CheckedMemory()
        room = memory.room(72)
        room[:] = np.arange(72)
        function = {"plain": blocks, "compiled": compiled["blocks"]}.get(kind)
        at = address(room)
        (function or memory.rebound(blocks))(32, at + step, at, 0)
        assert room[step : step + 32].tolist() == list(range(32)), kind


@given(st.lists(st.integers(-(1 << 31), (1 << 31) - 1), max_size=20), WORDS)
def test_helpers(compiled, values, value) -> None:
    memory = CheckedMemory()
    source = memory.source(np.array(values, "<i4"))
    answer = calls(source, len(values), value)
    assert compiled["calls"](source, len(values), value) == answer
    assert memory.rebound(calls)(source, len(values), value) == answer


def test_functions_of_c(compiled) -> None:
    move = ctypes.cast(ctypes.memmove, ctypes.c_void_p).value
    memory = CheckedMemory()
    source, room = memory.source(b"abcdefgh"), memory.room(8)
    for count, run in enumerate((foreign, compiled["foreign"], memory.rebound(foreign)), 2):
        assert run(move, address(room), source, count) == address(room)
        assert room.tobytes() == b"abcdefgh"[:count] + b"\xa5" * (8 - count)


def test_two_kernels_of_one_name() -> None:
    def decode_levels() -> int:
        return 0

    catalogue.kernels_of(catalogue.subject_of("decode_levels"))
    with pytest.raises(ValueError, match="two kernels are called 'decode_levels'"):
        lang.kernel(decode_levels)


def test_no_primitive_is_left_out() -> None:
    used = {
        name
        for function in WRITTEN
        for name, value in translation._globals_of(function)
        if lang.PRIMITIVES.get(name) is value
    }
    called = {"load_signed_32", "load_64"}
    assert used | called == set(lang.PRIMITIVES)

"""The memory that knows its bounds lets nothing pass that compiled kernels would do to others."""

from __future__ import annotations

import numpy as np
import pytest

from hocket.parquet.kernels import language
from hocket.parquet.kernels.checked import (
    PADDING_NBYTES,
    CheckedMemory,
    KernelOverflow,
    KernelTrespass,
)
from hocket.parquet.kernels.language import (
    copy,
    fill,
    load_8,
    load_64,
    move_16,
    shift_right,
    store_8,
    store_64,
    wrap,
)
from hocket.parquet.kernels.library import address


def read(base: int, offset: int) -> int:
    return load_8(base, offset)


def read_word(base: int, offset: int) -> int:
    return load_64(base, offset)


def write(base: int, offset: int) -> int:
    store_8(base, offset, 1)
    return 0


def write_word(base: int, offset: int) -> int:
    store_64(base, offset, 1)
    return 0


def move(destination: int, source: int) -> int:
    move_16(destination, source)
    return 0


def copy_bytes(destination: int, source: int, nbytes: int) -> int:
    copy(destination, source, nbytes)
    return 0


def fill_bytes(destination: int, nbytes: int) -> int:
    fill(destination, 7, nbytes)
    return 0


@pytest.mark.parametrize(("function", "size"), [(read, 1), (read_word, 8)])
def test_a_source_is_readable_up_to_its_padding(function, size) -> None:
    memory = CheckedMemory()
    source = memory.source(b"12345678")
    run = memory.rebound(function)
    end = 8 + PADDING_NBYTES
    assert run(source, 0) == function(source, 0)
    assert run(source, end - size) == function(source, end - size)
    for offset in (-1, end - size + 1, 1 << 40, -(1 << 40)):
        with pytest.raises(KernelTrespass, match=f"reads {size} bytes at offset"):
            run(source, offset)


@pytest.mark.parametrize("function", [write, write_word])
def test_a_source_cannot_be_written(function) -> None:
    memory = CheckedMemory()
    source = memory.source(b"12345678")
    with pytest.raises(KernelTrespass, match="offset 0 of a readable block of 8 bytes"):
        memory.rebound(function)(source, 0)


@pytest.mark.parametrize(("function", "size"), [(write, 1), (write_word, 8)])
def test_a_room_is_writable_up_to_its_end(function, size) -> None:
    memory = CheckedMemory(poison=0x11)
    room = memory.room(16)
    run = memory.rebound(function)
    run(address(room), 0)
    run(address(room), 16 - size)
    assert memory.rebound(read)(address(room), 0) == 1
    for offset in (-1, 16 - size + 1):
        with pytest.raises(KernelTrespass, match=f"writes {size} bytes at offset"):
            run(address(room), offset)


def test_what_is_to_spare_is_writable_and_not_in_the_result() -> None:
    memory = CheckedMemory()
    room = memory.room(4, spare_nbytes=12)
    source = memory.source(bytes(range(16)))
    memory.rebound(move)(address(room), source)
    assert room.tolist() == [0, 1, 2, 3]
    with pytest.raises(KernelTrespass, match="writes 16 bytes at offset 1"):
        memory.rebound(move)(address(room) + 1, source)
    with pytest.raises(KernelTrespass, match="reads 16 bytes"):
        memory.rebound(move)(address(room), source + PADDING_NBYTES + 1)


def test_blocks_are_checked_as_a_whole() -> None:
    memory = CheckedMemory()
    room, source = address(memory.room(8)), memory.source(b"1234")
    for run, arguments in [(copy_bytes, (room, source)), (fill_bytes, (room,))]:
        memory.rebound(run)(*arguments, 8)
        memory.rebound(run)(*arguments, 0)
        with pytest.raises(KernelTrespass, match="writes 9 bytes"):
            memory.rebound(run)(*arguments, 9)
        with pytest.raises(KernelTrespass, match="-1 bytes"):
            memory.rebound(run)(*arguments, -1)
    with pytest.raises(KernelTrespass, match="reads 100 bytes"):
        memory.rebound(copy_bytes)(room, source, 100)
    with pytest.raises(KernelTrespass, match="onto themselves"):
        memory.rebound(copy_bytes)(room + 1, room, 4)


def test_nothing_is_allowed_at_first() -> None:
    with pytest.raises(KernelTrespass, match="nothing is allowed"):
        CheckedMemory().rebound(read)(4096, 0)


def test_a_slice_is_allowed_and_not_its_neighbours() -> None:
    whole = np.zeros(100, np.uint8)
    memory = CheckedMemory()
    memory.allow(whole)
    at = memory.allow(whole[40:60], writable=True)
    memory.rebound(write)(at, 19)
    assert memory.rebound(read)(at, -40) == 0
    with pytest.raises(KernelTrespass):
        memory.rebound(write)(at, 20)
    with pytest.raises(KernelTrespass):
        memory.rebound(write)(at, -1)
    with pytest.raises(ValueError, match="contiguous"):
        memory.allow(whole[::2])


def test_poison_lies_behind_a_source_and_in_a_room() -> None:
    for poison in (0, 255):
        memory = CheckedMemory(poison=poison)
        source = memory.source(np.arange(4, dtype="<u2"))
        assert memory.rebound(read)(source, 6) == 3
        assert memory.rebound(read)(source, 8) == poison
        assert set(memory.room(8).tolist()) == {poison}


# Arithmetic: each of these is right in Python and something else in 64 bits.


def end_of(start: int, length: int) -> int:
    return 1 if start + length > 100 else 0


def scaled(count: int) -> int:
    return count * 8


def counted(count: int) -> int:
    total = count
    for _ in range(3):
        total += count
    return total


def negated(value: int) -> int:
    return -value


def shifted(value: int, count: int) -> int:
    return value << count


def shifted_back(value: int, count: int) -> int:
    return value >> count


def shifted_in_zeros(value: int, count: int) -> int:
    return shift_right(value, count)


def divided(value: int, by: int) -> int:
    return value // by


LARGEST, SMALLEST = (1 << 63) - 1, -(1 << 63)


@pytest.mark.parametrize(
    ("function", "good", "bad"),
    [
        (end_of, (1, 2), (LARGEST, 1)),
        (scaled, (1 << 59,), (1 << 60,)),
        (counted, (1 << 60,), (1 << 61,)),
        (negated, (LARGEST,), (SMALLEST,)),
        (shifted, (1, 62), (1, 63)),
        (shifted, (0, 63), (0, 64)),
        (shifted_back, (-1, 63), (-1, 64)),
        (shifted_back, (1, 0), (1, -1)),
        (shifted_in_zeros, (-1, 63), (-1, 64)),
        (divided, (SMALLEST, 1), (SMALLEST, -1)),
    ],
)
def test_numbers_fit_into_64_bits(function, good, bad) -> None:
    run = CheckedMemory().rebound(function)
    assert run(*good) == function(*good)
    with pytest.raises(KernelOverflow):
        run(*bad)


def mixed(value: int, other: int) -> int:
    return wrap((value * 0x9E3779B185EBCA87 + (other << 40)) ^ -value)


def masked(value: int, other: int) -> int:
    return ((value << 40) + other) & 0xFFFFFFFF


def hidden(value: int, other: int) -> int:
    return wrap((value + other) >> 1)


def test_what_is_to_wrap_may() -> None:
    memory = CheckedMemory()
    assert memory.rebound(mixed)(LARGEST, SMALLEST) == mixed(LARGEST, SMALLEST)
    # The lowest bits of sums are right, whatever the upper ones were.
    assert memory.rebound(masked)(LARGEST, LARGEST) == masked(LARGEST, LARGEST)
    # But not what comes down from above.
    with pytest.raises(KernelOverflow):
        memory.rebound(hidden)(LARGEST, LARGEST)


@language.helper
def beyond(base: int, offset: int) -> int:
    return load_8(base, offset + 1)


def asks_helper(base: int, offset: int) -> int:
    return beyond(base, offset)


def test_helpers_are_checked_and_named_in_the_traceback() -> None:
    memory = CheckedMemory()
    source = memory.source(b"")
    with pytest.raises(KernelTrespass) as caught:
        memory.rebound(asks_helper)(source, PADDING_NBYTES - 1)
    entry = caught.traceback[2]
    assert entry.name == "beyond"
    assert str(entry.path) == __file__
    assert str(entry.statement).strip() == "return load_8(base, offset + 1)"


def asks_stranger(base: int) -> int:
    return address(base)


def test_kernels_call_helpers_alone() -> None:
    with pytest.raises(TypeError, match="neither a primitive nor a helper"):
        CheckedMemory().rebound(asks_stranger)


def test_a_kernel_by_its_name() -> None:
    memory = CheckedMemory()
    source, room = memory.source(bytes([1, 0, 1])), memory.room(1)
    assert memory.kernel("bitmap_of_bytes")(source, 3, address(room)) == 2
    assert room[0] == 0b101
    with pytest.raises(ValueError, match="there is no kernel 'bitmap'"):
        memory.kernel("bitmap")

"""Blocks for received buffers are aligned, apart from each other, and bounded."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import LimitExceeded
from hocket.transport import data_block
from hocket.transport.data_block import DATA_NBYTES_MAX, allocate, available_nbytes

MIB = 1 << 20


def address(view: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


@given(st.lists(st.integers(0, 3000), max_size=30))
def test_buffers_are_aligned_and_do_not_overlap(sizes):
    buffers = allocate(sizes)
    assert [buffer.nbytes for buffer in buffers] == sizes
    for number, buffer in enumerate(buffers):
        buffer[:] = bytes([number]) * buffer.nbytes
    for number, buffer in enumerate(buffers):
        assert bytes(buffer) == bytes([number]) * buffer.nbytes
        if buffer.nbytes:
            assert address(buffer) % 64 == 0


@pytest.mark.parametrize("size", [MIB - 64, MIB, MIB + 1, 4 * MIB, 5 * MIB + 3])
def test_large_buffers_are_aligned_as_well(size):
    small, large = allocate([3, size])
    assert (small.nbytes, large.nbytes) == (3, size)
    assert address(large) % 64 == 0
    large[-1:] = b"x"
    assert not large.readonly


def test_a_block_outlives_all_but_the_last_of_its_buffers():
    first, second = allocate([2 * MIB, 10])
    first[:3] = b"abc"
    del second
    assert bytes(first[:3]) == b"abc"


def test_no_buffers_need_no_block():
    assert allocate([]) == []
    assert [buffer.nbytes for buffer in allocate([0, 0])] == [0, 0]


@pytest.mark.parametrize("sizes", [[1 << 40], [1 << 60], [1 << 62] * 100, [DATA_NBYTES_MAX, 1]])
def test_what_no_host_could_hold_is_refused(sizes):
    with pytest.raises(LimitExceeded) as caught:
        allocate(sizes)
    assert caught.value.asked >= sum(sizes)


def test_what_does_not_fit_into_memory_is_refused_before_it_is_allocated(monkeypatch):
    monkeypatch.setattr(data_block, "available_nbytes", lambda: 100 * MIB)
    with pytest.raises(LimitExceeded, match="memory"):
        allocate([60 * MIB, 60 * MIB])
    # Little needs no question.
    monkeypatch.setattr(data_block, "available_nbytes", lambda: 0)
    assert allocate([MIB])[0].nbytes == MIB


def test_a_refusal_of_the_system_is_a_limit(monkeypatch):
    def refuse(*args, **options):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(data_block.mmap, "mmap", refuse)
    with pytest.raises(LimitExceeded, match="Cannot allocate memory"):
        allocate([2 * MIB])


def test_available_memory_is_the_least_that_anybody_says(monkeypatch):
    said = {
        "/proc/meminfo": "MemTotal: 900 kB\nMemAvailable:     500 kB\n",
        "/sys/fs/cgroup/memory.max": "400000\n",
        "/sys/fs/cgroup/memory.current": "300000\n",
        "/sys/fs/cgroup/memory.stat": "anon 7\ninactive_file 50000\n",
    }
    monkeypatch.setattr(data_block, "_read", lambda path: said.get(str(path), ""))
    assert available_nbytes() == 150_000
    said["/sys/fs/cgroup/memory.max"] = "max\n"
    assert available_nbytes() == 512_000
    said.clear()
    assert available_nbytes() is None

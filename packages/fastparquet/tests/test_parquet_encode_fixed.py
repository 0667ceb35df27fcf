"""Values of fixed size as they stand, as bits, and with their bytes in streams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_encoder_runner import run_encoder
from parquet_slow_decoder import leaf

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.fixed import encode_plain, encode_split
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.metadata.schema import PhysicalType


def of_bytes(raw, size):
    node = leaf(PhysicalType.FIXED_LEN_BYTE_ARRAY, length=size)
    return DenseValues(node, len(raw) // size, np.frombuffer(raw, f"V{size}"))


@settings(max_examples=150)
@given(st.data())
def test_streams_of_bytes(data):
    size = data.draw(st.sampled_from([1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17]))
    count = data.draw(st.integers(0, 20) | st.integers(1020, 1030))
    raw = np.random.default_rng(count).bytes(size * count)
    wanted = b"".join(raw[at::size] for at in range(size))
    assert encode_split(of_bytes(raw, size), 0, count).tobytes() == wanted
    answer, (room,) = run_encoder(
        "encode_split",
        lambda source, room: (
            source(np.frombuffer(raw, np.uint8)),
            size,
            count,
            room(size * count),
        ),
        is_checked=count < 30,
    )
    assert answer == size * count
    assert room.tobytes() == wanted


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32, np.float64])
def test_streams_of_numbers_are_joined_again(dtype):
    values = (np.random.default_rng(1).random(3000) * 1e6).astype(dtype)
    stream = encode_split(DenseValues(leaf(PhysicalType.DOUBLE), 3000, values), 500, 2999)
    made = np.zeros(2499 + 16, dtype)
    begin, end = address(stream), address(stream) + stream.size
    assert KERNEL.decode_split(begin, end, values.itemsize, address(made), 2499) == end
    assert made[:2499].tolist() == values[500:2999].tolist()


@pytest.mark.parametrize("dtype", ["i4", "i8", "f4", "f8", "V12", "V5"])
def test_plain_is_the_memory_itself(dtype):
    values = np.frombuffer(bytes(range(240)), dtype)
    made = encode_plain(DenseValues(leaf(PhysicalType.INT32), values.size, values), 1, 4)
    assert made.tobytes() == values[1:4].tobytes()
    assert np.shares_memory(made, values)


@given(st.lists(st.booleans(), max_size=100), st.data())
def test_plain_booleans_are_bits(flags, data):
    start = data.draw(st.integers(0, len(flags)))
    stop = data.draw(st.integers(start, len(flags)))
    values = np.array(flags, np.uint8)
    made = encode_plain(DenseValues(leaf(PhysicalType.BOOLEAN), len(flags), values), start, stop)
    assert made.tobytes() == np.packbits(values[start:stop], bitorder="little").tobytes()

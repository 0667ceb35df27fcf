"""Values: round trips, and buffers that are neither copied nor joined."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import SerializationError
from hocket.protocol.serialize import dump_value, load_value, pack, unpack

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.binary()
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(value=plain)
def test_what_goes_in_comes_out(value: Any) -> None:
    assert load_value(dump_value(value)) == value
    assert unpack(pack(value)) == value


def test_values_may_hold_functions() -> None:
    assert load_value(dump_value([lambda x: x + 1]))[0](1) == 2
    assert unpack(pack([lambda x: x + 1]))[0](1) == 2


@given(lengths=st.lists(st.sampled_from([0, 1, 100, 4096, 10_000]), max_size=5))
def test_arrays_in_containers_come_back(lengths: list[int]) -> None:
    value = {"arrays": [np.arange(length, dtype="u1") for length in lengths]}
    buffers = pack(value)
    assert len(buffers) == 1 + sum(length >= 4096 for length in lengths)
    loaded = unpack([memoryview(buffer) for buffer in buffers])
    for before, after in zip(value["arrays"], loaded["arrays"], strict=True):
        np.testing.assert_array_equal(before, after)


def test_numpy_arrays_share_their_memory() -> None:
    array = np.arange(10_000.0)
    buffers = pack({"a": array, "b": array[:4000]})
    assert len(buffers[0]) < 1000
    loaded = unpack(buffers)
    assert np.shares_memory(loaded["a"], array)
    assert np.shares_memory(loaded["b"], array)
    loaded["a"][0] = 99.0
    assert array[0] == 99.0


def test_arrays_can_be_written_to_if_their_buffers_can() -> None:
    head, data = pack(np.arange(10_000))
    assert unpack([head, bytearray(data)]).flags.writeable  # type: ignore[list-item]
    assert not unpack([head, bytes(data)]).flags.writeable


def test_arrays_that_are_not_contiguous_come_back() -> None:
    array = np.arange(20_000).reshape(100, 200)
    for value in (array.T, array[:, ::2], array[::-1]):
        np.testing.assert_array_equal(unpack(pack(value)), value)


def test_data_frames_share_their_memory() -> None:
    frame = pd.DataFrame(
        {"x": np.arange(10_000.0), "y": np.arange(10_000.0), "name": ["abc"] * 10_000}
    )
    buffers = pack(frame)
    assert len(buffers) > 1
    assert len(buffers[0]) < 10_000
    loaded = unpack(buffers)
    pd.testing.assert_frame_equal(loaded, frame)
    assert np.shares_memory(loaded["x"].to_numpy(), frame["x"].to_numpy())


@pytest.mark.parametrize("kind", [bytes, bytearray])
@pytest.mark.parametrize("length", [0, 10, 4096, 1_000_000])
def test_bytes_are_not_copied_into_a_pickle(kind: type, length: int) -> None:
    value = kind(b"x" * length)
    buffers = pack(value)
    loaded = unpack([memoryview(buffer) for buffer in buffers])
    assert type(loaded) is kind
    assert loaded == value
    if length >= 4096:
        assert len(buffers) == 2
        assert buffers[1].obj is value  # type: ignore[union-attr]


def test_arrays_beside_what_only_cloudpickle_takes_are_sent_once() -> None:
    array = np.arange(10_000)
    buffers = pack([array, lambda: 1])
    assert len(buffers) == 2
    assert np.shares_memory(unpack(buffers)[0], array)


def test_what_cannot_be_pickled_is_named() -> None:
    for dump in (dump_value, pack):
        with pytest.raises(SerializationError, match=r"the result of type lock.*_thread\.lock"):
            dump(threading.Lock(), "the result")


def test_what_cannot_be_unpickled_is_an_error_of_ours() -> None:
    head, data = pack(np.arange(10_000))
    with pytest.raises(SerializationError, match="the value"):
        load_value(b"garbage")
    for buffers in ([], [head], [b"garbage"], [head, data, data]):
        with pytest.raises(SerializationError, match="the result"):
            unpack(buffers, "the result")

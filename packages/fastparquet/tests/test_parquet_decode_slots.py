"""Values brought to the slots that have one, in the memory that they are in."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

PATTERN = 0x1122334455667788
FLAGS = st.lists(st.booleans(), max_size=90) | st.lists(
    st.tuples(st.booleans(), st.integers(1, 40)), max_size=5
).map(lambda runs: [flag for flag, many in runs for _ in range(many)])


def placed(address, data):
    ctypes.memmove(address, data, len(data))
    return address


@pytest.mark.parametrize("item_size", [1, 2, 3, 4, 8, 12, 16, 32])
@given(flags=FLAGS)
def test_items_go_to_their_slots(run_kernel, item_size, flags):
    count, present = len(flags), sum(flags)
    random = np.random.default_rng(count * 100 + present)
    dense = random.integers(0, 256, present * item_size, dtype=np.uint8).tobytes()
    answer, (found, *_) = run_kernel(
        "spread_items",
        bytes(flags),
        lambda at, _, room: (
            placed(room(count * item_size), dense),
            item_size,
            at,
            count,
            present,
            PATTERN,
        ),
    )
    missing = PATTERN.to_bytes(8, "little")[:item_size] if item_size in (1, 2, 4, 8) else b""
    values = iter([dense[at : at + item_size] for at in range(0, len(dense), item_size)])
    wanted = [next(values) if flag else missing.ljust(item_size, b"\0") for flag in flags]
    assert answer == 0
    assert found.tobytes() == b"".join(wanted)


@given(flags=FLAGS)
def test_byte_strings_get_their_bounds(run_kernel, flags):
    count, present = len(flags), sum(flags)
    ends = np.cumsum([1000, *(7 * i % 5 for i in range(present))], dtype=np.int64)
    answer, (found, *_) = run_kernel(
        "spread_offsets",
        bytes(flags),
        lambda at, _, room: (
            placed(room((count + 1) * 8), ends.tobytes()),
            at,
            count,
            present,
        ),
    )
    wanted = [ends[sum(flags[:i])] for i in range(count + 1)]
    assert answer == 0
    assert found.view(np.int64).tolist() == wanted

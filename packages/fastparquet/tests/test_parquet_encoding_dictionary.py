"""Values fetched by codes: all widths and item sizes, and no code beyond the dictionary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.parquet.kernels import faults
from hocket.parquet.kernels.faults import fault_of

ITEM_SIZES = [1, 2, 4, 8, 12, 16, 32, 3, 7, 40]


def varint(value):
    made = bytearray()
    while value >= 128:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes(made) + bytes([value])


def packed_run(codes, width):
    groups = -(-len(codes) // 8)
    bits = sum(code << i * width for i, code in enumerate(codes))
    return varint(groups << 1 | 1) + bits.to_bytes(groups * width, "little")


def repeated_run(code, count, width):
    return varint(count << 1) + code.to_bytes(-(-width // 8), "little")


def fetch(run_kernel, stream, width, dictionary, count, *, is_checked=True):
    """Return the answer and the values; the dictionary lies in the source, in front."""
    item_size = dictionary.shape[1]
    whole = dictionary.tobytes()
    answer, (values,) = run_kernel(
        "gather",
        whole + stream,
        lambda at, end, room: (
            at + len(whole),
            end,
            width,
            at,
            len(dictionary),
            item_size,
            room(count * item_size),
            count,
        ),
        is_checked=is_checked,
    )
    return answer - len(whole) if answer >= 0 else answer, values.reshape(count, item_size)


@pytest.mark.parametrize("item_size", ITEM_SIZES)
@pytest.mark.parametrize("width", [*range(1, 21), 25, 32])
def test_all_widths_and_sizes(run_kernel, width, item_size):
    random = np.random.default_rng(width * 100 + item_size)
    entries = min(random.integers(1 << (width - 1), (1 << width) + 1), 40000)
    dictionary = random.integers(0, 256, (entries, item_size), np.uint8)
    codes = random.integers(0, entries, 205)
    stream = (
        packed_run(codes[:104].tolist(), width)
        + repeated_run(int(codes[104]), 17, width)
        + packed_run(codes[105:].tolist(), width)
    )
    wanted = np.concatenate([codes[:104], np.repeat(codes[104], 17), codes[105:]])
    answer, values = fetch(run_kernel, stream, width, dictionary, len(wanted), is_checked=False)
    assert answer == len(stream)
    assert (values == dictionary[wanted]).all()


@pytest.mark.parametrize("width", [1, 2, 3, 5, 7, 8, 9, 11, 14, 15, 20, 32])
@pytest.mark.parametrize("place", range(19))
def test_one_code_too_large_anywhere_is_seen(run_kernel, width, place):
    limit = min((1 << width) - 1, 200)
    codes = [limit - 1] * 19
    dictionary = np.zeros((limit, 8), np.uint8)
    answer, _ = fetch(run_kernel, packed_run(codes, width), width, dictionary, 19)
    assert answer >= 0
    for too_large in {limit, (1 << width) - 1}:
        codes[place] = too_large
        answer, _ = fetch(run_kernel, packed_run(codes, width), width, dictionary, 19)
        assert fault_of(answer) == faults.DICTIONARY_INDEX


@settings(max_examples=300)
@given(st.integers(0, 32), st.binary(max_size=60), st.integers(0, 40), st.integers(0, 70))
@pytest.mark.parametrize("item_size", [8, 7, 1])
def test_any_bytes_stay_within_bounds(run_kernel, item_size, width, stream, entries, count):
    # What is read is what the codes say: those are compared with a slow reader elsewhere.
    dictionary = np.arange(entries * item_size, dtype=np.uint8).reshape(entries, item_size)
    answer, values = fetch(run_kernel, stream, width, dictionary, count)
    found, (codes,) = run_kernel(
        "decode_codes",
        stream,
        lambda at, end, room: (at, end, width, room(4 * count), count, entries),
        is_checked=False,
    )
    assert answer == found
    if answer >= 0:
        assert (values == dictionary[codes.view(np.int32)]).all()


@pytest.mark.parametrize("item_size", ITEM_SIZES)
def test_no_bits_are_the_first_entry(run_kernel, item_size):
    dictionary = np.arange(item_size, dtype=np.uint8).reshape(1, item_size)
    answer, values = fetch(run_kernel, b"", 0, dictionary, 9)
    assert answer == 0
    assert (values == dictionary[0]).all()
    answer, _ = fetch(run_kernel, b"", 0, dictionary[:0], 9)
    assert fault_of(answer) == faults.DICTIONARY_INDEX


@pytest.mark.parametrize("item_size", ITEM_SIZES)
def test_codes_that_are_there_already(run_kernel, item_size):
    random = np.random.default_rng(item_size)
    dictionary = random.integers(0, 256, (50, item_size), np.uint8)
    codes = random.integers(0, 50, 100).astype(np.int32)

    def fetched():
        return run_kernel(
            "gather_codes",
            dictionary.tobytes() + codes.tobytes(),
            lambda at, end, room: (
                end - codes.nbytes,
                100,
                at,
                50,
                item_size,
                room(100 * item_size),
            ),
        )

    answer, (values,) = fetched()
    assert answer == 0
    assert (values.reshape(100, item_size) == dictionary[codes]).all()
    for wrong in (50, -1):
        codes[77] = wrong
        assert fault_of(fetched()[0]) == faults.DICTIONARY_INDEX

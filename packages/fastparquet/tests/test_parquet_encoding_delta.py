"""Delta-encoded integers: as a slow reader of the format reads them, damaged ones too."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.parquet.kernels import faults
from hocket.parquet.kernels.faults import fault_of


class Damaged(Exception):
    """What the slow reader says."""


def varint(value):
    value &= (1 << 64) - 1
    made = bytearray()
    while value >= 128:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes(made) + bytes([value])


def zigzag(value):
    return varint(value << 1 ^ (value >> 63))


def signed(value, bits):
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def encode(values, bits=64, *, block=128, miniblocks=4, widen=0, garbage=0, wraps=True):
    """Write values; `widen` bits more than needed, `garbage` widths for what is not there.

    Differences wrap around, or have as many bits as they need.
    """
    made = varint(block) + varint(miniblocks) + varint(len(values))
    made += zigzag(signed(values[0], bits) if values else 0)
    each = block // miniblocks
    width_max = bits if wraps else 64
    deltas = [signed(b - a, width_max) for a, b in itertools.pairwise(values)]
    for first in range(0, len(deltas), block):
        some = deltas[first : first + block]
        least = min(some)
        fields = [(delta - least) % (1 << width_max) for delta in some]
        parts = [fields[i : i + each] for i in range(0, len(fields), each)]
        widths = [min(max(f.bit_length() for f in part) + widen, width_max) for part in parts]
        made += zigzag(least) + bytes(widths) + bytes([garbage]) * (miniblocks - len(parts))
        for width, part in zip(widths, parts, strict=True):
            packed = sum(field << i * width for i, field in enumerate(part))
            made += packed.to_bytes(each * width // 8, "little")
    return made


class SlowReader:
    """Reads a stream from its beginning."""

    def __init__(self, stream):
        self.stream = stream
        self.at = 0

    def take(self, nbytes):
        if nbytes > len(self.stream) - self.at:
            raise Damaged(faults.TRUNCATED)
        self.at += nbytes
        return self.stream[self.at - nbytes : self.at]

    def number(self):
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return signed(value, 64)
            if shift > 63:
                raise Damaged(faults.VARINT_TOO_LONG)

    def signed_number(self):
        value = self.number() % (1 << 64)
        return value >> 1 ^ -(value & 1)

    def fields(self, width, many, each):
        """Return fields of a miniblock whose last bytes may be missing."""
        self.take(-(-many * width // 8))
        begin = self.at - -(-many * width // 8)
        self.at = min(begin + each * width // 8, len(self.stream))
        word = int.from_bytes(self.stream[begin : self.at], "little")
        return [word >> i * width & (1 << width) - 1 for i in range(many)]


def slow_read(stream, bits, count):
    """Return `count` values and the offset behind them."""
    if count == 0 and not stream:
        return [], 0
    reader = SlowReader(stream)
    block, miniblocks, total = reader.number(), reader.number(), reader.number()
    values = [reader.signed_number()][:count]
    if not 0 < block < 1 << 31 or not 0 < miniblocks <= block or block % miniblocks:
        raise Damaged(faults.DELTA_HEADER)
    if block % 128 or block // miniblocks % 32:
        raise Damaged(faults.DELTA_HEADER)
    if total != count:
        raise Damaged(faults.COUNT_MISMATCH)
    each = block // miniblocks
    while len(values) < count:
        least = reader.signed_number()
        for width in reader.take(miniblocks):
            many = min(each, count - len(values))
            if many and width > 64:
                raise Damaged(faults.BIT_WIDTH)
            for field in reader.fields(width, many, each) if many else []:
                values.append(values[-1] + least + field)
    return [signed(value, bits) for value in values], reader.at


def decode(run_kernel, stream, bits, count, *, is_checked=True):
    answer, (values,) = run_kernel(
        f"decode_delta_{bits}",
        stream,
        lambda at, end, room: (at, end, room(count * bits // 8), count),
        is_checked=is_checked,
    )
    return answer, values.view(f"i{bits // 8}").tolist()


@st.composite
def streams(draw, bits):
    integers = st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)
    start = draw(integers)
    step = draw(st.integers(0, bits - 1))
    many = draw(st.sampled_from([0, 1, 2, 31, 33, 129, 150]))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    values = start + np.cumsum(rng.integers(-(1 << step), 1 << step, many, dtype=np.int64))
    values = [signed(int(value), bits) for value in values]
    block, miniblocks = draw(st.sampled_from([(128, 4), (128, 1), (256, 8), (256, 2)]))
    stream = bytearray(
        encode(
            values,
            bits,
            block=block,
            miniblocks=miniblocks,
            widen=draw(st.integers(0, 3)),
            garbage=draw(st.sampled_from([0, 7, 255])),
            wraps=draw(st.booleans()),
        )
    )
    damage = draw(st.sampled_from(["none", "none", "cut", "byte", "head", "more", "random"]))
    if damage == "cut":
        del stream[draw(st.integers(0, len(stream))) :]
    elif damage == "byte":
        stream[draw(st.integers(0, len(stream) - 1))] = draw(st.integers(0, 255))
    elif damage == "head":
        stream[draw(st.integers(0, min(8, len(stream) - 1)))] = draw(st.integers(0, 255))
    elif damage == "more":
        stream += b"more"
    elif damage == "random":
        stream[:] = draw(st.binary(max_size=20))
    return bytes(stream), many


@pytest.mark.parametrize("bits", [32, 64])
@settings(max_examples=150)
@given(st.data())
def test_values_are_those_of_a_slow_reader(run_kernel, bits, data):
    stream, count = data.draw(streams(bits))
    answer, values = decode(run_kernel, stream, bits, count)
    try:
        wanted, at = slow_read(stream, bits, count)
    except Damaged as damage:
        wanted, at = None, damage.args[0]
    if wanted is None:
        assert fault_of(answer) == at
    else:
        assert (answer, values) == (at, wanted)


@pytest.mark.parametrize("bits", [32, 64])
def test_every_bit_width(run_kernel, bits):
    for width in range(bits + 1):
        rng = np.random.default_rng(width)
        deltas = [int(rng.integers(0, 1 << 63)) * 2 % (1 << width) for _ in range(400)]
        values = [signed(sum(deltas[:i]) - 5 * i, bits) for i in range(400)]
        stream = encode(values, bits)
        assert decode(run_kernel, stream, bits, 400, is_checked=False) == (len(stream), values)


def test_differences_wider_than_the_values(run_kernel):
    low, high = -(1 << 31), (1 << 31) - 1
    values = [low, high, low, 5, high, high, low] * 30
    stream = encode(values, 32, wraps=False)
    assert set(stream[15:17]) == {33}
    assert decode(run_kernel, stream, 32, len(values)) == (len(stream), values)


def test_the_example_of_the_format(run_kernel):
    values = [7, 5, 3, 1, 2, 3, 4, 5]
    stream = b"\x80\x01\x04\x08\x0e" + b"\x03\x02\xff\xff\xff" + b"\xc0\x3f" + bytes(6)
    assert decode(run_kernel, stream, 64, 8) == (len(stream), values)
    assert slow_read(stream, 64, 8) == (values, len(stream))
    # The last miniblock may lack the bytes of the values that it does not have.
    assert decode(run_kernel, stream[:12], 64, 8) == (12, values)
    assert fault_of(decode(run_kernel, stream[:11], 64, 8)[0]) == faults.TRUNCATED


def test_nothing_may_be_no_bytes_at_all(run_kernel):
    assert decode(run_kernel, b"", 64, 0) == (0, [])
    stream = encode([])
    assert decode(run_kernel, stream, 64, 0) == (len(stream), [])
    assert fault_of(decode(run_kernel, b"", 64, 1)[0]) == faults.TRUNCATED


@pytest.mark.parametrize("total", [0, 4, 6, 1 << 40, -1])
def test_another_count_than_the_page_has(run_kernel, total):
    stream = varint(128) + varint(4) + varint(total) + zigzag(1) + bytes(100)
    assert fault_of(decode(run_kernel, stream, 32, 5)[0]) == faults.COUNT_MISMATCH


@pytest.mark.parametrize(
    ("block", "miniblocks"),
    [(0, 1), (128, 0), (128, 3), (128, 8), (100, 1), (1 << 40, 4), (-128, 4), (128, -4), (96, 3)],
)
def test_blocks_that_make_no_sense(run_kernel, block, miniblocks):
    stream = varint(block) + varint(miniblocks) + varint(5) + zigzag(1) + bytes(100)
    assert fault_of(decode(run_kernel, stream, 32, 5)[0]) == faults.DELTA_HEADER


def test_lengths_leave_every_other_half_alone(run_kernel):
    stream = encode([3, 1, 4, 1, 5], 32)
    answer, (halves,) = run_kernel(
        "decode_delta_lengths", stream, lambda at, end, room: (at, end, room(40), 5)
    )
    assert answer == len(stream)
    assert halves.view(np.int32).reshape(5, 2)[:, 0].tolist() == [3, 1, 4, 1, 5]
    assert (halves.reshape(5, 8)[:, 4:] == halves[4]).all()

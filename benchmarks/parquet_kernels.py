"""The kernels of the Parquet library, one by one: million values a second on one core.

``.venv/bin/python benchmarks/parquet_kernels.py [REGEX]``

Values and results fit into the processor's second cache, so that it is the kernels that are seen;
results of whole columns are slower, as memory is. Each figure is the best of many calls.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from hocket.parquet.kernels.library import KERNEL, address, origin
from hocket.parquet.kernels.source import bounds, convert, storing

COUNT = 1 << 16
STRINGS = 20_000
SECONDS = 0.1

Case = tuple[str, str, list[Any], int]

random = np.random.default_rng(7)


def varint(value: int) -> bytes:
    """Return an integer of variable length."""
    made = bytearray()
    while value >= 128:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes(made) + bytes([value])


def packed(fields: Any, width: int) -> bytes:
    """Pack fields, the lowest bit first."""
    values = np.asarray(fields).astype(np.uint64)
    bits = (values[:, None] >> np.arange(width, dtype=np.uint64)) & np.uint64(1)
    raw = np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes()
    return raw.ljust((len(values) + 7) // 8 * width, b"\0")


def packed_run(fields: Any, width: int) -> bytes:
    """Write one bit-packed run."""
    return varint((len(fields) + 7) // 8 << 1 | 1) + packed(fields, width)


def zigzag(value: int) -> bytes:
    """Return a signed integer of variable length."""
    return varint((value << 1 ^ value >> 63) & (1 << 64) - 1)


def delta(values: Any, block: int = 128, each: int = 32) -> bytes:
    """Delta-encode integers."""
    numbers = np.asarray(values, np.int64)
    made = varint(block) + varint(block // each) + varint(len(numbers)) + zigzag(int(numbers[0]))
    deltas = np.diff(numbers)
    for first in range(0, len(deltas), block):
        some = deltas[first : first + block]
        fields = np.zeros(block, np.int64)
        fields[: len(some)] = some - some.min()
        parts = fields.reshape(-1, each)
        widths = [int(part.max()).bit_length() for part in parts]
        made += zigzag(int(some.min())) + bytes(widths)
        made += b"".join(packed(p, w) for p, w in zip(parts, widths, strict=True) if w)
    return made


def padded(data: bytes) -> np.ndarray[Any, Any]:
    """Return bytes with 64 readable ones behind."""
    made = np.zeros(len(data) + 64, np.uint8)
    made[: len(data)] = np.frombuffer(data, np.uint8)
    return made


class Bytes:
    """The bytes of a source: two arguments, its address and the one behind its end."""

    def __init__(self, data: bytes) -> None:
        self.array = padded(data)
        self.nbytes = len(data)


def room(nbytes: int) -> np.ndarray[Any, Any]:
    """Return memory for a result."""
    return np.zeros(nbytes + 64, np.uint8)


def words(shortest: int, longest: int, count: int) -> list[bytes]:
    """Return strings of letters."""
    sizes = random.integers(shortest, longest + 1, count)
    return [random.integers(97, 123, size, dtype=np.uint8).tobytes() for size in sizes]


def levels() -> Iterator[Case]:
    """Levels, flags and booleans."""
    for width in (1, 2, 3):
        stream = Bytes(packed_run(random.integers(0, 1 << width, COUNT), width))
        arguments = [stream, width, room(COUNT), COUNT, (1 << width) - 1]
        yield f"levels of {width} bits", "decode_levels", arguments, COUNT
    stream = Bytes(packed_run(random.integers(0, 2, COUNT), 1))
    yield "flags", "decode_flags_position", [stream, room(COUNT), COUNT], COUNT


def dictionaries() -> Iterator[Case]:
    """Codes, and values fetched by them."""
    for width in (1, 4, 8, 10, 12, 16, 20):
        entries = int((1 << width) * 0.8) + 1
        stream = Bytes(packed_run(random.integers(0, entries, COUNT), width))
        arguments = [stream, width, room(4 * COUNT), COUNT, entries]
        yield f"codes of {width} bits", "decode_codes", arguments, COUNT
        for size in (4, 8, 16):
            arguments = [stream, width, room(entries * size), entries, size]
            arguments += [room(size * COUNT), COUNT]
            yield f"values of {size} bytes by codes of {width} bits", "gather", arguments, COUNT
    many = COUNT // 20 * 20
    runs = b"".join(varint(40) + bytes([int(code)]) for code in random.integers(0, 13, many // 20))
    arguments = [Bytes(runs), 4, room(128), 13, 8, room(8 * many), many]
    yield "values of 8 bytes by runs of 20", "gather", arguments, many


def deltas() -> Iterator[Case]:
    """Delta-encoded integers."""
    for bits in (32, 64):
        for width in (0, 5, 11, 20, 28, 40):
            if width < bits:
                steps = random.integers(0, 1 << width, COUNT) >> (4 if width == bits - 4 else 0)
                stream = Bytes(delta(np.cumsum(steps)))
                name = f"decode_delta_{bits}"
                arguments = [stream, room(bits // 8 * COUNT), COUNT]
                yield f"{bits} bits by deltas of {width} bits", name, arguments, COUNT


def strings() -> Iterator[Case]:
    """Byte strings of all encodings."""
    offsets = room(8 * STRINGS + 8)
    for shortest, longest in ((1, 1), (4, 8), (10, 43), (20, 60), (100, 300)):
        some = words(shortest, longest, STRINGS)
        whole = b"".join(some)
        plain = Bytes(b"".join(len(each).to_bytes(4, "little") + each for each in some))
        tail = [STRINGS, offsets, room(len(whole)), 0, len(whole)]
        sizes = f"strings of {shortest} to {longest} bytes"
        yield f"plain {sizes}", "decode_byte_arrays", [plain, *tail], STRINGS
        if longest < 100:
            behind = Bytes(delta([len(each) for each in some]) + whole)
            name = "decode_delta_length_strings"
            yield f"{sizes} behind their lengths", name, [behind, *tail], STRINGS
            table = np.cumsum([0, *map(len, some[:1000])])
            codes = random.integers(0, 1000, STRINGS).astype(np.int32)
            total = int(np.diff(table)[codes].sum())
            arguments = [codes, STRINGS, table, padded(whole), offsets, room(total), 0]
            yield f"{sizes} by codes", "gather_strings", arguments, STRINGS


def others() -> Iterator[Case]:
    """Streams of bytes, ALP, text, conversions."""
    raw = random.integers(0, 256, 16 * COUNT, dtype=np.uint8)
    for size in (2, 4, 8, 16):
        stream = Bytes(raw[: size * COUNT].tobytes())
        arguments = [stream, size, room(size * COUNT), COUNT]
        yield f"split values of {size} bytes", "decode_split", arguments, COUNT
    for size in (4, 8):
        head = bytes([5, 3, 0, 0, *bytes(size), 14])
        vectors = [head + packed(random.integers(0, 1 << 14, 1024), 14) for _ in range(64)]
        at = np.cumsum([4 * 64, *map(len, vectors[:-1])]).astype(np.uint32)
        page = bytes([0, 0, 10]) + COUNT.to_bytes(4, "little") + at.tobytes() + b"".join(vectors)
        yield (
            f"ALP of {size} bytes",
            "decode_alp",
            [Bytes(page), size, room(size * COUNT), COUNT],
            COUNT,
        )
    text = padded(b"".join(words(50, 50, 4000)))
    yield "ASCII, bytes", "check_text", [text, text.size - 64], text.size - 64
    kanji = padded("".join(map(chr, random.integers(0x4E00, 0x9000, 60_000))).encode())
    yield "Kanji, bytes", "check_text", [kanji, kanji.size - 64], kanji.size - 64
    for name, width, size in (("BIG_ENDIAN_64", 7, 8), ("BIG_ENDIAN_128", 16, 16)):
        arguments = [getattr(convert, name), raw, room(size * COUNT), COUNT, width]
        yield f"big-endian {width} to {size} bytes", "convert", arguments, COUNT
    cents = random.integers(-(10**12), 10**12, COUNT)
    yield "decimals to doubles", "decimals_to_float", [cents, 8, room(8 * COUNT), COUNT, 2], COUNT
    moments = np.zeros(COUNT, [("nanos", "<i8"), ("day", "<i4")])
    moments["nanos"] = random.integers(0, 86_400 * 10**9, COUNT)
    moments["day"] = 2_440_588 + random.integers(0, 20_000, COUNT)
    arguments = [convert.INT96_TO_NANOS, moments, room(8 * COUNT), COUNT, 12]
    yield "timestamps of 96 bits", "convert", arguments, COUNT
    for share in (0.01, 0.5):
        valid = (random.random(COUNT) >= share).astype(np.uint8)
        arguments = [room(8 * COUNT), 8, valid, COUNT, int(valid.sum()), 0]
        yield f"8 bytes spread over {share:.0%} nulls", "spread_items", arguments, COUNT


def numbering() -> Iterator[Case]:
    """Values to codes of a dictionary."""
    near = random.integers(-500, 500, COUNT)
    table = room(4 * 1000)
    arguments = [8, near, COUNT, -500, room(4 * COUNT), table, room(8 * 1000), 1000]
    yield "codes of integers near each other", "number_near", arguments, COUNT
    for size in (4, 8):
        far = random.integers(0, 1 << 30, 1000).astype(f"i{size}")[random.integers(0, 1000, COUNT)]
        arguments = [size, far, 0, COUNT, room(4 * COUNT), room(8 << 12), 12]
        arguments += [room(8 * 2048), 2048, room(16)]
        yield f"codes of values of {size} bytes", "number_words", arguments, COUNT
    for shortest, longest in ((4, 8), (10, 10), (6, 13), (20, 60)):
        some = words(shortest, longest, 1000)
        picked = [some[index] for index in random.integers(0, 1000, STRINGS)]
        ends, whole = np.cumsum([0, *map(len, picked)]), np.frombuffer(b"".join(picked), np.uint8)
        arguments = [ends, whole, whole.size, 0, STRINGS, room(4 * STRINGS), room(8 << 12), 12]
        arguments += [room(32 * 2048), 2048, room(1 << 17), 1 << 17, room(16)]
        sizes = f"strings of {shortest} to {longest} bytes"
        yield f"codes of {sizes}", "number_strings", arguments, STRINGS


def strings_to_pages() -> Iterator[Case]:
    """Byte strings to their encodings, bounds and hashes."""
    for shortest, longest in ((4, 8), (10, 43), (100, 300)):
        some = sorted(words(shortest, longest, STRINGS))
        ends, whole = np.cumsum([0, *map(len, some)]), np.frombuffer(b"".join(some), np.uint8)
        sizes = f"strings of {shortest} to {longest} bytes"
        source = [ends, STRINGS, whole, whole.size]
        nbytes = whole.size + 4 * STRINGS
        yield f"{sizes} to plain", "encode_byte_arrays", [*source, room(nbytes), nbytes], STRINGS
        arguments = [*source, room(4 * STRINGS), room(4 * STRINGS), room(nbytes), nbytes]
        yield f"prefixes of sorted {sizes}", "split_prefixes", arguments, STRINGS
        arguments = [ends, whole, whole.size, 0, STRINGS, STRINGS, room(16)]
        yield f"bounds of {sizes}", "bounds_of_strings", arguments, STRINGS
        yield f"hashes of {sizes}", "hash_bytes", [whole, ends, STRINGS, room(8 * STRINGS)], STRINGS


def bounds_and_blooms() -> Iterator[Case]:
    """Bounds of numbers, and Bloom filters."""
    for kind in ("SIGNED_32", "SIGNED_64", "UNSIGNED_64", "FLOAT_32", "FLOAT_64", "FLOAT_16"):
        raw = random.integers(0, 128, 8 * COUNT, dtype=np.uint8)
        arguments = [getattr(bounds, kind), raw, COUNT, room(16)]
        name = kind.lower().replace("_", ", ")
        yield f"bounds of numbers: {name}", "bounds_of_numbers", arguments, COUNT
    hashes = random.integers(-(1 << 62), 1 << 62, COUNT)
    for size in (4, 8, 16):
        arguments = [room(size * COUNT), size, COUNT, room(8 * COUNT)]
        yield f"hashes of {size} bytes", "hash_fixed", arguments, COUNT
    filled = [room(1 << 17), 1 << 17, hashes, COUNT]
    yield "hashes into a Bloom filter", "bloom_insert", filled, COUNT


def runs_and_groups() -> Iterator[Case]:
    """Levels and codes to runs and groups."""
    for share in (0, 0.01, 0.05, 0.5):
        flags = (random.random(COUNT) >= share).astype(np.uint8)
        arguments = [flags, COUNT, 1, room(COUNT), COUNT]
        yield f"flags with {share:.0%} nulls to runs", "encode_hybrid_levels", arguments, COUNT
    some = random.integers(0, 6, COUNT, dtype=np.uint8)
    arguments = [some, COUNT, 3, room(COUNT), COUNT]
    yield "levels of 3 bits to groups", "encode_hybrid_levels", arguments, COUNT
    for width in (1, 4, 8, 12, 16, 20):
        codes = random.integers(0, 1 << width, COUNT, dtype=np.uint32)
        arguments = [codes, COUNT, width, room(5 * COUNT), 5 * COUNT]
        yield f"codes of {width} bits to groups", "encode_hybrid_codes", arguments, COUNT
    codes = np.sort(random.integers(0, COUNT // 20, COUNT, dtype=np.uint32))
    arguments = [codes, COUNT, 12, room(5 * COUNT), 5 * COUNT]
    yield "codes that come about 20 times to runs", "encode_hybrid_codes", arguments, COUNT


def numbers_to_pages() -> Iterator[Case]:
    """Numbers to deltas, streams of bytes, ALP."""
    tail = [room(12 * COUNT), 12 * COUNT, room(1 << 14)]
    for bits in (32, 64):
        for width in (0, 5, 11, 20, 28, 40):
            if width < bits:
                steps = np.cumsum(random.integers(0, 1 << width, COUNT)).astype(f"i{bits // 8}")
                arguments = [steps, bits // 8, COUNT, *tail]
                yield f"{bits} bits to deltas of {width} bits", "encode_delta", arguments, COUNT
    raw = random.integers(0, 256, 16 * COUNT, dtype=np.uint8)
    for size in (2, 4, 8, 12, 16):
        arguments = [raw, size, COUNT, room(size * COUNT)]
        yield f"values of {size} bytes to streams", "encode_split", arguments, COUNT
    tail = [room(24 * COUNT), 24 * COUNT, room(1 << 14)]
    for size in (4, 8):
        cents = (random.integers(0, 10_000, COUNT) / 100).astype(f"f{size}")
        yield (
            f"{size} bytes with two digits to ALP",
            "encode_alp",
            [cents, size, COUNT, *tail],
            COUNT,
        )


def slots_to_values() -> Iterator[Case]:
    """Values that are there, gathered and converted."""
    yield "a bitmap to levels", "bytes_of_bitmap", [room(COUNT), 3, COUNT, room(COUNT)], COUNT
    yield "a mask to levels", "bytes_of_mask", [room(COUNT), COUNT, room(COUNT)], COUNT
    raw = random.integers(0, 256, 16 * COUNT, dtype=np.uint8)
    for share in (0.01, 0.05, 0.5):
        flags = (random.random(COUNT) >= share).astype(np.uint8)
        for size in (4, 8, 16):
            arguments = [flags, 0, COUNT, raw, size, room(size * COUNT)]
            yield f"{size} bytes out of {share:.0%} nulls", "gather_items", arguments, COUNT
    slots = np.sort(random.integers(0, COUNT, COUNT))
    yield "8 bytes out of slots", "gather_items", [0, slots, COUNT, raw, 8, room(8 * COUNT)], COUNT
    numbers = random.integers(-(10**8), 10**8, COUNT) * 10**9
    parameters = np.zeros(storing.PARAMETER_COUNT, np.int64)
    parameters[storing.FACTOR] = 1000
    parameters[storing.LEAST : storing.MOST] = -(1 << 62), -1, -1, -1
    parameters[storing.MOST] = 1 << 62
    for name, size, after in (
        ("WIDEN_SIGNED", 2, 4),
        ("DIVIDED", 8, 8),
        ("INT96", 8, 12),
        ("DECIMAL_BYTES", 8, 7),
        ("DOUBLE_TO_FLOAT", 8, 4),
    ):
        arguments = [getattr(storing, name), 0, 0, COUNT, numbers, size, parameters]
        arguments += [room(1 << 14), room(12 * COUNT), after]
        title = f"stored: {name.lower().replace('_', ' ')}, {size} to {after} bytes"
        yield title, "store_values", arguments, COUNT
    wide = np.zeros((COUNT, 2), np.int64)
    wide[:, 0] = random.integers(0, 10**8, COUNT)
    for name, after in (("DECIMAL", 8), ("DECIMAL_BYTES", 7), ("DECIMAL_BYTES", 16)):
        limits = parameters.copy()
        limits[storing.MOST + 1] = after >> 4
        arguments = [getattr(storing, name), 0, 0, COUNT, wide, 16, limits]
        arguments += [room(1 << 14), room(16 * COUNT), after]
        title = f"stored: {name.lower().replace('_', ' ')}, 16 to {after} bytes"
        yield title, "store_values", arguments, COUNT
    parameters = parameters.copy()
    parameters[[storing.LEAST, storing.MOST]] = -(1 << 52), 1 << 52
    arguments = [storing.TIMES, 0, 0, COUNT, numbers // 10**9, 8, parameters]
    arguments += [room(1 << 14), room(8 * COUNT), 8]
    yield "stored: times, 8 to 8 bytes", "store_values", arguments, COUNT


def addresses(arguments: list[Any]) -> list[int]:
    """Return what a kernel is called with."""
    made: list[int] = []
    for each in arguments:
        if isinstance(each, Bytes):
            made += [address(each.array), address(each.array) + each.nbytes]
        else:
            made.append(address(each) if isinstance(each, np.ndarray) else each)
    return made


GROUPS = (
    levels,
    dictionaries,
    deltas,
    strings,
    others,
    numbering,
    strings_to_pages,
    bounds_and_blooms,
    runs_and_groups,
    numbers_to_pages,
    slots_to_values,
)


def main() -> None:
    """Print the figures of the kernels whose titles are asked for."""
    wanted = re.compile(sys.argv[1] if len(sys.argv) > 1 else "")
    for group in GROUPS:
        for title, name, arguments, count in group():
            if not wanted.search(title):
                continue
            kernel, numbers = getattr(KERNEL, name), addresses(arguments)
            answer = kernel(*numbers)
            if answer < 0:
                raise SystemExit(f"{title}: {name} answers {answer}")
            best, end = float("inf"), time.perf_counter() + SECONDS
            while (begin := time.perf_counter()) < end:
                kernel(*numbers)
                best = min(best, time.perf_counter() - begin)
            print(f"{title:46}{count / best / 1e6:9,.0f} M/s", flush=True)
    print(f"kernels: {origin('gather')}")


if __name__ == "__main__":
    main()

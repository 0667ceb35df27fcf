"""XXH64, and the split-block Bloom filters that Parquet files keep of it."""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.language import (
    helper,
    inlined,
    kernel,
    load_8,
    load_32,
    load_64,
    shift_right,
    store_32,
    store_64,
    wrap,
)

__all__ = ["bloom_contains", "bloom_insert", "hash_bytes", "hash_fixed"]

# The primes of XXH64, as signed numbers.
_PRIME_1: Final = 11400714785074694791 - (1 << 64)
_PRIME_2: Final = 14029467366897019727 - (1 << 64)
_PRIME_3: Final = 1609587929392839161
_PRIME_4: Final = 9650029242287828579 - (1 << 64)
_PRIME_5: Final = 2870177450012600261

#: Bytes of a block of a Bloom filter.
_BLOCK_NBYTES: Final = 32


@inlined
def _rotate(value: int, count: int) -> int:
    return wrap(value << count) | shift_right(value, 64 - count)


@inlined
def _round(state: int, lane: int) -> int:
    return wrap(_rotate(wrap(state + wrap(lane * _PRIME_2)), 31) * _PRIME_1)


@inlined
def _merge(state: int, lane: int) -> int:
    return wrap(wrap((state ^ _round(0, lane)) * _PRIME_1) + _PRIME_4)


@inlined
def _avalanche(state: int) -> int:
    state = wrap((state ^ shift_right(state, 33)) * _PRIME_2)
    state = wrap((state ^ shift_right(state, 29)) * _PRIME_3)
    return state ^ shift_right(state, 32)


@helper
def _stripes(source: int, count: int) -> int:
    """Hash whole stripes of 32 bytes, of which there is at least one."""
    one = wrap(_PRIME_1 + _PRIME_2)
    two = _PRIME_2
    three = 0
    four = wrap(-_PRIME_1)
    for stripe in range(count):
        at = stripe * 32
        one = _round(one, load_64(source, at))
        two = _round(two, load_64(source, at + 8))
        three = _round(three, load_64(source, at + 16))
        four = _round(four, load_64(source, at + 24))
    state = wrap(
        wrap(_rotate(one, 1) + _rotate(two, 7)) + wrap(_rotate(three, 12) + _rotate(four, 18))
    )
    return _merge(_merge(_merge(_merge(state, one), two), three), four)


@helper
def _hash(source: int, nbytes: int) -> int:
    """Return XXH64 of bytes, with the seed 0."""
    state = _stripes(source, nbytes >> 5) if nbytes >= 32 else _PRIME_5
    state = wrap(state + nbytes)
    at = nbytes & -32
    while at + 8 <= nbytes:
        state ^= _round(0, load_64(source, at))
        state = wrap(wrap(_rotate(state, 27) * _PRIME_1) + _PRIME_4)
        at += 8
    if at + 4 <= nbytes:
        state ^= wrap(load_32(source, at) * _PRIME_1)
        state = wrap(wrap(_rotate(state, 23) * _PRIME_2) + _PRIME_3)
        at += 4
    while at < nbytes:
        state ^= wrap(load_8(source, at) * _PRIME_5)
        state = wrap(_rotate(state, 11) * _PRIME_1)
        at += 1
    return _avalanche(state)


@kernel
def hash_bytes(source: int, offsets: int, count: int, hashes: int) -> int:
    """Write XXH64 (seed 0) of byte strings; return 0.

    Parameters
    ----------
    source
        The bytes of all strings.
    offsets
        Where each begins, and where the last one ends: `count` + 1 numbers of 64 bits.
    count
        How many strings there are.
    hashes
        A 64-bit number for each.
    """
    begin = load_64(offsets, 0)
    for index in range(count):
        finish = load_64(offsets, index * 8 + 8)
        store_64(hashes, index * 8, _hash(source + begin, finish - begin))
        begin = finish
    return 0


@inlined
def _hash_8(value: int) -> int:
    """Return the hash of eight bytes, as a number."""
    state = wrap(_PRIME_5 + 8) ^ _round(0, value)
    return _avalanche(wrap(wrap(_rotate(state, 27) * _PRIME_1) + _PRIME_4))


@inlined
def _hash_4(value: int) -> int:
    """Return the hash of four bytes, as a number that is not negative."""
    state = wrap(_PRIME_5 + 4) ^ wrap(value * _PRIME_1)
    return _avalanche(wrap(wrap(_rotate(state, 23) * _PRIME_2) + _PRIME_3))


@kernel
def hash_fixed(source: int, width: int, count: int, hashes: int) -> int:
    """Write XXH64 (seed 0) of values of one width; return 0."""
    if width == 8:
        for index in range(count):
            store_64(hashes, index * 8, _hash_8(load_64(source, index * 8)))
    elif width == 4:
        for index in range(count):
            store_64(hashes, index * 8, _hash_4(load_32(source, index * 4)))
    else:
        for index in range(count):
            store_64(hashes, index * 8, _hash(source + index * width, width))
    return 0


@inlined
def _is_set(filter_block: int, lane: int, key: int, salt: int) -> int:
    bit = shift_right(wrap(key * salt) & 0xFFFFFFFF, 27)
    return shift_right(load_32(filter_block, lane * 4), bit) & 1


@kernel
def bloom_contains(source: int, nbytes: int, hashes: int, count: int) -> int:
    """Count the values that may be in a split-block Bloom filter.

    Parameters
    ----------
    source
        The bits of the filter.
    nbytes
        Their size: a multiple of 32, and not 0.
    hashes
        XXH64 of each value, as 64-bit numbers.
    count
        How many values there are.
    """
    found = 0
    blocks = nbytes // _BLOCK_NBYTES
    for index in range(count):
        value = load_64(hashes, index * 8)
        # Both factors are below 2 ** 32 and 2 ** 31: the product is not negative.
        block = source + ((shift_right(value, 32) * blocks) >> 32) * _BLOCK_NBYTES
        key = value & 0xFFFFFFFF
        # The format's salts.
        found += (
            _is_set(block, 0, key, 0x47B6137B)
            & _is_set(block, 1, key, 0x44974D91)
            & _is_set(block, 2, key, 0x8824AD5B)
            & _is_set(block, 3, key, 0xA2B7289D)
            & _is_set(block, 4, key, 0x705495C7)
            & _is_set(block, 5, key, 0x2DF1424B)
            & _is_set(block, 6, key, 0x9EFC4947)
            & _is_set(block, 7, key, 0x5C6BFB31)
        )
    return found


@inlined
def _set(filter_block: int, lane: int, key: int, salt: int) -> None:
    bit = shift_right(wrap(key * salt) & 0xFFFFFFFF, 27)
    store_32(filter_block, lane * 4, load_32(filter_block, lane * 4) | (1 << bit))


@kernel
def bloom_insert(destination: int, nbytes: int, hashes: int, count: int) -> int:
    """Put values into a split-block Bloom filter; return 0.

    Parameters
    ----------
    destination
        The bits of the filter.
    nbytes
        Their size: a multiple of 32, and not 0.
    hashes
        XXH64 of each value, as 64-bit numbers.
    count
        How many values there are.
    """
    blocks = nbytes // _BLOCK_NBYTES
    for index in range(count):
        value = load_64(hashes, index * 8)
        block = destination + ((shift_right(value, 32) * blocks) >> 32) * _BLOCK_NBYTES
        key = value & 0xFFFFFFFF
        _set(block, 0, key, 0x47B6137B)
        _set(block, 1, key, 0x44974D91)
        _set(block, 2, key, 0x8824AD5B)
        _set(block, 3, key, 0xA2B7289D)
        _set(block, 4, key, 0x705495C7)
        _set(block, 5, key, 0x2DF1424B)
        _set(block, 6, key, 0x9EFC4947)
        _set(block, 7, key, 0x5C6BFB31)
    return 0

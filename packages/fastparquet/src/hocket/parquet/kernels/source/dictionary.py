"""Dictionary codes, and values of fixed width fetched by them, out of the hybrid of runs.

No code is used before it is known to lie inside of the dictionary: a group of eight at once, by
adding to each field what brings a code that is too large up to a bit that no field has.
"""

from __future__ import annotations

from hocket.parquet.kernels.faults import BIT_WIDTH, DICTIONARY_INDEX
from hocket.parquet.kernels.language import (
    copy,
    helper,
    inlined,
    kernel,
    load_8,
    load_16,
    load_32,
    load_64,
    load_signed_32,
    shift_right,
    store_8,
    store_16,
    store_32,
    store_64,
)
from hocket.parquet.kernels.source.hybrid import (
    read_run,
    repeated_value,
    run_end,
    values_of_run,
)

__all__ = ["decode_codes", "gather", "gather_codes", "largest_code"]

# ----------------------------------------------------------------------------------------- codes


@inlined
def _four_codes(word: int, width: int, mask: int, destination: int, at: int) -> None:
    store_32(destination, at, word & mask)
    store_32(destination, at + 4, shift_right(word, width) & mask)
    store_32(destination, at + 8, shift_right(word, 2 * width) & mask)
    store_32(destination, at + 12, shift_right(word, 3 * width) & mask)


@helper
def _unpack_codes(source: int, width: int, destination: int, count: int) -> int:
    """Unpack fields of 1 to 32 bits to numbers of 32 bits."""
    mask = (1 << width) - 1
    whole = count >> 3
    if width <= 14:
        for group in range(whole):
            word = load_64(source, group * width)
            _four_codes(word, width, mask, destination, group * 32)
            word = shift_right(load_64(source, group * width + (width >> 1)), 4 * width & 7)
            _four_codes(word, width, mask, destination, group * 32 + 16)
    else:
        for group in range(whole):
            for index in range(8):
                bit = index * width
                word = shift_right(load_64(source, group * width + (bit >> 3)), bit & 7)
                store_32(destination, group * 32 + index * 4, word & mask)
    for index in range(whole * 8, count):
        bit = index * width
        word = shift_right(load_64(source, bit >> 3), bit & 7)
        store_32(destination, index * 4, word & mask)
    return 0


@helper
def largest_code(codes: int, count: int) -> int:
    """Return the largest of these numbers of 32 bits, or -1 if there is none."""
    largest = -1
    for index in range(count):
        largest = max(largest, load_32(codes, index * 4))
    return largest


@kernel
def decode_codes(
    source: int, end: int, bit_width: int, destination: int, count: int, limit: int
) -> int:
    """Decode codes below `limit` to numbers of 32 bits; return the position behind them."""
    if not 0 <= bit_width <= 32:
        return -BIT_WIDTH
    if bit_width == 0:
        if limit < 1 and count > 0:
            return -DICTIONARY_INDEX
        for index in range(count):
            store_32(destination, index * 4, 0)
        return end
    done = 0
    while done < count:
        header, source = read_run(source, end)
        if source < 0:
            return source
        many = min(values_of_run(header), count - done)
        after = run_end(source, end, bit_width, header, many)
        if after < 0:
            return after
        at = destination + done * 4
        if header & 1:
            _unpack_codes(source, bit_width, at, many)
        else:
            code = repeated_value(source, bit_width)
            if code >= limit:
                return -DICTIONARY_INDEX
            for index in range(many):
                store_32(at, index * 4, code)
        done += many
        source = after
    if 1 << bit_width > limit and largest_code(destination, count) >= limit:
        return -DICTIONARY_INDEX
    return source


# ---------------------------------------------------------------------------------------- values


@inlined
def put_item(destination: int, at: int, dictionary: int, code: int, item_size: int) -> None:
    """Copy an item of a dictionary."""
    if item_size == 8:
        store_64(destination, at, load_64(dictionary, code * 8))
    elif item_size == 4:
        store_32(destination, at, load_32(dictionary, code * 4))
    elif item_size == 2:
        store_16(destination, at, load_16(dictionary, code * 2))
    elif item_size == 1:
        store_8(destination, at, load_8(dictionary, code))
    elif item_size == 12:
        store_64(destination, at, load_64(dictionary, code * 12))
        store_32(destination, at + 8, load_32(dictionary, code * 12 + 8))
    elif item_size == 16:
        store_64(destination, at, load_64(dictionary, code * 16))
        store_64(destination, at + 8, load_64(dictionary, code * 16 + 8))
    elif item_size == 32:
        put_item_16(destination, at, dictionary, code * 32)
        put_item_16(destination, at + 16, dictionary, code * 32 + 16)
    else:
        copy(destination + at, dictionary + code * item_size, item_size)


@inlined
def put_item_16(destination: int, at: int, source: int, offset: int) -> None:
    """Copy 16 bytes."""
    store_64(destination, at, load_64(source, offset))
    store_64(destination, at + 8, load_64(source, offset + 8))


@inlined
def _put_four(
    destination: int, at: int, dictionary: int, item_size: int, word: int, width: int, mask: int
) -> None:
    put_item(destination, at, dictionary, word & mask, item_size)
    put_item(destination, at + item_size, dictionary, shift_right(word, width) & mask, item_size)
    put_item(
        destination, at + 2 * item_size, dictionary, shift_right(word, 2 * width) & mask, item_size
    )
    put_item(
        destination, at + 3 * item_size, dictionary, shift_right(word, 3 * width) & mask, item_size
    )


@inlined
def _gather_narrow(
    source: int,
    width: int,
    dictionary: int,
    dictionary_count: int,
    item_size: int,
    destination: int,
    groups: int,
) -> int:
    """Fetch values by groups of codes of up to 8 bits; return 0 or a fault."""
    mask = (1 << width) - 1
    places = 1 | 1 << (2 * width) | 1 << (4 * width) | 1 << (6 * width)
    fields = mask * places
    bias = max((1 << width) - dictionary_count, 0) * places
    carry = places << width
    for group in range(groups):
        word = load_64(source, group * width)
        even = (word & fields) + bias
        odd = (shift_right(word, width) & fields) + bias
        if (even | odd) & carry != 0:
            return -DICTIONARY_INDEX
        at = group * 8 * item_size
        _put_four(destination, at, dictionary, item_size, word, width, mask)
        at += 4 * item_size
        word = shift_right(word, 4 * width)
        _put_four(destination, at, dictionary, item_size, word, width, mask)
    return 0


@inlined
def _gather_medium(
    source: int,
    width: int,
    dictionary: int,
    dictionary_count: int,
    item_size: int,
    destination: int,
    groups: int,
) -> int:
    """Fetch values by groups of codes of 9 to 14 bits; return 0 or a fault."""
    mask = (1 << width) - 1
    places = 1 | 1 << (2 * width)
    fields = mask * places
    bias = max((1 << width) - dictionary_count, 0) * places
    carry = places << width
    for group in range(groups):
        low = load_64(source, group * width)
        high = shift_right(load_64(source, group * width + (width >> 1)), 4 * width & 7)
        above = ((low & fields) + bias) | ((shift_right(low, width) & fields) + bias)
        above |= ((high & fields) + bias) | ((shift_right(high, width) & fields) + bias)
        if above & carry != 0:
            return -DICTIONARY_INDEX
        at = group * 8 * item_size
        _put_four(destination, at, dictionary, item_size, low, width, mask)
        at += 4 * item_size
        _put_four(destination, at, dictionary, item_size, high, width, mask)
    return 0


@inlined
def _gather_wide(
    source: int,
    width: int,
    dictionary: int,
    dictionary_count: int,
    item_size: int,
    destination: int,
    first: int,
    count: int,
) -> int:
    """Fetch values by four codes at a time, from the one at `first` to the one before `count`."""
    mask = (1 << width) - 1
    last = dictionary_count - 1
    fours = (count - first) >> 2
    for four in range(fours):
        index = first + four * 4
        one = _code_at(source, index * width, mask)
        two = _code_at(source, index * width + width, mask)
        three = _code_at(source, index * width + 2 * width, mask)
        more = _code_at(source, index * width + 3 * width, mask)
        if (last - one) | (last - two) | (last - three) | (last - more) < 0:
            return -DICTIONARY_INDEX
        at = index * item_size
        put_item(destination, at, dictionary, one, item_size)
        put_item(destination, at + item_size, dictionary, two, item_size)
        put_item(destination, at + 2 * item_size, dictionary, three, item_size)
        put_item(destination, at + 3 * item_size, dictionary, more, item_size)
    for index in range(first + fours * 4, count):
        code = _code_at(source, index * width, mask)
        if code > last:
            return -DICTIONARY_INDEX
        put_item(destination, index * item_size, dictionary, code, item_size)
    return 0


@inlined
def _code_at(source: int, bit: int, mask: int) -> int:
    """Return a code of up to 57 bits."""
    return shift_right(load_64(source, bit >> 3), bit & 7) & mask


@inlined
def _repeat(source: int, item_size: int, destination: int, count: int) -> None:
    """Write one item many times."""
    if item_size == 8:
        item = load_64(source, 0)
        for index in range(count):
            store_64(destination, index * 8, item)
    elif item_size == 4:
        item = load_32(source, 0)
        for index in range(count):
            store_32(destination, index * 4, item)
    else:
        for index in range(count):
            put_item(destination, index * item_size, source, 0, item_size)


@inlined
def _gather_sized(
    source: int,
    end: int,
    bit_width: int,
    dictionary: int,
    dictionary_count: int,
    item_size: int,
    destination: int,
    count: int,
) -> int:
    done = 0
    while done < count:
        header, source = read_run(source, end)
        if source < 0:
            return source
        many = min(values_of_run(header), count - done)
        after = run_end(source, end, bit_width, header, many)
        if after < 0:
            return after
        at = destination + done * item_size
        if header & 1:
            groups = many >> 3
            fault = 0
            if bit_width <= 8:
                fault = _gather_narrow(
                    source, bit_width, dictionary, dictionary_count, item_size, at, groups
                )
            elif bit_width <= 14:
                fault = _gather_medium(
                    source, bit_width, dictionary, dictionary_count, item_size, at, groups
                )
            else:
                groups = 0
            if fault < 0:
                return fault
            fault = _gather_wide(
                source, bit_width, dictionary, dictionary_count, item_size, at, groups * 8, many
            )
            if fault < 0:
                return fault
        else:
            code = repeated_value(source, bit_width)
            if code >= dictionary_count:
                return -DICTIONARY_INDEX
            _repeat(dictionary + code * item_size, item_size, at, many)
        done += many
        source = after
    return source


@kernel
def gather(
    source: int,
    end: int,
    bit_width: int,
    dictionary: int,
    dictionary_count: int,
    item_size: int,
    destination: int,
    count: int,
) -> int:
    """Decode codes and write the dictionary's items; return the position behind the codes."""
    if not 0 <= bit_width <= 32:
        return -BIT_WIDTH
    if bit_width == 0:
        if dictionary_count < 1 and count > 0:
            return -DICTIONARY_INDEX
        _repeat(dictionary, item_size, destination, count)
        return end
    if item_size == 8:
        return _gather_sized(
            source, end, bit_width, dictionary, dictionary_count, 8, destination, count
        )
    if item_size == 4:
        return _gather_sized(
            source, end, bit_width, dictionary, dictionary_count, 4, destination, count
        )
    if item_size == 2:
        return _gather_sized(
            source, end, bit_width, dictionary, dictionary_count, 2, destination, count
        )
    if item_size == 1:
        return _gather_sized(
            source, end, bit_width, dictionary, dictionary_count, 1, destination, count
        )
    if item_size == 16:
        return _gather_sized(
            source, end, bit_width, dictionary, dictionary_count, 16, destination, count
        )
    return _gather_sized(
        source, end, bit_width, dictionary, dictionary_count, item_size, destination, count
    )


@kernel
def gather_codes(
    codes: int,
    count: int,
    dictionary: int,
    dictionary_count: int,
    item_size: int,
    destination: int,
) -> int:
    """Write a dictionary's items by codes that are there already; return 0 or a fault."""
    for index in range(count):
        code = load_signed_32(codes, index * 4)
        if not 0 <= code < dictionary_count:
            return -DICTIONARY_INDEX
        put_item(destination, index * item_size, dictionary, code, item_size)
    return 0

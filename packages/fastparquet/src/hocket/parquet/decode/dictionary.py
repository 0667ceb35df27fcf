"""The dictionary of a column chunk, decoded and converted once."""

from __future__ import annotations

from typing import Final

import numpy as np

from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.scratch import Scratch
from hocket.parquet.decode.target import Target, physical_width
from hocket.parquet.errors import CorruptFile, UnsupportedFeature
from hocket.parquet.kernels.faults import error_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import pages as layout
from hocket.parquet.memory import new_array
from hocket.parquet.metadata.schema import PhysicalType, SchemaNode
from hocket.parquet.records import replace

__all__ = ["decode_dictionary", "items_of_strings"]

_PLAIN: Final = 0
_PLAIN_DICTIONARY: Final = 2
_SPARE_NBYTES: Final = 64


def decode_dictionary(
    leaf: SchemaNode,
    target: Target,
    header: list[int],
    source: int,
    end: int,
    scratch: Scratch | None,
) -> ColumnData:
    """Decode a dictionary page.

    Parameters
    ----------
    leaf
        The column.
    target
        What its values become: so do the dictionary's.
    header
        The page's row of the table.
    source, end
        Addresses of the page's plain bytes.
    scratch
        Where to put items of fixed size; None for memory of their own.
    """
    encoding, count = header[layout.ENCODING], header[layout.VALUES]
    if encoding not in (_PLAIN, _PLAIN_DICTIONARY):
        raise UnsupportedFeature(
            f"the dictionary has encoding {encoding}, and only PLAIN is known for dictionaries"
        )
    physical = leaf.physical
    assert physical is not None
    width = physical_width(leaf)
    # Before memory is taken for what a header says.
    least = count * width
    if physical is PhysicalType.BYTE_ARRAY:
        least = count * 4
    elif physical is PhysicalType.BOOLEAN:
        least = (count + 7) >> 3
    if least > end - source:
        raise CorruptFile(
            f"a dictionary of {count:,} values needs {least:,} bytes or more, and the page has "
            f"{end - source:,}"
        )
    if target.keep_dictionary:
        target = replace(target, keep_dictionary=False)
    if physical is PhysicalType.BYTE_ARRAY:
        strings = _decode_strings(leaf, target, source, end, count)
        return items_of_strings(strings, target) if target.item_size else strings
    # Items are fetched in pieces of eight bytes: some more must be readable.
    nbytes = count * target.item_size
    if scratch is None:
        room = new_array(nbytes + _SPARE_NBYTES, np.uint8)
        at = address(room)
    else:
        room, at = scratch.buffer("dictionary", nbytes)
    answer = KERNEL.decode_plain(source, end, physical, width, target.conversion, at, count)
    if answer < 0:
        raise error_of(answer)
    assert target.dtype is not None
    values = room[:nbytes].view(target.dtype)
    return ColumnData(leaf, target, count, 0, values=values)


def _decode_strings(
    leaf: SchemaNode, target: Target, source: int, end: int, count: int
) -> ColumnData:
    offsets = new_array(count + 1, np.int64)
    offsets[0] = 0
    capacity = end - source - 4 * count
    data = new_array(capacity + 2 * _SPARE_NBYTES, np.uint8)
    answer = KERNEL.decode_byte_arrays(
        source, end, count, address(offsets), address(data), 0, capacity
    )
    if answer >= 0 and target.check_utf8:
        answer = KERNEL.check_texts(address(offsets), count, address(data))
    if answer < 0:
        raise error_of(answer)
    used = int(offsets[-1])
    return ColumnData(leaf, target, count, 0, offsets=offsets, data=data[:used])


def items_of_strings(strings: ColumnData, target: Target) -> ColumnData:
    """Return byte strings, which are big-endian numbers of any length, as items of fixed size.

    Null slots, which have no bytes, become zeros.
    """
    assert strings.offsets is not None
    assert strings.data is not None
    assert target.dtype is not None
    size = target.item_size
    room = new_array(strings.count * size + _SPARE_NBYTES, np.uint8)
    answer = KERNEL.decimals_of_strings(
        address(strings.offsets),
        strings.count,
        address(strings.data),
        strings.data.size,
        address(room),
        size,
    )
    if answer < 0:
        raise error_of(answer)
    values = room[: strings.count * size].view(target.dtype)
    return replace(strings, target=target, values=values, offsets=None, data=None)

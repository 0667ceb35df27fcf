"""What kernels are told about a chunk: its types and levels, and where everything lies."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.decode.scratch import Scratch
from hocket.parquet.decode.target import Conversion, Target, physical_width
from hocket.parquet.errors import CorruptFile, InvalidOption, UnsupportedFeature
from hocket.parquet.kernels.source import job as layout
from hocket.parquet.kernels.source import pages as page_layout
from hocket.parquet.metadata.schema import PhysicalType, SchemaNode

__all__ = ["begin_job"]

_LEVEL_MAX: Final = 255
_DELTA_BYTE_ARRAY: Final = 7
_WIDE_TICKS_NBYTES: Final = 12

_INT96: Final = frozenset({PhysicalType.INT96})
_INT32: Final = frozenset({PhysicalType.INT32})
_FIXED: Final = frozenset({PhysicalType.FIXED_LEN_BYTE_ARRAY})
_BYTES: Final = frozenset({PhysicalType.FIXED_LEN_BYTE_ARRAY, PhysicalType.BYTE_ARRAY})
#: Which types a conversion takes, and the size of what it makes.
_CONVERSIONS: Final = {
    Conversion.NARROW_8: (_INT32, 1),
    Conversion.NARROW_16: (_INT32, 2),
    Conversion.WIDEN_64: (_INT32, 8),
    Conversion.WIDEN_128: (frozenset({PhysicalType.INT32, PhysicalType.INT64}), 16),
    Conversion.DAYS_TO_SECONDS: (_INT32, 8),
    Conversion.INT96_TO_SECONDS: (_INT96, 8),
    Conversion.INT96_TO_MILLIS: (_INT96, 8),
    Conversion.INT96_TO_MICROS: (_INT96, 8),
    Conversion.INT96_TO_NANOS: (_INT96, 8),
    Conversion.BIG_ENDIAN_32: (_BYTES, 4),
    Conversion.BIG_ENDIAN_64: (_BYTES, 8),
    Conversion.BIG_ENDIAN_128: (_BYTES, 16),
    Conversion.BIG_ENDIAN_256: (_BYTES, 32),
    Conversion.BOOLEAN_BYTES: (frozenset({PhysicalType.BOOLEAN}), 1),
    Conversion.WIDE_TICKS: (_FIXED, 8),
    Conversion.WIDE_TICKS_BY_THOUSAND: (_FIXED, 8),
    Conversion.WIDE_TICKS_BY_MILLION: (_FIXED, 8),
    Conversion.WIDE_TICKS_BY_BILLION: (_FIXED, 8),
}


def begin_job(
    leaf: SchemaNode, target: Target, headers: list[list[int]], scratch: Scratch
) -> np.ndarray[Any, Any]:
    """Return the numbers of a job, set for a column, a target and pages.

    They lie in the scratch memory: one job at a time. Addresses of what is written are 0.
    """
    physical = leaf.physical
    assert physical is not None
    if leaf.max_definition > _LEVEL_MAX or leaf.max_repetition > _LEVEL_MAX:
        raise UnsupportedFeature(
            f"the column is nested {max(leaf.max_definition, leaf.max_repetition):,} levels deep, "
            f"more than {_LEVEL_MAX}"
        )
    width = physical_width(leaf)
    if physical is PhysicalType.FIXED_LEN_BYTE_ARRAY and width <= 0:
        raise CorruptFile(f"the schema says that values have a fixed length of {width}")
    _check_target(physical, width, target)
    keeps = target.keep_dictionary
    job = scratch.state
    job[:] = 0
    job[: layout.PAGE_TABLE] = (
        physical,
        width,
        4 if keeps else target.item_size,
        target.conversion,
        -1 if keeps else target.null_bits,
        target.check_utf8,
        leaf.max_definition,
        leaf.max_repetition,
        leaf.slot_definition,
    )
    job[layout.KEEP_CODES] = keeps
    _set_scratch(job, width, target, headers, scratch)
    return job


def _check_target(physical: PhysicalType, width: int, target: Target) -> None:
    """Refuse a target that the kernels would take at its word, with memory of another size."""
    if target.item_size == 0:
        fits = physical is PhysicalType.BYTE_ARRAY
    elif target.conversion is Conversion.COPY:
        fits = target.item_size == width
    else:
        types, size = _CONVERSIONS[target.conversion]
        fits = physical in types and target.item_size == size
        fits = fits and (target.conversion < Conversion.WIDE_TICKS or width == _WIDE_TICKS_NBYTES)
    if not fits or (target.dtype is not None and target.dtype.itemsize != target.item_size):
        raise InvalidOption(
            f"values of type {physical.name} ({width} bytes) cannot become items of "
            f"{target.item_size} bytes ({target.dtype}) by {target.conversion.name}"
        )


def _set_scratch(
    job: np.ndarray[Any, Any],
    width: int,
    target: Target,
    headers: list[list[int]],
    scratch: Scratch,
) -> None:
    """Set memory for what the largest page needs beside its result."""
    most = 0
    has_lengths = False
    for header in headers:
        if header[page_layout.TYPE] in (page_layout.DATA_PAGE, page_layout.DATA_PAGE_V2):
            most = max(most, header[page_layout.VALUES])
            has_lengths |= header[page_layout.ENCODING] == _DELTA_BYTE_ARRAY
    if job[layout.MAX_DEFINITION]:
        job[layout.FLAGS_SCRATCH] = scratch.buffer("flags", most)[1]
    if target.item_size == 0 or target.conversion is not Conversion.COPY:
        job[layout.VALUES_SCRATCH] = scratch.buffer("values", most * max(width, 4))[1]
    if has_lengths:
        job[layout.LENGTHS_SCRATCH] = scratch.buffer("lengths", most * 8)[1]
    if job[layout.MAX_REPETITION]:
        job[layout.DEFINITIONS] = scratch.buffer("definitions", most)[1]
        job[layout.REPETITIONS] = scratch.buffer("repetitions", most)[1]

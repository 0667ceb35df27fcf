"""Which encoding a column gets: candidates are tried on a sample, and measured as stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.codecs import compress
from hocket.parquet.encode.dictionary import build_dictionary, distinct_in_sample
from hocket.parquet.encode.encoders import code_width, dictionary_entries, encode_values
from hocket.parquet.encode.expanding import without_dictionary
from hocket.parquet.encode.levels import encode_hybrid
from hocket.parquet.encode.options import ChunkOptions
from hocket.parquet.metadata.encodings import Encoding
from hocket.parquet.metadata.logical import PhysicalType
from hocket.parquet.records import dataclass, replace

__all__ = ["EncodingChoice", "LearnedChoice", "choose_encoding"]

_Array = np.ndarray[Any, Any]

#: What is tried on values of a type, and by how much each has to be smaller than it is to be worth
#: it: decoding some takes longer, and older readers know fewer. Others are for who asks for them.
_CANDIDATES: Final[dict[PhysicalType, tuple[tuple[Encoding, float], ...]]] = {
    PhysicalType.BOOLEAN: ((Encoding.PLAIN, 1.0), (Encoding.RLE, 1.05)),
    PhysicalType.INT32: (
        (Encoding.PLAIN, 1.0),
        (Encoding.DELTA_BINARY_PACKED, 1.03),
        (Encoding.BYTE_STREAM_SPLIT, 1.06),
    ),
    PhysicalType.INT64: (
        (Encoding.PLAIN, 1.0),
        (Encoding.DELTA_BINARY_PACKED, 1.03),
        (Encoding.BYTE_STREAM_SPLIT, 1.06),
    ),
    PhysicalType.INT96: ((Encoding.PLAIN, 1.0),),
    PhysicalType.FLOAT: ((Encoding.PLAIN, 1.0), (Encoding.BYTE_STREAM_SPLIT, 1.02)),
    PhysicalType.DOUBLE: ((Encoding.PLAIN, 1.0), (Encoding.BYTE_STREAM_SPLIT, 1.02)),
    PhysicalType.BYTE_ARRAY: (
        (Encoding.PLAIN, 1.0),
        (Encoding.DELTA_LENGTH_BYTE_ARRAY, 1.01),
        (Encoding.DELTA_BYTE_ARRAY, 1.06),
    ),
    PhysicalType.FIXED_LEN_BYTE_ARRAY: ((Encoding.PLAIN, 1.0),),
}

#: A sample is so many values at most, and no more than one part of so many of all of them, from so
#: many places.
_SAMPLE_COUNT: Final = 49_152
_SAMPLE_COUNT_MIN: Final = 1024
_SAMPLE_PART: Final = 12
_SAMPLE_PLACES: Final = 3
_SAMPLE_NBYTES: Final = 1 << 19

#: If more of a sample than this differ from each other, no dictionary is tried.
_MOST_DISTINCT: Final = 0.97


@dataclass(frozen=True, slots=True)
class EncodingChoice:
    """What was chosen for a chunk.

    Parameters
    ----------
    values
        All its values, with codes if there is to be a dictionary.
    encoding
        Of values without codes.
    dictionary_plain, dictionary_compressed
        The dictionary's page, if it was made already.
    """

    values: DenseValues
    encoding: Encoding
    dictionary_plain: _Array | memoryview | bytes | None = None
    dictionary_compressed: _Array | memoryview | bytes | None = None


@dataclass(slots=True)
class LearnedChoice:
    """What was found best for a column's first chunk; those that follow are not measured again.

    Parameters
    ----------
    encoding
        Of values that are in no dictionary; None if nothing was measured yet.
    has_dictionary
        Whether there is to be one, if it can be.
    """

    encoding: Encoding | None = None
    has_dictionary: bool = False


def choose_encoding(
    values: DenseValues, options: ChunkOptions, learned: LearnedChoice | None = None
) -> EncodingChoice:
    """Choose how values are encoded.

    Parameters
    ----------
    values
        All values of a chunk.
    options
        What is wished, and the codec.
    learned
        What is known of the column; what is measured is kept there.
    """
    learned = LearnedChoice() if learned is None else learned
    if values.count == 0:
        return EncodingChoice(without_dictionary(values), Encoding.PLAIN)
    can_have_dictionary = values.node.physical is not PhysicalType.BOOLEAN
    wants = options.dictionary if can_have_dictionary else False
    if wants is None and options.encoding is not None:
        wants = False
    if learned.encoding is not None and wants is None:
        wants = learned.has_dictionary
    if wants is None:
        return _measured(values, options, learned)
    coded = _dictionary_of(values, options, is_wanted=True) if wants else None
    if coded is not None:
        return EncodingChoice(coded, learned.encoding or options.encoding or Encoding.PLAIN)
    plain = without_dictionary(values)
    encoding = options.encoding or learned.encoding
    if encoding is None:
        encoding = learned.encoding = _best(_sample_of(plain), options)[0]
    return EncodingChoice(plain, encoding)


def _dictionary_of(
    values: DenseValues, options: ChunkOptions, *, is_wanted: bool
) -> DenseValues | None:
    most_count = values.count if is_wanted else max(1, values.count * 3 // 4)
    return build_dictionary(values, most_nbytes=options.dictionary_nbytes, most_count=most_count)


def _measured(values: DenseValues, options: ChunkOptions, learned: LearnedChoice) -> EncodingChoice:
    """Choose by the sizes that a sample comes to."""
    if values.codes is not None:
        # Who made a dictionary had a reason: it is kept unless it is too large.
        learned.has_dictionary = True
        coded = _dictionary_of(values, options, is_wanted=True)
        if coded is not None:
            return EncodingChoice(coded, Encoding.PLAIN)
        values = without_dictionary(values)
    sample = _sample_of(values)
    encoding, nbytes = _best(sample, options)
    learned.encoding, learned.has_dictionary = encoding, False
    if distinct_in_sample(sample, sample.count) > sample.count * _MOST_DISTINCT:
        return EncodingChoice(values, encoding)
    coded = _dictionary_of(values, options, is_wanted=False)
    if coded is None:
        return EncodingChoice(values, encoding)
    entries = dictionary_entries(coded)
    plain = encode_values(Encoding.PLAIN, entries, 0, entries.count)
    compressed = _compressed(plain, options)
    expected = nbytes * values.count / sample.count
    if memoryview(compressed).nbytes + _codes_nbytes(coded, sample.count, options) < expected:
        learned.has_dictionary = True
        return EncodingChoice(coded, encoding, plain, compressed)
    return EncodingChoice(values, encoding)


def _best(sample: DenseValues, options: ChunkOptions) -> tuple[Encoding, float]:
    """Return the best encoding for a sample, and the bytes that it takes then."""
    sizes: list[tuple[float, int, Encoding]] = []
    for rank, (encoding, handicap) in enumerate(_CANDIDATES[sample.node.physical]):  # type: ignore[index]
        made = _compressed(encode_values(encoding, sample, 0, sample.count), options)
        sizes.append((memoryview(made).nbytes * handicap, rank, encoding))
    nbytes, _, encoding = min(sizes)
    return encoding, nbytes


def _codes_nbytes(coded: DenseValues, sample_count: int, options: ChunkOptions) -> float:
    """Return about how many bytes all codes take."""
    assert coded.codes is not None
    width = code_width(coded)
    taken = count = 0
    for first, stop in _places(coded.count, sample_count):
        made = _compressed(encode_hybrid(coded.codes[first:stop], width), options)
        taken += memoryview(made).nbytes
        count += stop - first
    return taken * coded.count / count


def _compressed(plain: Any, options: ChunkOptions) -> Any:
    return plain if options.codec == 0 else compress(options.codec, plain, options.level)


def _sample_of(values: DenseValues) -> DenseValues:
    """Return some of the values, those of each place together."""
    count = values.count
    wanted = min(_SAMPLE_COUNT, max(_SAMPLE_COUNT_MIN, count // _SAMPLE_PART))
    if values.offsets is not None:
        average = int(values.offsets[-1] - values.offsets[0]) / count
        wanted = max(1, min(wanted, int(_SAMPLE_NBYTES / max(average, 1.0))))
    places = list(_places(count, wanted))
    if len(places) == 1 and places[0] == (0, count):
        return values
    parts = [without_dictionary(values, first, stop) for first, stop in places]
    taken = sum(part.count for part in parts)
    if values.offsets is None:
        return replace(values, count=taken, values=np.concatenate([each.values for each in parts]))
    return _joined_strings(values, parts, taken)


def _joined_strings(values: DenseValues, parts: list[DenseValues], count: int) -> DenseValues:
    data, lengths = [], []
    for part in parts:
        assert part.offsets is not None
        data.append(part.values[int(part.offsets[0]) : int(part.offsets[-1])])
        lengths.append(np.diff(part.offsets))
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(np.concatenate(lengths), out=offsets[1:])
    return replace(values, count=count, values=np.concatenate(data), offsets=offsets)


def _places(count: int, wanted: int) -> Iterable[tuple[int, int]]:
    """Return where a sample comes from."""
    if wanted >= count:
        return ((0, count),)
    each = max(1, wanted // _SAMPLE_PLACES)
    firsts = (0, (count - each) // 2, count - each)
    return tuple((first, first + each) for first in firsts)

"""Which encoding a column gets: candidates are tried on a sample, and measured as stored."""

from __future__ import annotations

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

#: Whatever has the buffer protocol.
_Bytes = Any

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
    PhysicalType.FLOAT: ((Encoding.PLAIN, 1.0), (Encoding.BYTE_STREAM_SPLIT, 1.004)),
    PhysicalType.DOUBLE: ((Encoding.PLAIN, 1.0), (Encoding.BYTE_STREAM_SPLIT, 1.004)),
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
_SAMPLE_COUNT_MIN: Final = 2048
_SAMPLE_PART: Final = 8
_SAMPLE_PLACES: Final = 3
_SAMPLE_NBYTES: Final = 1 << 19
#: Of longer byte strings it has the beginnings.
_SAMPLE_LENGTH: Final = 1 << 17

#: Of codecs that are told how hard to try: a low level, one to take if it makes things smaller by
#: more than this, and one for chunks too short for a sample that tells.
_LEVELS: Final = {6: (1, 3, 4)}
_FAIR_COUNT: Final = 1 << 17
_LEVEL_GAIN: Final = 1.004

#: A dictionary that came with the values keeps entries that none has, if it has no more than this.
_KEPT_ENTRIES: Final = 1024

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
    level
        How hard the codec is to try.
    dictionary_plain, dictionary_compressed
        The dictionary's page, if it was made already.
    """

    values: DenseValues
    encoding: Encoding
    level: int | None
    dictionary_plain: _Bytes | None = None
    dictionary_compressed: _Bytes | None = None


@dataclass(slots=True)
class LearnedChoice:
    """What was found best for a column's first chunk; those that follow are not measured again.

    Parameters
    ----------
    encoding
        Of values that are in no dictionary; None if nothing was measured yet.
    has_dictionary
        Whether there is to be one, if it can be.
    level
        How hard the codec is to try; None if that was not measured.
    """

    encoding: Encoding | None = None
    has_dictionary: bool = False
    level: int | None = None


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
    if options.level is None and learned.level is not None:
        options = replace(options, level=learned.level)
    wants = options.dictionary
    is_boolean = values.node.physical is PhysicalType.BOOLEAN
    if is_boolean or (wants is None and options.encoding is not None):
        wants = False
    elif wants is None and learned.encoding is not None:
        wants = learned.has_dictionary
    elif not values.count and values.codes is None:
        wants = False
    if wants is None:
        return _measured(values, options, learned)
    if wants:
        coded = _dictionary_of(values, options)
        if coded is not None:
            return _coded(coded, options, learned)
    plain = without_dictionary(values)
    if not values.count:
        return EncodingChoice(plain, Encoding.PLAIN, options.level)
    encoding = learned.encoding if options.encoding is None else options.encoding
    if options.encoding is None and values.codes is not None:
        # Readers that make dictionaries of such columns know no other encoding.
        encoding = Encoding.PLAIN
    wants_level = options.level is None and options.codec in _LEVELS
    if encoding is None or wants_level:
        sample, _ = _sample_of(plain)
        found = _best(sample, options, encoding)
        encoding = learned.encoding = found.encoding
        options = _with_level(options, learned, found.plain, values.count)
    return EncodingChoice(plain, encoding, options.level)


def _measured(values: DenseValues, options: ChunkOptions, learned: LearnedChoice) -> EncodingChoice:
    """Choose by the sizes that a sample comes to."""
    if values.codes is not None:
        # Who made a dictionary had a reason: it is kept unless it is too large.
        coded = _dictionary_of(values, options)
        if coded is not None:
            learned.has_dictionary = True
            return _coded(coded, options, learned)
        learned.encoding, learned.has_dictionary = Encoding.PLAIN, False
        return choose_encoding(values, options, learned)
    sample, clipped = _sample_of(values)
    found = _best(sample, options)
    learned.encoding, learned.has_dictionary = found.encoding, False
    coded = None
    if distinct_in_sample(sample, sample.count) <= sample.count * _MOST_DISTINCT:
        most_count = max(1, values.count * 3 // 4)
        coded = build_dictionary(
            values, most_nbytes=options.dictionary_nbytes, most_count=most_count
        )
    if coded is not None:
        entries = dictionary_entries(coded)
        plain = encode_values(Encoding.PLAIN, entries, 0, entries.count)
        compressed = _compressed(plain, options)
        codes_nbytes = _codes_nbytes(coded, sample.count, options)
        plain_nbytes = found.nbytes * clipped * values.count / sample.count
        if _size(compressed) + codes_nbytes < plain_nbytes:
            learned.has_dictionary = True
            return replace(
                _coded(coded, options, learned),
                dictionary_plain=plain,
                dictionary_compressed=compressed,
            )
    options = _with_level(options, learned, found.plain, values.count)
    return EncodingChoice(values, found.encoding, options.level)


def _dictionary_of(values: DenseValues, options: ChunkOptions) -> DenseValues | None:
    """Return values as codes, None if there would be too many entries, or none."""
    nbytes = options.dictionary_nbytes
    if values.codes is not None:
        entries = dictionary_entries(values)
        if entries.count <= max(values.count, _KEPT_ENTRIES):
            found = build_dictionary(entries, most_nbytes=nbytes, most_count=entries.count)
            if found is not None and dictionary_entries(found).count == entries.count:
                # Categories without values are categories all the same.
                return values
    return build_dictionary(values, most_nbytes=nbytes, most_count=values.count)


def _coded(coded: DenseValues, options: ChunkOptions, learned: LearnedChoice) -> EncodingChoice:
    """Return the choice of a dictionary, after a look at how well its codes are compressed."""
    if options.level is None and options.codec in _LEVELS:
        assert coded.codes is not None
        first, stop = _places(coded.count, _SAMPLE_COUNT)[0] if coded.count else (0, 0)
        plain = encode_hybrid(coded.codes[first:stop], code_width(coded))
        options = _with_level(options, learned, plain, coded.count)
    return EncodingChoice(coded, Encoding.PLAIN, options.level)


@dataclass(frozen=True, slots=True)
class _Tried:
    """A sample in an encoding."""

    encoding: Encoding
    nbytes: float
    plain: _Bytes


def _best(sample: DenseValues, options: ChunkOptions, only: Encoding | None = None) -> _Tried:
    """Return a sample in its best encoding, or in the only one that may be."""
    assert sample.node.physical is not None
    candidates = ((only, 1.0),) if only is not None else _CANDIDATES[sample.node.physical]
    best: _Tried | None = None
    for encoding, handicap in candidates:
        plain = encode_values(encoding, sample, 0, sample.count)
        nbytes = _size(_compressed(plain, options)) * handicap
        if best is None or nbytes < best.nbytes:
            best = _Tried(encoding, nbytes, plain)
    assert best is not None
    return best


def _with_level(
    options: ChunkOptions, learned: LearnedChoice, plain: _Bytes, count: int
) -> ChunkOptions:
    """Return options with a level, the lower one if the higher gains little on a sample."""
    if options.level is not None or options.codec not in _LEVELS:
        return options
    if learned.level is None:
        low, high, of_few = _LEVELS[options.codec]
        if count < _FAIR_COUNT:
            learned.level = of_few
            return replace(options, level=of_few)
        sizes = [_size(compress(options.codec, plain, level)) for level in (low, high)]
        learned.level = low if sizes[0] <= sizes[1] * _LEVEL_GAIN else high
    return replace(options, level=learned.level)


def _codes_nbytes(coded: DenseValues, sample_count: int, options: ChunkOptions) -> float:
    """Return about how many bytes all codes take."""
    assert coded.codes is not None
    width = code_width(coded)
    taken = count = 0
    for first, stop in _places(coded.count, sample_count):
        taken += _size(_compressed(encode_hybrid(coded.codes[first:stop], width), options))
        count += stop - first
    return taken * coded.count / count


def _compressed(plain: _Bytes, options: ChunkOptions) -> _Bytes:
    return compress(options.codec, plain, options.level)


def _size(data: _Bytes) -> int:
    return memoryview(data).nbytes


def _sample_of(values: DenseValues) -> tuple[DenseValues, float]:
    """Return some values, which have no codes, and how much longer they were.

    Those of each place are together.
    """
    count = values.count
    wanted = min(_SAMPLE_COUNT, max(_SAMPLE_COUNT_MIN, count // _SAMPLE_PART))
    if values.offsets is not None:
        average = int(values.offsets[-1] - values.offsets[0]) / count
        wanted = max(1, min(wanted, int(_SAMPLE_NBYTES / max(average, 1.0))))
    places = list(_places(count, wanted))
    if len(places) == 1 and places[0] == (0, count):
        return _clipped(values)
    taken = sum(stop - first for first, stop in places)
    if values.offsets is None:
        joined = np.concatenate([values.values[first:stop] for first, stop in places])
        return replace(values, count=taken, values=joined), 1.0
    parts = [without_dictionary(values, first, stop) for first, stop in places]
    return _clipped(_joined_strings(values, parts, taken))


def _clipped(values: DenseValues) -> tuple[DenseValues, float]:
    """Return the beginnings of byte strings that are very long, and how much longer they were."""
    if values.offsets is None:
        return values, 1.0
    starts, lengths = values.offsets[:-1], np.diff(values.offsets)
    if lengths.max(initial=0) <= _SAMPLE_LENGTH:
        return values, 1.0
    kept = np.minimum(lengths, _SAMPLE_LENGTH)
    stops = (starts + kept).tolist()
    data = [values.values[at:stop] for at, stop in zip(starts.tolist(), stops, strict=True)]
    offsets = np.zeros(values.count + 1, np.int64)
    np.cumsum(kept, out=offsets[1:])
    clipped = replace(values, values=np.concatenate(data), offsets=offsets)
    return clipped, int(lengths.sum()) / int(offsets[-1])


def _joined_strings(values: DenseValues, parts: list[DenseValues], count: int) -> DenseValues:
    data, lengths = [], []
    for part in parts:
        assert part.offsets is not None
        data.append(part.values[int(part.offsets[0]) : int(part.offsets[-1])])
        lengths.append(np.diff(part.offsets))
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(np.concatenate(lengths), out=offsets[1:])
    return replace(values, count=count, values=np.concatenate(data), offsets=offsets)


def _places(count: int, wanted: int) -> tuple[tuple[int, int], ...]:
    """Return where a sample comes from."""
    if wanted >= count:
        return ((0, count),)
    each = max(1, wanted // _SAMPLE_PLACES)
    firsts = (0, (count - each) // 2, count - each)
    return tuple((first, first + each) for first in firsts)

"""Options by column, applied to the columns that there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from hocket.parquet.codecs import checked_level
from hocket.parquet.encode.bloom import can_have_bloom
from hocket.parquet.encode.encoders import ENCODINGS
from hocket.parquet.encode.options import ChunkOptions
from hocket.parquet.errors import ColumnMissing, InvalidOption
from hocket.parquet.metadata.encodings import Encoding
from hocket.parquet.metadata.schema import Schema, SchemaNode
from hocket.parquet.metadata.sorting import SortingColumn
from hocket.parquet.writing.options import DEFAULT_KEY, WriteOptions, codec_of, encoding_of

__all__ = ["chunk_options", "columns_under", "sorting_columns"]

_DICTIONARY_ENCODINGS: Final = (Encoding.RLE_DICTIONARY, Encoding.PLAIN_DICTIONARY)
_BLOOM_RATE: Final = 0.01


def chunk_options(options: WriteOptions, schema: Schema) -> list[ChunkOptions]:
    """Return how each column's chunks are to be encoded.

    Parameters
    ----------
    options
        What the caller wants.
    schema
        The file's.
    """
    codecs = _by_column("compression", options.compression, schema, default="zstd")
    levels = _by_column("compression_level", options.compression_level, schema)
    encodings = _by_column("encoding", options.encoding, schema)
    dictionaries = _by_column("dictionary", options.dictionary, schema)
    statistics = _by_column("statistics", options.statistics, schema, default=False)
    blooms = _by_column("bloom_filters", options.bloom_filters, schema)
    made = []
    for leaf, codec, level, encoding, dictionary, is_counted, bloom in zip(
        schema.leaves, codecs, levels, encodings, dictionaries, statistics, blooms, strict=True
    ):
        number, own_level = codec_of(codec[0])
        one = ChunkOptions(
            codec=number,
            level=own_level if level[0] is None else _level(number, *level),
            dictionary=_flag("dictionary", dictionary[0]),
            dictionary_nbytes=options.dictionary_nbytes,
            page_version=options.page_version,
            page_nbytes=options.page_nbytes,
            page_rows=options.page_rows,
            has_checksums=options.checksums,
            has_statistics=bool(_flag("statistics", is_counted[0])),
            has_page_index=options.page_index is not False and bool(is_counted[0]),
        )
        one = _encoded(one, leaf, encoding_of(encoding[0]), is_named=encoding[1])
        made.append(_filtered(one, leaf, bloom[0], is_named=bloom[1]))
    return made


def columns_under(what: str, key: Any, schema: Schema) -> tuple[SchemaNode, ...]:
    """Return the columns that a name in an option stands for.

    Parameters
    ----------
    what
        The option, for errors.
    key
        A column's name or that of a field with columns in it, with dots, or as a tuple.
    schema
        The file's.
    """
    if not isinstance(key, (str, tuple)):
        raise InvalidOption(f"{what} names the column {key!r}; columns are named by strings")
    try:
        return schema.leaves_under(schema.find(key))
    except ColumnMissing as error:
        raise ColumnMissing(f"in {what}: {error.reason}") from None


def _by_column(
    what: str, told: Any, schema: Schema, *, default: Any = None
) -> list[tuple[Any, bool]]:
    """Return what an option says of each leaf, and whether it says so by the leaf's name."""
    if isinstance(told, Mapping) and not _is_codec(told, schema):
        made = [(told.get(DEFAULT_KEY, default), False)] * len(schema.leaves)
        named = [key for key in told if key != DEFAULT_KEY]
        chosen = [(key, columns_under(what, key, schema)) for key in named]
        # What is said of fewer columns is said of them more closely.
        for key, leaves in sorted(chosen, key=lambda each: -len(each[1])):
            for leaf in leaves:
                made[leaf.column_index] = told[key], True
        return made
    if isinstance(told, Collection) and not isinstance(told, (str, bytes, Mapping)):
        made = [(False, False)] * len(schema.leaves)
        for key in told:
            for leaf in columns_under(what, key, schema):
                made[leaf.column_index] = True, True
        return made
    return [(told, False)] * len(schema.leaves)


def _is_codec(told: Mapping[Any, Any], schema: Schema) -> bool:
    """Whether a dict is one codec with its arguments, and not an option by column."""
    names = {node.name for node in schema.fields}
    return "type" in told and set(told) <= {"type", "args"} and "type" not in names


def _flag(what: str, value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise InvalidOption(f"{what} has {value!r}; it has to be True, False or None")


def _level(codec: int, level: Any, is_named: bool) -> int | None:  # noqa: FBT001 - a pair's two
    """Return a level, but not for codecs without levels that nobody named."""
    try:
        return checked_level(codec, level)
    except InvalidOption:
        if is_named or codec not in (0, 1):
            raise
        return None


def _encoded(
    one: ChunkOptions, leaf: SchemaNode, encoding: Encoding | None, *, is_named: bool
) -> ChunkOptions:
    if encoding is None:
        return one
    if encoding in _DICTIONARY_ENCODINGS:
        return replace(one, dictionary=True)
    assert leaf.physical is not None
    known = ENCODINGS[leaf.physical]
    if encoding in known:
        return replace(one, encoding=encoding, dictionary=bool(one.dictionary))
    if not is_named:
        return one
    names = ", ".join(each.name for each in (*known, Encoding.RLE_DICTIONARY))
    raise InvalidOption(
        f"the encoding is {encoding.name}, which is not for {leaf.physical.name}; that can be "
        f"{names}",
        column=leaf.dotted,
    )


def _filtered(one: ChunkOptions, leaf: SchemaNode, told: Any, *, is_named: bool) -> ChunkOptions:
    if told is None or told is False:
        return one
    if not can_have_bloom(leaf):
        if not is_named:
            return one
        raise InvalidOption(
            "there are no Bloom filters of booleans; leave the column out", column=leaf.dotted
        )
    rate, distinct = (
        (told.get("fpp"), told.get("ndv")) if isinstance(told, Mapping) else (told, None)
    )
    rate = _BLOOM_RATE if rate is None or rate is True else rate
    if not isinstance(rate, float) or not 0 < rate < 1:
        raise InvalidOption(
            f"bloom_filters has {told!r}; it has to be a rate between 0 and 1, say 0.01, or "
            '{"fpp": rate, "ndv": number of different values}',
            column=leaf.dotted,
        )
    if distinct is not None and (not isinstance(distinct, int) or distinct < 1):
        raise InvalidOption(f'"ndv" is {distinct!r}; it has to be a number', column=leaf.dotted)
    return replace(one, bloom_rate=rate, bloom_distinct=distinct)


def sorting_columns(told: Any, schema: Schema) -> tuple[SortingColumn, ...]:
    """Return by which columns the caller says that rows are sorted.

    Parameters
    ----------
    told
        Names; or tuples of name, whether it is descending, whether nulls come first.
    schema
        The file's.
    """
    return tuple(_sorting_column(each, schema) for each in told)


def _sorting_column(told: Any, schema: Schema) -> SortingColumn:
    name, flags = told, (False, False)
    if isinstance(told, (tuple, list)):
        name, *rest = told
        flags = (*rest, *(False, False)[len(rest) :])
    if len(flags) != 2 or not all(isinstance(each, bool) for each in flags):
        raise InvalidOption(
            f"sorting_columns has {told!r}; it has to be a name, or (name, descending, nulls first)"
        )
    leaves = columns_under("sorting_columns", name, schema)
    if len(leaves) != 1:
        raise InvalidOption(
            f"sorting_columns has {name!r}, which is {len(leaves)} columns; name one of them"
        )
    return SortingColumn(leaves[0].column_index, *flags)

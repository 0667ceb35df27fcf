"""``stats``: what the footers say of each column's values and sizes."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from hocket.parquet.cli.encodings import encoding_names
from hocket.parquet.cli.opened import (
    chosen_chunks,
    chosen_groups,
    chosen_leaves,
    opened_collection,
)
from hocket.parquet.cli.output import (
    MISSING,
    Output,
    count_of,
    nbytes_of,
    printable,
    shortened,
)
from hocket.parquet.cli.type_words import type_words
from hocket.parquet.cli.values import json_of, text_of
from hocket.parquet.codecs import codec_name
from hocket.parquet.dataset.collection import Collection
from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.metadata.statistics import ColumnStatistics
from hocket.parquet.records import dataclass

__all__ = ["run"]

_BOUND_MAX: Final = 30
_NAME_MAX: Final = 60
#: Before a bound that may not itself be a value.
_INEXACT: Final = "~"


@dataclass(slots=True)
class _Bound:
    """The minimum or maximum of several chunks; `is_known` until one of them does not tell it."""

    is_upper: bool
    value: Any = None
    is_exact: bool = True
    is_known: bool = True

    def add(self, value: Any, *, is_exact: bool | None) -> None:
        """Take in what a chunk tells, None for nothing."""
        if value is None:
            self.is_known = False
        elif self.value is None or (value > self.value if self.is_upper else value < self.value):
            self.value, self.is_exact = value, is_exact is not False

    @property
    def told(self) -> Any:
        """What holds for all chunks."""
        return self.value if self.is_known else None


def run(options: Namespace, output: Output) -> int:
    """Show the statistics; return the exit code."""
    collection = opened_collection(options)
    groups = chosen_groups(options, len(collection.groups))
    leaves = chosen_leaves(options, collection.schema)
    columns = _columns(collection, groups, leaves)
    if options.json:
        output.json([each for each, _, _ in columns])
        return 0
    titles = ["column", "type", "values", "nulls", "distinct", "min", "max"]
    titles += ["compressed", "uncompressed", "ratio", "codec", "encodings"]
    right = {"values", "nulls", "distinct", "compressed", "uncompressed", "ratio"}
    with_nan = any(each["nans"] is not None for each, _, _ in columns)
    if with_nan:
        titles.insert(4, "NaN")
        right.add("NaN")
    rows = []
    for each, low, high in columns:
        row = _row(each, low, high)
        if with_nan:
            row.insert(4, count_of(each["nans"]))
        rows.append(row)
    output.table(titles, rows, right)
    return 0


def _columns(
    collection: Collection, groups: Sequence[int], leaves: Sequence[SchemaNode]
) -> list[tuple[dict[str, Any], _Bound, _Bound]]:
    chunks = chosen_chunks(collection, groups, leaves)
    found = []
    for at, leaf in enumerate(leaves):
        is_hidden = chunks.is_hidden[:, at]
        is_open = ~is_hidden & (chunks.chunk_at[:, at] >= 0)
        compressed = int(chunks.compressed_nbytes[is_open, at].sum())
        uncompressed = int(chunks.uncompressed_nbytes[is_open, at].sum())
        encodings = chunks.encodings[is_open, at]
        low, high = _Bound(is_upper=False), _Bound(is_upper=True)
        made: dict[str, Any] = {
            "column": leaf.dotted,
            "type": type_words(leaf),
            "values": int(chunks.num_values[is_open, at].sum()),
            "locked": int(is_hidden.sum()),
            **_values(collection, groups, leaf, low, high),
            "compressed_nbytes": compressed,
            "uncompressed_nbytes": uncompressed,
            "ratio": round(uncompressed / compressed, 3) if compressed else None,
            "codecs": [codec_name(each) for each in np.unique(chunks.codec[is_open, at]).tolist()],
            "encodings": encoding_names(
                int(np.bitwise_or.reduce(encodings)) if encodings.size else 0
            ),
            "unencoded_nbytes": _unencoded(collection, groups, leaf),
        }
        found.append((made, low, high))
    return found


def _values(
    collection: Collection,
    groups: Sequence[int],
    leaf: SchemaNode,
    low: _Bound,
    high: _Bound,
) -> dict[str, Any]:
    """Return what is known of the values of all row groups together, and set its bounds."""
    nulls: int | None = 0
    nans: int | None = 0
    distinct: int | None = None
    for number in groups:
        place = collection.groups[number]
        file = collection.files[place.file]
        found = file.leaf(leaf.column_index)
        if found is None:
            nulls = None if nulls is None else nulls + int(collection.rows[number])
            continue
        own = found.column_index
        told = file.metadata.statistics(place.index, own) or ColumnStatistics(leaf)
        if leaf.max_definition == 0:
            null_count: int | None = 0
        else:
            null_count = told.null_count
        nulls = None if nulls is None or null_count is None else nulls + null_count
        nans = None if nans is None or told.nan_count is None else nans + told.nan_count
        # How many different values several row groups have cannot be told from each one's number.
        distinct = told.distinct_count if len(groups) == 1 else None
        count = int(file.metadata.chunks.num_values[place.index, own])
        # Where there is nothing but nulls and NaN, there are no bounds.
        if (null_count or 0) + (told.nan_count or 0) < count:
            low.add(told.min_value, is_exact=told.min_is_exact)
            high.add(told.max_value, is_exact=told.max_is_exact)
    return {
        "nulls": nulls,
        "nans": nans if groups else None,
        "distinct": distinct,
        "min": json_of(low.told),
        "min_is_exact": low.is_exact if low.told is not None else None,
        "max": json_of(high.told),
        "max_is_exact": high.is_exact if high.told is not None else None,
    }


def _unencoded(collection: Collection, groups: Sequence[int], leaf: SchemaNode) -> int | None:
    total = 0
    for number in groups:
        place = collection.groups[number]
        file = collection.files[place.file]
        own = file.leaf(leaf.column_index)
        if own is None:
            continue
        told = file.metadata.size_statistics(place.index, own.column_index)
        if told is None or told.unencoded_nbytes is None:
            return None
        total += told.unencoded_nbytes
    return total if groups else None


def _bound_text(bound: _Bound) -> str:
    if bound.told is None:
        return MISSING
    text = shortened(text_of(bound.told), _BOUND_MAX)
    return text if bound.is_exact else f"{_INEXACT}{text}"


def _row(column: dict[str, Any], low: _Bound, high: _Bound) -> list[str]:
    ratio = column["ratio"]
    name = shortened(printable(column["column"]), _NAME_MAX)
    if column["locked"]:
        return [name, column["type"], *[MISSING] * 8, "locked", MISSING]
    return [
        name,
        column["type"],
        count_of(column["values"]),
        count_of(column["nulls"]),
        count_of(column["distinct"]),
        _bound_text(low),
        _bound_text(high),
        nbytes_of(column["compressed_nbytes"]),
        nbytes_of(column["uncompressed_nbytes"]),
        MISSING if ratio is None else f"{ratio:.2f}",
        ", ".join(column["codecs"]) or MISSING,
        ", ".join(column["encodings"]) or MISSING,
    ]

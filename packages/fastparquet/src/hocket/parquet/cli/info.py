"""``info``: what a file or dataset is, from its footers alone."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
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
    Output,
    count_of,
    nbytes_of,
    number_of,
    printable,
    shortened,
)
from hocket.parquet.codecs import codec_name
from hocket.parquet.dataset.collection import Collection
from hocket.parquet.metadata.chunks import ChunkTable
from hocket.parquet.metadata.schema import SchemaNode

__all__ = ["run"]

#: Longer values of metadata are only counted.
_VALUE_LENGTH_MAX: Final = 60
#: More of them are not named.
_NAMES_MAX: Final = 8


def run(options: Namespace, output: Output) -> int:
    """Show what the footers say; return the exit code."""
    collection = opened_collection(options)
    groups = chosen_groups(options, len(collection.groups))
    leaves = chosen_leaves(options, collection.schema)
    about = _summary(collection, groups, leaves)
    if options.json:
        output.json(about)
        return 0
    output.line(printable(str(about["name"])))
    output.pairs([(f"  {name}", text) for name, text in _pairs(about)])
    return 0


def _summary(
    collection: Collection, groups: Sequence[int], leaves: Sequence[SchemaNode]
) -> dict[str, Any]:
    files, found = collection.files, collection.found
    rows = collection.rows[list(groups)]
    chunks = chosen_chunks(collection, groups, leaves)
    is_there = chunks.chunk_at >= 0
    open_chunks = is_there & ~chunks.is_hidden
    compressed = int(chunks.compressed_nbytes[open_chunks].sum())
    uncompressed = int(chunks.uncompressed_nbytes[open_chunks].sum())
    # Files that `_metadata` describes were not opened.
    own_footers = found.metadata is None
    summaries = [file.metadata for file in files] if own_footers else [collection.summary]
    return {
        "name": found.metadata or (files[0].label if found.is_single else found.root),
        "files": len(files),
        "files_nbytes": sum(file.source.nbytes for file in files) if own_footers else None,
        "footers_nbytes": sum(each.nbytes for each in summaries),
        "rows": int(rows.sum()),
        "row_groups": len(groups),
        "row_group_rows": [int(rows.min()), int(rows.max())] if len(rows) else None,
        "columns": len(leaves),
        "top_level_columns": len({leaf.path[0] for leaf in leaves}),
        "compressed_nbytes": compressed,
        "uncompressed_nbytes": uncompressed,
        "ratio": round(uncompressed / compressed, 3) if compressed else None,
        "created_by": list(dict.fromkeys(each.created_by for each in summaries)),
        "version": sorted({each.version for each in summaries}),
        "codecs": _codecs(chunks, open_chunks),
        "encodings": encoding_names(_any_bits(chunks.encodings[open_chunks])),
        "column_chunks": int(is_there.sum()),
        "with_statistics": int((chunks.statistics_at >= 0).sum()),
        "with_column_index": int((chunks.column_index_offset > 0).sum()),
        "with_offset_index": int((chunks.offset_index_offset > 0).sum()),
        "with_bloom_filter": int((chunks.bloom_offset > 0).sum()),
        "sorted_by": _sorted_by(collection, groups),
        "encryption": _encryption(collection, chunks),
        "partitions": {each.name: len(each.values) for each in collection.partitions},
        "key_values": {
            key: value if isinstance(value, str) else value.hex()
            for key, value in collection.summary.key_value.items()
        },
    }


def _codecs(chunks: ChunkTable, open_chunks: np.ndarray[Any, Any]) -> dict[str, int]:
    numbers, counts = np.unique(chunks.codec[open_chunks], return_counts=True)
    return {
        codec_name(number): count
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
    }


def _any_bits(masks: np.ndarray[Any, Any]) -> int:
    return int(np.bitwise_or.reduce(masks)) if masks.size else 0


def _sorted_by(collection: Collection, groups: Sequence[int]) -> list[str] | None:
    """Return by what all row groups are sorted; None if it is not the same."""
    leaves = collection.schema.leaves
    orders: set[tuple[str, ...]] = set()
    for number in groups:
        place = collection.groups[number]
        metadata = collection.files[place.file].metadata
        told = []
        for each in metadata.sorting_columns(place.index):
            if not 0 <= each.column < len(leaves):
                return None
            leaf = metadata.schema.leaves[each.column]
            told.append(f"{leaf.dotted} {'descending' if each.descending else 'ascending'}")
        orders.add(tuple(told))
        if len(orders) > 1:
            return None
    return list(orders.pop()) if orders else []


def _encryption(collection: Collection, chunks: ChunkTable) -> dict[str, Any] | None:
    ciphers = [file.file_cipher for file in collection.files]
    cipher = next((each for each in ciphers if each is not None), None)
    is_encrypted = chunks.crypto_at >= 0
    if cipher is None and not is_encrypted.any():
        return None
    return {
        "algorithm": None if cipher is None else cipher.algorithm_name,
        "footer": None
        if cipher is None
        else ("encrypted" if cipher.footer_is_encrypted else "plain, signed"),
        "encrypted_columns": int(is_encrypted.any(axis=0).sum()),
        "locked_column_chunks": int(chunks.is_hidden.sum()),
    }


# ------------------------------------------------------------------------------------ as text


def _pairs(about: dict[str, Any]) -> list[tuple[str, str]]:
    pairs = [
        ("rows", count_of(about["rows"])),
        ("row groups", _row_groups(about)),
        ("columns", _columns(about)),
        ("size", _size(about)),
        ("created by", ", ".join(_names(about["created_by"])) or "not told"),
        ("format version", ", ".join(map(str, about["version"]))),
        ("codecs", _codec_words(about["codecs"])),
        ("encodings", ", ".join(about["encodings"]) or "none"),
        ("statistics", _part(about, "with_statistics")),
        ("page index", _page_index(about)),
        ("Bloom filters", _part(about, "with_bloom_filter")),
        ("encryption", _encryption_words(about["encryption"])),
    ]
    if about["files"] != 1:
        pairs.insert(0, ("files", count_of(about["files"])))
    if about["sorted_by"]:
        pairs.append(("sorted by", ", ".join(map(printable, about["sorted_by"]))))
    if about["partitions"]:
        each = [f"{printable(name)} ({count})" for name, count in about["partitions"].items()]
        pairs.append(("partitions", ", ".join(each)))
    for at, (key, value) in enumerate(about["key_values"].items()):
        shown = printable(value)
        if len(shown) > _VALUE_LENGTH_MAX:
            shown = f"({nbytes_of(len(value.encode('utf-8', 'surrogatepass')))})"
        name = shortened(printable(key), _VALUE_LENGTH_MAX)
        pairs.append(("key-values" if at == 0 else "", f"{name}: {shown}"))
    return pairs


def _row_groups(about: dict[str, Any]) -> str:
    words = count_of(about["row_groups"])
    if about["row_group_rows"] and about["row_groups"] > 1:
        least, most = about["row_group_rows"]
        told = count_of(most) if least == most else f"{count_of(least)} to {count_of(most)}"
        words += f" of {told} rows"
    return words


def _columns(about: dict[str, Any]) -> str:
    leaves, top = about["columns"], about["top_level_columns"]
    return count_of(leaves) if leaves == top else f"{count_of(leaves)}, in {count_of(top)} fields"


def _size(about: dict[str, Any]) -> str:
    words = f"{nbytes_of(about['compressed_nbytes'])} compressed, "
    words += f"{nbytes_of(about['uncompressed_nbytes'])} uncompressed"
    if about["ratio"] is not None:
        words += f" (ratio {about['ratio']:.2f})"
    if about["files_nbytes"] is not None:
        whose = "file" if about["files"] == 1 else "files"
        words += f"; {whose} {nbytes_of(about['files_nbytes'])}"
    return f"{words}, footer {nbytes_of(about['footers_nbytes'])}"


def _names(found: Sequence[str | None]) -> list[str]:
    names = [shortened(printable(each), 200) for each in found if each is not None]
    more = len(names) - _NAMES_MAX
    return [*names[:_NAMES_MAX], f"and {more} more"] if more > 0 else names


def _codec_words(codecs: dict[str, int]) -> str:
    if len(codecs) == 1:
        return next(iter(codecs))
    ordered = Counter(codecs).most_common()
    return ", ".join(f"{name} ({number_of(count, 'chunk')})" for name, count in ordered) or "none"


def _part(about: dict[str, Any], name: str) -> str:
    count, total = about[name], about["column_chunks"]
    if count == 0:
        return "none"
    return "all column chunks" if count == total else f"{count_of(count)} of {count_of(total)}"


def _page_index(about: dict[str, Any]) -> str:
    places, bounds = _part(about, "with_offset_index"), _part(about, "with_column_index")
    if places == bounds:
        return places
    return f"places of pages: {places}; bounds of pages: {bounds}"


def _encryption_words(encryption: dict[str, Any] | None) -> str:
    if encryption is None:
        return "none"
    words = [encryption["algorithm"] or "not told here"]
    if encryption["footer"] is not None:
        words.append(f"footer {encryption['footer']}")
    words.append(f"{number_of(encryption['encrypted_columns'], 'column')} encrypted")
    locked = encryption["locked_column_chunks"]
    if locked:
        words.append(f"{number_of(locked, 'column chunk')} locked for lack of keys")
    return ", ".join(words)

"""Paths of columns in footers: whether the chunks of a row group are in the schema's order."""

from __future__ import annotations

from typing import Any

import numpy as np

from hocket.parquet.kernels.source import footer as layout
from hocket.parquet.kernels.source.thrift import BINARY
from hocket.parquet.metadata.compact import varint
from hocket.parquet.metadata.scanning import padded, read_items
from hocket.parquet.metadata.schema import Schema

__all__ = ["paths_of", "put_in_order"]


def paths_of(schema: Schema, limit: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the paths of all columns as they stand in footers, and where each ends.

    Parameters
    ----------
    schema
        The schema.
    limit
        Size of the footer: if all paths were more bytes, then the footer has others, and none are
        returned.
    """
    ends = np.zeros(len(schema.leaves), dtype=np.int64)
    pieces: list[bytes] = []
    total = 0
    for index, leaf in enumerate(schema.leaves):
        # Most columns are in no group.
        path = (leaf.name,) if leaf.parent is schema.root else leaf.path
        piece = _serialised(path)
        total += len(piece)
        if total > limit:
            return padded(b""), np.zeros(len(schema.leaves), dtype=np.int64)
        pieces.append(piece)
        ends[index] = total
    return padded(b"".join(pieces)), ends


def _serialised(path: tuple[str, ...]) -> bytes:
    """Return a list of strings in the compact protocol."""
    count = len(path)
    if count == 1:
        raw = path[0].encode("utf-8", "surrogatepass")
        size = len(raw)
        return (b"\x18%c%b" % (size, raw)) if size < 128 else b"\x18" + varint(size) + raw
    pieces = [bytes([count << 4 | BINARY]) if count < 15 else bytes([0xF0 | BINARY, count])]
    for name in path:
        raw = name.encode("utf-8", "surrogatepass")
        pieces.append(varint(len(raw)))
        pieces.append(raw)
    return b"".join(pieces)


def put_in_order(
    data: np.ndarray[Any, Any],
    schema: Schema,
    groups: np.ndarray[Any, Any],
    chunks: np.ndarray[Any, Any],
) -> None:
    """Bring chunks into the schema's order where their paths say that they are in another.

    Parameters
    ----------
    data
        The bytes of the footer, padded.
    schema
        The schema.
    groups, chunks
        The tables of row groups and of column chunks, as kernels.source.footer has them.
    """
    others = np.flatnonzero(groups[:, layout.OTHER_PATHS])
    if not len(others) or not paths_of(schema, limit=len(data))[1].any():
        return
    for row_group in others:
        told = [
            _path_at(data, int(at)) if at >= 0 else leaf.path
            for at, leaf in zip(chunks[layout.AT_PATH, row_group], schema.leaves, strict=True)
        ]
        waiting: dict[tuple[str, ...], list[int]] = {}
        for index in range(len(told) - 1, -1, -1):
            waiting.setdefault(told[index], []).append(index)
        order = []
        for leaf in schema.leaves:
            places = waiting.get(leaf.path)
            if not places:
                # Not the schema's paths at all: as other readers do, go by the order alone.
                break
            order.append(places.pop())
        else:
            chunks[:, row_group, :] = chunks[:, row_group, order]


def _path_at(data: np.ndarray[Any, Any], at: int) -> tuple[str, ...]:
    raw = data.data
    return tuple(
        str(raw[first : first + nbytes], "utf-8", "backslashreplace") if kind == BINARY else ""
        for kind, first, nbytes in read_items(data, at, "a path").tolist()
    )

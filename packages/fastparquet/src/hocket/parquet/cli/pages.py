"""``pages``: the pages of column chunks, as their headers and the page index describe them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any, Final

from hocket.parquet.cli.encodings import encoding_name
from hocket.parquet.cli.opened import chosen_groups, chosen_leaves, opened_collection
from hocket.parquet.cli.output import MISSING, Output, count_of, nbytes_of, number_of, printable
from hocket.parquet.cli.type_words import type_words
from hocket.parquet.codecs import codec_name
from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.dataset.page_places import column_index, offset_index
from hocket.parquet.decode.pages import TYPE_NAMES, scan_chunk
from hocket.parquet.decode.place import ChunkPlace
from hocket.parquet.errors import ParquetError
from hocket.parquet.kernels.source import pages as layout

__all__ = ["run"]

_TITLES: Final = (
    "page",
    "type",
    "encoding",
    "values",
    "nulls",
    "first row",
    "compressed",
    "uncompressed",
    "offset",
    "CRC",
)
_RIGHT: Final = frozenset(_TITLES) - {"type", "encoding"}
_DATA: Final = (layout.DATA_PAGE, layout.DATA_PAGE_V2)


def run(options: Namespace, output: Output) -> int:
    """Show the pages, chunk by chunk; return the exit code."""
    collection = opened_collection(options)
    groups = chosen_groups(options, len(collection.groups))
    leaves = chosen_leaves(options, collection.schema)
    code = 0
    is_first = True
    for number in groups:
        place = collection.groups[number]
        file = collection.files[place.file]
        for leaf in leaves:
            own = file.leaf(leaf.column_index)
            if own is None:
                continue
            try:
                chunk = file.chunk(place.index, own)
                pages = _pages(file, chunk)
            except ParquetError as error:
                error.located(file=file.label, row_group=place.index, column=own.dotted)
                _complain(error)
                code = 1
                continue
            if options.json:
                head = {"file": file.label, "row_group": place.index, "column": own.dotted}
                for page in pages:
                    output.json({**head, **page}, is_line=True)
                continue
            if not is_first:
                output.line()
            is_first = False
            whose = "" if collection.found.is_single else f"{file.label}, "
            output.line(printable(f"{whose}{_heading(chunk, len(pages))}"))
            output.table(_TITLES, [_row(page) for page in pages], _RIGHT)
    return code


def _complain(error: ParquetError) -> None:
    import sys  # noqa: PLC0415 - most files are sound

    Output(sys.stderr, 0).line(printable(str(error)))


def _heading(chunk: ChunkPlace, count: int) -> str:
    return (
        f"row group {chunk.row_group}, {chunk.leaf.dotted}: {type_words(chunk.leaf)}; "
        f"{codec_name(chunk.codec)}, {number_of(chunk.num_values, 'value')} in "
        f"{number_of(count, 'page')}, {nbytes_of(chunk.nbytes)} at {chunk.start}"
    )


def _pages(file: DataFile, chunk: ChunkPlace) -> list[dict[str, Any]]:
    raw = file.source.read(chunk.start, chunk.nbytes)
    table = scan_chunk(chunk, [(chunk.start, raw)])
    # What the index adds; one that is damaged adds nothing.
    places = _or_none(lambda: offset_index(file, chunk.row_group, chunk.leaf))
    bounds = _or_none(lambda: column_index(file, chunk.row_group, chunk.leaf))
    null_counts = None if bounds is None else bounds.null_counts
    rows = table.rows.tolist()
    data_pages = sum(row[layout.TYPE] in _DATA for row in rows)
    is_usable = places is not None and len(places) == data_pages
    first_rows = places.first_rows if is_usable else None
    if null_counts is not None and len(null_counts) != data_pages:
        null_counts = None
    made = []
    at = 0
    for number, row in enumerate(rows):
        page = _page(number, row)
        if row[layout.TYPE] in _DATA:
            if first_rows is not None:
                page["first_row"] = int(first_rows[at])
            elif chunk.leaf.max_repetition == 0:
                page["first_row"] = row[layout.FIRST_VALUE]
            if chunk.leaf.max_definition == 0:
                page["nulls"] = 0
            elif page["nulls"] is None and null_counts is not None:
                page["nulls"] = int(null_counts[at])
            at += 1
        made.append(page)
    return made


def _or_none(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ParquetError:
        return None


def _page(number: int, row: list[int]) -> dict[str, Any]:
    kind = row[layout.TYPE]
    has_values = kind != layout.INDEX_PAGE and kind in TYPE_NAMES
    return {
        "page": number,
        "type": TYPE_NAMES.get(kind, f"type {kind}"),
        "encoding": encoding_name(row[layout.ENCODING]) if has_values else None,
        "values": row[layout.VALUES] if has_values else None,
        "nulls": _told(row[layout.NULLS]) if kind == layout.DATA_PAGE_V2 else None,
        "first_row": None,
        "compressed_nbytes": row[layout.COMPRESSED_NBYTES],
        "uncompressed_nbytes": row[layout.UNCOMPRESSED_NBYTES],
        "offset": row[layout.HEADER],
        "crc": _told(row[layout.CRC]),
    }


def _told(number: int) -> int | None:
    return None if number < 0 else number


def _row(page: dict[str, Any]) -> list[str]:
    crc = page["crc"]
    return [
        str(page["page"]),
        page["type"],
        page["encoding"] or MISSING,
        count_of(page["values"]),
        count_of(page["nulls"]),
        count_of(page["first_row"]),
        nbytes_of(page["compressed_nbytes"]),
        nbytes_of(page["uncompressed_nbytes"]),
        str(page["offset"]),
        MISSING if crc is None else f"{crc:08x}",
    ]

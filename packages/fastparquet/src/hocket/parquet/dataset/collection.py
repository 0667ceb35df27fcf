"""The files of a dataset as one: a schema, partitions, and row groups in order."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hocket.parquet.dataset.agreement import Agreement, agree
from hocket.parquet.dataset.data_file import DataFile, Opener, read_file
from hocket.parquet.dataset.discovery import Found, discover, name_below
from hocket.parquet.errors import CorruptFile, UnsupportedFeature
from hocket.parquet.metadata.footer import FileMetadata
from hocket.parquet.metadata.schema import Schema
from hocket.parquet.nesting.fields import Field, fields_of
from hocket.parquet.pool import run_tasks
from hocket.parquet.records import dataclass, replace

if TYPE_CHECKING:
    from hocket.parquet.dataset.hints import Hints
    from hocket.parquet.dataset.partitions import Partition, Scheme

__all__ = [
    "FOOTER_THREADS",
    "Collection",
    "RowGroupPlace",
    "open_collection",
    "open_found",
    "partitions_of",
]

#: So many footers are read at once; most of the time is waiting for answers.
FOOTER_THREADS: Final = 16
_FEW_FILES: Final = 8
_MOST_TRIES: Final = 4
_MOST_ROWS: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class RowGroupPlace:
    """A row group of a dataset: which file it is in, and its index in that file's metadata."""

    file: int
    index: int


class Collection:
    """Files that make one dataset.

    Parameters
    ----------
    files
        With column chunks, in order.
    groups
        All their row groups, in order.
    summary
        The metadata that speaks for all: of ``_metadata``, or of the first file.
    found
        What was named, and where it is.
    partitions
        Columns that directories tell.
    scheme
        ``simple``, ``flat``, ``hive``, ``drill``, ``other`` or ``empty``.
    agreement
        What different schemas have in common, if that was found before.
    """

    def __init__(
        self,
        files: Sequence[DataFile],
        groups: Sequence[RowGroupPlace],
        summary: FileMetadata,
        found: Found,
        partitions: Sequence[Partition] = (),
        scheme: Scheme = "simple",
        agreement: Agreement | None = None,
    ) -> None:
        self.files = list(files)
        self.groups = list(groups)
        self.summary = summary
        self.found = found
        self.scheme = scheme if groups else "empty"
        #: Whether all files of the dataset are here; if not, some were sent to this process.
        self.is_whole = True
        #: How many rows each row group has.
        self.rows = self._count_rows()
        names = {each.name for each in partitions}
        #: What files with different schemas have in common; None if they have one schema.
        self.agreement = agree(self.files, summary, names, agreement)
        known = {node.name for node in self.schema.fields}
        #: A column that is in the files as well is read from them.
        self.partitions = [each for each in partitions if each.name not in known]

    @property
    def schema(self) -> Schema:
        """The schema of all files."""
        return self.summary.schema if self.agreement is None else self.agreement.schema

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The columns in the files."""
        return fields_of(self.schema)

    def _count_rows(self) -> np.ndarray[Any, Any]:
        if len(self.files) == 1:
            counts = self.files[0].metadata.row_group_rows
            rows: np.ndarray[Any, Any] = counts[[group.index for group in self.groups]]
        else:
            rows = np.array(
                [self.files[at.file].metadata.row_group_rows[at.index] for at in self.groups],
                np.int64,
            )
        if rows.sum(dtype=np.float64) > _MOST_ROWS:
            raise CorruptFile(
                f"the {len(rows):,} row groups say that they have {rows.sum(dtype=np.float64):.3g} "
                "rows in all, more than can be counted",
                file=self.files[0].label,
            )
        return rows

    @property
    def names(self) -> list[str]:
        """The names of all columns, those of partitions last."""
        return [field.name for field in self.fields] + [each.name for each in self.partitions]

    @cached_property
    def pandas_json(self) -> dict[str, Any]:
        """What pandas wrote into the footer, as it stands there; empty if it did not."""
        return parse_pandas_json(self.summary)

    @cached_property
    def hints(self) -> Hints:
        """What pandas and Arrow wrote beside the schema."""
        from hocket.parquet.dataset.hints import Hints  # noqa: PLC0415 - not needed to open

        if self.agreement is None:
            return Hints(self.summary.key_value)
        return Hints(*self.agreement.key_values, durations=self.agreement.durations)

    def location(self, file: int) -> str:
        """Return the path or URL of a file."""
        return self.files[file].label


def parse_pandas_json(metadata: FileMetadata) -> dict[str, Any]:
    """Return the JSON object of the key ``pandas``; empty if there is none."""
    text = metadata.key_value.get("pandas")
    if text is None:
        return {}
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _partition_hints(metadata: FileMetadata) -> dict[str, str]:
    columns = parse_pandas_json(metadata).get("partition_columns")
    hints = {}
    for item in columns if isinstance(columns, list) else []:
        if isinstance(item, dict):
            name, dtype = item.get("name"), item.get("numpy_type")
            if isinstance(name, str) and isinstance(dtype, str):
                hints[name] = dtype
    return hints


def open_collection(
    place: Any, opener: Opener, *, root: str | None = None, verify: bool = False
) -> Collection:
    """Find and open the files of a dataset.

    Parameters
    ----------
    place
        See `hocket.parquet.dataset.discovery.discover`.
    opener
        How files are opened.
    root
        The directory that partitions are below.
    verify
        Whether to look into each file that ``_metadata`` describes.
    """
    if opener.open_with is not None and opener.filesystem is None and isinstance(place, str):
        return open_found(_found_by_function(place, opener), opener, verify=verify)
    for _ in range(_MOST_TRIES - 1):
        found = discover(place, filesystem=opener.filesystem, root=root)
        try:
            return open_found(found, opener, verify=verify)
        except FileNotFoundError:
            # An edit may take effect between looking and opening.
            if found.is_single or not isinstance(place, (str, os.PathLike)):
                raise
    found = discover(place, filesystem=opener.filesystem, root=root)
    return open_found(found, opener, verify=verify)


def open_found(found: Found, opener: Opener, *, verify: bool = False) -> Collection:
    """Open the files of a dataset.

    Parameters
    ----------
    found
        Where they are.
    opener
        How files are opened.
    verify
        Whether to look into each file that ``_metadata`` describes.
    """
    if found.filesystem is not None:
        opener = replace(opener, filesystem=found.filesystem)
    if found.metadata is not None:
        return _described(found, opener, verify=verify)
    files = read_files(found, opener)
    groups = [
        RowGroupPlace(number, index)
        for number, file in enumerate(files)
        for index in range(file.metadata.row_group_count)
    ]
    if found.is_single:
        return Collection(files, groups, files[0].metadata, found)
    summary = files[0].metadata
    partitions, scheme = partitions_of(found.names, summary)
    return Collection(files, groups, summary, found, partitions, scheme)


def partitions_of(names: Sequence[str], summary: FileMetadata) -> tuple[list[Partition], Scheme]:
    """Return what the directories of files tell, and how they are used."""
    if not any("/" in name for name in names):
        return [], "flat"
    from hocket.parquet.dataset.partitions import (  # noqa: PLC0415 - most files are alone
        parse_partitions,
        split_directories,
    )

    scheme, pairs = split_directories(names)
    return parse_partitions(pairs, _partition_hints(summary)), scheme


def read_files(found: Found, opener: Opener) -> list[DataFile]:
    """Open all files and read their footers, several at once."""
    names = [name or str(place) for name, place in zip(found.names, found.places, strict=True)]
    files: list[DataFile | None] = [None] * len(names)

    def reader(index: int) -> Callable[[], None]:
        def read() -> None:
            files[index] = read_file(names[index], found.places[index], opener)

        return read

    threads = 1 if len(names) < _FEW_FILES else FOOTER_THREADS
    run_tasks([reader(index) for index in range(len(names))], threads)
    return [file for file in files if file is not None]


def _found_by_function(place: str, opener: Opener) -> Found:
    """Find a file, or the summary of a directory, with nothing but a function that opens."""
    try:
        opener.open(place).close()
    except OSError:
        summary = f"{place.rstrip('/')}/_metadata"
        opener.open(summary).close()
        return Found([], [], place.rstrip("/"), summary)
    parent, _, name = place.rpartition("/")
    if name in ("_metadata", "_common_metadata"):
        return Found([], [], parent, place)
    return Found([place], [name], parent, is_single=True)


def _described(found: Found, opener: Opener, *, verify: bool) -> Collection:
    """Return the dataset that a file ``_metadata`` describes."""
    assert found.metadata is not None
    name = name_below(found.metadata, found.root)
    summary = read_file(found.metadata, found.moved.get(name, found.metadata), opener)
    metadata = summary.metadata
    numbers: dict[str, int] = {}
    groups = []
    for index in range(metadata.row_group_count):
        path = metadata.file_path(index) if metadata.column_count else None
        path = _checked_path(path or "", found.metadata)
        _check_one_file(metadata, index, found.metadata)
        groups.append(RowGroupPlace(numbers.setdefault(path, len(numbers)), index))
    files = []
    for path in numbers:
        if not path:
            files.append(summary)
            continue
        place = f"{found.root.rstrip('/')}/{path}" if found.root else path
        place = found.moved.get(path, place)
        files.append(DataFile(path, place, opener, metadata))
        if verify:
            read_file(path, place, opener)
    partitions, scheme = partitions_of(list(numbers), metadata)
    if list(numbers) == [""]:
        scheme = "simple"
    return Collection(files, groups, metadata, found, partitions, scheme)


def _check_one_file(metadata: FileMetadata, row_group: int, summary: str) -> None:
    """Refuse a row group whose chunks are in several files: nobody writes such."""
    at = metadata.chunks.file_path_at[row_group]
    told = np.flatnonzero(at >= 0)
    if len(told) < 2:
        return
    # A path is its length, in the fewest bytes, and that many bytes.
    first = metadata.file_path(row_group, int(told[0])) or ""
    nbytes = len(first.encode("utf-8", "surrogateescape")) + 1
    places = np.minimum(at[told, None] + np.arange(nbytes), len(metadata.data) - 1)
    raw = metadata.data[places]
    is_other = (raw != raw[0]).any(axis=1)
    if is_other.any():
        other = metadata.file_path(row_group, int(told[np.argmax(is_other)]))
        raise UnsupportedFeature(
            f"its columns are in several files, {first!r} and {other!r} among them",
            file=summary,
            row_group=row_group,
        )


def _checked_path(path: str, summary: str) -> str:
    """Refuse a path that leads out of the dataset."""
    parts = path.replace("\\", "/").split("/")
    if path.startswith("/") or ".." in parts or "://" in path or "\0" in path or ":" in parts[0]:
        raise CorruptFile(
            f"it names the file {path!r}, which is not in the dataset's directory", file=summary
        )
    return path

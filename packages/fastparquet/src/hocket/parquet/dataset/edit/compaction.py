"""Many small files of a dataset made few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hocket.parquet.assemble.arrow_types import ArrowOptions
from hocket.parquet.dataset.arrow_reading import arrow_reader
from hocket.parquet.dataset.chosen import whole_parts
from hocket.parquet.dataset.collection import open_collection
from hocket.parquet.dataset.edit.file_edit import FileEdit
from hocket.parquet.dataset.edit.fitting_schema import fitted
from hocket.parquet.dataset.edit.folders import folder_at
from hocket.parquet.dataset.edit.sorting import SortKey, sorted_columns
from hocket.parquet.dataset.edit.transaction import Edit
from hocket.parquet.dataset.reading import Reading
from hocket.parquet.errors import InvalidOption, UnsupportedFeature
from hocket.parquet.intake.columns import columns_of
from hocket.parquet.options import ReadOptions
from hocket.parquet.writing.file_writer import FileWriter

if TYPE_CHECKING:
    from hocket.parquet.dataset.collection import Collection
    from hocket.parquet.dataset.data_file import Opener
    from hocket.parquet.writing.options import WriteOptions

__all__ = ["compact_dataset", "plan_compaction"]

_EXTENDED: Final = ArrowOptions()


def plan_compaction(sizes: Sequence[int], target_nbytes: int) -> list[list[int]]:
    """Return which files become one each.

    Parameters
    ----------
    sizes
        Bytes of the files of one directory, in their order.
    target_nbytes
        How large files should be. Those of more than half of it stay as they are.
    """
    plan: list[list[int]] = []
    group: list[int] = []
    nbytes = 0
    for number, size in enumerate(sizes):
        if 2 * size > target_nbytes:
            continue
        if group and nbytes + size > target_nbytes:
            plan.append(group)
            group, nbytes = [], 0
        group.append(number)
        nbytes += size
    plan.append(group)
    return [each for each in plan if len(each) > 1]


def compact_dataset(
    place: Any,
    opener: Opener,
    options: WriteOptions,
    *,
    target_nbytes: int,
    sort_by: Sequence[SortKey] = (),
) -> int:
    """Join small files of a dataset, directory by directory, and return how many became fewer.

    Parameters
    ----------
    place
        The dataset's directory.
    opener
        How files are opened.
    options
        How files are written.
    target_nbytes
        How large they should be.
    sort_by
        By what the rows of each new file are sorted.
    """
    collection = open_collection(place, opener)
    if collection.found.is_single or not collection.found.root:
        raise InvalidOption(f"{place!r} is one file, and not a dataset of several")
    directories: dict[str, list[int]] = {}
    for number, file in enumerate(collection.files):
        directories.setdefault(file.name.rpartition("/")[0], []).append(number)
    sizes = _sizes(collection)
    groups = [
        (directory, [numbers[at] for at in group])
        for directory, numbers in directories.items()
        for group in plan_compaction([sizes[number] for number in numbers], target_nbytes)
    ]
    if not groups:
        return 0
    found = collection.found
    with Edit(folder_at(found.root, found.filesystem, fsync=options.fsync)) as edit:
        files = FileEdit(edit, collection.files[0].opener)
        files.expect(collection, [number for _, numbers in groups for number in numbers])
        for directory, numbers in groups:
            for number in numbers:
                files.remove(collection.files[number].name)
            _join(collection, numbers, directory, files, options, sort_by)
        files.commit()
    return sum(len(numbers) for _, numbers in groups)


def _sizes(collection: Collection) -> list[int]:
    sizes = [0] * len(collection.files)
    for place in collection.groups:
        chunks = collection.files[place.file].metadata.chunks
        sizes[place.file] += int(chunks.compressed_nbytes[place.index].sum())
    return sizes


def _join(
    collection: Collection,
    numbers: Sequence[int],
    directory: str,
    files: FileEdit,
    options: WriteOptions,
    sort_by: Sequence[SortKey],
) -> None:
    """Write the rows of some files to one."""
    chosen = set(numbers)
    groups = [at for at, place in enumerate(collection.groups) if place.file in chosen]
    first = collection.files[numbers[0]]
    if first.metadata.encryption_algorithm_at is not None:
        raise UnsupportedFeature("the file is encrypted, and is not joined", file=first.label)
    names = [field.name for field in collection.fields]
    reading = Reading(ReadOptions(threads=options.threads))
    parts = whole_parts(collection, groups)
    columns = columns_of(arrow_reader(collection, parts, names, _EXTENDED, reading))
    fit = fitted(collection.schema, columns.fields, (), first.label)
    if sort_by:
        columns = sorted_columns(columns, sort_by)
    key_value: Mapping[str, str | bytes] = collection.summary.key_value
    sink, finish = files.addition(directory)
    writer = FileWriter(sink, fit.fields, options, key_value)
    for batch in columns.batches:
        writer.write_batch(fit.arranged(batch), batch[0].length if batch else 0)
    finish(writer.finish())

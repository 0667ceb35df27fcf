"""How files with different schemas make one dataset: all columns of all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.dataset.evolution.durations import (
    Durations,
    durations_beside,
    durations_of,
    finest,
    ticks_of,
)
from hocket.parquet.metadata.footer import FileMetadata
from hocket.parquet.metadata.schema import Schema
from hocket.parquet.records import dataclass

if TYPE_CHECKING:
    from hocket.parquet.dataset.evolution.leaf_source import LeafSource

__all__ = ["Agreement", "agree"]

#: Keys of the footer's metadata that tell more of columns than their schema.
_HINT_KEYS: Final[tuple[str, ...]] = ("pandas", "ARROW:schema")


@dataclass(frozen=True, slots=True)
class Agreement:
    """What files with different schemas have in common.

    Parameters
    ----------
    schema
        All columns, each of a type that holds the values of all files.
    key_values
        What is written beside the different schemas, the first one's first.
    durations
        The units of columns that are durations.
    """

    schema: Schema
    key_values: tuple[Mapping[str, str | bytes], ...]
    durations: Durations


def agree(
    files: Sequence[DataFile],
    summary: FileMetadata,
    partitions: Collection[str] = (),
    known: Agreement | None = None,
) -> Agreement | None:
    """Find what all files have in common, and how each one fits it.

    Parameters
    ----------
    files
        Their `sources` are set where their schema is not the common one.
    summary
        The metadata of the first file, or of ``_metadata``.
    partitions
        Names of the columns that directories tell.
    known
        What was found before, of these files and others.

    Returns
    -------
    Agreement or None
        None if all files have the one schema.

    Raises
    ------
    SchemaMismatch
        A column has types that no type holds together.
    """
    if known is None and all(file.metadata is summary for file in files):
        return None
    kinds, kind_of = _kinds(files, summary)
    if known is None:
        if len(kinds) == 1:
            return None
        known = _common(kinds, partitions)
    sources = [_sources(kind, known) for kind in kinds]
    for file, kind in zip(files, kind_of, strict=True):
        file.sources = sources[kind]
    return known


class _Kind(NamedTuple):
    """A schema, the units of durations, and a file that has them."""

    label: str
    metadata: FileMetadata
    durations: Durations

    @property
    def schema(self) -> Schema:
        return self.metadata.schema


def _sources(kind: _Kind, known: Agreement) -> tuple[LeafSource, ...] | None:
    ticks = ticks_of(kind.durations, known.durations, known.schema)
    if not ticks and kind.schema == known.schema:
        return None
    from hocket.parquet.dataset.evolution.leaf_source import sources_of  # noqa: PLC0415 - few need it

    return sources_of(kind.schema, known.schema, ticks)


def _kinds(files: Sequence[DataFile], summary: FileMetadata) -> tuple[list[_Kind], list[int]]:
    """Return what files differ in, the summary first, and which of these each file has."""
    first = durations_of(summary)
    kinds = [_Kind("the first file", summary, first)]
    known: list[tuple[list[Any], Durations]] = [(summary.schema.signature(), first)]
    kind_of = []
    for file in files:
        own = file.metadata
        number = 0
        if own is not summary:
            is_same = own.schema is summary.schema
            key = (
                known[0][0] if is_same else own.schema.signature(),
                durations_beside(own, summary, first),
            )
            number = next((at for at, each in enumerate(known) if each == key), len(kinds))
            if number == len(kinds):
                kinds.append(_Kind(file.label, own, key[1]))
                known.append(key)
        kind_of.append(number)
    if 0 in kind_of:
        kinds[0] = kinds[0]._replace(label=files[kind_of.index(0)].label)
    return kinds, kind_of


def _common(kinds: Sequence[_Kind], partitions: Collection[str]) -> Agreement:
    from hocket.parquet.dataset.evolution.unified import unified_schema  # noqa: PLC0415 - the same

    schema = unified_schema([(each.label, each.schema) for each in kinds], partitions)
    every = [each.metadata.key_value for each in kinds]
    hints = ({key: each[key] for key in _HINT_KEYS if key in each} for each in every)
    return Agreement(schema, tuple(hints), finest([each.durations for each in kinds]))

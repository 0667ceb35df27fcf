"""Units of durations, which Parquet's own schema does not tell.

Durations are stored as plain integers. Only what pandas or Arrow wrote beside the schema says so,
and in which unit: files of one dataset with equal schemas can differ in that.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.decode.target import UNITS
from hocket.parquet.metadata.footer import FileMetadata
from hocket.parquet.metadata.schema import LogicalKind, PhysicalType, Schema

__all__ = ["Durations", "durations_beside", "durations_of", "finest", "ticks_of"]

#: Units of columns by name.
Durations = dict[str, str]

_BY_PANDAS: Final = (b"timedelta64[", b"duration[")
_PANDAS: Final = b'"index_columns"'
_ARROW: Final = b"ARROW:schema"
_COUNTS: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def durations_of(metadata: FileMetadata) -> Durations:
    """Return the units of the columns of a file that are durations.

    Parameters
    ----------
    metadata
        What its footer says.
    """
    raw = _bytes_of(metadata)
    if not any(each in raw for each in _BY_PANDAS) and (_PANDAS in raw or _ARROW not in raw):
        return {}
    return _parsed(metadata)


def durations_beside(metadata: FileMetadata, first: FileMetadata, known: Durations) -> Durations:
    """Return the same of one more file of a dataset, mostly after no more than a glance at it.

    Parameters
    ----------
    metadata
        What the file's footer says.
    first, known
        That of the first file, and the units of its columns.
    """
    raw = _bytes_of(metadata)
    if any(each in raw for each in _BY_PANDAS):
        return _parsed(metadata)
    if _PANDAS in raw or _ARROW not in raw:
        return {}
    text = first.key_value.get("ARROW:schema")
    is_same = isinstance(text, str) and text.encode() in raw
    return known if is_same else _parsed(metadata)


def _bytes_of(metadata: FileMetadata) -> bytes:
    return metadata.data[: metadata.nbytes].tobytes()


def _parsed(metadata: FileMetadata) -> Durations:
    from hocket.parquet.assemble.arrow_hints import parse_arrow_schema  # noqa: PLC0415 - few need it
    from hocket.parquet.assemble.pandas_metadata import parse_pandas_metadata  # noqa: PLC0415
    from hocket.parquet.assemble.value_kinds import column_hint  # noqa: PLC0415

    key_value = metadata.key_value
    pandas = parse_pandas_metadata(key_value.get("pandas"))
    arrow = parse_arrow_schema(key_value.get("ARROW:schema"))
    columns = {} if pandas is None else pandas.columns
    found = {}
    for node in metadata.schema.fields:
        if node.physical is PhysicalType.INT64 and node.logical.kind is LogicalKind.NONE:
            unit = column_hint(columns.get(node.name), arrow.get(node.name)).duration_unit
            if unit in _COUNTS:
                found[node.name] = unit
    return found


def finest(every: list[Durations]) -> Durations:
    """Return the finest unit that files have for each column."""
    names = {name for each in every for name in each}
    return {
        name: min((each[name] for each in every if name in each), key=UNITS.index) for name in names
    }


def ticks_of(own: Durations, whole: Durations, schema: Schema) -> dict[int, int]:
    """Return how many units of a dataset's durations are one of a file's, where it is not one.

    Parameters
    ----------
    own
        The units of the file.
    whole
        Those of the dataset.
    schema
        The schema of the dataset, whose leaves the result names by their index.
    """
    found = {}
    for node in schema.fields:
        if node.is_leaf and node.name in own and own[node.name] != whole[node.name]:
            found[node.column_index] = _COUNTS[whole[node.name]] // _COUNTS[own[node.name]]
    return found

"""What pandas wrote beside its data: index columns, labels and dtypes, as JSON in the footer.

The text is anybody's: everything is checked for its type before it is used, what cannot be
understood is left out, and names are parsed, never evaluated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from typing import Any, Final

from hocket.parquet.records import dataclass, field

__all__ = [
    "ColumnMetadata",
    "PandasMetadata",
    "RangeMetadata",
    "parse_pandas_metadata",
]

#: The name of an index level that had none.
UNNAMED_LEVEL: Final = r"__index_level_\d+__"

_RANGE_MAX: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class RangeMetadata:
    """An index that is not stored, because it is a range of numbers."""

    name: Hashable
    start: int
    stop: int
    step: int

    @property
    def range(self) -> range:
        """The numbers."""
        return range(self.start, self.stop, self.step)


@dataclass(frozen=True, slots=True)
class ColumnMetadata:
    """What pandas said about a column, or about a level of the column labels.

    Parameters
    ----------
    name
        The label as text; None if it had none.
    field_name
        The name of the column in the file.
    pandas_type
        The logical type: "unicode", "int64", "datetimetz", "categorical"...
    numpy_type
        The dtype: "object", "Int64", "string", "datetime64[ns]"...
    extra
        More, by type: "timezone", "ordered", "num_categories".
    """

    name: str | None
    field_name: str | None
    pandas_type: str = ""
    numpy_type: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def timezone(self) -> str | None:
        """The name of the time zone."""
        zone = self.extra.get("timezone")
        return zone if isinstance(zone, str) else None

    @property
    def is_categorical(self) -> bool:
        """Whether the column was a categorical."""
        return self.pandas_type == "categorical"

    @property
    def ordered(self) -> bool:
        """Whether the categories of the column had an order."""
        return self.extra.get("ordered") is True


@dataclass(frozen=True, slots=True)
class PandasMetadata:
    """All that pandas said about a frame.

    Parameters
    ----------
    index
        The levels of the index: names of columns in the file, or ranges.
    columns
        By name in the file.
    label_levels
        The levels of the column labels.
    attributes
        What the frame's own ``attrs`` held.
    """

    index: tuple[str | RangeMetadata, ...] = ()
    columns: Mapping[str, ColumnMetadata] = field(default_factory=dict)
    label_levels: tuple[ColumnMetadata, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def index_columns(self) -> tuple[str, ...]:
        """The columns of the file that make the index."""
        return tuple(each for each in self.index if isinstance(each, str))

    def index_name(self, column: str) -> Hashable:
        """Return the name of the index level that a column holds."""
        about = self.columns.get(column)
        name = column if about is None else about.name
        return None if name is None or re.fullmatch(UNNAMED_LEVEL, name) else name


def parse_pandas_metadata(text: str | bytes | None) -> PandasMetadata | None:
    """Return the value of the footer's key ``pandas``; None if it is not what pandas writes."""
    if text is None:
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    columns = {}
    for about in _columns(document.get("columns")):
        key = about.field_name if about.field_name is not None else about.name
        if key is not None:
            columns[key] = about
    return PandasMetadata(
        index=_index(document.get("index_columns"), columns),
        columns=columns,
        label_levels=_columns(document.get("column_indexes")),
        attributes=kept if isinstance(kept := document.get("attributes"), dict) else {},
    )


def _columns(items: Any) -> tuple[ColumnMetadata, ...]:
    if not isinstance(items, list):
        return ()
    return tuple(
        ColumnMetadata(
            name=_text(item.get("name")),
            field_name=_text(item.get("field_name")),
            pandas_type=_text(item.get("pandas_type")) or "",
            numpy_type=_text(item.get("numpy_type")) or "",
            extra=extra if isinstance(extra := item.get("metadata"), dict) else {},
        )
        for item in items
        if isinstance(item, dict)
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _bounded(value: Any) -> int | None:
    return value if type(value) is int and abs(value) < _RANGE_MAX else None


def _index(items: Any, columns: Mapping[str, ColumnMetadata]) -> tuple[str | RangeMetadata, ...]:
    if not isinstance(items, list):
        return ()
    by_name = {about.name: key for key, about in columns.items()}
    levels: list[str | RangeMetadata] = []
    for item in items:
        if isinstance(item, str):
            # The first writers put the label here, later ones the name in the file.
            levels.append(item if item in columns else by_name.get(item, item))
        elif isinstance(item, dict) and item.get("kind") == "range":
            start, stop, step = (_bounded(item.get(key)) for key in ("start", "stop", "step"))
            if start is not None and stop is not None and step:
                levels.append(RangeMetadata(_text(item.get("name")), start, stop, step))
    # A range cannot be one level among several.
    if len(levels) > 1 and any(isinstance(level, RangeMetadata) for level in levels):
        return ()
    return tuple(levels)

"""What pandas and Arrow wrote beside the schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from hocket.parquet.assemble.arrow_hints import ArrowHint, parse_arrow_schema
from hocket.parquet.assemble.pandas_metadata import (
    ColumnMetadata,
    PandasMetadata,
    parse_pandas_metadata,
)
from hocket.parquet.records import replace

__all__ = ["Hints"]

#: Where fastparquet keeps the attributes of a frame.
_ATTRIBUTES: Final = "PANDAS_ATTRS"


class Hints:
    """What pandas and Arrow wrote beside the schema, parsed when it is asked for.

    Parameters
    ----------
    *key_values
        The footer's key-value metadata. Of a dataset with several schemas, those of a file with
        each: what is said first of a column holds.
    durations
        Units of durations, whatever is said of them.
    """

    def __init__(
        self, *key_values: Mapping[str, str | bytes], durations: Mapping[str, str] | None = None
    ) -> None:
        self._key_values = key_values
        self._durations = durations or {}

    @cached_property
    def pandas(self) -> PandasMetadata:
        """Of pandas; empty if it wrote nothing that can be understood."""
        every = [parse_pandas_metadata(each.get("pandas")) for each in self._key_values]
        first = every[0] or PandasMetadata()
        if not first.attributes and _ATTRIBUTES in self._key_values[0]:
            first = replace(first, attributes=_json_object(self._key_values[0][_ATTRIBUTES]))
        if len(every) == 1 and not self._durations:
            return first
        columns: dict[str, ColumnMetadata] = {}
        for each in reversed(every):
            columns.update({} if each is None else each.columns)
        for name, unit in self._durations.items():
            if name in columns:
                columns[name] = replace(columns[name], numpy_type=f"timedelta64[{unit}]")
        return replace(first, columns=columns)

    @cached_property
    def arrow(self) -> dict[str, ArrowHint]:
        """Of Arrow, by the name of the column."""
        first, *others = [parse_arrow_schema(each.get("ARROW:schema")) for each in self._key_values]
        for other in others:
            for name, hint in other.items():
                first[name] = _joined(first[name], hint) if name in first else hint
        for name, unit in self._durations.items():
            if name in first:
                first[name] = replace(first[name], unit=unit)
        return first


def _json_object(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _joined(first: ArrowHint, other: ArrowHint) -> ArrowHint:
    """Return what two files say of a column: the first, and of members that it lacks, the other."""
    if first.type_id != other.type_id or not first.children:
        return first
    theirs = {child.name: child for child in other.children}
    known = [_joined(child, theirs.pop(child.name, child)) for child in first.children]
    if len(first.children) == len(other.children) == 1 and theirs:
        # Files may call the element of a list differently.
        return replace(first, children=(_joined(known[0], other.children[0]),))
    return replace(first, children=(*known, *theirs.values()))

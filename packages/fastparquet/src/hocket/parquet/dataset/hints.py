"""What pandas and Arrow wrote beside the schema."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from hocket.parquet.assemble.arrow_hints import ArrowHint, parse_arrow_schema
from hocket.parquet.assemble.pandas_metadata import PandasMetadata, parse_pandas_metadata

__all__ = ["Hints"]


class Hints:
    """What pandas and Arrow wrote beside the schema, parsed when it is asked for.

    Parameters
    ----------
    key_value
        The footer's key-value metadata.
    """

    def __init__(self, key_value: Mapping[str, str | bytes]) -> None:
        self._key_value = key_value

    @cached_property
    def pandas(self) -> PandasMetadata:
        """Of pandas; empty if it wrote nothing that can be understood."""
        return parse_pandas_metadata(self._key_value.get("pandas")) or PandasMetadata()

    @cached_property
    def arrow(self) -> dict[str, ArrowHint]:
        """Of Arrow, by the name of the column."""
        return parse_arrow_schema(self._key_value.get("ARROW:schema"))

"""The type of an Arrow field, as the format strings of Arrow's C interface write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hocket.parquet.records import dataclass, field

__all__ = ["EXTENSION_METADATA", "EXTENSION_NAME", "FIELD_ID", "ArrowType"]

EXTENSION_NAME: Final = "ARROW:extension:name"
EXTENSION_METADATA: Final = "ARROW:extension:metadata"
FIELD_ID: Final = "PARQUET:field_id"


@dataclass(frozen=True, slots=True)
class ArrowType:
    """A field of an Arrow schema.

    Parameters
    ----------
    name
        Its name.
    format
        Its type, as Arrow's C data interface writes it; of dictionaries, that of the codes.
    nullable
        Whether values can be missing.
    children
        The fields in it.
    metadata
        Keys and values.
    dictionary
        What the codes of a dictionary stand for.
    is_ordered
        Whether the order of a dictionary has a meaning.
    has_sorted_keys
        Of maps: whether the keys of each are in order.
    """

    name: str
    format: str
    nullable: bool = True
    children: tuple[ArrowType, ...] = ()
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    dictionary: ArrowType | None = None
    is_ordered: bool = False
    has_sorted_keys: bool = False

    @property
    def extension(self) -> str:
        """The name of its extension type; "" if it has none."""
        return self.metadata.get(EXTENSION_NAME, b"").decode("utf-8", "replace")

    @property
    def extension_metadata(self) -> bytes:
        """What its extension type says more."""
        return self.metadata.get(EXTENSION_METADATA, b"")

    @property
    def field_id(self) -> int | None:
        """The number that table formats gave it."""
        text = self.metadata.get(FIELD_ID, b"")
        try:
            number = int(text)
        except ValueError:
            return None
        return number if -(1 << 31) <= number < 1 << 31 else None

    @property
    def timezone(self) -> str:
        """Of timestamps: the time zone; "" for local times."""
        return self.format[4:] if self.format.startswith("ts") else ""

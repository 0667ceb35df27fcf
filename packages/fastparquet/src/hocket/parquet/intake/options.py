"""What a writer may be told about the data that it is given."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from numbers import Integral
from typing import Any, Final

from hocket.parquet.errors import ColumnMissing, InvalidOption
from hocket.parquet.intake.type_texts import parse_type
from hocket.parquet.intake.value_types import TypeKind, ValueType
from hocket.parquet.options import check_switch
from hocket.parquet.records import dataclass, field, replace

__all__ = ["IntakeOptions"]

_ENCODINGS: Final[Mapping[str, ValueType | None]] = {
    "infer": None,
    "utf8": ValueType(TypeKind.TEXT),
    "bytes": ValueType(TypeKind.BYTES),
    "json": ValueType(TypeKind.JSON, encodes_text=True),
    "bson": ValueType(TypeKind.BSON),
    "bool": ValueType(TypeKind.BOOLEAN),
    "int": ValueType(TypeKind.INTEGER, bits=64),
    "int32": ValueType(TypeKind.INTEGER, bits=32),
    "float": ValueType(TypeKind.FLOAT, bits=64),
    "decimal": ValueType(TypeKind.DECIMAL),
}
_UNITS: Final = ("ms", "us", "ns")


@dataclass(frozen=True, slots=True)
class IntakeOptions:
    """How data becomes columns of a file; the defaults are those of ``docs/parquet-types.md``.

    Parameters
    ----------
    write_index
        Whether a frame's index is stored as columns. None: unless it is a range, which is only
        described.
    has_nulls
        Which columns can have missing values in the file: True for all, False for none, a list of
        columns, or "infer" (and None) for those of objects. In a column that cannot, NaN and NaT
        stay values; other missing values are an error.
    object_encoding
        What objects are stored as: "infer", "utf8", "bytes", "json", "bson", "bool", "int",
        "int32", "float" or "decimal"; or such a word by column.
    fixed_text
        By column, the most bytes that its texts may have; byte strings get a fixed length so.
    times
        "int64", or "int96" for timestamps as old readers of Hive and Impala want them.
    coerce_timestamps
        The unit that all timestamps are stored in: "ms", "us" or "ns". None: their own.
    allow_truncated_timestamps
        Whether digits that the unit does not have may be dropped; an error otherwise.
    types
        By column, the type to store: "decimal(12, 2)", "int32", "list<string>", "map",
        "variant", "geometry(EPSG:4326)"...
    variants
        Columns that are stored as Variants: each value says itself what it is.
    geometry
        By column of well-known binary, its coordinate reference system; None for longitude and
        latitude (OGC:CRS84).
    field_ids
        Numbers of columns, as table formats give them; parts of nested columns by their path with
        dots.
    nan_is_missing
        Whether NaN stands for a missing value. None: in what comes from pandas.
    """

    write_index: bool | None = None
    has_nulls: bool | str | Collection[Hashable] | None = True
    object_encoding: str | Mapping[Hashable, str] = "infer"
    fixed_text: Mapping[Hashable, int] | None = None
    times: str = "int64"
    coerce_timestamps: str | None = None
    allow_truncated_timestamps: bool = False
    types: Mapping[Hashable, str] = field(default_factory=dict)
    variants: Collection[Hashable] = ()
    geometry: Mapping[Hashable, str | None] = field(default_factory=dict)
    field_ids: Mapping[str, int] = field(default_factory=dict)
    nan_is_missing: bool | None = None

    def __post_init__(self) -> None:
        self._check_words()
        for name in ("types", "geometry", "field_ids"):
            if not isinstance(getattr(self, name), Mapping):
                raise InvalidOption(f"{name} is {getattr(self, name)!r}; it has to be a dict")
        if isinstance(self.variants, (str, bytes)) or not isinstance(self.variants, Collection):
            raise InvalidOption(f"variants is {self.variants!r}; it has to be a list of columns")
        encodings = self.object_encoding
        named = encodings.values() if isinstance(encodings, Mapping) else [encodings]
        for word in named:
            if word not in _ENCODINGS:
                raise InvalidOption(
                    f"object_encoding is {word!r}; it has to be one of {', '.join(_ENCODINGS)}"
                )
        for label, nbytes in (self.fixed_text or {}).items():
            if not _is_whole(nbytes) or nbytes < 1:
                raise InvalidOption(
                    f"fixed_text[{label!r}] is {nbytes!r}; it has to be a number of bytes"
                )
        for path, number in self.field_ids.items():
            if not _is_whole(number) or not -(1 << 31) <= number < 1 << 31:
                raise InvalidOption(
                    f"field_ids[{path!r}] is {number!r}; it has to be a number of 32 bits"
                )
        for text in self.types.values():
            parse_type(text)

    def _check_words(self) -> None:
        for name in ("write_index", "nan_is_missing"):
            check_switch(name, getattr(self, name), may_be_none=True)
        truncates = self.allow_truncated_timestamps
        check_switch("allow_truncated_timestamps", truncates, may_be_none=False)
        nulls = self.has_nulls
        if isinstance(nulls, (str, bytes)) and nulls != "infer":
            raise InvalidOption(
                f'has_nulls is {nulls!r}; it has to be True, False, "infer" or a list of columns'
            )
        if not (nulls is None or isinstance(nulls, (bool, Collection))):
            raise InvalidOption(
                f'has_nulls is {nulls!r}; it has to be True, False, "infer" or a list of columns'
            )
        if self.times not in ("int64", "int96"):
            raise InvalidOption(f"times is {self.times!r}; it has to be 'int64' or 'int96'")
        unit = self.coerce_timestamps
        if unit is not None and unit not in _UNITS:
            raise InvalidOption(
                f"coerce_timestamps is {unit!r}; it has to be one of {', '.join(_UNITS)}, or None"
            )
        if unit is not None and self.times == "int96":
            raise InvalidOption(
                'times="int96" stores nanoseconds: coerce_timestamps has nothing to say then'
            )

    def check_labels(self, known: Collection[Hashable]) -> None:
        """Make sure that columns which are named are there.

        Parameters
        ----------
        known
            The labels and names of all columns.
        """
        for option in (
            "types",
            "variants",
            "geometry",
            "fixed_text",
            "has_nulls",
            "object_encoding",
        ):
            told = getattr(self, option)
            for label in told if isinstance(told, Collection) and not isinstance(told, str) else ():
                if label not in known:
                    raise ColumnMissing(f"{option} names {label!r}, and there is no such column")

    def nullable(self, label: Hashable, *, is_object: bool) -> bool:
        """Whether a column can have missing values in the file.

        Parameters
        ----------
        label
            The column.
        is_object
            Whether its values are objects or text, rather than numbers and times.
        """
        nulls = self.has_nulls
        if isinstance(nulls, bool):
            return nulls
        if nulls is None or isinstance(nulls, str):
            return is_object
        return label in nulls

    def wanted(self, label: Hashable) -> ValueType | None:
        """Return the type that the caller wants a column to have, whatever it holds."""
        if label in self.variants:
            return ValueType(TypeKind.VARIANT)
        text = self.types.get(label)
        if label in self.geometry:
            geometry = ValueType(TypeKind.GEOMETRY) if text is None else parse_type(text)
            return replace(geometry, crs=self.geometry[label])
        return None if text is None else parse_type(text)

    def wanted_of_objects(self, label: Hashable) -> ValueType | None:
        """Return the type that the caller wants a column of objects to have."""
        found = self.wanted(label)
        if found is not None:
            return found
        encoding = self.object_encoding
        word = encoding if isinstance(encoding, str) else encoding.get(label, "infer")
        return _ENCODINGS[word]


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)

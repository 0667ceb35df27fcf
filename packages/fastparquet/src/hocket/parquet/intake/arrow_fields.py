"""What each Arrow type is stored as."""

from __future__ import annotations

from typing import Any, Final

from hocket.parquet.arrays.write_field import Storing, WriteField, WriteKind
from hocket.parquet.errors import ValueUnstorable
from hocket.parquet.intake.arrow_geometry import geometry_type
from hocket.parquet.intake.arrow_type import ArrowType
from hocket.parquet.metadata.logical import LogicalKind, LogicalType, PhysicalType
from hocket.parquet.records import replace

__all__ = ["decimal_field", "is_boolean", "is_variant", "write_field"]

_BOOLEAN, _INT32, _INT64 = PhysicalType.BOOLEAN, PhysicalType.INT32, PhysicalType.INT64
_FLOAT, _DOUBLE = PhysicalType.FLOAT, PhysicalType.DOUBLE
_BYTES, _FIXED = PhysicalType.BYTE_ARRAY, PhysicalType.FIXED_LEN_BYTE_ARRAY

_TEXT: Final = LogicalType(LogicalKind.STRING)


def _integer(bits: int, *, signed: bool) -> dict[str, Any]:
    logical = LogicalType(LogicalKind.INTEGER, bit_width=bits, is_signed=signed)
    return {"physical": _INT64 if bits == 64 else _INT32, "logical": logical}


_INTERVAL: Final[dict[str, Any]] = {
    "physical": _FIXED,
    "type_length": 12,
    "logical": LogicalType(LogicalKind.INTERVAL),
}

#: Types that are told by their format alone.
_PLAIN: Final[dict[str, dict[str, Any]]] = {
    "n": {"physical": _INT32, "logical": LogicalType(LogicalKind.UNKNOWN)},
    "b": {"physical": _BOOLEAN},
    "c": _integer(8, signed=True),
    "C": _integer(8, signed=False),
    "s": _integer(16, signed=True),
    "S": _integer(16, signed=False),
    "i": {"physical": _INT32},
    "I": _integer(32, signed=False),
    "l": {"physical": _INT64},
    "L": _integer(64, signed=False),
    "e": {"physical": _FIXED, "type_length": 2, "logical": LogicalType(LogicalKind.FLOAT16)},
    "f": {"physical": _FLOAT},
    "g": {"physical": _DOUBLE},
    **{each: {"physical": _BYTES, "logical": _TEXT} for each in ("u", "U", "vu")},
    **{each: {"physical": _BYTES} for each in ("z", "Z", "vz", "w:0")},
    "tdD": {"physical": _INT32, "logical": LogicalType(LogicalKind.DATE)},
    "tdm": {
        "physical": _INT32,
        "logical": LogicalType(LogicalKind.DATE),
        "storing": Storing.DIVIDED,
        "factor": 86_400_000,
    },
    # Parquet has no durations: what they are is told by the key ARROW:schema.
    **{each: {"physical": _INT64} for each in ("tDs", "tDm", "tDu", "tDn")},
    "tiM": _INTERVAL,
    "tiD": _INTERVAL,
    "tin": _INTERVAL,
}

#: Units in format strings, as Parquet has them; of seconds it has none.
_UNITS: Final = {"s": "ms", "m": "ms", "u": "us", "n": "ns"}
_SECONDS: Final = {"storing": Storing.TIMES, "factor": 1000}

_LISTS: Final = ("+l", "+L", "+vl", "+vL")
_VARIANTS: Final = ("arrow.parquet.variant", "parquet.variant")


def write_field(arrow: ArrowType, *, decimal_integers: bool = True) -> WriteField:
    """Return what a column of an Arrow type is stored as.

    Parameters
    ----------
    arrow
        The type; its name is the column's.
    decimal_integers
        Whether decimals of up to 18 digits are stored as integers of 32 or 64 bits, or all of them
        as bytes of a fixed length.

    Raises
    ------
    ValueUnstorable
        Parquet has no such type.
    """
    return _Fields(decimal_integers=decimal_integers).field(arrow, arrow.name)


def is_boolean(arrow: ArrowType) -> bool:
    """Whether an integer type is marked as one of booleans."""
    return arrow.format == "c" and arrow.extension == "arrow.bool8"


def is_variant(arrow: ArrowType) -> bool:
    """Whether a struct is marked as a Variant, and has what makes one."""
    names = [child.name for child in arrow.children]
    return (
        arrow.format == "+s"
        and arrow.extension in _VARIANTS
        and len(set(names)) == len(names)
        and "metadata" in names
        and set(names) <= {"metadata", "value", "typed_value"}
        and all(
            child.format in ("z", "Z", "vz")
            for child in arrow.children
            if child.name != "typed_value"
        )
    )


def decimal_field(precision: int, scale: int, *, integers: bool = True) -> dict[str, Any]:
    """Return what of a `WriteField` a decimal tells: its types, and how it is stored.

    Parameters
    ----------
    precision, scale
        Digits, and how many of them follow the point.
    integers
        Whether up to 18 digits are stored as integers.
    """
    told: dict[str, Any] = {
        "logical": LogicalType(LogicalKind.DECIMAL, precision=precision, scale=scale),
        "storing": Storing.DECIMAL,
    }
    if integers and precision <= 18:
        return told | {"physical": _INT32 if precision <= 9 else _INT64}
    # The bits of the largest number, and one for the sign.
    nbytes = ((10**precision - 1).bit_length() + 8) // 8
    return told | {"physical": _FIXED, "type_length": nbytes}


class _Fields:
    """Fields from types, however nested."""

    def __init__(self, *, decimal_integers: bool) -> None:
        self._decimal_integers = decimal_integers

    def field(self, arrow: ArrowType, path: str) -> WriteField:
        """Return the field of a type; `path` is for errors."""
        layout = arrow.format
        if arrow.dictionary is not None:
            values = replace(
                arrow.dictionary,
                name=arrow.name,
                nullable=arrow.nullable,
                metadata={**arrow.dictionary.metadata, **arrow.metadata},
            )
            return self.field(values, path)
        if layout == "+r":
            _, values = _children(arrow, 2, path)
            nullable = arrow.nullable or values.nullable
            metadata = {**values.metadata, **arrow.metadata}
            values = replace(values, name=arrow.name, nullable=nullable, metadata=metadata)
            return self.field(values, path)
        if layout.startswith("+"):
            return self._nested(arrow, path)
        return WriteField(
            arrow.name,
            WriteKind.LEAF,
            arrow.nullable or layout == "n",
            field_id=arrow.field_id,
            **self._marked(arrow, self._leaf(layout, path)),
        )

    def _nested(self, arrow: ArrowType, path: str) -> WriteField:
        layout = arrow.format
        logical = LogicalType(LogicalKind.NONE)
        children: tuple[WriteField, ...]
        if layout.startswith(("+ud", "+us")):
            raise ValueUnstorable(
                "Parquet has no unions; make a column of each of its types, or one Variant"
            ).located(column=path)
        if layout in _LISTS or layout.startswith("+w:"):
            kind = WriteKind.LIST
            (element,) = _children(arrow, 1, path)
            children = (self.field(replace(element, name="element"), f"{path}.element"),)
        elif layout == "+m":
            kind = WriteKind.MAP
            (entries,) = _children(arrow, 1, path)
            key, value = _children(entries, 2, path)
            # Some producers say that keys could be missing, and give none that is.
            key = replace(key, name="key", nullable=False)
            children = (
                self.field(key, f"{path}.key"),
                self.field(replace(value, name="value"), f"{path}.value"),
            )
        elif layout == "+s":
            kind = WriteKind.STRUCT
            members = arrow.children
            if not members:
                raise ValueUnstorable(
                    "it is a struct without members, which Parquet cannot store; leave the column "
                    "out, or give it a member"
                ).located(column=path)
            if is_variant(arrow):
                logical = LogicalType(LogicalKind.VARIANT, version=1)
                members = _variant_members(arrow)
            children = tuple(self.field(each, f"{path}.{each.name}") for each in members)
        else:
            raise _unknown(layout, path)
        return WriteField(
            arrow.name,
            kind,
            arrow.nullable,
            logical=logical,
            field_id=arrow.field_id,
            children=children,
        )

    def _leaf(self, layout: str, path: str) -> dict[str, Any]:
        found = _PLAIN.get(layout)
        if found is not None:
            return found
        head, _, rest = layout.partition(":")
        if head == "d":
            return self._decimal(layout, path)
        if head == "w" and rest.isdecimal():
            return {"physical": _FIXED, "type_length": int(rest)}
        unit = _UNITS.get(head[2:])
        if unit is None or head[:2] not in ("ts", "tt"):
            raise _unknown(layout, path)
        seconds = _SECONDS if head[2] == "s" else {}
        if head[:2] == "ts":
            logical = LogicalType(LogicalKind.TIMESTAMP, unit=unit, is_utc=bool(rest))
            return {"physical": _INT64, "logical": logical, **seconds}
        physical = _INT32 if unit == "ms" else _INT64
        return {"physical": physical, "logical": LogicalType(LogicalKind.TIME, unit=unit)} | seconds

    def _decimal(self, layout: str, path: str) -> dict[str, Any]:
        try:
            precision, scale = (int(each) for each in layout[2:].split(",")[:2])
        except ValueError as error:
            raise _unknown(layout, path) from error
        if not 1 <= precision <= 76:
            raise _unknown(layout, path)
        if not 0 <= scale <= precision:
            raise ValueUnstorable(
                f"Parquet has no decimals of {precision} digits of which {scale} follow the point; "
                f"cast the column to decimal({max(precision, precision - scale, scale)}, "
                f"{max(scale, 0)})"
            ).located(column=path)
        return decimal_field(precision, scale, integers=self._decimal_integers)

    def _marked(self, arrow: ArrowType, told: dict[str, Any]) -> dict[str, Any]:
        """Return what a leaf is stored as, with what its extension type means."""
        extension, layout = arrow.extension, arrow.format
        if is_boolean(arrow):
            return {"physical": _BOOLEAN}
        if extension == "arrow.uuid" and layout == "w:16":
            return told | {"logical": LogicalType(LogicalKind.UUID)}
        if extension == "arrow.json" and layout in ("u", "U", "vu"):
            return told | {"logical": LogicalType(LogicalKind.JSON)}
        if extension == "geoarrow.wkb" and layout in ("z", "Z", "vz"):
            return told | {"logical": geometry_type(arrow.extension_metadata)}
        return told


def _variant_members(arrow: ArrowType) -> tuple[ArrowType, ...]:
    is_shredded = any(child.name == "typed_value" for child in arrow.children)
    return tuple(
        replace(child, nullable=child.name != "metadata" and is_shredded)
        for child in arrow.children
    )


def _children(arrow: ArrowType, count: int, path: str) -> tuple[ArrowType, ...]:
    if len(arrow.children) != count:
        raise ValueUnstorable(
            f"its Arrow type {arrow.format!r} has {len(arrow.children)} children, and must have "
            f"{count}"
        ).located(column=path)
    return arrow.children


def _unknown(layout: str, path: str) -> ValueUnstorable:
    return ValueUnstorable(
        f"its Arrow type {layout!r} is not known; cast the column to another one"
    ).located(column=path)

"""Which Arrow type a field of a Parquet schema is, in the format strings of Arrow's C interface.

Text and other byte strings get 64-bit offsets, as pandas and our own decoder have them; decimals
become 128 or 256 bits by their precision; what has no Arrow type of its own (UUID, JSON, geometry,
Variant) is the type that holds its values, marked with the name of the canonical extension type.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

import numpy as np

from hocket.parquet.assemble.arrow_geometry import geometry_extension
from hocket.parquet.assemble.arrow_hints import ArrowHint
from hocket.parquet.decode.target import (
    UNITS,
    Conversion,
    Target,
    byte_string_target,
    natural_target,
    time_units,
)
from hocket.parquet.errors import InvalidOption
from hocket.parquet.metadata.schema import LogicalKind, PhysicalType, SchemaNode
from hocket.parquet.nesting.fields import Field, FieldKind
from hocket.parquet.records import dataclass, field, replace

__all__ = [
    "ARROW_OF_PANDAS",
    "ArrowField",
    "ArrowOptions",
    "ArrowSchema",
    "arrow_field",
    "arrow_schema",
]

_EXTENSION_NAME: Final = "ARROW:extension:name"
_EXTENSION_METADATA: Final = "ARROW:extension:metadata"
_FIELD_ID: Final = "PARQUET:field_id"

#: Older versions of pyarrow unpickle the metadata of these.
_PICKLED_EXTENSIONS: Final = frozenset({"arrow.py_extension_type"})
#: Extension types that take text and bytes with offsets of any width.
_TOLERANT_EXTENSIONS: Final = ("arrow.", "geoarrow.")

_TIMEZONE_LENGTH_MAX: Final = 100

_VARIANT: Final = "arrow.parquet.variant"
_VARIANT_FORMS: Final = ("whole", "stored")


@dataclass(frozen=True, slots=True)
class ArrowOptions:
    """What Arrow data shall look like.

    Parameters
    ----------
    extension_types
        Whether UUIDs, JSON, geometries and Variants (unless they are stored shredded) carry the
        names of their extension types.
    wide_offsets
        Whether lists have 64-bit offsets: needed where a part has 2**31 elements or more. (Maps
        have no such kind.)
    int96_unit
        The unit of INT96 timestamps: "ns", "us", "ms" or "s". Other timestamps of 12 bytes come in
        a coarser unit than their own if this one is.
    dictionaries
        Dotted paths of leaves that come as dictionary arrays; None for those that were written from
        such.
    variants
        "whole": shredded Variants are put together, so that everyone who knows Variants can read
        them. "stored": they are the structs that the file has.
    """

    extension_types: bool = True
    wide_offsets: bool = False
    int96_unit: str = "ns"
    dictionaries: Collection[str] | None = None
    variants: str = "whole"

    def __post_init__(self) -> None:
        if self.variants not in _VARIANT_FORMS:
            raise InvalidOption(
                f"variants is {self.variants!r}; it has to be one of {', '.join(_VARIANT_FORMS)}"
            )
        if self.int96_unit not in UNITS:
            raise InvalidOption(
                f"int96_unit is {self.int96_unit!r}; it has to be one of {', '.join(UNITS)}"
            )


#: What pandas takes: extension types would hide the values from it.
ARROW_OF_PANDAS: Final = ArrowOptions(extension_types=False, dictionaries=())


@dataclass(frozen=True, slots=True)
class ArrowField:
    """A field of an Arrow schema, and what of the file it comes from.

    Parameters
    ----------
    name
        Its name.
    format
        Its type, as Arrow's C data interface writes it; of dictionary arrays, that of the codes.
    nullable
        Whether values can be missing.
    children
        The fields in it.
    metadata
        Keys and values, text.
    dictionary
        What the codes of a dictionary array stand for.
    is_ordered
        Whether the order of a dictionary has a meaning.
    source
        The field that it shows; None for the entries of a map.
    target
        For leaves: what they have to be decoded to.
    stored
        For Variants that are put together: the field as the file has it.
    """

    name: str
    format: str
    nullable: bool
    children: tuple[ArrowField, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    dictionary: ArrowField | None = None
    is_ordered: bool = False
    source: Field | None = None
    target: Target | None = None
    stored: ArrowField | None = None

    def targets(self) -> Iterator[tuple[SchemaNode, Target]]:
        """Yield the leaves below, or itself, and what each has to be decoded to."""
        if self.stored is not None:
            yield from self.stored.targets()
            return
        if self.target is not None and self.source is not None:
            yield self.source.node, self.target
        for child in self.children:
            yield from child.targets()


@dataclass(frozen=True, slots=True)
class ArrowSchema:
    """The columns of Arrow data, and the file's key-value metadata."""

    fields: tuple[ArrowField, ...]
    metadata: Mapping[str, str | bytes] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [each.name for each in self.fields]


@dataclass(frozen=True, slots=True)
class _Context:
    options: ArrowOptions
    key_value: Mapping[str, str | bytes]


def arrow_schema(
    fields: Collection[Field],
    *,
    hints: Mapping[str, ArrowHint] | None = None,
    key_value: Mapping[str, str | bytes] | None = None,
    options: ArrowOptions | None = None,
) -> ArrowSchema:
    """Return the Arrow schema of columns.

    Parameters
    ----------
    fields
        The columns.
    hints
        What the file's own Arrow schema says of them, by name.
    key_value
        The file's key-value metadata. It becomes the schema's metadata, but for Arrow's own schema.
    options
        What the data shall look like.
    """
    known = hints or {}
    key_value = key_value or {}
    options = options or ArrowOptions()
    return ArrowSchema(
        tuple(
            arrow_field(each, hint=known.get(each.name), key_value=key_value, options=options)
            for each in fields
        ),
        {key: value for key, value in key_value.items() if key != "ARROW:schema"},
    )


def arrow_field(
    field: Field,
    *,
    hint: ArrowHint | None = None,
    key_value: Mapping[str, str | bytes] | None = None,
    options: ArrowOptions | None = None,
) -> ArrowField:
    """Return the Arrow field of a column.

    Parameters
    ----------
    field
        The column.
    hint
        What the file's own Arrow schema says of it.
    key_value
        The file's key-value metadata, where coordinate reference systems can be.
    options
        What the data shall look like.
    """
    return _field(field, hint, _Context(options or ArrowOptions(), key_value or {}))


def _field(field: Field, hint: ArrowHint | None, context: _Context) -> ArrowField:
    made = _plain_field(field, hint, context)
    if hint is None or hint.extension is None or not context.options.extension_types:
        return made
    name, text = hint.extension
    is_known = name.startswith(_TOLERANT_EXTENSIONS)
    if (
        made.dictionary is not None
        or name in _PICKLED_EXTENSIONS
        or _EXTENSION_NAME in made.metadata
        # Text and bytes have other offsets here than where the type was written.
        or (made.format in ("U", "Z") and not is_known)
    ):
        return made
    metadata = {**made.metadata, _EXTENSION_NAME: name, _EXTENSION_METADATA: text}
    return replace(made, metadata=metadata)


def _plain_field(field: Field, hint: ArrowHint | None, context: _Context) -> ArrowField:
    if field.kind is FieldKind.LEAF:
        return _leaf(field, hint, context)
    metadata = _metadata(field.node)
    if field.kind is FieldKind.MAP:
        entries = ArrowField(
            "entries", "+s", nullable=False, children=_entries(field, hint, context)
        )
        return ArrowField(
            field.name, "+m", field.nullable, (entries,), metadata=metadata, source=field
        )
    if field.kind is FieldKind.LIST:
        inner = hint.children[0] if hint is not None and len(hint.children) == 1 else None
        element = _field(field.children[0], inner, context)
        layout = "+L" if context.options.wide_offsets else "+l"
        return ArrowField(
            field.name, layout, field.nullable, (element,), metadata=metadata, source=field
        )
    if field.kind is FieldKind.VARIANT:
        return _variant(field, context, metadata)
    known = {} if hint is None else {child.name: child for child in hint.children}
    members = tuple(_field(child, known.get(child.name), context) for child in field.children)
    return ArrowField(field.name, "+s", field.nullable, members, metadata=metadata, source=field)


def _variant(field: Field, context: _Context, metadata: dict[str, str]) -> ArrowField:
    # What Arrow's schema says is not asked: typed columns have the types of Variants, or none.
    members = tuple(_field(child, None, context) for child in field.children)
    stored = ArrowField(field.name, "+s", field.nullable, members, metadata=metadata, source=field)
    is_whole = {child.name for child in members} == {"metadata", "value"}
    if not is_whole and context.options.variants == "stored":
        # Who knows the extension type (DuckDB) may not know that it can be shredded.
        return stored
    if context.options.extension_types:
        metadata = metadata | {_EXTENSION_NAME: _VARIANT, _EXTENSION_METADATA: ""}
    if is_whole:
        return replace(stored, metadata=metadata)
    names = next(child for child in members if child.name == "metadata")
    children = (names, ArrowField("value", "Z", nullable=False))
    return replace(stored, children=children, metadata=metadata, stored=stored)


def _entries(field: Field, hint: ArrowHint | None, context: _Context) -> tuple[ArrowField, ...]:
    hints: tuple[ArrowHint | None, ...] = (None, None)
    if hint is not None and len(hint.children) == 1 and len(hint.children[0].children) == 2:
        hints = hint.children[0].children
    key, value = (
        _field(child, inner, context) for child, inner in zip(field.children, hints, strict=True)
    )
    # Some writers declare keys that may be missing, and write none that is.
    return replace(key, name="key", nullable=False), replace(value, name="value")


def _leaf(field: Field, hint: ArrowHint | None, context: _Context) -> ArrowField:
    leaf = field.node
    layout, target = _layout(leaf, hint, context.options)
    metadata = _metadata(leaf)
    if context.options.extension_types:
        metadata |= _extension(leaf, layout, context)
    nullable = field.nullable or layout == "n"
    result = ArrowField(
        field.name, layout, nullable, metadata=metadata, source=field, target=target
    )
    if not _wants_dictionary(leaf, layout, hint, context.options):
        return result
    return replace(
        result,
        format="i",
        dictionary=ArrowField(field.name, layout, nullable=True, source=field, target=target),
        is_ordered=hint is not None and hint.ordered,
        target=replace(target, keep_dictionary=True),
    )


def _wants_dictionary(
    leaf: SchemaNode, layout: str, hint: ArrowHint | None, options: ArrowOptions
) -> bool:
    if layout in _WITHOUT_DICTIONARY:
        return False
    if options.dictionaries is None:
        return hint is not None and hint.is_dictionary
    return leaf.dotted in options.dictionaries or leaf.path[0] in options.dictionaries


def _metadata(node: SchemaNode) -> dict[str, str]:
    return {} if node.field_id is None else {_FIELD_ID: str(node.field_id)}


def _extension(leaf: SchemaNode, layout: str, context: _Context) -> dict[str, str]:
    kind = leaf.logical.kind
    if kind in (LogicalKind.GEOMETRY, LogicalKind.GEOGRAPHY) and layout == "Z":
        name, text = geometry_extension(leaf.logical, context.key_value)
    elif kind is LogicalKind.UUID:
        name, text = "arrow.uuid", ""
    elif kind is LogicalKind.JSON:
        name, text = "arrow.json", ""
    else:
        return {}
    return {_EXTENSION_NAME: name, _EXTENSION_METADATA: text}


#: Formats of which no dictionary is made: it would take more than the values, or cannot be read.
_WITHOUT_DICTIONARY: Final = frozenset({"n", "b", "tin"})

_NUMBERS: Final = {
    "i1": "c",
    "u1": "C",
    "i2": "s",
    "u2": "S",
    "i4": "i",
    "u4": "I",
    "i8": "l",
    "u8": "L",
    "f2": "e",
    "f4": "f",
    "f8": "g",
}
_UNITS: Final = {"s": "s", "ms": "m", "us": "u", "ns": "n"}
_TEXT: Final = frozenset({LogicalKind.STRING, LogicalKind.ENUM, LogicalKind.JSON})

_BY_KIND: Final = {
    LogicalKind.UNKNOWN: "n",
    LogicalKind.DATE: "tdD",
    LogicalKind.INTERVAL: "tin",
}

_TIMESTAMP_HINT: Final = 10


def _layout(leaf: SchemaNode, hint: ArrowHint | None, options: ArrowOptions) -> tuple[str, Target]:
    """Return the format of a leaf, and the target that has its bytes."""
    target = natural_target(leaf)
    if leaf.logical.kind is LogicalKind.DECIMAL:
        return _decimal(leaf)
    ladder = time_units(leaf)
    if ladder:
        unit, conversion = ladder[UNITS.index(options.int96_unit)]
        zone = _timezone(hint) if leaf.logical.is_utc else ""
        return f"ts{_UNITS[unit]}:{zone}", replace(target, conversion=conversion)
    return _layout_of_kind(leaf, hint) or _layout_of_storage(leaf, target, hint), target


def _layout_of_kind(leaf: SchemaNode, hint: ArrowHint | None) -> str:
    """Return the format that a logical type tells; "" if it tells none."""
    kind, unit = leaf.logical.kind, leaf.logical.unit
    if kind is LogicalKind.TIME:
        return f"tt{_UNITS[unit]}"
    if kind is LogicalKind.TIMESTAMP:
        return f"ts{_UNITS[unit]}:{_timezone(hint) if leaf.logical.is_utc else ''}"
    return _BY_KIND.get(kind, "")


def _layout_of_storage(leaf: SchemaNode, target: Target, hint: ArrowHint | None) -> str:
    if leaf.physical is PhysicalType.BOOLEAN:
        return "b"
    if target.dtype is None:
        return "U" if leaf.logical.kind in _TEXT else "Z"
    if target.dtype.kind == "V":
        return f"w:{target.item_size}"
    layout = _NUMBERS[target.dtype.str[1:]]
    if layout == "l" and leaf.logical.kind is LogicalKind.NONE and hint is not None:
        duration = hint.duration_unit
        return f"tD{_UNITS[duration]}" if duration in _UNITS else layout
    return layout


def _decimal(leaf: SchemaNode) -> tuple[str, Target]:
    precision, scale = leaf.logical.precision, leaf.logical.scale
    if leaf.physical in (PhysicalType.INT32, PhysicalType.INT64):
        return f"d:{min(precision, 38)},{scale}", Target(16, np.dtype("V16"), Conversion.WIDEN_128)
    if precision <= 38:
        return f"d:{precision},{scale}", Target(16, np.dtype("V16"), Conversion.BIG_ENDIAN_128)
    if precision <= 76:
        return f"d:{precision},{scale},256", Target(32, np.dtype("V32"), Conversion.BIG_ENDIAN_256)
    # No Arrow decimal has so many digits: the bytes as they are.
    if leaf.physical is PhysicalType.BYTE_ARRAY:
        return "Z", byte_string_target(leaf)
    width = leaf.type_length
    return f"w:{width}", Target(width, np.dtype(f"V{width}"))


def _timezone(hint: ArrowHint | None) -> str:
    """Return the zone that instants were told in, if the file says so in a sensible way."""
    if hint is None or hint.type_id != _TIMESTAMP_HINT or not hint.timezone:
        return "UTC"
    zone = hint.timezone
    sensible = len(zone) <= _TIMEZONE_LENGTH_MAX and zone.isascii() and zone.isprintable()
    return zone if sensible else "UTC"

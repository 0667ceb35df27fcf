"""Arrow types in the words of `hocket.parquet.intake.type_texts`, for errors."""

from __future__ import annotations

from typing import Final

from hocket.parquet.intake.arrow_type import ArrowType

__all__ = ["arrow_text"]

_WORDS: Final = {
    "n": "null",
    "b": "bool",
    "c": "int8",
    "s": "int16",
    "i": "int32",
    "l": "int64",
    "C": "uint8",
    "S": "uint16",
    "I": "uint32",
    "L": "uint64",
    "e": "float16",
    "f": "float32",
    "g": "float64",
    **dict.fromkeys(("u", "U", "vu"), "string"),
    **dict.fromkeys(("z", "Z", "vz"), "binary"),
    "tdD": "date",
    "tdm": "date",
    **dict.fromkeys(("tiM", "tiD", "tin"), "interval"),
}
_EXTENSIONS: Final = {
    "arrow.uuid": "uuid",
    "arrow.json": "json",
    "arrow.bool8": "bool",
    "arrow.parquet.variant": "variant",
    "geoarrow.wkb": "geometry",
}
_UNITS: Final = {"s": "s", "m": "ms", "u": "us", "n": "ns"}
_TIMES: Final = {"ts": "timestamp", "tt": "time", "tD": "duration"}


def arrow_text(arrow: ArrowType) -> str:
    """Return what a type is called."""
    if arrow.dictionary is not None:
        return arrow_text(arrow.dictionary)
    word = _EXTENSIONS.get(arrow.extension) or _WORDS.get(arrow.format)
    if word is not None:
        return word
    return _nested(arrow) if arrow.format.startswith("+") else _with_parameters(arrow.format)


def _with_parameters(layout: str) -> str:
    head, _, rest = layout.partition(":")
    kind = _TIMES.get(head[:2])
    if kind is not None:
        unit = _UNITS.get(head[2:], head[2:])
        return f"{kind}({unit}, {rest})" if rest else f"{kind}({unit})"
    if head == "d":
        return f"decimal({', '.join(rest.split(',')[:2])})"
    return f"binary({rest})" if head == "w" else layout


def _nested(arrow: ArrowType) -> str:
    children = arrow.children
    if arrow.format == "+r" and len(children) == 2:
        return arrow_text(children[1])
    if arrow.format == "+m" and children:
        return f"map<{', '.join(map(arrow_text, children[0].children))}>"
    if arrow.format == "+s":
        members = ", ".join(f"{child.name}: {arrow_text(child)}" for child in children)
        return f"struct<{members}>"
    return f"list<{', '.join(map(arrow_text, children))}>"

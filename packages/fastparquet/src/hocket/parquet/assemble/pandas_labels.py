"""Column labels as they were before they became names in a file: numbers, times, several levels."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from hocket.parquet.assemble.pandas_metadata import ColumnMetadata, PandasMetadata
from hocket.parquet.assemble.text_dtype import default_text_dtype
from hocket.parquet.assemble.timezones import timezone_of

__all__ = ["frame_labels", "parse_label"]

_LABEL_LENGTH_MAX: Final = 10_000
_INTEGER: Final = r"u?int(8|16|32|64)"
_FLOAT: Final = r"float(16|32|64)"
_TIME: Final = r"datetime(tz$|64|$)"
_WHOLE: Final = r"-?\d{1,19}"


def frame_labels(names: Sequence[str], metadata: PandasMetadata) -> pd.Index:
    """Return the labels of columns.

    Parameters
    ----------
    names
        Their names in the file.
    metadata
        What pandas said about the frame; labels that do not fit to it stay names.
    """
    texts = []
    for name in names:
        about = metadata.columns.get(name)
        texts.append(name if about is None or about.name is None else about.name)
    levels = metadata.label_levels
    if len(levels) > 1:
        tuples = [parse_label(text) for text in texts]
        if tuples and all(each is not None and len(each) == len(levels) for each in tuples):
            columns = zip(*(each for each in tuples if each is not None), strict=True)
            arrays = [_level(items, about) for items, about in zip(columns, levels, strict=True)]
            return pd.MultiIndex.from_arrays(arrays, names=[level.name for level in levels])
    level = levels[0] if len(levels) == 1 else None
    return _level(texts, level)


def _level(items: Sequence[Hashable], about: ColumnMetadata | None) -> pd.Index:
    """Return labels with the type that their level had; as they are if that cannot be."""
    name = None if about is None else about.name
    kind = "" if about is None else about.numpy_type or about.pandas_type
    try:
        if re.fullmatch(_INTEGER, kind) and all(re.fullmatch(_WHOLE, str(item)) for item in items):
            return pd.Index(np.array([int(str(item)) for item in items], kind), name=name)
        if re.fullmatch(_FLOAT, kind):
            return pd.Index([float(str(item)) for item in items], dtype=np.float64, name=name)
        if about is not None and re.match(_TIME, kind):
            return _times(items, about)
    except (ValueError, TypeError, OverflowError):
        # Some other program renamed columns, and left what pandas had said of them.
        pass
    if not items:
        return pd.Index([], dtype=default_text_dtype(), name=name)
    return pd.Index(list(items), name=name, tupleize_cols=False)


def _times(items: Sequence[Hashable], about: ColumnMetadata) -> pd.Index:
    texts = [str(item) for item in items]
    if about.timezone is None:
        stamps = pd.DatetimeIndex(pd.to_datetime(texts, format="ISO8601"))
    else:
        zone = timezone_of(about.timezone)
        stamps = pd.to_datetime(texts, format="ISO8601", utc=True).tz_convert(zone)
    return stamps.rename(about.name)


_QUOTED: Final = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_ITEM: Final = (
    rf"(?s)\s*(?:(?P<text>{_QUOTED})|(?P<real>[-+]?\d+\.\d*(?:[eE][-+]?\d+)?)|(?P<whole>[-+]?\d{{1,19}})"
    r"|(?P<word>None|True|False|nan))\s*(?P<end>,|\)|$)"
)
_WORDS: Final[Mapping[str, Hashable]] = {
    "None": None,
    "True": True,
    "False": False,
    "nan": float("nan"),
}
_ESCAPE: Final = r"(?s)\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)"
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


def parse_label(name: str) -> tuple[Hashable, ...] | None:
    """Return the label of a column of several levels from its name, as pandas' writers print it.

    Only what such a tuple can hold is understood: text in quotes, numbers, None, True and False.
    None if the name is not that.
    """
    if not name.startswith("(") or not name.endswith(")") or len(name) > _LABEL_LENGTH_MAX:
        return None
    items: list[Hashable] = []
    at = 1
    while at < len(name):
        if items and name[at:].strip() == ")":
            return tuple(items)
        found = re.match(_ITEM, name[at:])
        if found is None:
            return None
        items.append(_item(found))
        at += found.end()
        if found["end"] == ")":
            return tuple(items) if at == len(name) else None
    return None


def _item(found: re.Match[str]) -> Hashable:
    if (text := found["text"]) is not None:
        return re.sub(_ESCAPE, _unescaped, text[1:-1])
    if (real := found["real"]) is not None:
        return float(real)
    if (whole := found["whole"]) is not None:
        return int(whole)
    return _WORDS[found["word"]]


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if len(code) > 1:
        number = int(code[1:], 16)
        return chr(number) if number <= 0x10FFFF else found[0]
    return _ESCAPES.get(code, found[0])

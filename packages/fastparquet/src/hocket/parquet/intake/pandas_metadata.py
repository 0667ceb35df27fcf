"""The footer's key ``pandas``: index, labels and dtypes of a frame, as pandas' writers tell them.

Both pyarrow's reader and ours (`hocket.parquet.assemble.pandas_metadata`) restore frames from it.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from hocket.parquet.intake.arrow_type import ArrowType
from hocket.parquet.intake.zone_names import zone_name
from hocket.parquet.records import dataclass

__all__ = [
    "KEY",
    "DescribedColumn",
    "column_text",
    "described_range",
    "extended",
    "index_level_name",
    "pandas_metadata",
]

KEY: Final = "pandas"
_CREATOR: Final = {"library": "hocket.parquet", "version": "0.1.0"}

_PANDAS_TYPES: Final = {
    "n": "empty",
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
    "u": "unicode",
    "U": "unicode",
    "z": "bytes",
    "Z": "bytes",
    "tdD": "date",
}
_STAMP: Final = {"unicode": {"encoding": "UTF-8"}}


@dataclass(frozen=True, slots=True)
class DescribedColumn:
    """A column, or a level of an index, as the metadata shall tell of it.

    Parameters
    ----------
    label
        Its label as text; None if it had none.
    name
        Its name in the file.
    data
        The column of the frame, or the index level.
    type
        What was stored.
    """

    label: str | None
    name: str
    data: Any
    type: ArrowType


def column_text(label: Hashable) -> str | None:
    """Return a label as text, as pandas' writers have it; None if it is none."""
    if isinstance(label, str):
        return label
    if isinstance(label, bytes):
        return label.decode("utf-8", "backslashreplace")
    if isinstance(label, tuple):
        return str(tuple(map(column_text, label)))
    if label is None or (isinstance(label, float) and math.isnan(label)):
        return None
    return str(label)


def index_level_name(level: Any, position: int, taken: Sequence[str]) -> str:
    """Return the name of the column that an index level is stored as."""
    text = column_text(level.name)
    if text is not None and text not in taken:
        return text
    while f"__index_level_{position}__" in taken:
        position += 1
    return f"__index_level_{position}__"


def described_range(index: Any) -> dict[str, Any]:
    """Return what is told of an index that is a range, and so need not be stored."""
    return {
        "kind": "range",
        "name": column_text(index.name),
        "start": index.start,
        "stop": index.stop,
        "step": index.step,
    }


def pandas_metadata(
    frame: Any,
    columns: Sequence[DescribedColumn],
    levels: Sequence[DescribedColumn],
    index: Sequence[str | dict[str, Any]],
) -> str:
    """Return the value of the key.

    Parameters
    ----------
    frame
        The frame.
    columns
        Its columns.
    levels
        The levels of its index that are stored.
    index
        All levels of its index: names in the file, or ranges.
    """
    labels = frame.columns
    label_levels = getattr(labels, "levels", [labels])
    return json.dumps(
        {
            "index_columns": list(index),
            "column_indexes": [
                _described_labels(level, name)
                for level, name in zip(label_levels, labels.names, strict=True)
            ],
            "columns": [_described(each) for each in (*columns, *levels)],
            "attributes": _attributes(frame),
            "creator": _CREATOR,
            "pandas_version": pd.__version__,
        }
    )


def _described(column: DescribedColumn) -> dict[str, Any]:
    arrow = column.type
    pandas_type = _pandas_type(arrow)
    numpy_type, extra = _dtype_words(column.data)
    if pandas_type == "decimal":
        numpy_type = "object"
        precision, scale = (int(each) for each in arrow.format[2:].split(",")[:2])
        extra = {"precision": precision, "scale": scale}
    return {
        "name": column.label,
        "field_name": column.name,
        "pandas_type": pandas_type,
        "numpy_type": numpy_type,
        "metadata": extra,
    }


def _pandas_type(arrow: ArrowType) -> str:
    if arrow.dictionary is not None:
        return "categorical"
    layout = arrow.format
    known = _PANDAS_TYPES.get(layout)
    if known is not None:
        return known
    if layout in ("+l", "+L"):
        return f"list[{_pandas_type(arrow.children[0])}]"
    if layout.startswith("ts"):
        return "datetimetz" if arrow.timezone else "datetime"
    for start, word in (("d:", "decimal"), ("tt", "time"), ("w:", "bytes")):
        if layout.startswith(start):
            return word
    return "object"


def _dtype_words(data: Any) -> tuple[str, dict[str, Any] | None]:
    """Return the dtype of a column as text, and what the text does not tell."""
    dtype = data.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        array = data.cat if hasattr(data, "cat") else data
        told = {"num_categories": len(dtype.categories), "ordered": bool(dtype.ordered)}
        return str(array.codes.dtype), told
    if isinstance(dtype, pd.DatetimeTZDtype):
        return f"datetime64[{dtype.unit}]", {"timezone": zone_name(dtype.tz)}
    if isinstance(dtype, pd.SparseDtype):
        # Stored dense, it comes back so.
        return str(dtype.subtype), None
    if isinstance(dtype, pd.ArrowDtype) and not _is_understood(str(dtype)):
        # pyarrow's reader fails where pandas does not know its own dtype's name.
        return "object", None
    return str(dtype), None


def _is_understood(name: str) -> bool:
    try:
        pd.api.types.pandas_dtype(name)
    except (TypeError, ValueError, NotImplementedError):
        return False
    return True


def _described_labels(level: Any, name: Hashable) -> dict[str, Any]:
    numpy_type, extra = _dtype_words(level)
    pandas_type = _type_of_labels(level)
    text = column_text(name)
    return {
        "name": text,
        "field_name": text,
        "pandas_type": pandas_type,
        "numpy_type": numpy_type,
        "metadata": _STAMP.get(pandas_type, extra),
    }


def _type_of_labels(level: Any) -> str:
    dtype = level.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "datetimetz"
    text = str(dtype)
    if getattr(dtype, "kind", "O") in "biufM":
        return text
    inferred: str = pd.api.types.infer_dtype(level)
    return "unicode" if inferred == "string" else inferred


def _attributes(frame: Any) -> Mapping[str, Any]:
    attributes: Mapping[str, Any] = frame.attrs
    try:
        json.dumps(attributes)
    except (TypeError, ValueError, RecursionError) as error:
        warnings.warn(
            f"the frame's attrs are left out, as they do not become JSON: {error}", stacklevel=2
        )
        return {}
    return attributes


def extended(first: str, row_count: int) -> str:
    """Return the metadata of a frame that others follow in the same file.

    Parameters
    ----------
    first
        The metadata of the first frame.
    row_count
        How many rows there are in all frames together.
    """
    document = json.loads(first)
    index = document["index_columns"]
    if len(index) == 1 and isinstance(index[0], dict):
        told = index[0]
        known = len(range(told["start"], told["stop"], told["step"]))
        if known != row_count:
            told["stop"] = told["start"] + row_count * told["step"]
    return json.dumps(document)

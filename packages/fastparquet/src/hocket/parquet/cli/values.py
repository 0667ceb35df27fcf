"""Values as text for people, and as what JSON has."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, Final

import numpy as np

from hocket.parquet.cli.output import printable

__all__ = ["json_of", "text_of"]

_NULL: Final = "null"
#: So many bytes are shown, and of text so many characters before the rest is cut off.
_SHOWN_MAX: Final = 4096


def text_of(value: Any) -> str:
    """Return a value as text in one line: what is nested looks like JSON.

    Parameters
    ----------
    value
        Of Python, NumPy or pandas.
    """
    if isinstance(value, str):
        return printable(value[:_SHOWN_MAX])
    return _inner(value)


def _inner(value: Any) -> str:
    if isinstance(value, str):
        return printable(json.dumps(value[:_SHOWN_MAX], ensure_ascii=False))
    if isinstance(value, Mapping):
        members = (f"{_inner(key)}: {_inner(each)}" for key, each in value.items())
        return f"{{{', '.join(members)}}}"
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return f"[{', '.join(map(_inner, value))}]"
    return _plain(value)


def _plain(value: Any) -> str:
    if _is_null(value):
        return _NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _bytes_text(bytes(value[:_SHOWN_MAX]))
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else _unfinite(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    text = str(value)
    if type(value).__name__ == "datetime64":
        text = text.replace("T", " ")
        text = text.rstrip("0").removesuffix(".") if "." in text else text
    return printable(text)


def _bytes_text(raw: bytes) -> str:
    """Return bytes as Python would write them if they are text, else as one long number."""
    is_text = raw.isascii() and raw.decode("ascii").isprintable()
    return repr(raw) if is_text else f"0x{raw.hex()}"


def json_of(value: Any) -> Any:
    """Return a value as JSON has it.

    Times are text as in ISO 8601, decimals text with all their digits, bytes hexadecimal text,
    floats that JSON has not ``"NaN"`` and ``"Infinity"``; maps whose keys are no text are lists of
    pairs.

    Parameters
    ----------
    value
        Of Python, NumPy or pandas.
    """
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: json_of(each) for key, each in value.items()}
        return [[json_of(key), json_of(each)] for key, each in value.items()]
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return [json_of(each) for each in value]
    if _is_null(value):
        return None
    return _json_of_plain(value)


def _json_of_plain(value: Any) -> Any:
    if isinstance(value, np.generic) and value.dtype.kind in "biufSU":
        value = value.item()
    if isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _unfinite(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return str(value)


def _unfinite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _is_null(value: Any) -> bool:
    # NaT is the only value of its type that is not equal to itself, NaN is a value.
    return value is None or (
        not isinstance(value, float) and type(value).__name__ in ("NAType", "NaTType")
    )

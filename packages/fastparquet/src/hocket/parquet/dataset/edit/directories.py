"""Names of directories that tell what the rows in them have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import numpy as np

from hocket.parquet.dataset.discovery import NULL_DIRECTORY
from hocket.parquet.errors import InvalidOption

__all__ = ["directory_of", "text_of_value"]

#: File systems take no longer names.
_NAME_NBYTES_MAX: Final = 255
_DAY_NS: Final = 86_400_000_000_000
_SECOND_NS: Final = 1_000_000_000


def directory_of(names: Sequence[str], texts: Sequence[str | None], *, is_hive: bool) -> str:
    """Return the directory for rows of certain keys, as the reader understands it.

    Parameters
    ----------
    names
        Of the keys.
    texts
        Their values as text; None for missing ones.
    is_hive
        Whether directories name the keys: ``year=2026``, and not ``2026``.
    """
    return "/".join(
        _part(name, text, is_hive=is_hive) for name, text in zip(names, texts, strict=True)
    )


def _part(name: str, text: str | None, *, is_hive: bool) -> str:
    value = NULL_DIRECTORY if text is None else _quoted(text)
    if text is not None and value == NULL_DIRECTORY:
        value = _escaped(value)
    if is_hive:
        part = f"{_visible(_quoted(name))}={value}"
    elif text is None:
        part = value
    else:
        if not value:
            raise InvalidOption(
                "an empty text cannot be the name of a directory; use file_scheme='hive'",
                column=name,
            )
        part = _visible(value)
    if len(part) > _NAME_NBYTES_MAX:
        raise InvalidOption(
            f"the value {text!r} makes a name of {len(part)} bytes for a directory, and "
            f"{_NAME_NBYTES_MAX} are allowed; partition by another column",
            column=name,
        )
    return part


def _quoted(text: str) -> str:
    return quote(text, safe=" !$&'()+,;@~", errors="surrogatepass")


def _visible(part: str) -> str:
    """Return a name that no reader takes for hidden, nor a file system for another directory."""
    return _escaped(part) if part[:1] in (".", "_") else part


def _escaped(part: str) -> str:
    return f"%{ord(part[0]):02X}{part[1:]}"


def text_of_value(value: Any, column: str) -> str:
    """Return the text that stands for a value, from which readers make the value again.

    Parameters
    ----------
    value
        As `hocket.parquet.metadata.values` makes them.
    column
        Where it is, for errors.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, np.datetime64):
        return _moment(value)
    if isinstance(value, np.timedelta64):
        return _span(value)
    if isinstance(value, bytes):
        raise InvalidOption(
            f"the bytes {value[:40]!r} cannot be the name of a directory; partition by a column of "
            "numbers, dates or text",
            column=column,
        )
    return str(value)


def _moment(value: np.datetime64) -> str:
    if np.datetime_data(value.dtype)[0] == "D":
        return str(value)
    day, _, time = str(value).partition("T")
    fraction = time.partition(".")[2].rstrip("0")
    return f"{day} {time[:8]}" + (f".{fraction}" if fraction else "")


def _span(value: np.timedelta64) -> str:
    ticks = int(value.astype("timedelta64[ns]").astype(np.int64))
    days, rest = divmod(ticks, _DAY_NS)
    seconds, fraction = divmod(rest, _SECOND_NS)
    told = f".{fraction:09d}" if fraction else ""
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{told}"
    return f"{days} days {'+' if days < 0 else ''}{clock}"

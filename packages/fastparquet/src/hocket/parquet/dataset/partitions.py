"""Columns that are not in the files but in the names of their directories.

Hive style, ``year=2026/zone=x/part.parquet``, names the columns; drill style,
``2026/x/part.parquet``, gives them numbers: ``dir0``, ``dir1``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

import numpy as np

from hocket.parquet.dataset.discovery import NULL_DIRECTORY
from hocket.parquet.dataset.keys import Family, KeyDomain
from hocket.parquet.errors import SchemaMismatch
from hocket.parquet.records import dataclass

__all__ = ["Partition", "Scheme", "parse_partitions", "split_directories"]

#: ``simple``, ``flat``, ``hive``, ``drill`` or ``other``.
Scheme = str

_DIGITS: Final = r"(?a)[+-]?\d+"
_INTEGER: Final = r"(?a)[+-]?\d{1,19}"
_NUMBER: Final = r"(?a)[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf|nan"
_DATE: Final = r"(?a)\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?"
_SPAN: Final = r"(?a)-?\d+ days?( [+-]?\d\d:\d\d:\d\d(\.\d{1,9})?)?"
_BOOLEANS: Final = {"true": True, "false": False}
_DEFAULT_UNIT: Final = "us"


@dataclass(frozen=True, slots=True)
class Partition:
    """A column that directories tell.

    Parameters
    ----------
    name
        Its name.
    values
        Its different values, of one type, sorted; without null.
    codes
        For each file, which of the values it has; -1 for null.
    domain
        How the values compare.
    """

    name: str
    values: np.ndarray[Any, Any]
    codes: tuple[int, ...]
    domain: KeyDomain

    def value(self, file: int) -> Any:
        """Return the value of a file's rows; None for null."""
        code = self.codes[file]
        if code < 0:
            return None
        value = self.values[code]
        return value.item() if self.values.dtype.kind in "ifb" else value


def split_directories(paths: Sequence[str]) -> tuple[Scheme, list[list[tuple[str, str | None]]]]:
    """Return how directories are used, and the names and texts that they give to each file.

    Parameters
    ----------
    paths
        Of the files, from the root of the dataset, with ``/``.
    """
    directories = [[part for part in path.split("/")[:-1] if part] for path in paths]
    depths = {len(parts) for parts in directories}
    if depths <= {0}:
        return "flat", [[] for _ in paths]
    pairs = [[_pair(part) for part in parts if _is_pair(part)] for parts in directories]
    named = [all(_is_pair(part) for part in parts) and parts for parts in directories]
    names = [[name for name, _ in each] for each in pairs]
    # Directories without a name tell nothing, if all files are in the same partitions.
    if all(named) or (names[0] and all(each == names[0] for each in names)):
        for path, each in zip(paths, names, strict=True):
            _check_names(path, each, names[0])
        return "hive", pairs
    if len(depths) == 1 and not any(_is_pair(part) for parts in directories for part in parts):
        return "drill", [
            [(f"dir{level}", _text(part)) for level, part in enumerate(parts)]
            for parts in directories
        ]
    return "other", [[] for _ in paths]


def _check_names(path: str, names: list[str], first: list[str]) -> None:
    if names != first:
        raise SchemaMismatch(
            f"its directories name the partitions {names}, and those of the first file {first}",
            file=path,
        )
    twice = [name for at, name in enumerate(names) if name in names[:at]]
    if twice:
        raise SchemaMismatch(
            f"its directories name the partition {twice[0]!r} twice; open the directory below the "
            "first of them, or give it as root",
            file=path,
        )


def parse_partitions(
    pairs: Sequence[Sequence[tuple[str, str | None]]], hints: Mapping[str, str]
) -> list[Partition]:
    """Give the texts of directories their types.

    Parameters
    ----------
    pairs
        Of each file, as `split_directories` returns them.
    hints
        Dtypes that the writer's metadata tells for partitions.
    """
    if not pairs or not pairs[0]:
        return []
    partitions = []
    for level, (name, _) in enumerate(pairs[0]):
        texts = [each[level][1] for each in pairs]
        partitions.append(_partition(name, texts, hints.get(name, "")))
    return partitions


def _is_pair(part: str) -> bool:
    return part.find("=") > 0


def _pair(part: str) -> tuple[str, str | None]:
    name, _, text = part.partition("=")
    return _unquoted(name), _text(text)


def _text(part: str) -> str | None:
    return None if part == NULL_DIRECTORY else _unquoted(part)


def _unquoted(part: str) -> str:
    """Return what a name stands for; bytes that are no text become escapes, which all can take."""
    raw = unquote(part).encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "backslashreplace")


def _partition(name: str, texts: list[str | None], hint: str) -> Partition:
    distinct = sorted({text for text in texts if text is not None})
    typed, domain = _typed(distinct, hint)
    values, inverse = np.unique(typed, return_inverse=True)
    if domain.family is Family.FLOAT:
        # What is not a number is none; it sorts last.
        inverse[np.isnan(typed)] = -1
        values = values[~np.isnan(values)]
    code_of = dict(zip(distinct, inverse.tolist(), strict=True))
    codes = tuple(-1 if text is None else code_of[text] for text in texts)
    return Partition(name, values, codes, domain)


def _typed(texts: list[str], hint: str) -> tuple[np.ndarray[Any, Any], KeyDomain]:
    """Return texts as an array of the one type that fits all of them."""
    for family in _families(hint):
        if (
            family is Family.FLOAT
            and not hint
            and all(re.fullmatch(_DIGITS, text) for text in texts)
        ):
            # Integers that are too large for an integer would become equal.
            continue
        try:
            array = _ARRAYS[family](texts)
        except (ValueError, OverflowError):
            continue
        if array is not None:
            lenient = family in (Family.INTEGER, Family.FLOAT, Family.BOOLEAN, Family.TEXT)
            timed = family in (Family.TIMESTAMP, Family.DURATION)
            unit = np.datetime_data(array.dtype)[0] if timed else ""
            return array, KeyDomain(family, unit=unit, lenient=lenient)
    return _texts(texts), KeyDomain(Family.TEXT, lenient=True)


def _families(hint: str) -> tuple[Family, ...]:
    kind = hint.lower()
    if kind.startswith(("int", "uint")):
        return (Family.INTEGER,)
    if kind.startswith("float"):
        return (Family.FLOAT,)
    if kind.startswith("bool"):
        return (Family.BOOLEAN,)
    if kind.startswith(("datetime", "timedelta")):
        return (Family.TIMESTAMP, Family.DURATION)
    if kind.startswith(("object", "str", "unicode", "large_string")):
        return (Family.TEXT,)
    return tuple(_ARRAYS)


def _texts(texts: list[str]) -> np.ndarray[Any, Any]:
    array = np.empty(len(texts), object)
    array[:] = texts
    return array


def _integers(texts: list[str]) -> np.ndarray[Any, Any] | None:
    if not texts or not all(re.fullmatch(_INTEGER, text) for text in texts):
        return None
    return np.array([int(text) for text in texts], np.int64)


def _floats(texts: list[str]) -> np.ndarray[Any, Any] | None:
    if not all(re.fullmatch(_NUMBER, text) for text in texts):
        return None
    # Names of people are no numbers, though "nan" and "inf" alone could be.
    if not any(text.lstrip("+-")[:1] not in ("n", "i") for text in texts):
        return None
    return np.array([float(text) for text in texts], np.float64)


def _truths(texts: list[str]) -> np.ndarray[Any, Any] | None:
    if not texts or not all(text.lower() in _BOOLEANS for text in texts):
        return None
    return np.array([_BOOLEANS[text.lower()] for text in texts], np.bool_)


def _times(texts: list[str]) -> np.ndarray[Any, Any] | None:
    if not texts or not all(re.fullmatch(_DATE, text) for text in texts):
        return None
    times = [np.datetime64(text.replace(" ", "T")) for text in texts]
    return _with_unit(times, "datetime64")


def _spans(texts: list[str]) -> np.ndarray[Any, Any] | None:
    if not texts or not all(re.fullmatch(_SPAN, text) for text in texts):
        return None
    import pandas as pd  # noqa: PLC0415 - only for durations

    return _with_unit([pd.Timedelta(text).to_timedelta64() for text in texts], "timedelta64")


def _with_unit(times: list[Any], kind: str) -> np.ndarray[Any, Any]:
    exact = np.array(times)
    unit = "ns" if np.datetime_data(exact.dtype)[0] == "ns" else _DEFAULT_UNIT
    return exact.astype(f"{kind}[{unit}]")


_ARRAYS: Final = {
    Family.INTEGER: _integers,
    Family.FLOAT: _floats,
    Family.BOOLEAN: _truths,
    Family.TIMESTAMP: _times,
    Family.DURATION: _spans,
    Family.TEXT: _texts,
}

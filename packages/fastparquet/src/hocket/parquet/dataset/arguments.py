"""What callers pass to `ParquetFile` and its methods, checked before anything is read."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np

from hocket.parquet.errors import InvalidOption
from hocket.parquet.records import fields

__all__ = [
    "ARROW_ARGUMENTS",
    "FRAME_ARGUMENTS",
    "check_opening",
    "checked_mask",
    "is_flag",
    "is_given",
    "make_options",
    "position_of",
    "whole_number",
]

_T = TypeVar("_T")
_Array = np.ndarray[Any, Any]

#: What methods that make frames, and those that make Arrow data, take beside their options.
FRAME_ARGUMENTS: Final = ("columns", "filters", "index", "row_filter", "progress")
ARROW_ARGUMENTS: Final = ("columns", "filters", "row_filter", "progress")


def check_opening(
    open_with: Any, filesystem: Any, storage_options: Any, decryption: Any, dtypes: Any
) -> None:
    """Refuse arguments that no file can be opened with."""
    if open_with is not None and not callable(open_with):
        raise InvalidOption(
            f"open_with is {open_with!r}; it has to be a function open_with(path, mode)"
        )
    if filesystem is not None and not any(
        hasattr(filesystem, name) for name in ("open", "open_input_file")
    ):
        raise InvalidOption(f"fs is {filesystem!r}; it has to be a file system of fsspec")
    for name, value in (("storage_options", storage_options), ("dtypes", dtypes)):
        if value is not None and not isinstance(value, Mapping):
            raise InvalidOption(f"{name} is {value!r}; it has to be a dict")
    if decryption is not None and not hasattr(decryption, "footer_key"):
        raise InvalidOption(f"decryption is {decryption!r}; it has to be a DecryptionKeys")


def make_options(
    kind: type[_T], options: Mapping[str, Any], method: str, others: Iterable[str] = ()
) -> _T:
    """Return the object that holds a method's options.

    Parameters
    ----------
    kind
        Its dataclass.
    options
        As the caller gave them.
    method
        The name of the method.
    others
        Arguments of the method that are not of the dataclass.
    """
    known = [each.name for each in fields(kind)]  # type: ignore[arg-type]
    for name in options:
        if name not in known:
            names = [*others, *known]
            import difflib  # noqa: PLC0415 - needed by nobody else

            close = difflib.get_close_matches(name, names, n=2)
            hint = (
                f"did you mean {' or '.join(map(repr, close))}?"
                if close
                else f"there are {', '.join(names)}"
            )
            raise InvalidOption(f"{method} has no option {name!r}; {hint}")
    return kind(**options)


def whole_number(name: str, value: Any) -> int:
    """Return a number that is not negative."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidOption(f"{name} is {value!r}; it has to be a whole number") from None
    if number < 0:
        raise InvalidOption(f"{name} is {number}; it cannot be negative")
    return number


def is_given(filters: Any) -> bool:
    """Tell whether there are filters at all."""
    return filters is not None and (not hasattr(filters, "__len__") or len(filters) > 0)


def is_flag(row_filter: Any) -> bool:
    """Tell whether a `row_filter` says how filters are applied, and is no array of rows."""
    return row_filter is None or isinstance(row_filter, (bool, np.bool_))


def checked_mask(row_filter: Any, rows: int) -> _Array:
    """Return a `row_filter` as an array of so many booleans."""
    mask = np.asarray(row_filter)
    if mask.dtype != np.bool_ or mask.ndim != 1 or len(mask) != rows:
        raise InvalidOption(
            f"row_filter is an array of {mask.dtype} with the shape {mask.shape}; it has to be "
            f"booleans, one for each of the {rows:,} rows, or True or False (conditions are given "
            "as filters)"
        )
    return mask


def position_of(row_groups: Sequence[Any], wanted: Any) -> int:
    """Return the position of a row group that is given by its number, or as an object."""
    count = len(row_groups)
    if isinstance(wanted, (int, np.integer)) and not isinstance(wanted, bool):
        if not -count <= wanted < count:
            # Loops end by this kind of error.
            raise IndexError(f"there is no row group {wanted}; there are {count}")
        return int(wanted) % count
    if hasattr(wanted, "columns"):
        for at, each in enumerate(row_groups):
            if each is wanted:
                return at
        for at, each in enumerate(row_groups):
            if each == wanted:
                return at
        raise InvalidOption("the row group is none of this file's; give one of pf.row_groups")
    raise InvalidOption(
        f"{wanted!r} is no row group; row groups are told by numbers (pf[0], pf[:5]), and columns "
        "are chosen by to_pandas(columns=[...])"
    )

"""Frames as fastparquet takes them: names of their index, and columns that arguments name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from hocket.parquet.errors import InvalidOption

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_columns", "is_frame", "offsets_of", "with_named_index"]


def is_frame(data: Any) -> bool:
    """Return whether something is a frame of pandas.

    Parameters
    ----------
    data
        What is to be written.
    """
    return hasattr(data, "rename_axis") and hasattr(data, "columns")


def with_named_index(data: Any, write_index: bool | None) -> Any:  # noqa: FBT001
    """Return a frame whose index, if it is written, has the names that ``reset_index`` gives.

    Parameters
    ----------
    data
        What is to be written.
    write_index
        As with `hocket.parquet.dropin.writer.write`.
    """
    if not is_frame(data):
        return data
    import pandas as pd  # noqa: PLC0415 - it is there, if there is a frame

    is_written = not isinstance(data.index, pd.RangeIndex) if write_index is None else write_index
    if not is_written or None not in data.index.names:
        return data
    return data.rename_axis(index=_names(data))


def _names(data: pd.DataFrame) -> list[Any]:
    names = list(data.index.names)
    if len(names) == 1:
        return ["index" if "index" not in data.columns else "level_0"]
    return [f"level_{at}" if name is None else name for at, name in enumerate(names)]


def check_columns(data: Any, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that name columns which a frame does not have.

    Parameters
    ----------
    data
        What is to be written.
    arguments
        By their names; only lists and dicts are looked at.
    """
    if not is_frame(data):
        return
    known = {*data.columns, *data.index.names}
    for argument, told in arguments.items():
        if isinstance(told, (str, bytes)) or not isinstance(told, Iterable):
            continue
        missing = [name for name in told if name not in known]
        if missing:
            raise InvalidOption(
                f"{argument} names {missing!r}, which the frame does not have; it has "
                f"{list(data.columns)}"
            )


def offsets_of(offsets: Any, data: Any) -> Any:
    """Return where row groups begin, or how many rows they have.

    Parameters
    ----------
    offsets
        As the caller gave them. A number of rows becomes a smaller one with which all row groups of
        a frame have as many; without any, each frame of a list is a row group.
    data
        A frame, or a list of frames.
    """
    if offsets is None and isinstance(data, (list, tuple)) and all(map(is_frame, data)):
        starts = accumulate((len(each) for each in data), initial=0)
        return sorted({start for start, each in zip(starts, data, strict=False) if len(each)})
    if not is_frame(data) or not isinstance(offsets, int) or offsets < 1 or not len(data):
        return offsets
    rows = len(data)
    return -(-rows // -(-rows // offsets))

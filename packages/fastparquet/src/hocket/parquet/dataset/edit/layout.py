"""How the files of a dataset lie, as a writer wants it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hocket.parquet.errors import InvalidOption
from hocket.parquet.options import check_switch, is_switch
from hocket.parquet.records import dataclass

__all__ = ["Layout"]

_SCHEMES: Final = ("simple", "hive", "drill")


@dataclass(frozen=True, slots=True)
class Layout:
    """How the files of a dataset lie, and what becomes of those that are there.

    Parameters
    ----------
    file_scheme
        "simple": one file. "hive": files in directories that name columns and values,
        ``year=2026/``. "drill": in directories that are called as the values.
    partition_on
        Names of the columns whose values tell directories; they are not in the files.
    append
        False: what was there before is replaced. True: new rows are added to it. "overwrite":
        directories that get new rows lose the old ones, others stay.
    write_metadata
        Whether ``_metadata`` is written, which tells the row groups of all files. None: if it is
        there, or if the dataset is new.
    """

    file_scheme: str = "simple"
    partition_on: str | Sequence[str] = ()
    append: bool | str = False
    write_metadata: bool | None = None

    def __post_init__(self) -> None:
        if self.file_scheme not in _SCHEMES:
            raise InvalidOption(
                f"file_scheme is {self.file_scheme!r}; it has to be one of {', '.join(_SCHEMES)}"
            )
        told = self.append
        if not (is_switch(told) or (isinstance(told, str) and told == "overwrite")):
            raise InvalidOption(
                f'append is {self.append!r}; it has to be True, False or "overwrite"'
            )
        check_switch("write_metadata", self.write_metadata, may_be_none=True)
        keys = self.keys
        if len(set(keys)) < len(keys) or not all(isinstance(key, str) for key in keys):
            raise InvalidOption(
                f"partition_on is {self.partition_on!r}; it has to be names, each once"
            )
        if keys and self.file_scheme == "simple":
            raise InvalidOption(
                "partition_on makes several files; give file_scheme='hive' or 'drill' with it"
            )
        if self.append == "overwrite" and not keys:
            raise InvalidOption(
                "append='overwrite' replaces partitions; give partition_on and file_scheme='hive' "
                "or 'drill' with it, or append=False to replace all"
            )

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the keys."""
        told = self.partition_on
        return (told,) if isinstance(told, str) else tuple(told or ())

"""fastparquet's ``api``: `ParquetFile`, and the functions that programs call on it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hocket.parquet.api import filter_row_groups, sorted_partitioned_columns, statistics
from hocket.parquet.dataset import parquet_file
from hocket.parquet.dropin.common_metadata import write_common_metadata
from hocket.parquet.dropin.file_systems import filesystem_of
from hocket.parquet.dropin.frames import offsets_of
from hocket.parquet.dropin.paths import ParquetException
from hocket.parquet.errors import InvalidOption

if TYPE_CHECKING:
    import pandas as pd

    from hocket.parquet.assemble.pandas_options import PandasOptions
    from hocket.parquet.dropin.schema import SchemaHelper

__all__ = [
    "ParquetException",
    "ParquetFile",
    "filter_row_groups",
    "sorted_partitioned_columns",
    "statistics",
]


#: What fastparquet makes of lists, maps and JSON; and of decimals, that are exact here.
_OBJECTS: Final = {"nested": "python", "decimals": "python", "decode_json": True}


class ParquetFile(parquet_file.ParquetFile):
    """`hocket.parquet.ParquetFile` with what only fastparquet's users know.

    Parameters
    ----------
    fn, verify, root, sep, fs, pandas_nulls, dtypes
        As with `hocket.parquet.ParquetFile`.
    open_with
        A function that opens paths; of the method ``open`` of an fsspec file system, that is used.
    **options
        More of `hocket.parquet.ParquetFile`.
    """

    def __init__(
        self,
        fn: Any,
        verify: bool = False,  # noqa: FBT001, FBT002  the order of fastparquet's
        open_with: Any = open,
        root: str | bool = False,  # noqa: FBT001, FBT002
        sep: str | None = None,
        fs: Any = None,
        pandas_nulls: bool = True,  # noqa: FBT001, FBT002
        dtypes: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        filesystem, opening = filesystem_of(open_with)
        filesystem = fs or filesystem
        if isinstance(fn, (list, tuple)) and opening is None:
            fn = [_opened_directory(each, filesystem) for each in fn]
        super().__init__(
            fn, verify, opening, root, sep, filesystem, pandas_nulls, dtypes, **options
        )

    @property
    def schema(self) -> SchemaHelper:  # type: ignore[override]
        """The elements of the schema; ``schema.text`` shows them."""
        from hocket.parquet.dropin.schema import SchemaHelper  # noqa: PLC0415 - imports Thrift

        return SchemaHelper(self._schema)

    @property
    def _schema(self) -> list[Any]:
        """The elements of the schema, the root first."""
        elements: list[Any] = self.fmd.schema
        return elements

    @property
    def helper(self) -> SchemaHelper:
        """The same."""
        return self.schema

    def read_row_group_file(
        self,
        rg: Any,
        columns: Sequence[str] | None = None,
        categories: Any = None,
        index: Any = None,
        assign: Any = None,
        partition_meta: Any = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Read one row group; see `hocket.parquet.ParquetFile.read_row_group_file`.

        Parameters
        ----------
        rg, columns, categories, index, **options
            As there.
        assign
            Not used but refused: arrays that others allocated are not filled.
        partition_meta
            Not used.
        """
        del partition_meta
        if assign is not None:
            raise InvalidOption(
                "read_row_group_file fills no arrays (assign); take the frame that it returns"
            )
        options.pop("infile", None)
        return super().read_row_group_file(rg, columns, categories, index, **options)

    def check_categories(self, cats: Any) -> Any:
        """Return the names of columns that become categoricals, refusing those that are not there.

        Parameters
        ----------
        cats
            Names, or a dict by name; None for those that were categoricals.
        """
        if cats is None:
            return self.categories or {}
        missing = [name for name in cats if name not in self.columns]
        if missing:
            raise InvalidOption(f"categories has {missing!r}; the columns are {self.columns}")
        return cats

    def _frame_options(
        self, categories: Any, dtypes: dict[str, Any] | None, options: dict[str, Any]
    ) -> PandasOptions:
        """Return options of frames with Python objects for lists, maps and structs."""
        return super()._frame_options(categories, dtypes, {**_OBJECTS, **options})

    def write_row_groups(
        self, data: Any, row_group_offsets: Any = None, *arguments: Any, **options: Any
    ) -> None:
        """Add rows; see `hocket.parquet.ParquetFile.write_row_groups`.

        Parameters
        ----------
        data
            A frame, or a list of frames, each of which becomes a row group.
        row_group_offsets, *arguments, **options
            As there.
        """
        offsets = offsets_of(row_group_offsets, data)
        super().write_row_groups(data, offsets or None, *arguments, **options)

    def _write_common_metadata(self, open_with: Any = None) -> None:
        """Write ``_metadata`` and ``_common_metadata``, of only these row groups if some are left.

        Parameters
        ----------
        open_with
            Not used.
        """
        is_single = self.file_scheme in ("simple", "empty")
        if is_single or len(self._groups) == len(self._collection.groups):
            super()._write_common_metadata(open_with)
            return
        write_common_metadata(self.fn, self.fmd, self.fs.open, no_row_groups=False)

    def _get_index(self, index: Any = None) -> list[str]:
        """Return the names of the columns that make the index."""
        if index is None:
            levels = self._collection.hints.pandas.index_columns
            return [name for name in levels if name in self.columns]
        return [] if index is False else [index] if isinstance(index, str) else list(index)


def _opened_directory(place: Any, filesystem: Any) -> Any:
    """Return a directory that is one of several places as an opened dataset; else the place."""
    if not isinstance(place, (str, os.PathLike)):
        return place
    path = os.fspath(place)
    is_directory = Path(path).is_dir() if filesystem is None else filesystem.isdir(path)
    return ParquetFile(path, fs=filesystem) if is_directory else place
